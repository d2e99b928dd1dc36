"""What both faces do around a hashing: refuse what is never hashed, count, and tell of too much work."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..._clock import SystemClock
from ..._metrics import Metrics
from ...errors import Overloaded, ValidationFailed
from . import policy
from .hashing import Hashing
from .interface import Verified
from .policy import PasswordRules
from .slots import Slots

_log = logging.getLogger("postrmagic_core.security")

LOG_EVERY = 60.0
"""Seconds between two records that say that too many passwords are being hashed: a flood fills no log."""


class Work:
    """The hashing of one process, its places, and what is counted of it."""

    def __init__(self, hashing: Hashing, slots: Slots, rules: PasswordRules, metrics: Metrics) -> None:
        self.hashing = hashing
        self.slots = slots
        self._rules = rules
        self._clock = SystemClock()
        self._told: float | None = None
        self._right = metrics.counter("passwords_verified_total", outcome="right")
        self._wrong = metrics.counter("passwords_verified_total", outcome="wrong")
        self._rehashed = metrics.counter("passwords_rehashed_total")
        self._overloaded = metrics.counter("passwords_overloaded_total")

    def check_length(self, password: str) -> None:
        """Raise :class:`ValidationFailed` for what is never hashed."""
        code = self._never(password)
        if code is not None:
            raise ValidationFailed(self._rules.described([code], "/password"))

    def can_be_right(self, password: str) -> bool:
        """Whether it could have been hashed at all: decided without the stored hash, so that it tells nothing of it."""
        if self._never(password) is not None:
            self._wrong.add()
            return False
        return True

    def counted(self, found: Verified) -> Verified:
        """Count what was found."""
        (self._right if found.ok else self._wrong).add()
        if found.rehash is not None:
            self._rehashed.add()
        return found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count and tell of the block's :class:`Overloaded`."""
        try:
            yield
        except Overloaded:
            self._overloaded.add()
            now = self._clock.monotonic()
            if self._told is None or now - self._told >= LOG_EVERY:
                self._told = now
                _log.warning(
                    "more passwords are to be hashed than can be", extra={"event": "security.passwords_overloaded"}
                )
            raise

    def _never(self, password: str) -> str | None:
        raw = policy.encoded(password)
        if raw is None:
            return "password.not_text"
        return "password.too_long" if len(raw) > self._rules.max_bytes else None
