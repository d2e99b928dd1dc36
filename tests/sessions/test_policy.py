"""Ids, records and merging."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._codec import encode
from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import DecodeError
from postrmagic_core.sessions import policy
from postrmagic_core.sessions.policy import Record
from postrmagic_core.sessions.vault import Vault

fields = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=4))
records = st.builds(Record, st.none() | st.text(), *[st.integers(0, 2**62)] * 3, fields)


@given(st.binary(min_size=44, max_size=44))
def test_an_id_comes_back_from_its_cookie(raw: bytes) -> None:
    """59 characters for 44 bytes."""
    assert policy.read_id(policy.write_id(raw)) == raw


@given(st.text(max_size=70))
def test_other_cookies_are_no_ids(cookie: str) -> None:
    """Whatever a client sends, only what could be ours is looked up."""
    assert policy.read_id(cookie) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: cookie[:-1],
        lambda cookie: cookie + "A",
        lambda cookie: cookie + "=",
        lambda cookie: " " + cookie[1:],
        lambda cookie: "+" + cookie[1:],
        lambda cookie: cookie[:-1] + "B",
        lambda cookie: "\uff21" + cookie[1:],
        lambda cookie: cookie + "\n",
    ],
)
def test_a_second_spelling_of_an_id_is_refused(change: Callable[[str], str]) -> None:
    """Padding, other alphabets, full-width letters, spare bits: one id has one spelling."""
    assert policy.read_id(policy.write_id(bytes(44))) == bytes(44)
    assert policy.read_id(change(policy.write_id(bytes(44)))) is None


def test_ids_are_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 bits of every id come from the operating system's generator; the rest names the user or is chance too."""
    vault = Vault(KeyRing([secrets.token_urlsafe(32)]), "app")
    made = {vault.new_id(None) for _ in range(1000)}
    mine = {vault.new_id("alice") for _ in range(1000)}
    assert len(made) == len(mine) == 1000
    assert len({raw[:12] for raw in mine}) == 1
    assert len({raw[:12] for raw in made}) == 1000
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    assert vault.new_id(None) == bytes(44)


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    """Packing loses nothing."""
    assert policy.unpack(policy.pack(record)) == record


@pytest.mark.parametrize("body", [None, [], [2, None, 0, 0, 0, {}], [1, 5, 0, 0, 0, {}], [1, None, 0, 0, 0, []]])
def test_a_body_of_another_shape_is_no_record(body: object) -> None:
    """Another version, other types."""
    with pytest.raises(DecodeError):
        policy.unpack(encode(body))


@given(fields, fields, fields)
def test_merging_makes_ones_own_changes_and_no_others(
    before: dict[str, bytes], after: dict[str, bytes], other: dict[str, bytes]
) -> None:
    """A field that this request did not change keeps what the other request gave it."""
    changes = policy.difference(before, after)
    merged = Record(None, 0, 0, 0, other).merged(changes, 7)
    assert merged.touched_us == 7
    for name in before.keys() | after.keys() | other.keys():
        unchanged = before.get(name) == after.get(name)
        assert merged.fields.get(name) == (other if unchanged else after).get(name)


@pytest.mark.parametrize(("touched", "due"), [(100, False), (41, False), (40, True), (0, True), (101, True)])
def test_a_touch_is_due_after_the_interval_or_when_a_clock_went_back(touched: int, due: bool) -> None:
    """At 100 with an interval of 60; a time in the future is another host's clock."""
    assert policy.touch_due(touched * 1_000_000, 100_000_000, 60) is due
