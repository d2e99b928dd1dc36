"""The private RabbitMQ server: it answers, it can be broken, and nothing of it stays behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pika  # type: ignore[import-untyped]  # pika has no annotations
import pika.exceptions  # type: ignore[import-untyped]  # as above
import pytest
from pika.adapters.utils.connection_workflow import (  # type: ignore[import-untyped]  # as above
    AMQPConnectorStackTimeout,
)

from postrmagic_core.errors import Unsupported
from postrmagic_core.testing import until
from postrmagic_core.testing._children import thread_states
from postrmagic_core.testing.servers import RabbitMQServer, require

pytestmark = pytest.mark.rabbitmq

QUEUE = "lasting-queue"
LASTING = pika.BasicProperties(delivery_mode=2)


@contextmanager
def channel_to(url: str) -> Iterator[Any]:
    """A channel with confirmations on a connection that tries once and waits two seconds."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 2.0
    connection = pika.BlockingConnection(parameters)
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        with suppress(pika.exceptions.AMQPError):
            connection.close()


def put(url: str, body: bytes) -> None:
    """Have a lasting message in a lasting queue, confirmed."""
    with channel_to(url) as channel:
        channel.queue_declare(QUEUE, durable=True)
        channel.basic_publish("", QUEUE, body, LASTING)


def await_declared(directory: Path) -> None:
    """Wait until the queue is on disk: RabbitMQ confirms a message that is, before the queue that it is in."""
    until(
        lambda: any(QUEUE.encode() in log.read_bytes() for log in directory.rglob("LATEST.LOG")),
        "the queue's declaration was not written",
        60,
    )


def got(url: str) -> bytes | None:
    """The queue's next message; ``None`` without one."""
    with channel_to(url) as channel:
        channel.queue_declare(QUEUE, durable=True)
        body: bytes | None = channel.basic_get(QUEUE, auto_ack=True)[2]
        return body


def processes_of(directory: Path) -> list[str]:
    """The names of the processes that were started for the server in ``directory``."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another user's
            if str(directory).encode() in environ.read_bytes():
                found.append((environ.parent / "comm").read_text().strip())
    return found


def test_each_url_is_an_empty_virtual_host_of_its_own(rabbitmq_server: RabbitMQServer, rabbitmq_url: str) -> None:
    """What one test sends no other test sees; what was dropped is gone."""
    other = rabbitmq_server.create_database()
    put(rabbitmq_url, b"mine")
    put(other, b"theirs")
    assert got(other) == b"theirs"
    rabbitmq_server.drop_database(other)
    with pytest.raises(pika.exceptions.AMQPConnectionError), channel_to(other):
        pass
    assert (got(rabbitmq_url), got(rabbitmq_url)) == (b"mine", None)


@pytest.mark.soak
@pytest.mark.fault
def test_it_can_be_broken_and_nothing_stays_behind(rabbitmq_server: RabbitMQServer) -> None:
    """Killed, it refuses connections and keeps what it confirmed; paused, it answers nobody; both end at its URL.

    It is one process with few helpers, none of them a daemon, and knows nothing of another server, though their nodes
    have one name; after close there is neither a process nor a directory.
    """
    require(RabbitMQServer.binary(), "no rabbitmq-server")
    with RabbitMQServer(options=["-rabbit", "heartbeat", "7"]) as server:
        url, directory = server.create_database(), server.directory
        put(url, b"kept")
        await_declared(directory)
        server.kill()
        assert not server.running
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            got(url)
        server.start()
        assert got(url) == b"kept"

        server.pause()
        assert thread_states(server.pid) == {"T"}
        with pytest.raises(AMQPConnectorStackTimeout):
            got(url)
        server.resume()
        assert got(url) is None

        put(server.url, b"other")
        assert got(rabbitmq_server.url) is None
        assert got(server.url) == b"other"
        names = processes_of(directory)
        assert "beam.smp" in names
        assert "epmd" not in names
    assert not directory.exists()
    for _ in range(3000):  # its helpers see that it ended
        if not processes_of(directory):
            break
        time.sleep(0.02)
    assert processes_of(directory) == []


def test_a_server_given_by_url_is_never_harmed() -> None:
    """Its virtual host is used as it is; faults say why they refuse."""
    with RabbitMQServer(url="amqp://example.invalid/app") as server:
        assert server.create_database() == server.url == "amqp://example.invalid/app"
        server.drop_database(server.url)
        for fault in (server.kill, server.pause, server.stop, server.restart):
            with pytest.raises(Unsupported, match="given by URL"):
                fault()
