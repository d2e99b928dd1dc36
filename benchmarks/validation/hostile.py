"""The time until a hostile megabyte is refused, or is a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .._harness import Bench, Case
from . import bodies

HOSTILE, LISTS = "hostile bodies of 1 MB", "lists of 9,900 texts, without a limit of their own"


def refused(bench: Bench) -> None:
    """``hostile_1mb_ms`` and ``long_list_ms``: the slowest of all, each by its median; the tables have every one."""
    bench.figure("hostile_1mb_ms", _slowest(bench, HOSTILE, bodies.cases()) * 1e3)
    bench.figure("long_list_ms", _slowest(bench, LISTS, bodies.long_lists()) * 1e3)


def _slowest(bench: Bench, title: str, calls: Iterable[tuple[str, Callable[[], None]]]) -> float:
    cases = [Case(name, call) for name, call in calls]
    found = bench.pair(title, cases, rounds=bench.repeats(15, 3))
    return max(sample.median for sample in found.samples.values())
