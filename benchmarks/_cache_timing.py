"""Calls and coroutines in the same turns: some caches have only the one face, some only the other."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ._harness import Bench, Case
from ._stats import Comparison, Sample


@dataclass(frozen=True)
class Awaited:
    """One side of a comparison whose operation is awaited."""

    name: str
    call: Callable[[], Awaitable[object]]


def pair(
    bench: Bench,
    runner: asyncio.Runner,
    title: str,
    cases: Sequence[Case | Awaited],
    *,
    rounds: int,
    calls: int,
    batch: int = 1,
) -> Comparison:
    """Time the cases as :meth:`Bench.pair` does; coroutines are awaited one after the other on ``runner``'s loop.

    Entering the loop is not timed, so that an awaited call stands beside a plain one.
    """
    order = random.Random(bench.options.seed)
    samples = {case.name: Sample(case.name) for case in cases}
    for number in range(rounds + 1):
        for case in order.sample(list(cases), len(cases)):
            if isinstance(case, Awaited):
                times = runner.run(_awaited(case.call, calls, batch))
            else:
                times = _called(case.call, calls, batch)
            if number > 0:
                samples[case.name].times += times
                samples[case.name].rounds.append(sum(times) / len(times))
    comparison = Comparison(title, samples)
    bench.comparisons.append(comparison)
    return comparison


def fastest(comparison: Comparison, names: Sequence[str]) -> str:
    """Which of ``names`` has the lowest median."""
    return min(names, key=lambda name: comparison[name].median)


def _called(call: Callable[[], object], calls: int, batch: int) -> list[float]:
    clock, turns, times = time.perf_counter, range(batch), []
    for _ in range(calls):
        begin = clock()
        for _ in turns:
            call()
        times.append((clock() - begin) / batch)
    return times


async def _awaited(call: Callable[[], Awaitable[object]], calls: int, batch: int) -> list[float]:
    clock, turns, times = time.perf_counter, range(batch), []
    for _ in range(calls):
        begin = clock()
        for _ in turns:
            await call()
        times.append((clock() - begin) / batch)
    return times
