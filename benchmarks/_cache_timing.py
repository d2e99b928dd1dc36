"""Calls and coroutines in the same turns: some caches have only the one face, some only the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ._harness import Bench, Case, timed
from ._stats import Comparison


@dataclass(frozen=True)
class Awaited(Case):
    """One side of a comparison whose operation is awaited."""

    call: Callable[[], Awaitable[object]]


def pair(
    bench: Bench,
    runner: asyncio.Runner,
    title: str,
    cases: Sequence[Case],
    *,
    rounds: int,
    calls: int,
    batch: int = 1,
) -> Comparison:
    """Time the cases as :meth:`Bench.pair` does; coroutines are awaited one after the other on ``runner``'s loop.

    Entering the loop is not timed, so that an awaited call stands beside a plain one.
    """

    def timing(case: Case, calls: int, batch: int) -> list[float]:
        if isinstance(case, Awaited):
            return runner.run(_awaited(case.call, calls, batch))
        return timed(case, calls, batch)

    return bench.pair(title, cases, rounds=rounds, calls=calls, batch=batch, timing=timing)


def fastest(comparison: Comparison, names: Sequence[str]) -> str:
    """Which of ``names`` has the lowest median."""
    return min(names, key=lambda name: comparison[name].median)


async def _awaited(call: Callable[[], Awaitable[object]], calls: int, batch: int) -> list[float]:
    clock, turns, times = time.perf_counter, range(batch), []
    for _ in range(calls):
        begin = clock()
        for _ in turns:
            await call()
        times.append((clock() - begin) / batch)
    return times
