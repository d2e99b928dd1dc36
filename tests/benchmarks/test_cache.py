"""The cache's benchmark counts what a server was sent, and judges by what began when."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
import redis

from benchmarks import cache
from benchmarks._cache_commands import watched
from benchmarks._cache_invalidation import Run, Told, judged
from benchmarks._cache_timing import Awaited, fastest, pair
from benchmarks._harness import Bench, Case, Options


def test_a_call_stands_beside_a_coroutine() -> None:
    """Both take their turns in each round, and each of their calls is counted."""
    called = {"plain": 0, "awaited": 0}

    def plain() -> None:
        called["plain"] += 1

    async def awaited() -> None:
        called["awaited"] += 1
        await asyncio.sleep(0)

    bench = Bench()
    with asyncio.Runner() as runner:
        cases: list[Case | Awaited] = [Case("plain", plain), Awaited("awaited", awaited)]
        found = pair(bench, runner, "x", cases, rounds=3, calls=2, batch=5)
    assert called == dict.fromkeys(called, (3 + 1) * 2 * 5)
    assert {name: len(sample.rounds) for name, sample in found.samples.items()} == dict.fromkeys(called, 3)
    assert bench.comparisons == [found]
    assert fastest(found, ["awaited", "plain"]) == "plain"


def told(value: int, at: float) -> Told:
    """An invalidation that took a hundredth of a second."""
    return Told(value, at, at + 0.01)


def test_an_invalidation_lasts_until_the_new_value_was_read() -> None:
    """From the call; the median of all."""
    runs = [Run(0, 0.5, 1.0), Run(1, 1.004, 2.0), Run(2, 2.006, 9.0)]
    found = judged([told(1, 1.0), told(2, 2.0)], runs)
    assert found.median_ms == pytest.approx(5)
    assert found.older_after_ack == 0


def test_a_read_begun_after_the_acknowledgement_may_not_be_older() -> None:
    """Begun before it is fine; a step back is counted, too."""
    assert judged([told(1, 1.0)], [Run(0, 0.5, 1.009), Run(1, 1.02, 9.0)]).older_after_ack == 0
    assert judged([told(1, 1.0)], [Run(0, 0.5, 1.011), Run(1, 1.02, 9.0)]).older_after_ack == 1
    back = [Run(0, 0.5, 1.0), Run(1, 1.02, 1.1), Run(0, 1.2, 1.3), Run(1, 1.4, 9.0)]
    assert judged([told(1, 1.0)], back).older_after_ack == 1


def test_an_invalidation_that_nobody_saw_is_no_fast_one() -> None:
    """The benchmark ends without a figure."""
    with pytest.raises(RuntimeError, match="never saw value 1"):
        judged([told(1, 1.0)], [Run(0, 0.5, 9.0)])


@pytest.mark.redis
def test_what_is_sent_is_counted_and_what_a_script_does_is_not(redis_url: str) -> None:
    """By the server; before and after the block is not within."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        client.get("before")
        with watched(redis_url) as seen:
            client.set("k", "v")
            client.eval("return redis.call('get', KEYS[1])", 1, "k")
        client.get("after")
    assert seen.names == ["SET", "EVAL"]


@pytest.mark.soak
def test_the_share_of_hits_is_the_same_for_the_same_seed() -> None:
    """A figure that is counted, not timed."""
    found = []
    for seed in (1, 1, 2):
        bench = Bench(Options(quick=True, seed=seed))
        cache.zipf(bench)
        found.append(bench.figures["zipf_hit_rate"])
    assert found[0] == found[1] != found[2]
    assert 0.5 < found[0] < 0.9


def test_a_store_that_is_not_there_is_named_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are left out, and nothing is made up."""
    monkeypatch.setattr(cache, "TIERED", "nonesuch+")
    bench = Bench(Options(quick=True))
    assert cache.in_tiers(bench, "redis://127.0.0.1:1/0") is None
    cache.invalidations(bench, "tiered", None)
    assert bench.figures == {}
    assert bench.missing.keys() == {"tiered_hit_speedup", "invalidation_ms.tiered"}
