"""A clock that moves when told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from postrmagic_core._clock import from_us, to_us


class FakeClock:
    """Stands in for ``postrmagic_core._clock.SystemClock``; safe in threads.

    It starts at ``start`` (aware; default 2026-01-01 00:00 UTC) and never moves by itself. ``sleep`` advances it and
    returns at once.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._wall_us = to_us(start or datetime(2026, 1, 1, tzinfo=UTC))
        self._monotonic_us = 1_000_000_000

    @property
    def now(self) -> datetime:
        """Wall time as an aware UTC datetime."""
        return from_us(self.now_us())

    def now_us(self) -> int:
        """Wall time in microseconds since the epoch (UTC)."""
        with self._lock:
            return self._wall_us

    def monotonic(self) -> float:
        """Seconds that only :meth:`advance` and :meth:`sleep` move."""
        with self._lock:
            return self._monotonic_us / 1e6

    def sleep(self, seconds: float) -> None:
        """Advance by ``seconds`` and return at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` (>= 0) pass, on both clocks."""
        if seconds < 0:
            raise ValueError(f"time only passes forward, got {seconds} s: use jump() to set the wall clock back")
        with self._lock:
            self._wall_us += round(seconds * 1e6)
            self._monotonic_us += round(seconds * 1e6)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back by ``seconds``, as an operator or NTP does; monotonic time stays."""
        with self._lock:
            self._wall_us += round(seconds * 1e6)

    def set(self, instant: datetime) -> None:
        """Set the wall clock to an aware ``instant``; monotonic time stays."""
        with self._lock:
            self._wall_us = to_us(instant)
