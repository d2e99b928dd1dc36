"""When to try again, what an answer means, and what a batch is made of: decisions only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import orjson

BATCH_BYTES: Final = 512 * 1024
BATCH_LINES: Final = 1000
FIRST, LONGEST = 0.5, 60.0
"""Seconds between two tries, at least and at most."""
LONGEST_ASKED: Final = 3600.0
"""Seconds that a receiver may ask for at most."""
PATIENT: Final = 16
"""Lines refused one after the other from which on each costs a pause: that is no bad line, but a bad receiver."""


def pause(failures: int, random: float) -> float:
    """Seconds until the next try after ``failures`` (>= 1) in a row; ``random`` is uniform in [0, 1).

    Half of it is fixed and half is chance, so that machines whose receiver comes back do not all come at once.
    """
    ceiling = min(LONGEST, 2 * FIRST * 2.0 ** min(failures - 1, 16))
    return ceiling * (0.5 + 0.5 * random)


def asked_pause(retry_after: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After field (RFC 9110 section 10.2.3), at most an hour; ``None``: it says nothing."""
    told = (retry_after or "").strip()
    if told.isascii() and told.isdigit():
        return min(LONGEST_ASKED, float(told[:10]))
    try:
        at = parsedate_to_datetime(told)
        return min(LONGEST_ASKED, max(0.0, (at - now).total_seconds()))
    except (TypeError, ValueError, OverflowError):  # no date, one without a time zone, or of no year
        return None


def refuses(status: int) -> bool:
    """Whether an answer of HTTP says that this very body will never be taken."""
    return status in (400, 413)


def batches(lines: Sequence[bytes]) -> tuple[list[list[bytes]], int]:
    """``lines`` in groups that one request takes, and how many of them are no JSON object and so left out."""
    good = [line for line in lines if _is_object(line)]
    groups = [good[at : at + BATCH_LINES] for at in range(0, len(good), BATCH_LINES)]
    return groups, len(lines) - len(good)


def halves(lines: list[bytes]) -> list[list[bytes]]:
    """``lines`` (at least two) in two groups."""
    middle = len(lines) // 2
    return [lines[:middle], lines[middle:]]


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
