"""A rule takes what can be one, and says what is wrong with the rest."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.flags import Rule
from postrmagic_core.flags.interface import RULE_BYTES, check_key, check_name
from postrmagic_core.flags.rows import Row, decoded

NAMES = st.frozensets(st.text(min_size=1, max_size=20), max_size=8)


@given(st.integers(0, 10_000), NAMES, NAMES, NAMES)
def test_a_rule_survives_its_row(hundredths: int, users: Any, roles: Any, off: Any) -> None:
    """Given any rule, when it is written and read, then it is the same, and equal rules are equal bytes."""
    rule = Rule(hundredths / 100, users, frozenset(role[:10] for role in roles), off - users)
    assert rule.limit == hundredths
    assert decoded(Row("a", rule.encoded(), 0, None)) == rule
    assert Rule.of(json.loads(rule.encoded())).encoded() == rule.encoded()


@pytest.mark.parametrize(
    "percent",
    [math.nan, math.inf, -math.inf, -1, -0.01, 100.01, 101, 10**400, "10", None, True, False, [10], 0.001, 33.333],
    ids=lambda value: repr(value)[:20],
)
def test_a_percentage_is_a_number_up_to_a_hundred(percent: Any) -> None:
    """Given anything else, or what is finer than hundredths, then it is refused by name."""
    with pytest.raises(ValueError, match="percent"):
        Rule.of({"percent": percent})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "mapping"),
        ("on", "mapping"),
        (None, "mapping"),
        ({"percents": 10}, "did you mean percent"),
        ({"limit": 10_000}, "no 'limit'"),
        ({7: 1}, "no '7'"),
        ({"users": "staff"}, "list of texts"),
        ({"users": 7}, "list of texts"),
        ({"users": [7]}, "something else"),
        ({"users": [""]}, "0 bytes"),
        ({"users": ["x" * 191]}, "191 bytes"),
        ({"roles": ["ä" * 33]}, "66 bytes"),
        ({"roles": {"staff": 1}}, "list of texts"),
        ({"users": [["7"]]}, "something else"),
        ({"users": ["7"], "off_for": ["7"]}, "'7' is named in users and in off_for"),
        ({"note": "a\nb"}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"note": 7}, "note"),
        ({"users": [f"u{n}" for n in range(10_000)]}, "name a role"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_named(given: Any, says: str) -> None:
    """Given what is no rule, then the error says which part of it."""
    with pytest.raises(ValueError, match=says):
        Rule.of(given)


def test_ninety_users_fit() -> None:
    """Given ninety users named by UUID, then that is a rule; so many that two would not fit an audit row are none."""
    rule = Rule(users=frozenset(f"{n:08}-0000-4000-8000-000000000000" for n in range(88)))
    assert len(rule.encoded()) <= RULE_BYTES


@pytest.mark.parametrize(
    "name", ["", "A", "-a", "_a", "a b", "a\n", "a" * 65, "ä", "a\0", "a/b", 7, None, b"a", "\ud800"]
)
def test_a_name_is_as_in_settings(name: Any) -> None:
    """Given another name, then it is refused."""
    with pytest.raises(ValueError, match="flag's name"):
        check_name(name)


def test_a_row_may_have_a_stranger_name() -> None:
    """Given a row that was written by hand, then its name is one that can be cleared."""
    assert check_key("A b") == "A b"
    for name in ("", "x" * 65, 7, "ä" * 33):
        with pytest.raises(ValueError, match="flag's name"):
            check_key(name)


GARBLED: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"on"',
    b'{"percent": NaN}',
    b'{"percent": Infinity}',
    b'{"percent": 1e999}',
    b'{"percent": "10"}',
    b'{"percent": 10, "until": 5}',
    b'{"users": "7"}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"percent": 1' + b"0" * 5000 + b"}",
]


@pytest.mark.parametrize("rule", GARBLED, ids=lambda rule: repr(rule[:30]))
def test_a_garbled_row_is_a_fault(rule: bytes) -> None:
    """Given bytes that are no rule, among them one of a later release, then what is wrong is told, and not raised."""
    found = decoded(Row("a", rule, 0, None))
    assert isinstance(found, str)
    assert found


def test_a_row_of_another_name_is_a_fault() -> None:
    """Given a name that no flag can have, then the row does not count."""
    assert isinstance(decoded(Row("A", b'{"percent": 1}', 0, None)), str)
