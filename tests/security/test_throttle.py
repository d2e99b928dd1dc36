"""Guessing is slowed down, whoever guesses from wherever, and nobody else is locked out by it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.limits import Limit, RateLimiter
from postrmagic_core.limits.interface import Unavailable
from postrmagic_core.security.logins import LoginThrottle, ThrottleLimits, policy
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock, spawn
from postrmagic_core.testing.proxy import FaultProxy
from tests.backends import Flaky
from tests.faces import Caller
from tests.security.conftest import KEY

NEWER = "a-newer-master-value-9876543210-qrstuvwxyz"
HOME, WORK, CAFE = "192.0.2.7", "198.51.100.9", "2001:db8:1:2::7"
SMALL = ThrottleLimits(
    own=Limit("login", 3, 3600.0), network=Limit("login-network", 8, 3600.0), account=Limit("login-account", 12, 3600.0)
)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest, ring: KeyRing) -> Iterator[Callable[..., Caller]]:
    """A factory: ``caller(store)`` makes a throttle of small limits on ``store`` and gives each of its faces."""
    with ExitStack() as opened:

        def make(store: Store, keys: KeyRing = ring, **options: Any) -> Caller:
            limiter = opened.enter_context(RateLimiter(store))
            throttle = LoginThrottle(limiter, keys, **{"limits": SMALL, **options})
            runner = opened.enter_context(asyncio.Runner()) if request.param == "async" else None
            return Caller(throttle, runner, own=["remember"])

        yield make


@pytest.fixture
def throttle(caller: Any) -> Any:
    """In memory."""
    return caller(MemoryStore())


def attack(throttle: Any, account: str = "alice", networks: int = 40) -> list[bool]:
    """Guesses from many networks, as often as each is admitted."""
    return [
        throttle.admit(account, f"203.0.{network}.{host}").allowed
        for network in range(networks)
        for host in (1, 1, 1, 1, 2)
    ]


def exhausted(throttle: Any, account: str = "alice", address: str = HOME, **options: Any) -> int:
    """How many attempts are admitted before one is not."""
    for number in range(100):
        if not throttle.admit(account, address, **options):
            return number
    raise AssertionError("nobody was refused")


def test_on_every_store_guesses_end_and_victims_get_in(caller: Any, store: Store) -> None:
    """An attacker with forty networks gets twelve guesses; the owner logs in from home and by a known device."""
    throttle = caller(store)
    assert throttle.admit("alice", HOME).allowed
    throttle.succeeded("alice", HOME)
    device = throttle.remember("alice")
    assert sum(attack(throttle)) == SMALL.account.burst - 1
    assert throttle.admit("alice", HOME).judged == "network"
    assert throttle.admit("alice", HOME).allowed
    assert throttle.admit("alice", CAFE, device=device).judged == "device"
    assert throttle.admit("alice", CAFE, device=device).allowed
    stranger = throttle.admit("alice", CAFE)
    assert (stranger.allowed, stranger.judged) == (False, "stranger")
    assert 0 < stranger.retry_after <= 3600 / 12


def test_one_network_guesses_at_one_account_only_so_often(throttle: Any) -> None:
    """The own limit holds first, and says when to come again."""
    assert exhausted(throttle) == 3
    refused = throttle.admit("alice", HOME)
    assert not refused
    assert refused.retry_after == pytest.approx(1200, abs=5)
    assert throttle.admit("bob", HOME)
    assert throttle.admit("alice", WORK)


def test_one_network_tries_many_accounts_only_so_often(throttle: Any) -> None:
    """Credential stuffing ends at the network's limit, whoever is tried, existing or not."""
    assert sum(throttle.admit(f"user{number}", HOME).allowed for number in range(50)) == 8
    assert throttle.admit("user49", WORK)


def test_one_account_is_tried_by_strangers_only_so_often(throttle: Any) -> None:
    """However many networks guess."""
    assert sum(attack(throttle, networks=100)) == 12


def test_a_refused_attempt_takes_from_nobody(throttle: Any) -> None:
    """Who goes on after a refusal makes it no worse for others in the network, or for the account's owner elsewhere."""
    exhausted(throttle)
    for _ in range(50):
        throttle.admit("alice", HOME)
    assert sum(throttle.admit(f"user{number}", HOME).allowed for number in range(50)) == 8 - 3
    assert sum(attack(throttle)) == 12 - 3


