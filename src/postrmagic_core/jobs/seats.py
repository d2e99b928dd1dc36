"""A worker's free threads: while it rests, a unit of its own process gives it the job it enqueues, as it commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from . import policy
from .held import Held
from .interface import Claim
from .wake import Bell


class Seats:
    """The free threads of the worker whose deliveries are ``held``, which takes jobs from ``queues``.

    It rests while it has looked and found less than it wanted, and ``bell`` has not rung since: then nothing waits
    that a job given here could overtake.
    """

    def __init__(self, held: Held, bell: Bell, queues: Sequence[str]) -> None:
        self._held = held
        self._bell = bell
        self._queues = queues
        self._lock = threading.Lock()
        self._rested: int | None = None
        self._offered: list[float] = []

    def rest(self, rings: int | None) -> None:
        """The worker has looked after so many rings, and nothing was left; ``None``: something may be."""
        self._rested = rings

    def offer(self, queue: str) -> str | None:
        """See :meth:`Taker.offer`."""
        if queue not in self._queues or self._bell.rings != self._rested:
            return None
        with self._lock:
            now = time.monotonic()
            self._offered = [until for until in self._offered if until > now]
            if self._held.free_threads <= len(self._offered):
                return None
            self._offered.append(now + policy.OFFER)  # a unit that does not commit says nothing
        return self._held.owner

    def take(self, claim: Claim) -> None:
        """See :meth:`Taker.take`."""
        with self._lock:
            del self._offered[:1]
        if self._held.give(claim):
            self._bell.nudge()
