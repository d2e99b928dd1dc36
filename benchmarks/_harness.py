"""What a benchmark is written with: cases that take turns, peers that may be missing, figures with units.

A benchmark is a module of this folder: its docstring says what it measures, ``TAKES`` names the options it uses
(of ``url``, ``adapter``, ``threads``, ``duration``), and ``run(bench)`` does it.
"""

from __future__ import annotations

import importlib
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from ._stats import Comparison, Sample, better

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What the command line said; ``adapter`` is the loaded object, ``duration`` seconds per case under load."""

    quick: bool = False
    url: str | None = None
    adapter: Any = None
    threads: int = 4
    duration: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Case:
    """One side of a comparison: ``call`` is one operation; ``before`` prepares each round and is not timed."""

    name: str
    call: Callable[[], object]
    before: Callable[[], object] | None = None


# How many timings of a case to make, each of how many calls; answers seconds for one call.
Timing: TypeAlias = Callable[[Case, int, int], list[float]]


@dataclass
class Bench:
    """One run of a benchmark: what it was asked, and what it found.

    ``picture``: an SVG of the benchmark's own, which ``--plot`` writes instead of the comparisons.
    """

    options: Options = field(default_factory=Options)
    comparisons: list[Comparison] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    scale: float = 1.0
    picture: str | None = None

    def scaled(self, full: int, quick: int) -> int:
        """A size of the data: ``full``, or ``quick`` with ``--quick``, which the result then says as ``scale``."""
        if not self.options.quick:
            return full
        self.scale = min(self.scale, quick / full)
        return quick

    def repeats(self, full: int, quick: int) -> int:
        """A number of repetitions, which does not change what is measured, only how surely."""
        return quick if self.options.quick else full

    def peer(self, name: str, load: Callable[[], T]) -> T | None:
        """What ``load`` returns, or ``None`` where a package it imports is not installed: the result names it."""
        try:
            return load()
        except ImportError as error:
            self.missing[name] = f"not measured: {error.name or error} is not installed"
            return None

    def figure(self, name: str, value: float) -> None:
        """Report ``value``; the name ends in its unit, if it has one. Raises :class:`ValueError` for NaN, or twice."""
        better(name)
        if name in self.figures or not math.isfinite(value):
            raise ValueError(f"the figure {name} was reported twice or is no number")
        self.figures[name] = float(f"{value:.6g}")

    def pair(
        self,
        title: str,
        cases: Sequence[Case],
        *,
        rounds: int,
        calls: int = 1,
        batch: int = 1,
        timing: Timing | None = None,
    ) -> Comparison:
        """Time the cases in turns (A B, B A, …; the order is drawn from the seed), after one round that is not kept.

        Each round makes ``calls`` timings per case, each of ``batch`` calls: more than one where a call is so short
        that the clock would count. ``timing`` makes them, where a case is not just called (:func:`timed`).
        """
        samples = {case.name: Sample(case.name) for case in cases}
        for number, case in self._turns(cases, rounds + 1):
            times = (timing or timed)(case, calls, batch)
            if number > 0:
                samples[case.name].times += times
                samples[case.name].rounds.append(sum(times) / len(times))
        return self._kept(Comparison(title, samples))

    def load(
        self, title: str, cases: Sequence[Case], *, duration: float, rounds: int = 5, threads: int | None = None
    ) -> Comparison:
        """Run each case on ``threads`` threads (``options.threads``) for ``duration`` seconds in all, in turns."""
        samples = {case.name: Sample(case.name) for case in cases}
        seconds = (self.options.duration or duration) / rounds
        for _, case in self._turns(cases, rounds):
            times, elapsed = _loaded(case, threads or self.options.threads, seconds)
            sample = samples[case.name]
            sample.times += times
            sample.rounds.append(sum(times) / len(times))
            sample.rates.append(len(times) / elapsed)
        return self._kept(Comparison(title, samples))

    def _turns(self, cases: Sequence[Case], rounds: int) -> list[tuple[int, Case]]:
        order = random.Random(self.options.seed)
        return [(number, case) for number in range(rounds) for case in order.sample(cases, len(cases))]

    def _kept(self, comparison: Comparison) -> Comparison:
        self.comparisons.append(comparison)
        return comparison


def timed(case: Case, calls: int, batch: int) -> list[float]:
    """``calls`` timings of ``batch`` calls each: seconds for one."""
    if case.before is not None:
        case.before()
    call, clock, turns = case.call, time.perf_counter, range(batch)
    times = []
    for _ in range(calls):
        begin = clock()
        for _ in turns:
            call()
        times.append((clock() - begin) / batch)
    return times


def _loaded(case: Case, threads: int, seconds: float) -> tuple[list[float], float]:
    """Every call's seconds, and those from the common start to the last thread's end."""
    if case.before is not None:
        case.before()
    results: list[list[float]] = []
    errors: list[BaseException] = []
    start = threading.Barrier(threads + 1)

    def work() -> None:
        start.wait()
        try:
            results.append(_until(case.call, time.perf_counter() + seconds))
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    begin = time.perf_counter()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return [taken for times in results for taken in times], time.perf_counter() - begin


def _until(call: Callable[[], object], end: float) -> list[float]:
    clock, now = time.perf_counter, time.perf_counter()
    times: list[float] = []
    while now < end or not times:
        begin = clock()
        call()
        now = clock()
        times.append(now - begin)
    return times


def load_adapter(name: str) -> Any:
    """The object that ``module:Class`` names; raises :class:`ValueError` saying what is wrong with it."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(f"an adapter is named module:Class, got {name!r}")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot load the adapter {name}: {error}") from error