def test_an_attack_from_the_same_network_does_not_lock_a_known_device_out(throttle: Any) -> None:
    """A colleague who guesses behind the same address takes from the network's bucket, not from the device's."""
    throttle.succeeded("alice", HOME)
    device = throttle.remember("alice")
    exhausted(throttle)
    assert not throttle.admit("alice", HOME)
    assert throttle.admit("alice", HOME, device=device)


def test_a_login_gives_nothing_back_to_who_guesses_from_its_network(throttle: Any) -> None:
    """The owner comes in by a known device as often as they like: the guesses of their network stay counted."""
    throttle.succeeded("alice", HOME)
    device = throttle.remember("alice")
    exhausted(throttle)
    for _ in range(3):
        assert throttle.admit("alice", HOME, device=device)
        throttle.succeeded("alice", HOME, device=device)
        assert not throttle.admit("alice", HOME)


def test_an_attack_on_a_network_does_not_lock_its_known_users_out(throttle: Any) -> None:
    """Who has logged in from there is not judged by what others of the network do to other accounts."""
    throttle.succeeded("alice", HOME)
    for number in range(50):
        throttle.admit(f"user{number}", HOME)
    assert not throttle.admit("user49", HOME)
    assert throttle.admit("alice", HOME)


def test_a_known_network_and_a_known_device_are_limited_too(throttle: Any) -> None:
    """A thief of the device, or a guest at home, guesses no faster."""
    throttle.succeeded("alice", HOME)
    assert exhausted(throttle) == 3
    device = throttle.remember("alice")
    assert exhausted(throttle, device=device) == 3
    assert exhausted(throttle, address=WORK, device=throttle.remember("alice")) == 3


def test_a_login_gives_back_what_its_attempts_took(throttle: Any) -> None:
    """Who mistypes now and then, or logs in all day long, is never refused."""
    device = throttle.remember("alice")
    for options in ({}, {"device": device}):
        for _ in range(20):
            assert throttle.admit("alice", HOME, **options)
            assert throttle.admit("alice", HOME, **options)
            throttle.failed("alice", HOME)
            throttle.succeeded("alice", HOME, **options)


def test_a_login_of_ones_own_gives_nothing_back_to_a_network(throttle: Any) -> None:
    """An attacker with an account does not refill the network's bucket by logging in to it."""
    admitted = 0
    for number in range(50):
        admitted += throttle.admit(f"user{number}", HOME).allowed
        throttle.admit("mallory", HOME)
        throttle.succeeded("mallory", HOME)
    assert admitted <= 8


def test_a_network_is_known_to_one_account_only(throttle: Any) -> None:
    """To have logged in as oneself makes one no less a stranger to others."""
    throttle.succeeded("mallory", HOME)
    assert throttle.admit("mallory", HOME).judged == "network"
    assert throttle.admit("alice", HOME).judged == "stranger"


FORGED = ["", "x", "A" * 75, "=" * 75, "\u00e9" * 75, "A" * 76, "A" * 1_000_000, "\x00", "\ud800"]


@pytest.mark.parametrize("device", FORGED, ids=lambda text: ascii(text)[:20])
def test_a_device_token_cannot_be_made_up(throttle: Any, device: str) -> None:
    """Whatever else a client sends, it is a stranger."""
    assert throttle.admit("alice", HOME, device=device).judged == "stranger"


def test_a_device_token_is_one_account_s_for_a_time(caller: Any) -> None:
    """Not another account's, not changed in any letter, not after its time; good under an older key."""
    store, clock = MemoryStore(), FakeClock()
    throttle = caller(store, clock=clock, device_lifetime=1000.0)
    device = throttle.remember("Alice")
    assert len(device) == 75
    assert throttle.admit("alice ", HOME, device=device).judged == "device"
    assert throttle.admit("bob", HOME, device=device).judged == "stranger"
    for place, letter in enumerate(device):
        forged = device[:place] + ("A" if letter != "A" else "B") + device[place + 1 :]
        assert policy.Names(KeyRing([KEY])).read_token(b"alice", forged, 0) is None
    rotated = caller(store, KeyRing([NEWER, KEY]), clock=clock)
    assert rotated.admit("alice", HOME, device=device).judged == "device"
    clock.advance(1000.0)
    assert throttle.admit("alice", HOME, device=device).judged == "stranger"


