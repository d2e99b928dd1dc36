"""Ids, records, merging, binding: what is decided without a store."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._codec import encode
from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import DecodeError
from postrmagic_core.sessions import binding, devices, ids, policy
from postrmagic_core.sessions.binding import Binding, Client, Place
from postrmagic_core.sessions.devices import Entry
from postrmagic_core.sessions.ids import Id
from postrmagic_core.sessions.policy import Record
from postrmagic_core.sessions.vault import Vault

RING = KeyRing([secrets.token_urlsafe(32)])
VAULT = Vault(RING, "app")
session_ids = st.builds(
    Id, st.binary(min_size=12, max_size=12), st.binary(min_size=32, max_size=32), st.integers(0, ids.LAST_SERIAL)
)
fields = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=4))
times = st.integers(0, 2**62)
names = st.none() | st.text(max_size=5)
records = st.builds(
    Record, names, *[times] * 7, names, names, st.integers(1, 9), st.none() | st.binary(max_size=9), fields
)


def record(**values: Any) -> Record:
    """One of nobody, with these values."""
    plain = Record(None, 0, 0, 0, 0, 0, 0, 0, None, None, 1, None, {})
    return plain._replace(**values)


@given(session_ids)
def test_an_id_comes_back_from_its_cookie(session_id: Id) -> None:
    """84 characters, signed."""
    cookie = VAULT.write(session_id)
    assert len(cookie) == 84
    assert VAULT.read(cookie) == session_id


@given(st.text(max_size=100) | st.from_regex(r"[A-Za-z0-9_-]{84}", fullmatch=True))
def test_other_cookies_are_no_ids(cookie: str) -> None:
    """Whatever a client sends, only what was signed is looked up."""
    assert VAULT.read(cookie) is None


@given(
    session_ids, st.integers(0, 83), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
)
def test_an_id_changed_in_any_place_is_no_id(session_id: Id, place: int, letter: str) -> None:
    """Every bit of every character is signed or part of the signature."""
    cookie = VAULT.write(session_id)
    changed = cookie[:place] + letter + cookie[place + 1 :]
    assert (VAULT.read(changed) is not None) == (changed == cookie)


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: cookie[:-1],
        lambda cookie: cookie + "A",
        lambda cookie: cookie + "=",
        lambda cookie: " " + cookie[1:],
        lambda cookie: "+" + cookie[1:],
        lambda cookie: "\uff21" + cookie[1:],
        lambda cookie: cookie + "\n",
    ],
)
def test_a_second_spelling_of_an_id_is_refused(change: Callable[[str], str]) -> None:
    """Padding, other alphabets, full-width letters: one id has one spelling."""
    cookie = VAULT.write(Id(bytes(12), bytes(32), 0))
    assert VAULT.read(cookie) is not None
    assert VAULT.read(change(cookie)) is None


def test_ids_are_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 bits of every id come from the operating system's generator; the rest names the user or is chance too."""
    made = {VAULT.new_id(None) for _ in range(1000)}
    mine = {VAULT.new_id("alice") for _ in range(1000)}
    assert len({one.family for one in made | mine}) == 2000
    assert len({one.prefix for one in mine}) == 1
    assert len({one.prefix for one in made}) == 1000
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    assert VAULT.new_id(None) == Id(bytes(12), bytes(32), 0)


@pytest.mark.soak
def test_a_million_ids_are_unique() -> None:
    """As many as a busy site gives in a day."""
    assert len({VAULT.new_id(None).family for _ in range(1_000_000)}) == 1_000_000


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    """Packing loses nothing."""
    assert policy.unpack(policy.pack(record)) == record


@pytest.mark.parametrize("body", [None, [], [1, None, 0, 0, 0, {}], [2, 5, *[0] * 7, None, None, 1, None, {}]])
def test_a_body_of_another_shape_is_no_record(body: object) -> None:
    """Another version, other types."""
    with pytest.raises(DecodeError):
        policy.unpack(encode(body))


