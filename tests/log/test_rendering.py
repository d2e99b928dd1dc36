"""One record is one line, and a line is only text."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.log import configure, get_logger
from postrmagic_core.log.render import ascii_only, console, escaped, render_json

log = get_logger("tests.rendering")

HOSTILE = {
    "new line": "a\nERROR forged",
    "carriage return": "a\rforged",
    "colour": "a\x1b[31mred",
    "title": "\x1b]0;owned\x07",
    "eight bit escape": "a\x9b31m",
    "nul": "a\x00b",
    "delete": "a\x7f",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "next line": "a\x85b",
    "form feed": "a\x0cb\x0bc",
    "group separators": "a\x1cb\x1db\x1e",
    "reversed text": "a\u202egnp.exe",
    "surrogate": "a\ud800b",
    "format string": "{0.__class__} %(x)s %s %n ${jndi:ldap://x}",
}


@pytest.mark.parametrize("shape", ["json", "console"])
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_one_record_is_one_line(hostile: str, shape: str, configured: Callable[..., Any]) -> None:
    """Given a hostile message, field or field name, the record is one printable line in every format."""
    written, _ = configured(format=shape)
    log.info(hostile, value=hostile, **{hostile: 1})
    logging.getLogger(hostile).info("%s", hostile, extra={hostile: [hostile]})
    assert len(written.lines) == 2
    assert all(character.isprintable() for line in written.lines for character in line)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_json_loses_nothing(hostile: str, written: Any) -> None:
    """What was escaped reads back as it was (half a character aside)."""
    log.info("x", value=hostile)
    assert written.last["value"] == hostile.replace("\ud800", "\ufffd")


def test_a_traceback_on_the_console_is_indented(configured: Callable[..., Any]) -> None:
    """Lines after the first never look like a record, whatever the exception's text."""
    written, _ = configured(format="console")
    try:
        raise ValueError("a\n2026-01-01T00:00:00 info forged")
    except ValueError:
        log.exception("failed")
    first, *rest = written.lines
    assert "failed" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_group_and_its_causes_are_told_on_the_console() -> None:
    """Members, notes and causes follow the exception they belong to."""
    cause = {"type": "OSError", "message": "gone", "frames": []}
    error = {"type": "Group", "message": "two", "frames": [], "notes": ["n"], "errors": [cause], "cause": cause}
    event = {"ts": "2026-01-01T12:00:00.123456Z", "level": "error", "event": "e", "stack": ["here"], "exception": error}
    line = console(colour=False)(event).decode()
    assert line.split("\n    ") == [
        "12:00:00.123 error    e",
        "here",
        "Group: two",
        "note: n",
        "  OSError: gone",
        "caused by",
        "  OSError: gone",
    ]


def test_colour_only_where_asked() -> None:
    """A terminal gets a coloured level; the text inside is escaped all the same."""
    event = {"level": "error", "event": "\x1b[0m"}
    assert console(colour=True)(event).count(b"\x1b") == 4
    assert b"\x1b" not in console(colour=False)(event)


def test_the_console_is_for_people() -> None:
    """Events and fields stand below each other; whose record it is comes last."""
    event = {"ts": "2026-01-01T12:00:00.123456Z", "level": "info", "logger": "media", "event": "uploaded", "id": 7}
    line = console(colour=False)({**event, "name": "two words"}).decode()
    assert line == '12:00:00.123 info     uploaded                       id=7 name="two words" [media]'


@given(st.text())
def test_ascii_for_a_narrow_stream_is_the_same_json(text: str) -> None:
    """Escaping everything beyond ASCII changes the bytes and not the value."""
    line = render_json({"x": text}).decode()
    assert ascii_only(line).isascii()
    assert json.loads(ascii_only(line)) == json.loads(line)


@given(st.text(alphabet=st.characters(categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
def test_nothing_unsafe_survives(text: str) -> None:
    """Control, surrogate and separator characters are always escaped."""
    assert escaped(text).isascii()
    assert escaped(text).isprintable()


def test_a_stream_that_lacks_a_character_gets_its_escape() -> None:
    """Given an ASCII terminal, a name with an accent is written as an escape."""
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    with configure(format="json", stream=narrow) as handle:
        log.info("Zoë 🎉")
        assert handle.dropped == 0
    assert json.loads(raw.getvalue())["event"] == "Zoë 🎉"


def test_a_record_says_when_where_and_how_grave(written: Any) -> None:
    """Time in UTC, level, logger and event come first, whatever the fields are named (ASVS 16.2.1)."""
    log.warning("uploaded", level="info", ts="never", logger="forged", media_id=7)
    record = written.last
    assert list(record)[:4] == ["ts", "level", "logger", "event"]
    assert (record["level"], record["logger"], record["media_id"]) == ("warning", "tests.rendering", 7)
    assert record["ts"].endswith("Z")
    assert record["extra_level"] == "info"
