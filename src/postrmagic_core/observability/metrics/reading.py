"""The figures of this process at one moment, and which of them are its own to tell."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from ..._metrics import Histogram, Labels, Metrics
from . import figures
from .policy import MOST_SERIES, Buckets, Series, Totals, both, nanos, put_gauge, text, texts

logger = logging.getLogger("postrmagic_core.observability")

# Sums of a thousand processes stay far from where a float ends.
_BEYOND = 1e40


class Reader:
    """Reads ``metrics``, at most 10,000 series: those that came first, so that none that was told is told no more.

    Whatever an application counts under whatever labels is told or left out, and spoils no other. From :meth:`enter` to
    :meth:`leave` it may tell of the ``process`` itself, if no other does.
    """

    def __init__(self, metrics: Metrics, most: int = MOST_SERIES, process: figures.Process = figures.THIS) -> None:
        self._metrics = metrics
        self._most = most
        self._process = process
        self._admitted: set[Series] = set()
        self._left_out: set[Series] = set()
        self._dropped = metrics.counter("metrics_series_dropped_total")

    def read(self, kind: str) -> Totals:
        """Everything now; ``kind``: what this process is."""
        found = self.counted()
        self.gauges_into(found, self._metrics.gauges())
        if self._process.is_told_by(self):
            self._counters_into(found, self._process.counted(kind))
            self.gauges_into(found, figures.gauged(kind))
        return found

    def counted(self) -> Totals:
        """What is counted, but not of the process itself, nor gauges; no lock is taken."""
        found = Totals()
        self._counters_into(found, self._metrics.counters())
        for name, labels, histogram in self._metrics.histograms():
            if series := self._admit(name, labels):
                if (buckets := _frozen(histogram)) is None:
                    self._untold(series)
                else:
                    known = found.histograms.get(series)
                    found.histograms[series] = buckets if known is None else both(known, buckets)
        return found

    def enter(self) -> None:
        """Tell of the process too, as soon as none does who entered before."""
        self._process.enter(self)

    def leave(self, told: Mapping[Series, int]) -> None:
        """No more; ``told``: what was, of the process's counters."""
        self._process.leave(self, told)

    def gauges_into(self, found: Totals, told: Iterable[tuple[str, Labels, float]]) -> None:
        """Add the gauges that are told."""
        for name, labels, value in told:
            if series := self._admit(name, labels):
                put_gauge(found, series, value)

    def _counters_into(self, found: Totals, told: Iterable[tuple[str, Labels, int]]) -> None:
        for name, labels, counted in told:
            if series := self._admit(name, labels):
                if (number := _whole(counted)) is None:
                    self._untold(series)
                else:
                    found.counters[series] = found.counters.get(series, 0) + number

    def _admit(self, name: str, labels: Labels) -> Series | None:
        series = (name, labels) if _plain(name, labels) else (text(name), texts(labels))
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

    def _untold(self, series: Series) -> None:
        if series not in self._left_out and len(self._left_out) < self._most:
            logger.warning("%s has become no number that can be told: it is left out", series[0])
            self._left_out.add(series)
            self._dropped.add()


def _plain(name: str, labels: Labels) -> bool:
    # Not every label is text: nobody stops who writes status=200.
    return _is_ascii(name) and all(_is_ascii(label) and _is_ascii(value) for label, value in labels)


def _is_ascii(value: object) -> bool:
    return type(value) is str and value.isascii()


def _whole(number: float) -> int | None:
    try:
        return int(number) if -_BEYOND < number < _BEYOND else None
    except (ArithmeticError, TypeError, ValueError):  # whatever somebody added: a decimal that is none, for one
        return None


def _frozen(histogram: Histogram) -> Buckets | None:
    # The sum first: a value that is observed meanwhile may be in the buckets before it is in the sum, never the other
    # way about.
    total = histogram.sum
    if not -_BEYOND < total < _BEYOND:
        return None
    return Buckets(histogram.bounds, tuple(histogram.counts), nanos(total))