@given(st.lists(st.builds(Entry, st.binary(max_size=9), times)))
def test_a_list_comes_back_as_it_was(entries: list[Entry]) -> None:
    """Packing loses nothing."""
    assert devices.unpack(devices.pack(entries)) == entries


@pytest.mark.parametrize("body", [None, [2, []], [1, [1]], [1, [[b"row"]]], [1, [["row", 1]]], [1, {}]])
def test_a_body_of_another_shape_is_no_list(body: object) -> None:
    """Another version, other types."""
    with pytest.raises(DecodeError):
        devices.unpack(encode(body))


@given(fields, fields, fields)
def test_merging_makes_ones_own_changes_and_no_others(
    before: dict[str, bytes], after: dict[str, bytes], other: dict[str, bytes]
) -> None:
    """A field that this request did not change keeps what the other request gave it."""
    changes = policy.difference(before, after)
    merged = record(fields=other).merged(changes, 7)
    assert merged.touched_us == 7
    for name in before.keys() | after.keys() | other.keys():
        unchanged = before.get(name) == after.get(name)
        assert merged.fields.get(name) == (other if unchanged else after).get(name)


@pytest.mark.parametrize(("touched", "due"), [(100, False), (41, False), (40, True), (0, True), (101, True)])
def test_a_touch_is_due_after_the_interval_or_when_a_clock_went_back(touched: int, due: bool) -> None:
    """At 100 with an interval of 60; a time in the future is another host's clock."""
    assert policy.touch_due(touched * 1_000_000, 100_000_000, 60) is due


@pytest.mark.parametrize(
    ("presented", "stands"), [(5, "current"), (6, "next"), (4, "previous"), (3, "old"), (0, "old"), (7, "ahead")]
)
def test_how_an_id_stands_follows_from_its_serial(presented: int, stands: str) -> None:
    """Where the fifth counts."""
    assert policy.standing(presented, 5) == stands


def test_only_the_next_id_renews() -> None:
    """Two requests that bring it on renew once, and a late one with the id before does not."""
    before = record(serial=5, touched_us=70, left_us=1, renewed_us=1)
    after = before.renewed(6, 100)
    assert (after.serial, after.renewed_us, after.left_us) == (6, 70, 100)
    assert after.renewed(6, 200) == after
    assert after.renewed(5, 200) == after


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36 Edg/141.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari on iOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) Version/19.0 Safari/605.1.15", "Safari on macOS"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>", None),
        ("x" * 5000, "x" * 40),
        ("", None),
        (None, None),
    ],
)
def test_an_agent_is_known_by_its_family(agent: str | None, family: str | None) -> None:
    """Versions change by themselves; what is no product's name is not kept."""
    assert binding.agent_family(agent) == family


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", None),
        ("1.2.3.4, 5.6.7.8", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_known_by_its_network(address: str | None, network: str | None) -> None:
    """What is no address is unknown."""
    assert binding.network_of(address) == network


places = st.builds(Place, st.sampled_from([None, "a", "b"]), st.sampled_from([None, "n", "m"]))
rules = st.sampled_from(["off", "log", "revoke"])


@given(places, places, st.builds(Binding, rules, rules))
def test_a_verdict_has_a_reason_for_each_rule_it_follows(before: Place, now: Place, bound: Binding) -> None:
    """The strictest rule of those that apply counts; what is unknown accuses nobody."""
    verdict = binding.judge(before, now, bound)
    pairs = [(before.agent, now.agent, bound.agent), (before.network, now.network, bound.network)]
    broken = [rule for was, is_now, rule in pairs if None not in {was, is_now} and was != is_now and rule != "off"]
    strictest = "revoke" if "revoke" in broken else "log" if broken else "off"
    assert (verdict.rule, len(verdict.reasons)) == (strictest, len(broken))


def test_nothing_is_known_of_no_client() -> None:
    """Nor is anything of an empty one."""
    assert binding.place_of(None) == binding.place_of(Client()) == Place()
