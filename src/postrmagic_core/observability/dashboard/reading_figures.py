"""The counters and histograms of all processes, summed for a page, and what they grew by since a look before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any, TypeAlias, TypeVar

from ...errors import PostrMagicError
from ..metrics.policy import Buckets, Series, Totals, both
from ..metrics.reading import Reader
from .reading_memory import Remembered

T = TypeVar("T")
_ByName: TypeAlias = "Mapping[str, Sequence[tuple[dict[str, str], T]]]"

# Seconds: a rate is of what came between so long ago and now. Older looks tell of another time.
_LEAST = 30.0
_MOST = 300.0


@dataclass(frozen=True)
class Figures:
    """Figures by name and labels; ``everybody``: of all processes, else of this one, the others being out of reach.

    ``before`` are the counters of a look ``seconds`` earlier; without one no rate is known.
    """

    totals: Totals
    everybody: bool = True
    before: Mapping[Series, int] = field(default_factory=dict)
    seconds: float | None = None

    def total(self, name: str, **labels: str) -> int:
        """The sum of a counter over all its labels but those given."""
        return sum(_with(self._counters.get(name, ()), labels))

    def rate(self, name: str, **labels: str) -> float | None:
        """How much a counter grew each second, lately; ``None`` at the first look."""
        if self.seconds is None:
            return None
        return max(0, self.total(name, **labels) - sum(_with(self._earlier.get(name, ()), labels))) / self.seconds

    def by(self, name: str, label: str, **labels: str) -> dict[str, int]:
        """A counter's sums by one of its labels: in one pass, where :meth:`total` for each would take one each."""
        found: dict[str, int] = {}
        for of, number in self._counters.get(name, ()):
            if labels.items() <= of.items():
                key = of.get(label, "")
                found[key] = found.get(key, 0) + number
        return found

    def values(self, name: str, label: str) -> list[str]:
        """What the ``label`` of a counter has been, sorted."""
        return sorted({of.get(label, "") for of, _ in self._counters.get(name, ())})

    def gauges(self, name: str, label: str) -> dict[str, float]:
        """A gauge by one of its labels."""
        return {of.get(label, ""): value for of, value in self._gauges.get(name, ())}

    def quantile(self, name: str, share: float, **labels: str) -> float | None:
        """The bound, in the histogram's unit, that ``share`` of the values stayed within; ``None`` if there are none.

        Beyond the last bound it is that one: the values are at least so large.
        """
        several = _with(self._histograms.get(name, ()), labels)
        if not several:
            return None
        found = reduce(both, several)
        wanted, seen = share * sum(found.counts), 0
        for bound, count in zip(found.bounds, found.counts, strict=False):
            seen += count
            if seen >= wanted > 0:
                return bound
        return found.bounds[-1] if found.bounds and wanted else None

    # By name: a page asks for many sums, of as many as ten thousand series.
    @cached_property
    def _counters(self) -> _ByName[int]:
        return _by_name(self.totals.counters)

    @cached_property
    def _earlier(self) -> _ByName[int]:
        return _by_name(self.before)

    @cached_property
    def _gauges(self) -> _ByName[float]:
        return _by_name(self.totals.gauges)

    @cached_property
    def _histograms(self) -> _ByName[Buckets]:
        return _by_name(self.totals.histograms)


class _Looks:
    """The counters of two looks at one application: the one to compare with, and the one that takes its place."""

    def __init__(self) -> None:
        self._older: tuple[float, Mapping[Series, int]] | None = None
        self._newer: tuple[float, Mapping[Series, int]] | None = None
        self._lock = threading.Lock()

    def compared(self, now: float, counters: Mapping[Series, int]) -> tuple[Mapping[Series, int], float | None]:
        """The counters before, and how many seconds ago that was."""
        with self._lock:
            if self._newer is None or now - self._newer[0] > _MOST:
                self._older, self._newer = None, (now, counters)
            elif now - self._newer[0] >= _LEAST:
                self._older, self._newer = self._newer, (now, counters)
            base = self._older or self._newer
            seconds = now - base[0]
        return base[1], seconds if seconds >= 1 else None


_looks = Remembered(_Looks)


def figures(stack: Any, monotonic: Callable[[], float]) -> Figures:
    """The figures of every process, published a few seconds ago at most; of this one, where no others are told."""
    totals, everybody = Totals(), False
    try:
        if stack.settings.observability.metrics:
            totals = stack.observability.metrics.everybody()
            everybody = totals.series > 0
    except PostrMagicError:
        everybody = False
    if not everybody:
        totals = Reader(stack.metrics).read("web")
    before, seconds = _looks.of(stack).compared(monotonic(), totals.counters)
    return Figures(totals, everybody, before, seconds)


def _by_name(told: Mapping[Series, T]) -> _ByName[T]:
    found: dict[str, list[tuple[dict[str, str], T]]] = {}
    for (name, labels), value in told.items():
        found.setdefault(name, []).append((dict(labels), value))
    return found


def _with(told: Sequence[tuple[dict[str, str], T]], labels: Mapping[str, str]) -> list[T]:
    return [value for of, value in told if labels.items() <= of.items()]
