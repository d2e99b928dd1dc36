"""Limits: how often something may happen, and how much of it at once, over all processes that share a store.

::

    limiter = RateLimiter(store, namespace="app").open()
    per_minute = Limit.parse("10/minute")

    decision = limiter.hit(per_minute.of(user_id))
    if not decision.allowed:
        wait(decision.retry_after)

Several limits decide together: a call is counted by all of them, or refused by one and counted by none.
"""

from .interface import Concurrency, Decision, Limit, Slot, Standing, Take
from .manager import RateLimiter

__all__ = ["Concurrency", "Decision", "Limit", "RateLimiter", "Slot", "Standing", "Take"]
