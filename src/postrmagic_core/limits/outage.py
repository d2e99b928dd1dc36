"""What happens while the store is away: the policy, counted always, logged once a minute at most."""

from __future__ import annotations

import logging

from .._clock import Clock
from .._metrics import Metrics
from ..stores.adapters.memory import MemoryStore
from ..stores.outage import OutageLog

_log = logging.getLogger("postrmagic_core.limits")

_BUCKETS = 10_000


class Outage(OutageLog):
    """One limiter's. ``fallback``: a store in this process, of at most 10,000 buckets, the least recently used out
    first.
    """

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        super().__init__("limits'", _log, metrics.counter("limits_store_errors_total"), clock)
        self.fallback = MemoryStore(clock=clock, max_entries=_BUCKETS)
