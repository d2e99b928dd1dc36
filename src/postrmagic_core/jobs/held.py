"""What one worker holds: deliveries that wait for a thread, that run, and that have ended and are not settled yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from . import policy
from .interface import Beat, Claim, Outcome, Renewal, Settlement, Want

_RECENT = 0.1


class Delivery:
    """One delivery in this process.

    ``cancelled``: somebody asked the job to end. ``lost``: another worker has it, and what it reports here counts no
    more. ``progress``: what the task told last, encoded. ``waited``: seconds from when it was due until a thread began
    it, where that is known.
    """

    __slots__ = ("_on_cancel", "began", "cancelled", "claim", "lost", "progress", "told", "waited")

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.began = time.monotonic()
        self.cancelled = False
        self.lost = False
        self.progress: bytes | None = None
        self.told: bytes | None = None
        self.waited = claim.waited
        self._on_cancel: Callable[[], None] | None = None

    def on_cancel(self, call: Callable[[], None] | None) -> None:
        """Call ``call()`` once the job is cancelled or lost, at once if it is."""
        self._on_cancel = call
        if call is not None and (self.cancelled or self.lost):
            call()

    def end_early(self, *, cancelled: bool) -> None:
        """Note that it should end, and why."""
        self.cancelled, self.lost = self.cancelled or cancelled, self.lost or not cancelled
        call = self._on_cancel
        if call is not None:
            call()


class Held:
    """The deliveries of the worker named ``owner``, which has ``threads`` threads; ``ring`` wakes who settles them."""

    def __init__(self, owner: str, threads: int, ring: Callable[[], None]) -> None:
        self.owner = owner
        self.threads = threads
        self._ring = ring
        self._lock = threading.Lock()
        self._waiting: dict[str, Delivery] = {}
        self._running: dict[str, Delivery] = {}
        self._ended: list[Settlement] = []
        self._settling: Sequence[Settlement] = ()
        self._given: list[Claim] = []
        self._mean: float | None = None
        self._draining = False

    @property
    def free_threads(self) -> int:
        """How many threads have nothing to do, for a job that is begun at once."""
        with self._lock:
            return max(0, self._room(ahead=False))

    def want(self, queues: Sequence[str]) -> Want | None:
        """What could be taken now, ahead of a thread's becoming free too; ``None`` when nothing."""
        with self._lock:
            room = self._room(ahead=True)
            ids = frozenset([*self._waiting, *self._running])
        return Want(self.owner, queues, room, idle=not ids, held=ids) if room > 0 else None

    def _room(self, *, ahead: bool) -> int:
        held = [*self._waiting.values(), *self._running.values()]
        if self._draining or any(delivery.claim.alone for delivery in held):
            return 0
        return self.threads - len(held) + (policy.appetite(self.threads, self._pace()) if ahead else 0)

    def _pace(self) -> float | None:
        """Seconds that a job takes, as it seems now: longer than the mean where every thread is longer at one."""
        if self._mean is None or len(self._running) < self.threads:
            return self._mean
        return max(self._mean, time.monotonic() - max(delivery.began for delivery in self._running.values()))

    def add(self, claims: Iterable[Claim]) -> None:
        """Hold ``claims``, which wait for a thread."""
        with self._lock:
            self._waiting.update((claim.id, Delivery(claim)) for claim in claims)

    def give(self, claim: Claim) -> bool:
        """Hold ``claim`` for :meth:`given` to tell of, if there is room; else hand it back."""
        with self._lock:
            room = self._room(ahead=True) > 0
            if room:
                self._waiting[claim.id] = Delivery(claim)
                self._given.append(claim)
            else:
                self._ended.append(Settlement(claim, Outcome("queued")))
        if not room:
            self._ring()
        return room

    def given(self) -> list[Claim]:
        """What :meth:`give` has brought since the last time."""
        with self._lock:
            given, self._given = self._given, []
        return given

    @property
    def has_given(self) -> bool:
        """Whether :meth:`given` has something to tell."""
        return bool(self._given)

    def start(self, job_id: str) -> Delivery | None:
        """The delivery that a thread is to run; ``None`` if it was handed back meanwhile."""
        with self._lock:
            delivery = self._waiting.pop(job_id, None)
            if delivery is not None:
                now = time.monotonic()
                if delivery.waited is not None:
                    delivery.waited += now - delivery.began
                delivery.began = now
                self._running[job_id] = delivery
        return delivery

    def end(self, delivery: Delivery, outcome: Outcome) -> None:
        """Note how a delivery ended."""
        took = time.monotonic() - delivery.began
        with self._lock:
            self._running.pop(delivery.claim.id, None)
            self._ended.append(Settlement(delivery.claim, outcome))
            self._mean = took if self._mean is None else self._mean + _RECENT * (took - self._mean)
        self._ring()

    def settlements(self) -> Sequence[Settlement]:
        """What is to be settled, until :meth:`settled` or :meth:`unsettled`."""
        with self._lock:
            self._settling, self._ended = self._ended, []
            return self._settling

    def settled(self) -> None:
        """The settlements are recorded."""
        with self._lock:
            self._settling = ()

    def unsettled(self) -> None:
        """They could not be recorded and come again."""
        with self._lock:
            self._ended = [*self._settling, *self._ended]
            self._settling = ()

    def hand_back(self, waited: float) -> None:
        """Give up what has waited for a thread for so many seconds: another worker may be idle."""
        before = time.monotonic() - waited
        with self._lock:
            idle = [delivery for delivery in self._waiting.values() if delivery.began <= before]
            for delivery in idle:
                del self._waiting[delivery.claim.id]
                self._ended.append(Settlement(delivery.claim, Outcome("queued")))
        if idle:
            self._ring()

    def drain(self) -> None:
        """Take nothing more, and hand back what has not begun."""
        self._draining = True
        self.hand_back(0.0)

    def beats(self, *, told_only: bool = False) -> list[Beat]:
        """A sign of life for everything held; ``told_only``: for what has told its progress since the last one."""
        with self._lock:
            held = [*self._waiting.values(), *self._running.values()]
            beats = [Beat(settlement.claim) for settlement in (*self._settling, *self._ended)]
        if told_only:
            beats, held = [], [each for each in held if each.progress is not each.told]
        for delivery in held:
            news = delivery.progress if delivery.progress is not delivery.told else None
            delivery.told = delivery.progress
            beats.append(Beat(delivery.claim, news))
        return beats

    def heed(self, beats: Sequence[Beat], renewal: Renewal) -> list[str]:
        """Have what was lost or cancelled end early; the ids of what was lost.

        ``renewal`` answers ``beats``: a delivery of the same job that was made since is not meant.
        """
        with self._lock:
            held = self._waiting | self._running
        lost: list[str] = []
        for claim, _ in beats:
            job_id, delivery = claim.id, held.get(claim.id)
            if delivery is None or delivery.claim is not claim:
                continue
            if job_id in renewal.lost:
                lost.append(job_id)
                if not delivery.lost:
                    delivery.end_early(cancelled=False)
            elif job_id in renewal.cancelled and not delivery.cancelled:
                delivery.end_early(cancelled=True)
        return lost

    @property
    def running(self) -> int:
        """How many deliveries run."""
        return len(self._running)
