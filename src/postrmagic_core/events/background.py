"""Where async listeners run: a loop of the manager's own, at most so many at once, and a bounded line of others."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from .._lifecycle import after_fork
from .._loop import Call, LoopThread
from ..errors import Overloaded
from .interface import Overflow

logger = logging.getLogger("postrmagic_core.events")


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """How many async listeners run at once, how many more may wait, and what happens to one beyond.

    ``block``: the emitter waits for room. ``drop_oldest``: what has waited longest is not called, and counted.
    ``raise``: emitting raises :class:`Overloaded`, before anything has happened.
    """

    concurrency: int = 32
    backlog: int = 1000
    overflow: Overflow = "block"

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.backlog < 1:
            raise ValueError(f"concurrency and backlog are at least 1, got {self.concurrency} and {self.backlog}")
        if self.overflow not in ("block", "drop_oldest", "raise"):
            raise ValueError(f"overflow is block, drop_oldest or raise, got {self.overflow!r}")


class Background:
    """Calls for one manager; ``dropped`` is told of each that is never made."""

    def __init__(self, limits: ListenerLimits, dropped: Callable[[], None]) -> None:
        self.loop = LoopThread("postrmagic-events-loop")
        self._limits = limits
        self._dropped = dropped
        self._changed = threading.Condition()
        self._waiting: deque[tuple[contextvars.Context, Call]] = deque()
        self._running = 0
        self._closed = False
        after_fork(self._forget)

    def open(self) -> None:
        """Take calls, also after a close."""
        self._closed = False

    def check(self) -> None:
        """Refuse what could not be called, where that is what happens to it."""
        if self._limits.overflow == "raise" and len(self._waiting) >= self._limits.backlog:
            raise Overloaded(
                f"{self._running} async listeners run and {len(self._waiting)} calls wait: emit less, or make "
                "concurrency or backlog larger"
            )

    def submit(self, call: Call) -> None:
        """Have ``call`` run, with the present context variables; its errors are its own affair."""
        with self._changed:
            if self._limits.overflow == "drop_oldest" and len(self._waiting) >= self._limits.backlog:
                self._waiting.popleft()
                self._dropped()
            elif self._limits.overflow == "block" and not self.loop.is_here:  # the loop cannot wait for itself
                self._changed.wait_for(lambda: len(self._waiting) < self._limits.backlog or self._closed)
            if self._closed:
                self._dropped()
                return
            self._waiting.append((contextvars.copy_context(), call))
            self._next()

    def drain(self, timeout: float) -> bool:
        """Wait until nothing runs or waits; whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running and not self._waiting, timeout)

    def close(self, grace: float) -> None:
        """Let what was submitted end within so many seconds, then cancel it."""
        done = self.drain(grace)
        with self._changed:
            self._closed = True
            left = self._running + len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        if not done:
            logger.warning("%d calls of async listeners did not end within %g s and were cancelled", left, grace)
        self.loop.close()

    def _next(self) -> None:
        while self._waiting and self._running < self._limits.concurrency:
            context, call = self._waiting.popleft()
            self._running += 1
            context.run(self.loop.start, call).future.add_done_callback(self._done)

    def _forget(self) -> None:
        """In a forked child: the loop's thread did not come along, and its calls are the parent's."""
        self._changed = threading.Condition()
        self._waiting = deque()
        self._running = 0

    def _done(self, future: Future[Any]) -> None:
        with self._changed:
            self._running -= 1
            self._next()
            self._changed.notify_all()
