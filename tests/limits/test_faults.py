"""What limits promise when things go wrong: rows R1 to R6 of the fault matrix."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendError, Conflict, OutcomeUnknown, PoolExhausted
from postrmagic_core.limits import Concurrency, Limit, RateLimiter
from postrmagic_core.limits.interface import Unavailable
from postrmagic_core.stores import Keys, Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.interface import SupportsUsage
from postrmagic_core.stores.scripts import GCRA
from postrmagic_core.testing import FakeClock, spawn, until
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer
from tests.backends import KINDS, MYSQL, VALKEY, Flaky
from tests.crowd import crowd

pytestmark = pytest.mark.fault

PROCESSES, THREADS = 4, 20
TEN = Limit.parse("10/hour")
# What is asked of each: a limit, and how often by each thread.
BUCKETS = {"a": (TEN, 1), "b": (TEN, 1), "c": (TEN, 1), "d": (TEN, 1), "many": (Limit.parse("100/hour"), 10)}
TWO = Concurrency("two", 2, lease=60.0)
ONE = Concurrency("one", 1, lease=0.5)


class Failing(MemoryStore):
    """A store whose Scripts fail as told."""

    error: BackendError | None = None

    def run(self, *args: Any, **options: Any) -> Any:
        """See :meth:`Store.run`."""
        if self.error is not None:
            raise self.error
        return super().run(*args, **options)


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    """Faults before the shared server."""
    with FaultProxy(redis_url) as proxy:
        yield proxy


# R1: the store is away.


@pytest.mark.parametrize(("policy", "admitted"), [("open", 20), ("closed", 0), ("local", 10)])
def test_the_policy_holds_while_the_store_is_away(
    caller: Any, policy: Unavailable, admitted: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Open admits all, closed none, local the limit in this process; counted each time, logged once, healed at once."""
    caplog.set_level(logging.INFO, "postrmagic_core.limits")
    store, metrics = Flaky(), Metrics()
    limiter = caller(store, unavailable=policy, metrics=metrics)
    limiter.hit(TEN.of("a", 10))
    store.away = True
    decisions = [limiter.hit(TEN.of("a")) for _ in range(20)]
    assert sum(decision.allowed for decision in decisions) == admitted
    assert {decision.counted_in for decision in decisions} == {"process" if policy == "local" else "nothing"}
    assert all(decision.allowed or decision.retry_after > 0 for decision in decisions)
    assert all(decision.limit is TEN for decision in decisions)
    assert limiter.peek(TEN.of("b")).allowed == (policy != "closed")
    store.away = False
    assert not limiter.hit(TEN.of("a"))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    counts = {name: value for name, _, value in metrics.counters()}
    assert counts["limits_store_errors_total"] == 21
    assert counts["limits_uncounted_total"] == (20 if policy == "open" else 0)


@pytest.mark.parametrize("policy", ["closed", "local"])
def test_a_route_may_be_stricter_than_the_rest(caller: Any, policy: Unavailable) -> None:
    """Where the others are open, a login says its own policy."""
    store = Flaky()
    store.away = True
    limiter = caller(store, unavailable="open")
    assert sum(limiter.hit(TEN.of("a"), unavailable=policy).allowed for _ in range(20)) == (
        10 if policy == "local" else 0
    )
    assert limiter.hit(TEN.of("a")).allowed
    assert limiter.acquire(TWO, "a", unavailable="closed").retry_after > 0


@pytest.mark.parametrize("error", [PoolExhausted("busy"), Conflict("busy")], ids=lambda error: type(error).__name__)
def test_a_flood_does_not_open_the_gate(caller: Any, error: BackendError) -> None:
    """A store that is only busy is no reason to let everybody in: this process limits meanwhile."""
    store = Failing()
    store.error = error
    limiter = caller(store, unavailable="open")
    assert sum(limiter.hit(TEN.of("a")).allowed for _ in range(20)) == 10


@pytest.mark.parametrize(("policy", "admitted"), [("open", 3), ("closed", 0), ("local", 2)])
def test_slots_follow_the_policy_too(caller: Any, policy: Unavailable, admitted: int) -> None:
    """And whatever was given can be given back."""
    store = Flaky()
    limiter = caller(store, unavailable=policy)
    store.away = True
    slots = [limiter.acquire(TWO, "a") for _ in range(3)]
    assert sum(slot.allowed for slot in slots) == admitted
    assert [limiter.renew(slot) for slot in slots] == [slot.allowed for slot in slots]
    assert sum(limiter.release(slot) for slot in slots) == (2 if policy == "local" else 0)
    store.away = False
    held = limiter.acquire(TWO, "a")
    assert held.taken == 1
    store.away = True
    assert not limiter.release(held)
    assert not limiter.renew(held)


