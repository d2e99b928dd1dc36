"""What a limiter says, on every store and both faces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError, NotOpen, Overloaded
from postrmagic_core.limits import Concurrency, Limit, RateLimiter
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock

MINUTE, HOUR = Limit.parse("3/minute", name="minute"), Limit.parse("100/hour;burst=20", name="hour")
TWO = Concurrency("export", 2, lease=60.0)


@pytest.fixture
def timed() -> Iterator[tuple[Store, FakeClock]]:
    """A store in memory whose time is told."""
    clock = FakeClock()
    with closing(MemoryStore(clock=clock)) as store:
        yield store, clock


def test_a_limit_admits_its_amount_and_no_more(store: Store, caller: Any) -> None:
    """Three, then a refusal that says how long to wait; another key has its own."""
    limiter = caller(store)
    decisions = [limiter.hit(MINUTE.of("a")) for _ in range(4)]
    assert [decision.allowed for decision in decisions] == [True, True, True, False]
    assert [decision.remaining for decision in decisions] == [2, 1, 0, 0]
    assert 0 < decisions[3].retry_after <= 20
    assert 20 < decisions[3].reset_after <= 60
    assert decisions[3].limit is MINUTE
    assert not decisions[3]
    assert limiter.hit(MINUTE.of("b")).remaining == 2


def test_all_admit_or_none_counts(store: Store, caller: Any) -> None:
    """What one limit refuses takes nothing from the other, whichever comes first; the one that refuses is named."""
    limiter = caller(store)
    assert [limiter.hit(MINUTE.of("a"), HOUR.of("a", 5)).allowed for _ in range(4)] == [True, True, True, False]
    refused = limiter.hit(HOUR.of("a", 5), MINUTE.of("a"))
    assert (refused.limit, refused.decides, [each.remaining for each in refused.standings]) == (MINUTE, 1, [5, 0])
    assert limiter.hit(HOUR.of("a", 5)).remaining == 0
    assert limiter.peek(MINUTE.of("b"), HOUR.of("a")).limit is HOUR


def test_a_look_takes_nothing(store: Store, caller: Any) -> None:
    """It says what a hit would be told."""
    limiter = caller(store)
    assert all(limiter.peek(MINUTE.of("a", 3)).allowed for _ in range(5))
    limiter.hit(MINUTE.of("a"))
    looked = limiter.peek(MINUTE.of("a", 3))
    assert (looked.allowed, looked.remaining) == (False, 2)
    assert 0 < looked.retry_after <= 20


def test_a_cost_counts_as_many_calls(timed: tuple[Store, FakeClock], caller: Any) -> None:
    """Admitted again at the very moment that was told, and not before."""
    store, clock = timed
    limiter = caller(store)
    assert limiter.hit(MINUTE.of("a", 2)).remaining == 1
    refused = limiter.hit(MINUTE.of("a", 3))
    assert (refused.allowed, refused.retry_after, refused.reset_after) == (False, 40.0, 40.0)
    clock.advance(refused.retry_after - 0.001)
    assert not limiter.hit(MINUTE.of("a", 3))
    clock.advance(0.001)
    assert limiter.hit(MINUTE.of("a", 3)).remaining == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 20), st.sampled_from([0.0, 0.5, 7.0, 20.0, 300.0])), max_size=40
    )
)
def test_a_refused_call_is_admitted_when_it_was_told(calls: list[tuple[int, int, float]]) -> None:
    """Of any calls to two limits: who comes at ``retry_after`` is admitted, a moment earlier refused."""
    clock = FakeClock()
    with closing(MemoryStore(clock=clock)) as store, RateLimiter(store) as limiter:
        for short, long, pause in calls:
            takes = MINUTE.of("a", short), HOUR.of("a", long)
            decision = limiter.hit(*takes)
            if not decision:
                clock.advance(max(decision.retry_after - 2e-6, 0))
                assert not limiter.peek(*takes)
                clock.advance(4e-6)
                assert limiter.hit(*takes)
            clock.advance(pause)


def test_a_limit_twice_for_one_key_is_a_mistake(store: Store, caller: Any) -> None:
    """Two buckets that are one would count once; and no limit is no question."""
    limiter = caller(store)
    with pytest.raises(ValueError, match="twice for the same key"):
        limiter.hit(MINUTE.of("a"), MINUTE.of("a"))
    with pytest.raises(ValueError, match="at least one limit"):
        limiter.hit()


def test_namespaces_are_apart(store: Store, caller: Any) -> None:
    """One application's calls do not count for another."""
    first, second = caller(store, namespace="one"), caller(store, namespace="two")
    assert [first.hit(MINUTE.of("a")).remaining, second.hit(MINUTE.of("a")).remaining] == [2, 2]


