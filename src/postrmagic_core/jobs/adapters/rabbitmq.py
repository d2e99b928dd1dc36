"""Jobs in the application's database, whose workers are woken through RabbitMQ, by dramatiq's broker.

What dramatiq's broker leaves open is closed by the rows: a message says that there is something to do, and nothing is
believed of it; it is acknowledged at once, so that no job is too long for the server's patience; one that is lost, or
that cannot be sent, is made up for by the look into the table that each worker takes once a second. The table orders,
delays, repeats and buries; a queue's priorities are strict, which RabbitMQ's are not.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pika  # type: ignore[import-untyped]  # pika has no annotations
import pika.exceptions  # type: ignore[import-untyped]  # as above
from dramatiq import Message
from dramatiq.brokers.rabbitmq import RabbitmqBroker as _DramatiqBroker
from dramatiq.errors import BrokerConnectionError
from pika.adapters.utils.connection_workflow import (  # type: ignore[import-untyped]  # as above
    AMQPConnectorException,
)

from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ...errors import ConfigurationError
from ..interface import BrokerOptions
from ._rows_broker import RowsBroker

logger = logging.getLogger("postrmagic_core.jobs")

# A server that takes the connection and says nothing is no AMQPError of pika's.
_AWAY = (BrokerConnectionError, pika.exceptions.AMQPError, AMQPConnectorException, OSError)
# Messages sent for one commit at the most: one wakes a worker, and none has more threads to be woken for.
_MANY = 64
_PREFETCH = 32
_TURN_MS = 500
_AGAIN = 1.0
_KEEP_ALIVE = 3.0
_BACKLOG = 10_000
# pika waits for ever for a server that is silent, and tries no second time.
_BOUNDS = {
    "socket_timeout": "2",
    "stack_timeout": "5",
    "blocked_connection_timeout": "5",
    "heartbeat": "10",
    "connection_attempts": "1",
}
# dramatiq's broker has no annotations.
_Untyped: Any = _DramatiqBroker


class RabbitmqBroker(RowsBroker):
    """Each job is a row from the unit that enqueues it; a message is sent once that has committed."""

    def __init__(self, url: str, options: BrokerOptions) -> None:
        super().__init__(options.database, options)
        self._dramatiq = _Untyped(url=_bounded(url), middleware=[])
        self._crier = Crier(self._dramatiq)
        self._prefix = f"{options.namespace}."

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """An adapter for ``amqp://…`` or ``amqps://…``; ``namespace`` prefixes the queues' names."""
        return cls(url, options)

    def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    def listen(self, queues: Sequence[str], ring: Callable[[], None]) -> Ears:
        """See :meth:`Deliveries.listen`."""
        return Ears(self._dramatiq, [self._prefix + queue for queue in queues], ring)

    def close(self) -> None:
        """Send what is still to be sent, and close the connections."""
        self._crier.close()
        self._dramatiq.close()

    def _announce(self, named: Sequence[tuple[str, str]]) -> None:
        queues = [(self._prefix + queue, job_id) for queue, job_id in named[:_MANY]]
        self._crier.call([Message(queue, queue, (job_id,), {}, {}) for queue, job_id in queues])


class Crier:
    """Sends messages from a thread of its own: nobody waits for RabbitMQ.

    Without confirmation, and never twice: workers find the job of a message that is lost.
    """

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self._messages: deque[Message[None]] = deque(maxlen=_BACKLOG)
        self._failed = False
        self._errand = Errand("postrmagic-jobs-crier", self._send, logger)
        self._errand.open()
        after_fork(self._forget)

    def call(self, messages: Sequence[Message[None]]) -> None:
        """Send soon; of what comes faster than it can be sent, the oldest beyond ten thousand are dropped."""
        self._messages.extend(messages)
        self._errand.ask()

    def close(self) -> None:
        """Send what is left, and no more."""
        self._errand.close()

    def _forget(self) -> None:
        self._messages.clear()

    def _send(self) -> float:
        """Send what waits; the seconds after which an idle connection needs attention."""
        try:
            while self._messages:
                self._broker.enqueue(self._messages.popleft())
            self._broker.connection.process_data_events()  # an idle connection answers heartbeats too
            self._failed = False
        except _AWAY as error:
            self._messages.clear()
            if not self._failed:
                logger.warning("RabbitMQ is away; jobs are found by looking for them meanwhile: %r", error)
            self._failed = True
        return _KEEP_ALIVE


class Ears(Lifecycle):
    """Calls ``ring`` for each message: one consumer, connection and thread for each of the queues ``names``."""

    def __init__(self, broker: Any, names: Sequence[str], ring: Callable[[], None]) -> None:
        super().__init__()
        self._broker = broker
        self._names = names
        self._ring = ring
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def _open(self) -> None:
        self._stopped.clear()
        for name in self._names:
            thread = threading.Thread(
                target=self._run, args=[name], name=f"postrmagic-jobs-rabbitmq-{name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _close(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self, name: str) -> None:
        failed = False
        while not self._stopped.is_set():
            try:
                consumer = self._broker.consume(name, prefetch=_PREFETCH, timeout=_TURN_MS)
                failed = False
                self._ring()  # for what was not heard meanwhile
                self._hear(consumer)
            except _AWAY as error:
                if not failed:
                    logger.warning("RabbitMQ is away; jobs are found by looking for them meanwhile: %r", error)
                failed = True
                self._stopped.wait(_AGAIN)

    def _hear(self, consumer: Any) -> None:
        try:
            for message in consumer:
                if self._stopped.is_set():
                    return
                if message is not None:
                    consumer.ack(message)
                    self._ring()
        finally:
            for end in (consumer.close, consumer.connection.close):  # the first gives up where the channel is gone
                with suppress(*_AWAY):
                    end()


def _bounded(url: str) -> str:
    """``url`` with time-outs, where it says none of its own."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    try:
        bounded = urlunsplit(parts._replace(query=urlencode({**_BOUNDS, **given})))
        pika.URLParameters(bounded)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "the jobs' RabbitMQ URL is not understood: expected amqp://user:password@host:5672/vhost"
        ) from error
    return bounded
