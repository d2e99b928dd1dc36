"""The counters of one namespace."""

from __future__ import annotations

from .._metrics import Metrics
from .interface import CacheStats


class Tally:
    """``cache_*_total`` counters with the label ``namespace``, at hand as attributes."""

    def __init__(self, metrics: Metrics, namespace: str) -> None:
        self.hits = metrics.counter("cache_hits_total", namespace=namespace)
        self.stale = metrics.counter("cache_stale_total", namespace=namespace)
        self.misses = metrics.counter("cache_misses_total", namespace=namespace)
        self.computes = metrics.counter("cache_computes_total", namespace=namespace)
        self.alone = metrics.counter("cache_alone_total", namespace=namespace)
        self.errors = metrics.counter("cache_errors_total", namespace=namespace)
        self.unreadable = metrics.counter("cache_unreadable_total", namespace=namespace)
        self.bytes = metrics.counter("cache_stored_bytes_total", namespace=namespace)
        self.compute_us = metrics.counter("cache_compute_microseconds_total", namespace=namespace)
        self.saved_us = metrics.counter("cache_saved_microseconds_total", namespace=namespace)

    def stats(self) -> CacheStats:
        """All of them as they are now."""
        return CacheStats(
            hits=self.hits.value,
            stale=self.stale.value,
            misses=self.misses.value,
            computes=self.computes.value,
            alone=self.alone.value,
            errors=self.errors.value,
            unreadable=self.unreadable.value,
            bytes=self.bytes.value,
            compute_seconds=self.compute_us.value / 1e6,
            seconds_saved=self.saved_us.value / 1e6,
        )