def test_a_store_that_comes_and_goes_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """It is said that it is away, at most once a minute; each failure is counted."""
    store, clock, metrics = Failing(), FakeClock(), Metrics()
    with RateLimiter(store, clock=clock, metrics=metrics) as limiter:
        for _ in range(50):
            for error in (PoolExhausted("busy"), None):
                store.error = error
                limiter.hit(TEN.of("a"))
            clock.advance(1.0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert {name: value for name, _, value in metrics.counters()}["limits_store_errors_total"] == 50


@pytest.mark.redis
@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_server_that_is_gone_costs_no_more_than_its_time_out(caller: Any, proxy: FaultProxy, how: str) -> None:
    """Each call ends in time with what the policy says, and the limit is exact again once the server answers."""
    with closing(open_store(proxy.url, timeout=0.5)) as store:
        limiter = caller(store, unavailable="closed")
        assert limiter.hit(TEN.of("a")).remaining == 9
        proxy.refuse() if how == "refused" else proxy.blackhole("requests")
        for _ in range(6):
            began = time.monotonic()
            assert not limiter.hit(TEN.of("a"))
            assert time.monotonic() - began < 0.5 + 2.0
        proxy.heal()
        decision = until(lambda: limiter.hit(TEN.of("b")), "it never healed")
        assert decision.counted_in == "store"


# R2: an answer is lost.


@pytest.mark.redis
@pytest.mark.parametrize("policy", ["open", "closed"])
def test_a_lost_answer_counts_once(caller: Any, proxy: FaultProxy, redis_url: str, policy: Unavailable) -> None:
    """The server counted and the answer was cut: the call is not sent again, whoever is told what."""
    with closing(open_store(proxy.url, timeout=5.0)) as store, closing(open_store(redis_url, timeout=5.0)) as direct:
        limiter, counted = caller(store, unavailable=policy), caller(direct)
        limiter.hit(TEN.of("warm"))
        true = 0
        for lost in (False, True, False, True, True):
            if lost:
                proxy.cut(on=b"EVALSHA")
            true += limiter.hit(TEN.of("a")).allowed
            assert proxy.hits == 1 or not lost
        assert counted.peek(TEN.of("a")).remaining == 5
        assert true == (5 if policy == "open" else 2)


@pytest.mark.redis
def test_a_place_whose_answer_was_lost_is_ones_own(caller: Any, proxy: FaultProxy, redis_url: str) -> None:
    """Asked again under the same token it is the same slot, and it is given back though that answer is lost too."""
    with closing(open_store(proxy.url, timeout=5.0)) as store, closing(open_store(redis_url, timeout=5.0)) as direct:
        limiter, other = caller(store), caller(direct)
        limiter.release(limiter.acquire(TWO, "warm"))
        proxy.cut(on=b"EVALSHA")
        slot = limiter.acquire(TWO, "a")
        assert (slot.allowed, slot.taken, slot.counted_in, proxy.hits) == (True, 1, "store", 1)
        proxy.cut(on=b"EVALSHA")
        limiter.release(slot)
        assert proxy.hits == 1
        assert other.acquire(TWO, "a").taken == 1


def test_only_what_has_a_token_is_asked_again() -> None:
    """A slot twice lost follows the policy."""
    store = Failing()
    with RateLimiter(store, unavailable="closed") as limiter:
        store.error = OutcomeUnknown("cut")
        assert not limiter.acquire(TWO, "a")
        assert not limiter.hit(TEN.of("a"))


# R3: the clock jumps.


def test_a_clock_set_back_locks_nobody_out_for_longer_than_a_window(store: Store) -> None:
    """A bucket emptied while the store's clock was ahead is empty now, and no worse: one window later it is full.

    Be it a minute, an hour or ten years.
    """
    limit = Limit.parse("4/second")
    with RateLimiter(store) as limiter:
        for ahead in (60, 3600, 10 * 366 * 86_400):
            key = Keys("app").build("limit", limit.name, str(ahead))
            future = time.time_ns() // 1000 + ahead * 1_000_000
            for _ in range(4):
                assert store.run(GCRA, [key], [limit.emission_us, limit.burst], now_us=future)[0] == 1
            refused = limiter.hit(limit.of(str(ahead)))
            assert not refused.allowed
            assert 0 < refused.retry_after <= limit.period / limit.amount
            assert refused.reset_after <= limit.period
        for ahead in (60, 3600, 10 * 366 * 86_400):
            deadline = time.monotonic() + 20 * limit.period
            while not limiter.hit(limit.of(str(ahead))):
                assert time.monotonic() < deadline, "locked out"
                time.sleep(0.05)


# R4: many at once.


def ready(store: Store) -> None:
    """Tell the parent, and wait for its word: all processes begin at once."""
    store.get([b"go"])
    print("ready")  # noqa: T201 - the parent reads it
    while store.get([b"go"]) == [None]:
        time.sleep(0.01)


def ask(url: str) -> None:
    """Twenty threads hit the bucket of each key so many times each; prints how many were admitted to which."""
    with (
        closing(open_store(url, timeout=20.0)) as store,
        RateLimiter(store, unavailable="closed") as limiter,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        list(pool.map(lambda _: limiter.hit(TEN.of("warm")), range(THREADS)))
        ready(store)
        for key, (limit, times) in BUCKETS.items():
            take = limit.of(key)
            admitted = pool.map(lambda _, take=take: limiter.hit(take).allowed, range(THREADS * times))
            print(key, sum(admitted))  # noqa: T201 - the parent reads it


@pytest.mark.parametrize("kind", [*KINDS[1:], MYSQL, VALKEY])
def test_a_limit_is_exact_over_processes(url_of: Callable[[str], str], kind: str) -> None:
    """Four processes ask at once, far more often than is admitted: the limit is, to the call, from the first one on."""
    url, admitted = url_of(kind), dict.fromkeys(BUCKETS, 0)
    with closing(open_store(url, timeout=20.0)) as store, crowd(ask, *[[url]] * PROCESSES) as children:
        assert [child.line() for child in children] == ["ready"] * PROCESSES
        store.set({b"go": b"1"}, 600_000)
        for child in children:
            for _ in BUCKETS:
                key, count = child.line(60).split()
                admitted[key] += int(count)
    assert admitted == {key: limit.amount for key, (limit, _) in BUCKETS.items()}


def hold(url: str) -> None:
    """Take a slot and keep it until killed; prints until when it surely is one's own."""
    with closing(open_store(url, timeout=5.0)) as store, RateLimiter(store) as limiter:
        limiter.release(limiter.acquire(TWO, "warm"))
        asked_at = time.monotonic()
        assert limiter.acquire(ONE, "a").allowed
        print(asked_at + ONE.lease)  # noqa: T201 - the parent reads it
        time.sleep(600)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_killed_process_gives_its_place_back(url_of: Callable[[str], str], kind: str) -> None:
    """By itself, when its time is over."""
    url = url_of(kind)
    with closing(open_store(url, timeout=5.0)) as store, RateLimiter(store) as limiter:
        with spawn(hold, url) as child:
            ends = float(child.line())
            # The monotonic clock is the machine's: on a busy one it may be over already.
            assert not limiter.acquire(ONE, "a") or time.monotonic() > ends
            child.kill()
        until(lambda: limiter.acquire(ONE, "a"), "the slot of a dead process never ended")


# R5: a flood of keys.


FLOODS = pytest.mark.parametrize(
    "keys", [12_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])]
)


