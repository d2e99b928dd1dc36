"""Whether a room's store answers: each failure counted, an outage said when it begins and when it is over."""

from __future__ import annotations

import logging

from .._clock import Clock
from .._metrics import Counter
from ..errors import BackendError

LOG_EVERY = 60.0
"""Seconds between two records that say that a store is away: one that comes and goes fills no log."""


class OutageLog:
    """One room's view of its store; ``away``: it was said that it is, and it has not answered since."""

    def __init__(self, whose: str, log: logging.Logger, errors: Counter, clock: Clock) -> None:
        self.away = False
        self._whose = whose
        self._log = log
        self._errors = errors
        self._clock = clock
        self._said: float | None = None

    def note(self, error: BackendError, policy: str) -> None:
        """Count the failure, and say so if that is news."""
        self._errors.add()
        if self.away:
            return
        now = self._clock.monotonic()
        if self._said is None or now - self._said >= LOG_EVERY:
            self._said = now
            self.away = True
            why = {"why": str(error)}  # as a certificate that was not accepted (OWASP ASVS 16.3.4)
            self._log.warning("the %s store is away (%s); policy: %s", self._whose, error.code, policy, extra=why)

    def answered(self) -> None:
        """The store did what was asked."""
        if self.away:
            self.away = False
            self._log.info("the %s store is back", self._whose)
