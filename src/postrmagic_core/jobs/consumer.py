"""dramatiq's view of the broker: one queue, whose one consumer settles what has ended and claims what is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dramatiq import Broker, Consumer, Message, MessageProxy

from .._retry import RetryPolicy
from ..errors import BackendError
from . import policy
from .wake import Bell

if TYPE_CHECKING:
    from .held import Held
    from .interface import BrokerAdapter, Claim
    from .seats import Seats

logger = logging.getLogger("postrmagic_core.jobs")

QUEUE = "postrmagic"
"""The only queue that dramatiq sees: which of ours a job is from, and in what order, the broker decides."""
_BACK_OFF = RetryPolicy(attempts=1_000_000, base=0.1, cap=2.0)


class Desk(Broker):
    """A dramatiq broker for one worker. Nothing is enqueued through it."""

    def __init__(self, adapter: BrokerAdapter, held: Held, bell: Bell, seats: Seats, queues: Sequence[str]) -> None:
        super().__init__(middleware=[])
        self.adapter = adapter
        self.held = held
        self.bell = bell
        self.seats = seats
        self.consumed = list(queues)

    def declare_queue(self, queue_name: str) -> None:
        """Begin to consume."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        """The consumer; it blocks ``timeout`` milliseconds at most, and the worker's threads bound what it takes."""
        return Clerk(self, timeout / 1000)


class Clerk(Consumer):
    """Looks when somebody rings: a thread has ended its job, or something was enqueued; else ever more slowly.

    Everything that ended since the last look is settled, and everything there is a thread for claimed, in one turn.
    What a unit of this process has claimed for the worker needs no look.
    """

    def __init__(self, desk: Desk, timeout: float) -> None:
        self._adapter = desk.adapter
        self._held = desk.held
        self._bell = desk.bell
        self._seats = desk.seats
        self._queues = desk.consumed
        self._timeout = timeout
        self._ready: list[Claim] = []
        self._rings = -1
        self._turns = 0
        self._idle = 0
        self._failures = 0
        self._next = 0.0

    def __next__(self) -> MessageProxy | None:
        """The next message, or ``None`` after at most the time-out."""
        if not self._ready:
            pause = min(self._timeout, max(0.0, self._next - time.monotonic()))
            rings = self._bell.wait(self._rings, pause, lambda: self._held.has_given)
            self._ready = self._held.given()
            if not self._ready:
                self._look(rings)
        return MessageProxy(_message(self._ready.pop(0))) if self._ready else None

    def _look(self, rings: int) -> None:
        rung, self._rings = rings != self._rings, rings
        # While the broker is away nobody hurries it: each job that ends would ask it again.
        if (rung and not self._failures) or time.monotonic() >= self._next:
            self._turn()

    def _turn(self) -> None:
        settlements = self._held.settlements()
        want = self._held.want(policy.in_turn(self._queues, self._turns))
        self._seats.rest(None)
        self._turns += 1
        if want is None and not settlements:  # every thread is busy: the first that ends rings
            self._next = time.monotonic() + policy.SWEEP_LAST
            return
        try:
            turn = self._adapter.turn(settlements, want)
        except Exception as error:
            self._held.unsettled()
            self._failed(error)
            return
        self._held.settled()
        for settlement, owned in zip(settlements, turn.owned, strict=True):
            if not owned:
                logger.warning(
                    "the lease on job %s was lost: its end here is not recorded (job.lease_lost)", settlement.claim.id
                )
        if self._failures:
            logger.warning("the jobs' broker answers again")
            self._failures = 0
        self._held.add(turn.claims)
        self._ready = list(turn.claims)
        self._idle = 0 if turn.claims or settlements else self._idle + 1
        self._next = time.monotonic() + policy.sweep_delay(self._idle, turn.next_due)
        if want is not None and len(turn.claims) < want.free:
            self._seats.rest(self._rings)

    def _failed(self, error: Exception) -> None:
        """Try again soon, whatever it was: a worker that stops looking looks alive and is not."""
        self._failures += 1
        if self._failures == 1 or not isinstance(error, BackendError):
            logger.error("jobs cannot be fetched or settled; trying again until it works", exc_info=error)
        self._next = time.monotonic() + (_BACK_OFF.delay(self._failures, 0.5) or _BACK_OFF.cap)

    def ack(self, message: MessageProxy) -> None:
        """Nothing to do: who runs a job notes how it ended."""

    nack = ack

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Nothing to do: what has not begun was handed back."""

    def close(self) -> None:
        """Settle what has ended since the last turn."""
        settlements = self._held.settlements()
        if not settlements:
            return
        try:
            self._adapter.turn(settlements, None)
            self._held.settled()
        except BackendError as error:
            self._held.unsettled()
            logger.error(
                "%d ended jobs could not be settled: they are delivered again", len(settlements), exc_info=error
            )


def _message(claim: Claim) -> Message[None]:
    """Of a claim dramatiq sees its id, and none of its arguments, which it would log."""
    return Message(QUEUE, QUEUE, (claim.id,), {}, {}, message_id=claim.id)