def test_a_known_network_is_known_under_an_older_key_and_for_a_time(caller: Any) -> None:
    """A rotated key forgets nobody; the time to live does."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    caller(store, device_lifetime=1000.0).succeeded("alice", HOME)
    rotated = caller(store, KeyRing([NEWER, KEY]))
    assert rotated.admit("alice", HOME).judged == "network"
    clock.advance(1001.0)
    assert rotated.admit("alice", HOME).judged == "stranger"


@pytest.mark.parametrize("spelled", ["ALICE", " alice ", "\uff41lice", "Alice\u2003"], ids=ascii)
def test_spellings_of_a_name_share_what_is_left(throttle: Any, spelled: str) -> None:
    """Case, width and surrounding spaces give no further guesses."""
    exhausted(throttle)
    assert not throttle.admit(spelled, HOME)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("2001:db8:1:2::1", "2001:DB8:0001:2:0::1", True),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        (None, "", True),
        ("unknown", "192.0.2.1, 198.51.100.1", True),
        ("127.1", "0x7f000001", True),
    ],
)
def test_what_a_network_is(one: str | None, other: str, same: bool) -> None:
    """An IPv4 address, an IPv6 /64, or nothing."""
    assert (policy.network_of(one) == policy.network_of(other)) == same


def test_the_addresses_of_one_subscriber_give_no_further_guesses(throttle: Any) -> None:
    """Of an IPv6 /64 there are 2**64."""
    admitted = [throttle.admit("alice", f"2001:db8:1:2::{host:x}").allowed for host in range(20)]
    assert sum(admitted) == 3


def test_without_an_address_all_share_one_bucket_and_are_never_known(throttle: Any) -> None:
    """What cannot be told apart is judged together."""
    throttle.succeeded("alice", None)
    assert throttle.admit("alice", None).judged == "stranger"
    assert sum(throttle.admit(f"user{number}", "garbage").allowed for number in range(50)) == 7


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=90))
def test_whatever_is_sent_there_is_an_answer(account: str, address: str, device: str) -> None:
    """No name, address or token of a client makes the throttle fail."""
    with RateLimiter(MemoryStore()) as limiter:
        throttle = LoginThrottle(limiter, KeyRing([KEY]))
        assert throttle.admit(account, address, device=device).judged == "stranger"
        throttle.succeeded(account, address, device=device)
        throttle.failed(account, address)


@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), min_size=2, max_size=2, unique=True))
def test_joined_parts_are_told_apart(pairs: list[tuple[bytes, bytes]]) -> None:
    """No account and network make the message of others."""
    assert policy.joined(*pairs[0]) != policy.joined(*pairs[1])


# The store is away.


@pytest.mark.fault
@pytest.mark.parametrize(("policy", "admitted"), [("closed", 0), ("local", 3)])
def test_a_store_that_is_away_never_opens(caller: Any, policy: Unavailable, admitted: int) -> None:
    """Nobody, or each process's own count; known devices alike; healed at once."""
    store = Flaky()
    throttle = caller(store, unavailable=policy)
    device = throttle.remember("alice")
    throttle.succeeded("alice", HOME)
    store.away = True
    answers = [throttle.admit("alice", HOME) for _ in range(20)]
    assert sum(answer.allowed for answer in answers) == admitted
    assert all(answer.allowed or answer.retry_after > 0 for answer in answers)
    assert sum(throttle.admit("alice", WORK, device=device).allowed for _ in range(20)) == admitted
    throttle.succeeded("alice", WORK)
    store.away = False
    assert throttle.admit("alice", HOME).allowed


