"""A record that is made again and again is written some times a minute, and then counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

from .._lifecycle import after_fork
from .._metrics import Metrics

Key: TypeAlias = tuple[str, int, str]
"""Logger, level, and the event as the call has it, before its arguments."""

MINUTE = 60.0
KEYS = 1000


class Repeats:
    """Admits ``limit`` records a minute of each key; the minute begins with the first. 1,000 keys are told apart."""

    def __init__(self, limit: int, metrics: Metrics, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        self._count = metrics.counter("log_repeats_total")
        # Of each key: when its minute began, how many came, how many of them were left out.
        self._seen: dict[Key, tuple[float, int, int]] = {}
        self._forget()
        after_fork(self._forget)

    def admitted(self, key: Key) -> int | None:
        """Whether to write it: ``None`` if not, else how many were left out since the last that was written."""
        now = self._now()
        with self._lock:
            began, came, left_out = self._seen.get(key, (now, 0, 0))
            if now - began >= MINUTE:
                began, came = now, 0
            if came >= self._limit:
                self._seen[key] = (began, came, left_out + 1)
                self._count.add()
                return None
            if key not in self._seen and len(self._seen) >= KEYS and not self._made_room(now):
                return 0  # too many to tell apart: better all of them than none
            self._seen[key] = (began, came + 1, 0)
            return left_out

    def over(self, *, all_of_them: bool = False) -> list[tuple[Key, int]]:
        """Whose minute is over (or all), with how many were left out and have not been told; they are forgotten."""
        now = self._now()
        with self._lock:
            ended = [key for key, (began, _, _) in self._seen.items() if all_of_them or now - began >= MINUTE]
            counted = [(key, self._seen.pop(key)[2]) for key in ended]
        return [(key, left_out) for key, left_out in counted if left_out]

    def _made_room(self, now: float) -> bool:
        for key in [key for key, (began, _, left_out) in self._seen.items() if not left_out and now - began >= MINUTE]:
            del self._seen[key]
        return len(self._seen) < KEYS

    def _forget(self) -> None:
        # What was left out before a fork is the parent's to tell.
        self._lock = threading.RLock()  # a signal's handler may log, too
        self._seen.clear()
