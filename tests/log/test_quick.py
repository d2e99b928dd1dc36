"""The short way to a line writes what the long way would have written."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.log.policy import ITEMS, TEXT, Redactor
from postrmagic_core.log.quick import QuickJson
from postrmagic_core.log.records import OURS, Told, to_event
from postrmagic_core.log.render import render_json

NAMES = st.text(max_size=8) | st.sampled_from(["name", "password", "Session-Id", "event", "level", "n\x7f", "key"])
TEXTS = st.text(max_size=40) | st.sampled_from(
    [
        "Bearer abcdefghij",
        "token=abc",
        "https://u:p@h/",
        "12:00",
        "x\x7fy",
        "a\u2028b",
        "Café",
        "\ud800",
        "eyJhbGciOi.x",
    ]
)
VALUES = TEXTS | st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.lists(TEXTS, max_size=2)


def both(event: Any, args: Any, given: dict[str, Any], logger: str = "shop") -> tuple[bytes | None, bytes]:
    """The line of the short way, if it takes it, and that of the long way."""
    redactor, constants = Redactor(["e-mail"], OURS), {"service": "media", "release": "1.2"}
    quick = QuickJson(redactor, constants)
    quick.line(1.5, "INFO", logger, event, args, given)  # the second time what was kept is used
    told = Told(1.5, logging.INFO, "INFO", logger, event, args, given)
    long = render_json(redactor.clean({**to_event(told, redactor), **constants}))
    return quick.line(1.5, "INFO", logger, event, args, given), long


@given(TEXTS, st.dictionaries(NAMES, VALUES, max_size=5), st.sampled_from(["shop", "a:b", "token=x", "\ud800"]))
def test_both_ways_write_the_same(event: str, fields: dict[str, Any], logger: str) -> None:
    """Field for field, whatever the record holds; or the long way is taken."""
    short, long = both(event, (), fields, logger)
    assert short is None or json.loads(short) == json.loads(long)
    assert short is None or list(json.loads(short)) == list(json.loads(long))


@given(st.sampled_from(["%s of %d", "%s", "no", "%(x)s %s"]), st.lists(VALUES, max_size=2))
def test_arguments_are_formatted_alike(event: str, args: list[Any]) -> None:
    """Also where they do not fit."""
    short, long = both(event, tuple(args), {"n": 1})
    assert short is None or json.loads(short) == json.loads(long)


@pytest.mark.parametrize(
    ("event", "args", "fields"),
    [
        ("uploaded", (), {}),
        ("uploaded", (), {"media_id": 7, "name": "poster.jpeg", "ratio": 0.5, "none": None, "yes": True}),
        ("uploaded %s", ("x",), {"name": "Café"}),
        ("at 12:00", (), {"x": "a\x7f\u2028b"}),
    ],
)
def test_ordinary_records_take_the_short_way(event: str, args: Any, fields: dict[str, Any]) -> None:
    """What most records are, is quick."""
    short, long = both(event, args, fields)
    assert short is not None
    assert short == long


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "x"},
        {"E-Mail": "x"},
        {"event": "forged"},
        {"release": "forged"},
        {"x": float("nan")},
        {"x": 2**64},
        {"x": "\ud800"},
        {"x": ["list"]},
        {"x": "y" * (TEXT + 1)},
        {"x": "token=abc"},
        {"x": "--password abc"},
        {"x": "<password>abc</password>"},
        {"x": '["password","abc"]'},
        {f"n{number}": number for number in range(ITEMS + 1)},
    ],
)
def test_what_the_chain_would_change_takes_the_long_way(fields: dict[str, Any]) -> None:
    """A secret's name or look, a reserved name, what JSON lacks, and what is too much."""
    short, _ = both("x", (), fields)
    assert short is None


def test_what_is_remembered_is_bounded() -> None:
    """Events and names that never end take no memory that never ends."""
    redactor = Redactor((), OURS)
    quick = QuickJson(redactor, {})
    for number in range(5000):
        assert quick.line(1.0, "INFO", "shop", f"e{number}", (), {f"n{number}": 1}) is not None
    assert len(quick._heads) <= 2048
    assert len(redactor._ordinary) <= 2001