@FLOODS
def test_a_flood_of_keys_fits_into_memory(keys: int) -> None:
    """The store in memory keeps to its bounds, and what is used stays."""
    with closing(MemoryStore(max_entries=5_000, max_bytes=2_000_000)) as store, RateLimiter(store) as limiter:
        for number in range(keys):
            limiter.hit(TEN.of(f"key-{number}"))
            if number % 1_000 == 0:
                limiter.hit(TEN.of("in use"))
        usage = store.usage(Keys("app").prefix())
        assert usage.entries <= 5_000
        assert usage.bytes <= 2_000_000
        assert not limiter.hit(TEN.of("in use"))


@FLOODS
def test_a_flood_while_the_store_is_away_fits_too(keys: int) -> None:
    """The buckets of this process are bounded."""
    store = Flaky()
    store.away = True
    with RateLimiter(store, unavailable="local") as limiter:
        for number in range(keys):
            limiter.hit(TEN.of(f"key-{number}"))
        assert limiter.deciding.outage.fallback.usage(Keys("app").prefix()).entries <= 10_000


@FLOODS
@pytest.mark.redis
def test_a_flood_of_keys_ends_by_itself(redis_url: str, keys: int) -> None:
    """On a server each bucket is gone as soon as it is full again."""
    limit = Limit.parse("1/second")
    with closing(open_store(redis_url, timeout=5.0)) as store, RateLimiter(store, unavailable="closed") as limiter:
        assert isinstance(store, SupportsUsage)
        with ThreadPoolExecutor(4) as pool:
            admitted = pool.map(lambda number: limiter.hit(limit.of(f"key-{number}")).allowed, range(keys))
            assert sum(admitted) == keys
        until(lambda: not store.usage(Keys("app").prefix()).entries, "buckets stay for ever")


# R6: the server forgets its Scripts.


@pytest.mark.redis
def test_a_server_that_forgot_its_scripts_is_taught_again(caller: Any) -> None:
    """After SCRIPT FLUSH, in the midst of calls, every call is admitted and counted once, as if nothing had been."""
    with (
        RedisServer() as server,
        closing(redis.Redis.from_url(server.url)) as raw,
        closing(open_store(server.url, timeout=5.0)) as store,
    ):
        limiter = caller(store, unavailable="closed")
        remaining = []
        for _ in range(5):
            remaining.append(limiter.hit(TEN.of("a")).remaining)
            raw.script_flush()
            assert limiter.peek(TEN.of("a")).remaining == remaining[-1]
            slot = limiter.acquire(TWO, "a")
            raw.script_flush()
            assert limiter.release(slot)
        assert remaining == [9, 8, 7, 6, 5]
