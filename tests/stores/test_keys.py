"""Keys: different names never share a key, and every key fits everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core import _rooms
from postrmagic_core.stores import Keys, keys
from postrmagic_core.stores.checks import MAX_KEY, check_keys

PARTS = st.lists(st.one_of(st.binary(max_size=300), st.text(max_size=40)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(PARTS, PARTS)
def test_different_parts_never_share_a_key(one: list[str | bytes], other: list[str | bytes]) -> None:
    """Two lists of parts build one key only if they are the same bytes."""
    built = Keys("app")
    same = [p.encode() if isinstance(p, str) else p for p in one] == [
        p.encode() if isinstance(p, str) else p for p in other
    ]
    assert (built.build("k", *one) == built.build("k", *other)) is same


@given(PARTS)
def test_every_key_is_accepted_with_room_for_a_companion(parts: list[str | bytes]) -> None:
    """The longest key still takes the suffix of a fence."""
    key = Keys("n" * 64).build("k" * 32, *parts)
    check_keys([key, keys.companion(key, b"fence")])


@pytest.mark.parametrize("parts", [("a:b",), ("a", "b"), ("a%3Ab",), ("a#fence",), (b"#" * 300,), ("",), ()])
def test_a_kinds_prefix_begins_its_keys_and_no_others(parts: tuple[str | bytes, ...]) -> None:
    """clear() with a kind's prefix meets every key of the kind, and none of another kind or namespace."""
    key = Keys("app").build("page", *parts)
    assert key.startswith(Keys("app").prefix("page"))
    assert key.startswith(Keys("app").prefix())
    assert not key.startswith((Keys("app").prefix("pages"), Keys("ap").prefix(), Keys("app2").prefix()))


def test_a_companion_is_nobodys_own_key() -> None:
    """The fence of one lease is not the key of another."""
    built = Keys("app")
    assert keys.companion(built.build("lease", "a"), b"fence") != built.build("lease", "a#fence")


@pytest.mark.parametrize("namespace", ["", "a b", "a{b}", "ä", "a*", "n" * 65, "a\n"])
def test_a_namespace_with_a_meaning_elsewhere_is_refused(namespace: str) -> None:
    """Braces, globs and spaces would change what a key means to the server."""
    with pytest.raises(ValueError, match="namespace"):
        Keys(namespace)


def test_the_namespace_rule_is_the_settings_own() -> None:
    """What settings accept, keys accept."""
    assert keys.NAMESPACE == _rooms.NAMESPACE


@pytest.mark.parametrize("key", [b"", b"x" * (MAX_KEY + 1)])
def test_a_key_out_of_bounds_says_how_to_fix_it(key: bytes) -> None:
    """The message names the bounds and the builder."""
    with pytest.raises(ValueError, match=r"1 to 255 bytes.*Keys"):
        check_keys([key])


def test_a_part_that_is_a_number_is_told_so() -> None:
    """A number would be a key of its own kind: whoever means its text says so."""
    part: Any = 7
    with pytest.raises(TypeError, match="str or bytes, got int"):
        Keys("app").build("page", part)