@pytest.mark.fault
@pytest.mark.redis
@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_server_that_is_gone_costs_one_time_out(caller: Any, redis_url: str, how: str) -> None:
    """Each attempt is refused in time, a login that has just succeeded counts, and all is well once it is back."""
    with (
        closing(open_store(redis_url, timeout=5.0)) as beside,
        FaultProxy(redis_url) as proxy,
        closing(open_store(proxy.url, timeout=0.25)) as store,
    ):
        caller(beside).succeeded("alice", HOME)
        throttle = caller(store)
        proxy.refuse() if how == "refused" else proxy.blackhole("requests")
        for call in (throttle.admit, throttle.admit, throttle.succeeded):
            began = time.monotonic()
            assert not call("alice", HOME)
            assert time.monotonic() - began < 0.25 + 2.0
        proxy.heal()
        deadline = time.monotonic() + 10
        while not (answer := throttle.admit("alice", HOME)).allowed:
            assert time.monotonic() < deadline, "it never healed"
            time.sleep(0.05)
        assert answer.judged == "network"


@pytest.mark.parametrize("unavailable", ["open", "", "CLOSED"])
def test_a_login_is_never_open(unavailable: Any) -> None:
    """Not even if asked."""
    with RateLimiter(MemoryStore()) as limiter, pytest.raises(ConfigurationError, match="closed"):
        LoginThrottle(limiter, KeyRing([KEY]), unavailable=unavailable)


def test_an_open_limiter_does_not_open_the_login(ring: KeyRing) -> None:
    """What holds for the rest of the site does not hold here."""
    store = Flaky()
    store.away = True
    with RateLimiter(store, unavailable="open") as limiter:
        assert not LoginThrottle(limiter, ring).admit("alice", HOME)


def test_three_limits_have_three_names(ring: KeyRing) -> None:
    """Or they would share their buckets."""
    limits = ThrottleLimits(own=Limit("x", 1, 1.0), network=Limit("x", 2, 1.0))
    with RateLimiter(MemoryStore()) as limiter, pytest.raises(ConfigurationError, match="three names"):
        LoginThrottle(limiter, ring, limits=limits)


# Many at once.


def guesses(url: str, number: int) -> None:
    """In a child: guess from a network of its own, and print how often that was admitted."""
    with RateLimiter(open_store(url, timeout=5.0)) as limiter:
        throttle = LoginThrottle(limiter, KeyRing([KEY]), limits=SMALL)
        admitted = sum(throttle.admit("alice", f"203.0.{number}.{host}").allowed for host in range(20))
        sys.stdout.write(f"{admitted}\n")


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def test_limits_are_exact_over_processes(kind: str, url_of: Callable[[str], str]) -> None:
    """Four processes with twenty networks each: twelve guesses at the account in all."""
    url = url_of(kind)
    with ExitStack() as running:
        children = [running.enter_context(spawn(guesses, url, number)) for number in range(4)]
        assert sum(int(child.line(60)) for child in children) == 12


# What is told.


class Spied(MemoryStore):
    """What was written, as the server would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[object] = []

    def save(self, *args: Any, **options: Any) -> None:
        """See :meth:`LockedStore.save`."""
        self.written.append((args, options))
        super().save(*args, **options)


def test_events_are_logged_once_and_name_no_account(
    caller: Any, caplog: pytest.LogCaptureFixture, ring: KeyRing
) -> None:
    """Refusals, failures and logins, by the account's HMAC; neither the store nor the log holds its name or a token."""
    caplog.set_level(logging.DEBUG)
    store, metrics = Spied(), Metrics()
    throttle = caller(store, metrics=metrics)
    device = throttle.remember("alice")
    exhausted(throttle)
    throttle.failed("alice", HOME)
    throttle.succeeded("alice", HOME, device=device)
    told = [record.__dict__ for record in caplog.records if record.name == "postrmagic_core.security"]
    assert [(record["event"], record["network"]) for record in told] == [
        ("security.login_throttled", HOME),
        ("security.login_failed", HOME),
        ("security.login_succeeded", HOME),
    ]
    assert {record["account"] for record in told} == {ring.mac(b"alice", purpose="login-account").hex()[:32]}
    assert store.written
    for said in (repr(told), caplog.text, repr(store.written)):
        assert "alice" not in said
        assert device not in said
    counts = {name: value for name, _, value in metrics.counters()}
    assert counts == {"logins_throttled_total": 1, "logins_failed_total": 1, "logins_succeeded_total": 1}
