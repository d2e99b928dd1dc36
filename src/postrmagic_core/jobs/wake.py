"""Waking a thread that waits: by a bell of which no ring is missed, or for an errand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .._lifecycle import after_fork

logger = logging.getLogger("postrmagic_core.jobs")


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


class Errand:
    """``work()`` done soon after somebody asks, in a thread of its own, which the first :meth:`ask` starts.

    What is asked together is done once. ``every``: seconds after which it is done unasked.
    """

    def __init__(self, name: str, work: Callable[[], None], every: float | None = None) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._thread: threading.Thread | None = None
        self._forget()
        after_fork(self._forget)

    def ask(self) -> None:
        """Have it done."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """End the thread, after what was asked for."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._wanted.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        closed = False
        while not closed:
            self._wanted.wait(self._every)
            closed = self._closed
            self._wanted.clear()
            try:
                self._work()
            except Exception:
                logger.exception("%s failed and goes on", self._name)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread = None
        self._closed = False
