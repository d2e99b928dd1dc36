"""Jobs announced through Redis: dramatiq's own broker carries ids, the database keeps the jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import redis
import redis.exceptions as driver
from dramatiq import Broker, Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import BrokerConnectionError, DecodeError
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import BackendError, BackendReadOnly, BackendRejected, BackendUnavailable, OutOfSpace, PostrMagicError
from ...errors import translating as _translating
from . import settling

if TYPE_CHECKING:
    from ..held import HeldClaims
    from ..ledger import Ledger

logger = logging.getLogger("postrmagic_core.jobs")

_TIMEOUT = 2.0
# dramatiq takes the messages of a silent worker back on a chance of 0.1 % of commands: measured, after 107 to 1055 s.
_ALWAYS = 1_000_000
_SILENT_MS = 5_000
# dramatiq's Redis broker has no annotations.
_Untyped: Any = RedisBroker


class RedisBrokerAdapter:
    """Each job is sent once it is due and committed; a worker claims its row before running it."""

    database_id: str | None = None

    def __init__(self, url: str, namespace: str) -> None:
        # No blind retries: redis-py would send a command again whose reply was lost.
        no_retries = Retry(NoBackoff(), 0)
        self._client = redis.Redis.from_url(
            url, retry=no_retries, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
        )
        self._namespace = namespace
        self._sender: Broker = _Untyped(**self._options())

    @classmethod
    def from_url(cls, url: str, *, namespace: str) -> Self:
        """An adapter for ``redis://…`` or ``rediss://…``; ``namespace`` prefixes every key."""
        return cls(url, namespace)

    def broker(self, ledger: Ledger, held: HeldClaims) -> Broker:
        """dramatiq's Redis broker, with consumers that claim in the ledger."""
        return LedgerRedisBroker(ledger, held, **self._options())

    def send(self, job_id: str, queue: str, task: str) -> None:
        """Push the job's id to its queue."""
        with _translating(_map_error):
            self._sender.enqueue(Message(queue, task, (job_id,), {}, {}, message_id=job_id))

    def wake(self) -> None:
        """Nothing to do: workers wait for Redis."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _options(self) -> dict[str, Any]:
        recovery = {"maintenance_chance": _ALWAYS, "heartbeat_timeout": _SILENT_MS}
        return {"client": self._client, "namespace": self._namespace, "middleware": [], **recovery}


class LedgerRedisBroker(RedisBroker):
    """dramatiq's broker without its delay queues: what is not due waits in the database."""

    def __init__(self, ledger: Ledger, held: HeldClaims, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # dramatiq's is untyped
        self.ledger = ledger
        self.held = held

    @property
    def consumer_class(self) -> type[LedgerRedisConsumer]:
        """The consumer that claims."""
        return LedgerRedisConsumer

    def declare_queue(self, queue_name: str) -> None:
        """Begin to consume a queue."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)


class LedgerRedisConsumer(_RedisConsumer):
    """Of a message only the ids are believed; everything else comes from the job's row."""

    def __init__(self, broker: LedgerRedisBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        self._dramatiq.__init__(broker, queue_name, min(prefetch, broker.held.threads), timeout)
        self.ledger = broker.ledger
        self.held = broker.held

    @property
    def _dramatiq(self) -> Any:
        """The consumer beneath this one, which has no annotations."""
        return super()

    def __next__(self) -> MessageProxy | None:
        """The next message whose job could be claimed, or ``None`` after at most the time-out."""
        try:
            message = self._dramatiq.__next__()
            return None if message is None else self._claimed(message)
        except (DecodeError, TypeError):  # no JSON, or JSON of another shape
            logger.error("a message in queue %s is not one of ours and was passed over", self.queue_name)
            return None
        except (redis.RedisError, BackendError) as error:
            raise settling.closed(error) from error

    def _claimed(self, message: MessageProxy) -> MessageProxy | None:
        job_id: object = message.message_id
        try:
            claim = (
                self.ledger.claim_one(job_id, self.held.owner)
                if isinstance(job_id, str) and len(job_id) <= 36
                else None
            )
        except BackendError:
            self._dramatiq.requeue([message])
            raise
        if claim is None:  # ended, or held: then its lease, if it runs out, has it sent again
            self._dramatiq.ack(message)
            return None
        if claim.task not in self.broker.actors or claim.queue != self.queue_name:
            settling.refuse(self.ledger, claim)
            self._dramatiq.ack(message)
            return None
        self.held.add([claim])
        return MessageProxy(settling.message_of(claim, redis_message_id=message.options["redis_message_id"]))

    def ack(self, message: MessageProxy) -> None:
        """Record how the delivery ended, then forget the message; one that stays behind finds its job ended."""
        settling.settle(self.ledger, self.held, message.message_id)
        try:
            self._dramatiq.ack(message)
        except (redis.RedisError, BrokerConnectionError) as error:
            logger.warning("job %s has ended, but its message stays in Redis for now: %s", message.message_id, error)

    nack = ack

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Hand back what was never started."""
        listed = list(messages)
        claims = [claim for message in listed if (claim := self.held.get(message.message_id)) is not None]
        try:
            self.ledger.release(claims)
            self._dramatiq.requeue(listed)
        except (redis.RedisError, BackendError) as error:
            raise settling.closed(error) from error
        for claim in claims:
            self.held.drop(claim.id)


def _map_error(error: BaseException) -> PostrMagicError | None:
    if isinstance(error, driver.OutOfMemoryError):
        return OutOfSpace("the jobs' Redis has reached its maxmemory")
    if isinstance(error, driver.ReadOnlyError):
        return BackendReadOnly("the jobs' Redis takes no writes")
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        # Also where the answer was lost: sending again is harmless, the ledger lets the job run once.
        return BackendUnavailable("the jobs' Redis cannot be reached")
    return BackendRejected("the jobs' Redis refused the message") if isinstance(error, redis.RedisError) else None