def test_slots_are_taken_and_given_back(store: Store, caller: Any) -> None:
    """Two have one, the third none until one is given back; a slot is given back once."""
    limiter = caller(store)
    first, second, third = (limiter.acquire(TWO, "a") for _ in range(3))
    assert [slot.allowed for slot in (first, second, third)] == [True, True, False]
    assert (second.taken, third.taken) == (2, 2)
    assert 0 < third.retry_after <= 60
    assert limiter.renew(first)
    assert not limiter.release(third)
    assert limiter.release(second)
    assert not limiter.release(second)
    assert limiter.acquire(TWO, "a").allowed
    assert limiter.acquire(TWO, "b").allowed


def test_a_place_is_given_back_however_the_block_ends(store: Store, caller: Any) -> None:
    """An error in it leaves none behind."""
    assert caller(store).holding(TWO, "a") == [1, 1]


def test_who_finds_no_place_is_told(store: Store) -> None:
    """A block that has none does not begin."""
    with RateLimiter(store) as limiter:
        for _ in range(2):
            limiter.acquire(TWO, "a")
        with pytest.raises(Overloaded, match="all 2 slots of export are taken"), limiter.holding(TWO, "a"):
            raise AssertionError

        async def inside() -> None:
            async with limiter.aio.holding(TWO, "a"):
                raise AssertionError

        with pytest.raises(Overloaded):
            asyncio.run(inside())


def test_a_place_ends_by_itself(timed: tuple[Store, FakeClock], caller: Any) -> None:
    """Not given back, it is free after its time, and who had it cannot renew once all are taken."""
    store, clock = timed
    limiter = caller(store)
    slots = [limiter.acquire(TWO, "a") for _ in range(2)]
    clock.advance(59.0)
    refused = limiter.acquire(TWO, "a")
    assert (refused.allowed, refused.retry_after) == (False, 1.0)
    clock.advance(1.0)
    assert all(limiter.acquire(TWO, "a").allowed for _ in range(2))
    assert not limiter.renew(slots[0])
    assert not limiter.release(slots[0])


def test_a_cancelled_task_leaves_no_place_behind(url_of: Callable[[str], str]) -> None:
    """Cancelled at each of its waits while it asks or gives back, a task holds nothing afterwards."""

    async def work(limiter: RateLimiter) -> None:
        async with limiter.aio.holding(TWO, "a"):
            await asyncio.sleep(0)

    async def run(limiter: RateLimiter) -> int:
        for turns in range(40):
            task = asyncio.ensure_future(work(limiter))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return (await limiter.aio.acquire(TWO, "a")).taken

    with closing(open_store(url_of("sqlite"), timeout=5.0)) as store, RateLimiter(store) as limiter:
        assert asyncio.run(run(limiter)) == 1


def test_what_is_decided_is_counted(store: Store) -> None:
    """Admitted and refused, for whoever reads metrics."""
    metrics = Metrics()
    with RateLimiter(store, metrics=metrics) as limiter:
        for _ in range(5):
            limiter.hit(MINUTE.of("a"))
    found = {name: value for name, _, value in metrics.counters()}
    assert (found["limits_admitted_total"], found["limits_refused_total"]) == (3, 2)
    assert (found["limits_store_errors_total"], found["limits_uncounted_total"]) == (0, 0)


def test_it_must_be_open_and_on_a_store_that_can(store: Store) -> None:
    """Errors of those who set it up."""
    with pytest.raises(NotOpen):
        RateLimiter(store).hit(MINUTE.of("a"))
    with pytest.raises(ValueError, match="'open', 'closed' or 'local'"):
        RateLimiter(store, unavailable="stale")  # type: ignore[arg-type]  # what an untyped caller may pass

    class Single(MemoryStore):
        atomic: ClassVar[Literal["keys", "key"]] = "key"

    with pytest.raises(ConfigurationError, match="atomic over several keys"):
        RateLimiter(Single())
