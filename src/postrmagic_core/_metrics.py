"""Plain integers and histograms that cost the hot path an addition; something else publishes them.

An increment is one bytecode-level addition without a lock: under contention of many threads a count may, rarely, be low
by a few. Figures that must be exact (limits, ledgers) live in stores and tables, never here.
"""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from types import MethodType
from typing import TypeAlias
from weakref import WeakMethod

logger = logging.getLogger("postrmagic_core.metrics")

Labels: TypeAlias = tuple[tuple[str, str], ...]
Told: TypeAlias = tuple[str, dict[str, str], float]
"""Name, labels and present value of a gauge."""
Report: TypeAlias = Callable[[], Iterable[Told]]

# No time, size or number is beyond it; what is, infinity for one, would make a sum that tells nothing any more.
_BEYOND = 1e18
# Seconds; a factor of about 2.5 from step to step, as Prometheus' own default.
LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counter:
    """A number that only grows."""

    __slots__ = ("value",)

    value: int

    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int = 1) -> None:
        """Count ``amount`` more."""
        self.value += amount


class Histogram:
    """How often values fell into each bucket, their sum and their count.

    ``bounds`` are inclusive upper ends in ascending order; one more bucket takes what is larger. An infinite last one
    is that bucket.
    """

    __slots__ = ("bounds", "counts", "sum")

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS) -> None:
        if bounds and bounds[-1] == math.inf:
            bounds = bounds[:-1]
        if list(bounds) != sorted(set(bounds)) or not math.isfinite(sum(bounds)):
            raise ValueError("bounds are finite numbers that ascend without repeats")
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one ``value`` (seconds for latencies); what is no number, infinite or beyond 1e18 is passed over."""
        if -_BEYOND < value < _BEYOND:  # false of NaN too
            self.counts[bisect_left(self.bounds, value)] += 1
            self.sum += value

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """The bound that ``share`` (0 to 1) of the values do not exceed; infinite past the last, 0 without values."""
        rank, seen = share * self.count, 0
        for bound, number in zip((*self.bounds, math.inf), self.counts, strict=True):
            seen += number
            if seen and seen >= rank:
                return bound
        return 0.0


class Metrics:
    """The metrics of one component, by name and labels, made at first use."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], Counter] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._gauges: dict[tuple[str, Labels], Callable[[], float]] = {}
        self._reports: list[tuple[Callable[[], Report | None], bool]] = []

    def counter(self, name: str, **labels: str) -> Counter:
        """The counter ``name`` (ends in ``_total``) with these labels: keep it where the hot path uses it."""
        return self._counters.setdefault((name, tuple(sorted(labels.items()))), Counter())

    def histogram(self, name: str, bounds: Sequence[float] = LATENCY_BOUNDS, **labels: str) -> Histogram:
        """The histogram ``name`` (ends in its unit, ``_seconds``) with these labels."""
        return self._histograms.setdefault((name, tuple(sorted(labels.items()))), Histogram(bounds))

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Let ``read`` tell the present value of ``name`` when somebody asks; it takes the place of a former one."""
        self._gauges[(name, tuple(sorted(labels.items())))] = read

    def report(self, read: Report, *, shared: bool = False) -> None:
        """Let ``read`` tell several gauges at once, whose labels are known only then.

        The object of a bound method is not kept alive. ``shared``: every process would tell the same, of a queue or a
        table; :meth:`shared` asks it and :meth:`gauges` does not, since it may have to ask a server.
        """
        found: Callable[[], Report | None] = WeakMethod(read) if isinstance(read, MethodType) else lambda: read
        self._reports.append((found, shared))

    def counters(self) -> Iterator[tuple[str, Labels, int]]:
        """Name, labels and present value of every counter."""
        for (name, labels), counter in list(self._counters.items()):
            yield name, labels, counter.value

    def histograms(self) -> Iterator[tuple[str, Labels, Histogram]]:
        """Name, labels and the histogram itself, for every histogram."""
        for (name, labels), histogram in list(self._histograms.items()):
            yield name, labels, histogram

    def gauges(self) -> Iterator[tuple[str, Labels, float]]:
        """Name, labels and present value of every gauge of this process; one that cannot tell now is left out.

        A name may come twice with the same labels: of two pools, or two workers.
        """
        for (name, labels), read in list(self._gauges.items()):
            try:
                value = float(read())
            except Exception:
                logger.debug("the gauge %s could not be read", name, exc_info=True)
                continue
            yield name, labels, value
        yield from self._reported(shared=False)

    def shared(self) -> Iterator[tuple[str, Labels, float]]:
        """The gauges that every process would tell alike; to read them may take as long as a server's time-out."""
        return self._reported(shared=True)

    def _reported(self, *, shared: bool) -> Iterator[tuple[str, Labels, float]]:
        for entry in list(self._reports):
            read = entry[0]()
            if read is None:
                with suppress(ValueError):  # two may ask at once: the other has removed it
                    self._reports.remove(entry)
            elif entry[1] == shared:
                try:
                    told = [(name, tuple(sorted(labels.items())), float(value)) for name, labels, value in read()]
                except Exception:
                    logger.debug("gauges could not be read", exc_info=True)
                    continue
                yield from told
