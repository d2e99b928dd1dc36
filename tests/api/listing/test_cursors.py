"""A cursor says one place in one list to one subject; whatever else is sent is refused, always in the same words."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.api.listing import cursors
from postrmagic_core.api.listing.cursors import LONGEST, LONGEST_POSITION, cursor_of, position_of
from postrmagic_core.errors import EncodeError, ValidationFailed
from tests.api.listing.shown import KEYS, refusals

LIST = b"i" * 32
OLD, NEW = "an-older-key-of-the-ring-0a1b2c3d4e5f-6789", "the-newest-key-of-the-ring-f0e1d2c3b4-a5968"
VALUES = st.one_of(
    st.integers(-(2**63), 2**64),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.floats(allow_nan=False),
    st.datetimes(),
    st.dates(),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_position_comes_back_as_it_was(position: list[Any]) -> None:
    """Every value with its type and to its last bit, in a text that a URL takes as it is."""
    cursor = cursor_of(position, LIST, KEYS)
    found = position_of(cursor, LIST, KEYS)
    assert [(type(one), repr(one)) for one in found] == [(type(one), repr(one)) for one in position]
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
@example("")
@example("A" * (LONGEST + 1))
@example("=" * 10)
@example("\ud800")
@example("AQ\r\nAA")
def test_any_other_text_is_refused(text: str) -> None:
    """Whatever it is, with one error and one text."""
    with pytest.raises(ValidationFailed) as caught:
        position_of(text, LIST, KEYS)
    message = "expected the cursor of an earlier page of this list, with the same sort and filters"
    assert caught.value.errors == [{"pointer": "/after", "code": "cursor.invalid", "message": message}]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_every_changed_character_is_seen() -> None:
    """Whichever one is another, left out or put in, also the bits that base64 does not use."""
    cursor = cursor_of([-1, "ä", b"\0"], LIST, KEYS)
    others = {cursor[:n] + other + cursor[n + 1 :] for n in range(len(cursor)) for other in "Aa0-_=+/ "} - {cursor}
    others |= {cursor[:n] for n in range(len(cursor))} | {cursor + more for more in ("A", "=", "\n", " ")}
    others |= {cursor[:n] + "\n" + cursor[n:] for n in range(len(cursor))}
    assert all(refusals(partial(position_of, text, LIST, KEYS)) for text in others)


def test_another_list_and_another_key_are_refused() -> None:
    """The identity holds the list, the subject, the order and the filters: one bit of it is enough."""
    cursor = cursor_of([1], LIST, KEYS)
    assert refusals(lambda: position_of(cursor, b"j" + LIST[1:], KEYS)) == [("/after", "cursor.invalid")]
    assert refusals(lambda: position_of(cursor, LIST, KeyRing([NEW]))) == [("/after", "cursor.invalid")]


def test_a_key_that_was_replaced_still_opens() -> None:
    """Cursors live on when a new key is put first, and end when the old one is taken away."""
    cursor = cursor_of([1, "x"], LIST, KeyRing([OLD]))
    assert position_of(cursor, LIST, KeyRing([NEW, OLD])) == [1, "x"]
    assert position_of(cursor, LIST, KeyRing([OLD, NEW])) == [1, "x"]
    assert refusals(lambda: position_of(cursor, LIST, KeyRing([NEW])))


def test_nothing_is_decoded_before_the_mac_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged position reaches no decoder, so that no answer tells what is in it."""
    raw = base64.urlsafe_b64decode(cursor_of([1], LIST, KEYS) + "==")
    decoded: list[object] = []
    monkeypatch.setattr(cursors, "decode", decoded.append)
    forged = base64.urlsafe_b64encode(raw[:17] + b"\xc1\x91\xc1").decode().rstrip("=")
    assert refusals(lambda: position_of(forged, LIST, KEYS)) == [("/after", "cursor.invalid")]
    assert decoded == []


def test_a_position_of_more_than_a_kilobyte_is_not_made() -> None:
    """It is an error of the application, which told how long its texts are; the text is not repeated."""
    assert len(cursor_of(["x" * (LONGEST_POSITION - 5)], LIST, KEYS)) == LONGEST
    with pytest.raises(EncodeError, match="at most 1024 bytes") as caught:
        cursor_of(["x" * LONGEST_POSITION], LIST, KEYS)
    assert "xxx" not in str(caught.value)


def test_a_value_without_a_lossless_writing_is_not_put_in() -> None:
    """An instant in a zone with a name, say; none of what drivers give is one."""
    assert position_of(cursor_of([dt.date(2024, 2, 29), Decimal("0.10")], LIST, KEYS), LIST, KEYS)[1] == Decimal("0.10")
    with pytest.raises(EncodeError):
        cursor_of([object()], LIST, KEYS)
