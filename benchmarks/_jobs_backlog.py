"""What claiming and settling a job costs while 1, 1,000 … 1,000,000 others wait, and a picture of it."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Mapping, Sequence
from statistics import median

from postrmagic_core.jobs import JobQueue
from postrmagic_core.jobs.interface import Outcome, Settlement, Want

from ._jobs_ours import Place, call, counted, fill
from ._stats import Comparison, Sample

SIZES = (1, 1_000, 10_000, 100_000, 1_000_000)
_DONE = Outcome("succeeded")


def costs(place: Place, sizes: Sequence[int], jobs_each: int) -> dict[int, list[float]]:
    """Seconds that one ``turn`` takes which settles a job and claims the next, ``jobs_each`` times for each size.

    As many wait before each turn: for the one that is claimed another is put, untimed. Asked of the adapter, one job a
    turn, since a worker would take several at once where there are more than one.
    """
    found: dict[int, list[float]] = {}
    there = 0
    with place.queue() as jobs:
        for size in sizes:
            fill(jobs, size - there)
            there = size
            found[size] = _one_by_one(jobs, jobs_each)
    return found


def comparisons(found: Mapping[str, Mapping[int, Sequence[float]]]) -> list[Comparison]:
    """A table for each name: ever more jobs that wait."""
    return [
        Comparison(
            f"settle one job and claim the next, {name}",
            {
                f"{size:,} waiting": Sample(f"{size:,} waiting", list(times), list(times))
                for size, times in costs.items()
            },
        )
        for name, costs in found.items()
    ]


def _one_by_one(jobs: JobQueue, number: int) -> list[float]:
    want = Want("benchmark", [counted.queue], 1)
    claims = list(jobs.adapter.turn([], want).claims)
    times: list[float] = []
    for _ in range(number + number // 10):
        jobs.enqueue(call())
        settlements = [Settlement(claim, _DONE) for claim in claims]
        began = time.perf_counter()
        turn = jobs.adapter.turn(settlements, want)
        times.append(time.perf_counter() - began)
        claims = list(turn.claims)
        if len(claims) != 1 or not all(turn.owned):
            raise AssertionError(f"expected to settle a job and claim another, got {turn}")
    jobs.enqueue(call())
    jobs.adapter.turn([Settlement(claim, _DONE) for claim in claims], None)
    return times[number // 10 :]


_WIDTH, _HEIGHT, _LEFT, _TOP = 720, 360, 70, 40
_COLOURS = ("#4573a8", "#b0582f", "#3f7f4f", "#7a4f91")


def picture(times: Mapping[str, Mapping[int, Sequence[float]]]) -> str:
    """The median costs by name and size as a self-contained SVG picture; sizes by their logarithm."""
    found = {name: {size: median(each) for size, each in costs.items()} for name, costs in times.items()}
    sizes = sorted({size for costs in found.values() for size in costs})
    top = 1.2 * max(cost for costs in found.values() for cost in costs.values())
    across, down = _WIDTH - _LEFT - 130, _HEIGHT - 2 * _TOP

    def at(size: int, cost: float) -> tuple[float, float]:
        share = math.log10(size) / max(1.0, math.log10(sizes[-1]))
        return _LEFT + across * share, _TOP + down * (1 - cost / top)

    drawn = [
        f'<text x="{at(size, 0)[0]:.0f}" y="{_TOP + down + 20}" text-anchor="middle">{size:,}</text>' for size in sizes
    ]
    for step in range(5):
        cost = top * step / 4
        y = at(1, cost)[1]
        drawn += [
            f'<path d="M{_LEFT} {y:.1f}h{across}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{cost * 1e3:.2g} ms</text>',
        ]
    for (name, costs), colour in zip(found.items(), _COLOURS, strict=False):
        points = [at(size, cost) for size, cost in sorted(costs.items())]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        drawn.append(
            f'<text x="{points[-1][0] + 10:.1f}" y="{points[-1][1] + 4:.1f}" fill="{colour}">{html.escape(name)}</text>'
        )
    title = "Time to settle one job and claim the next, by the number of jobs that wait"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif" font-size="13"><title>{title}</title><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{_LEFT}" y="22" font-weight="bold">{title}</text>{"".join(drawn)}</svg>\n'
    )
