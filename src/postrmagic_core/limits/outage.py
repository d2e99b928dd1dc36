"""What happens while the store is away: the policy, counted always, logged once."""

from __future__ import annotations

import logging

from .._clock import Clock
from .._metrics import Metrics
from ..errors import BackendError
from ..stores.adapters.memory import MemoryStore
from .policy import LOG_EVERY

_log = logging.getLogger("postrmagic_core.limits")

_BUCKETS = 10_000


class Outage:
    """One limiter's. ``fallback``: a store in this process, of at most 10,000 buckets, the least recently used out
    first.
    """

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.fallback = MemoryStore(clock=clock, max_entries=_BUCKETS)
        self._errors = metrics.counter("limits_store_errors_total")
        self._clock = clock
        self._logged: float | None = None
        self.away = False

    def failed(self, error: BackendError, policy: str) -> None:
        """Count the failure, and say so if that is news."""
        self._errors.add()
        now = self._clock.monotonic()
        if not self.away and (self._logged is None or now - self._logged >= LOG_EVERY):
            self._logged = now
            self.away = True
            _log.warning("the limits' store is away (%s); policy: %s", error.code, policy)

    def answered(self) -> None:
        """The store did what was asked."""
        if self.away:
            self.away = False
            _log.info("the limits' store is back")
