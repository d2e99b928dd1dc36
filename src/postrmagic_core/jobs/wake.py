"""Waking a thread that waits, by a bell of which no ring is missed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Bell:
    """Counts its rings, so that a waiter never misses one that came before it began to wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake every waiter."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def nudge(self) -> None:
        """Have every waiter look whether its ``also`` holds."""
        with self._condition:
            self._condition.notify_all()

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    def wait(self, seen: int, timeout: float, also: Callable[[], bool] = lambda: False) -> int:
        """The number of rings, as soon as it differs from ``seen``, or ``also()``, or after ``timeout`` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen or also(), timeout)
            return self._rings
