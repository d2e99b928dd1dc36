"""The instants that people type after ``since:`` and ``until:``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .._clock import from_us, to_us

_AGO = re.compile(r"(\d{1,9})([smhdw])", re.IGNORECASE)
_LAST: Final = to_us(datetime.max.replace(tzinfo=UTC))
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def instant_of(text: str, now_us: int) -> int:
    """Microseconds since the epoch: ``30s``, ``5m``, ``1h``, ``2d`` or ``1w`` ago, ISO 8601, ``today``, ``yesterday``.

    A day begins at midnight UTC. :class:`ValueError` says what was expected.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(0, now_us - int(ago[1]) * _UNITS[ago[2].lower()] * 1_000_000)
    word = text.lower()
    if word == "now":
        return now_us
    if word in ("today", "yesterday"):
        midnight = from_us(now_us).replace(hour=0, minute=0, second=0, microsecond=0)
        return to_us(midnight - timedelta(days=word == "yesterday"))
    try:
        found = datetime.fromisoformat(text)
        return max(0, to_us(found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)))
    except (ValueError, OverflowError):
        raise ValueError(
            "expected a time: 30s, 5m, 1h, 2d or 1w ago, today, yesterday, or as 2026-01-31T12:00:00Z"
        ) from None


def instant_text(us: int) -> str:
    """``us`` as a record's ``ts`` says it: UTC, to the microsecond, sorting as text."""
    return from_us(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def us_of(ts: object) -> int | None:
    """The microseconds since the epoch of a record's ``ts``; ``None`` where it says no instant, or one before 1970."""
    if not isinstance(ts, str):
        return None
    try:
        found = datetime.fromisoformat(ts)
        us = to_us(found if found.tzinfo is not None else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return us if 0 <= us <= _LAST else None  # what an offset leads out of the calendar could not be shown
