"""Time, as an argument: wall time for what is stored or shown, monotonic time for every interval."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What every manager takes time from; tests pass ``postrmagic_core.testing.FakeClock``."""

    def now_us(self) -> int:
        """Wall time in microseconds since the epoch (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for intervals and time-outs."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` in the calling thread."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        """Wall time in microseconds since the epoch (UTC)."""
        return time.time_ns() // 1000

    # The function itself: a cached read that asks for the time costs half a microsecond in all.
    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` in the calling thread."""
        time.sleep(seconds)


def from_us(us: int) -> datetime:
    """The aware UTC datetime of ``us`` microseconds since the epoch, exactly (no float in between)."""
    return _EPOCH + timedelta(microseconds=us)


def to_us(instant: datetime) -> int:
    """Microseconds since the epoch of an aware datetime; a naive one raises :class:`ValueError`."""
    if instant.tzinfo is None:
        raise ValueError("expected an aware datetime (with tzinfo), got a naive one")
    return (instant - _EPOCH) // timedelta(microseconds=1)
