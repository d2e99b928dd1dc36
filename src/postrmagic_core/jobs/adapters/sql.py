"""Jobs handed out by the database that holds their rows: SQLite, MySQL, MariaDB."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from dramatiq import Broker, Consumer, Message, MessageProxy

from ..._sql import open_backend
from ...errors import BackendError
from .. import policy
from ..wake import Bell
from . import settling

if TYPE_CHECKING:
    from ..held import HeldClaims
    from ..interface import Claim
    from ..ledger import Ledger


class SqlBrokerAdapter:
    """Workers look for due rows, at once when woken, else ever more slowly."""

    def __init__(self, database_id: str) -> None:
        self._database_id = database_id
        self.bell = Bell()

    @classmethod
    def from_url(cls, url: str, *, namespace: str) -> Self:
        """An adapter for ``url``; queues are kept apart by name in the database, ``namespace`` is a broker's."""
        return cls(open_backend(url).database_id())

    @property
    def database_id(self) -> str | None:
        """The database whose rows are handed out."""
        return self._database_id

    def broker(self, ledger: Ledger, held: HeldClaims) -> Broker:
        """A broker over the ledger."""
        return SqlBroker(ledger, held, self.bell)

    def send(self, job_id: str, queue: str, task: str) -> None:
        """Nothing needs to be sent: the row is found."""
        self.wake()

    def wake(self) -> None:
        """Wake this process's consumers."""
        self.bell.ring()

    def close(self) -> None:
        """Nothing is held: the connections are the ledger's."""


class SqlBroker(Broker):
    """dramatiq's view of the table. Nothing is enqueued through it: the ledger inserts rows."""

    def __init__(self, ledger: Ledger, held: HeldClaims, bell: Bell) -> None:
        super().__init__(middleware=[])
        self.ledger = ledger
        self.held = held
        self.bell = bell

    def declare_queue(self, queue_name: str) -> None:
        """Begin to consume a queue."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        """A consumer that blocks ``timeout`` milliseconds at most; the worker's threads bound what it takes."""
        return SqlConsumer(self, queue_name, timeout / 1000)


class SqlConsumer(Consumer):
    """Hands claimed rows to the worker; ``ack`` and ``nack`` are called from its threads."""

    def __init__(self, broker: SqlBroker, queue: str, timeout: float) -> None:
        self._broker = broker
        self._queue = queue
        self._timeout = timeout
        self._ready: list[Claim] = []
        self._rings = -1
        self._idle = 0
        self._next = 0.0

    def __next__(self) -> MessageProxy | None:
        """The next message, or ``None`` after at most the time-out."""
        if not self._ready:
            rings = self._broker.bell.wait(self._rings, min(self._timeout, max(0.0, self._next - time.monotonic())))
            if rings != self._rings or time.monotonic() >= self._next:
                self._rings = rings
                self._fetch()
        return MessageProxy(settling.message_of(self._ready.pop(0))) if self._ready else None

    def _fetch(self) -> None:
        broker = self._broker
        try:
            with broker.held.claiming:
                full = broker.held.free == 0
                claims = [] if full else self._claim(broker)
                next_due = None if claims or full else broker.ledger.next_due(self._queue)
                known = [claim for claim in claims if claim.task in broker.actors]
                broker.held.add(known)
        except BackendError as error:
            raise settling.closed(error) from error
        for claim in claims:
            if claim not in known:
                settling.refuse(broker.ledger, claim)
        self._ready = known
        self._idle = 0 if claims else self._idle + 1
        self._next = time.monotonic() + policy.sweep_delay(self._idle, next_due)

    def _claim(self, broker: SqlBroker) -> list[Claim]:
        held = broker.held
        return broker.ledger.claim(self._queue, held.owner, free=held.free, busy=held.busy, held=held.ids())

    def ack(self, message: MessageProxy) -> None:
        """Record how the delivery ended."""
        settling.settle(self._broker.ledger, self._broker.held, message.message_id)
        self._broker.bell.ring()  # a thread is free

    nack = ack

    def requeue(self, messages: Iterable[MessageProxy | Message[object]]) -> None:
        """Hand back what was never started."""
        held = self._broker.held
        claims = [claim for message in messages if (claim := held.get(message.message_id)) is not None]
        try:
            self._broker.ledger.release(claims)
        except BackendError as error:
            raise settling.closed(error) from error
        for claim in claims:
            held.drop(claim.id)

    def close(self) -> None:
        """Hand back what was claimed and not yet given to a thread."""
        ready, self._ready = self._ready, []
        self.requeue([settling.message_of(claim) for claim in ready])
