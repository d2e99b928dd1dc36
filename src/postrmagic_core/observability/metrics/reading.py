"""The figures of this process at one moment, and which of them are its own to tell."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..._metrics import Histogram, Labels, Metrics
from . import figures
from .policy import MOST_SERIES, Buckets, Series, Totals, nanos, put_gauge, texts

logger = logging.getLogger("postrmagic_core.observability")


class Reader:
    """Reads ``metrics``, at most 10,000 series: those that came first, so that none that was told is told no more."""

    def __init__(self, metrics: Metrics, most: int = MOST_SERIES) -> None:
        self._metrics = metrics
        self._most = most
        self._admitted: set[Series] = set()
        self._left_out: set[Series] = set()
        self._dropped = metrics.counter("metrics_series_dropped_total")

    def read(self, kind: str) -> Totals:
        """Everything now; ``kind``: what this process is."""
        found = self.counted(kind)
        self.gauges_into(found, self._metrics.gauges())
        self.gauges_into(found, figures.gauged(kind))
        return found

    def counted(self, kind: str) -> Totals:
        """All but the gauges; no lock is taken."""
        found = Totals()
        for name, labels, number in self._counters(kind):
            if series := self._admit(name, labels):
                found.counters[series] = found.counters.get(series, 0) + number
        for name, labels, histogram in self._metrics.histograms():
            if series := self._admit(name, labels):
                found.histograms[series] = _frozen(histogram)
        return found

    def gauges_into(self, found: Totals, told: Iterable[tuple[str, Labels, float]]) -> None:
        """Add the gauges that are told."""
        for name, labels, value in told:
            if series := self._admit(name, labels):
                put_gauge(found, series, value)

    def _counters(self, kind: str) -> Iterable[tuple[str, Labels, int]]:
        yield from self._metrics.counters()
        yield from figures.counted(kind)

    def _admit(self, name: str, labels: Labels) -> Series | None:
        series = name, labels if _plain(labels) else texts(labels)
        if series in self._admitted:
            return series
        if len(self._admitted) < self._most:
            self._admitted.add(series)
            return series
        if series not in self._left_out and len(self._left_out) < self._most:
            if not self._left_out:
                logger.warning("this process has more than %d series: %s and others are told nobody", self._most, name)
            self._left_out.add(series)
            self._dropped.add()
        return None


def _plain(labels: Labels) -> bool:
    return all(value.isascii() for _, value in labels)


def _frozen(histogram: Histogram) -> Buckets:
    # The sum first: a value that is observed meanwhile may be in the buckets before it is in the sum, never the other
    # way about.
    total = nanos(histogram.sum)
    return Buckets(histogram.bounds, tuple(histogram.counts), total)
