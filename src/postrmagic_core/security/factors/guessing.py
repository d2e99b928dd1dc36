"""How guessing is slowed: every code is counted before it is looked at."""

from __future__ import annotations

from ..._clock import Clock
from ..._crypto import KeyRing
from ...limits.manager import RateLimiter
from ...stores.adapters.memory import MemoryStore
from .interface import GuessLimits

_PURPOSE = "factor-guesses"
_BUCKETS = 10_000


class Guessing:
    """Counts in ``limiter``, which is borrowed, or where none was given in this process alone."""

    def __init__(self, keys: KeyRing, limiter: RateLimiter | None, limits: GuessLimits, clock: Clock) -> None:
        self._keys = keys
        self._limits = limits
        self._own: RateLimiter | None = None
        if limiter is None:
            limiter = self._own = RateLimiter(MemoryStore(clock=clock, max_entries=_BUCKETS), clock=clock)
        self._limiter = limiter

    def open(self) -> None:
        """Begin to count."""
        if self._own is not None:
            self._own.open()

    def close(self) -> None:
        """Forget what was counted here."""
        if self._own is not None:
            self._own.close()

    def wait(self, user_id: str, challenge: str) -> float:
        """Count a code: 0 where it may be looked at, else the seconds until one may. Who cannot count lets none pass.

        Challenges may be session ids: the buckets have names that tell none.
        """
        takes = [self._limits.user.of(self._keys.mac(user_id.encode(), purpose=_PURPOSE))]
        if challenge:
            named = f"{user_id}\0{challenge}".encode(errors="surrogatepass")
            takes.append(self._limits.challenge.of(self._keys.mac(named, purpose=_PURPOSE)))
        decision = self._limiter.hit(*takes, unavailable="closed")
        return 0.0 if decision.allowed else max(decision.retry_after, 0.001)
