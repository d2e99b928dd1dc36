"""RabbitMQ carries ids, the database keeps the jobs: the contract, and what happens when messages do not come."""

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pika  # type: ignore[import-untyped]  # pika has no annotations
import pika.exceptions  # type: ignore[import-untyped]  # as above
import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.jobs import task
from postrmagic_core.jobs.adapters.rabbitmq import RabbitmqBroker
from postrmagic_core.jobs.interface import BrokerOptions
from postrmagic_core.testing.contracts.broker import BrokerContract
from postrmagic_core.testing.contracts.broker_bells import BellPromises
from postrmagic_core.testing.contracts.broker_races import RacePromises
from postrmagic_core.testing.servers import RabbitMQServer
from tests.jobs.conftest import Place, Rig

pytestmark = pytest.mark.rabbitmq


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """pika leaves the sockets of a connection that its server ended to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class TestRabbitmq(BrokerContract):
    """The published contract, with the rows in SQLite, which keep what they keep without RabbitMQ too."""

    broker_class: ClassVar[type[Any]] = RabbitmqBroker
    brief: ClassVar[tuple[type, ...]] = (BellPromises, RacePromises)
    not_applicable: ClassVar[Mapping[str, str]] = {"namespaces": "a database holds one application's jobs"}

    @pytest.fixture
    def broker_url(self, rabbitmq_url: str) -> str:
        """The test's own virtual host."""
        return rabbitmq_url


@task(name="rabbit.note", retries=2)
def note(ctx: Any, value: str) -> None:
    """Leave a trace."""
    with ctx.write() as tx:
        ctx.rig.effect(tx, value)


@pytest.fixture
def rig(make_rig: Callable[..., Rig], sqlite_place: Place, rabbitmq_url: str) -> Rig:
    """A queue over SQLite and RabbitMQ."""
    made = make_rig(Place(sqlite_place.database_url, rabbitmq_url), lease=1.0)
    made.services["rig"] = made
    made.jobs.include(note)
    return made


def waiting(url: str) -> int:
    """How many messages the server has in the queue."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        found = connection.channel().queue_declare("app.default", passive=True)
        return int(found.method.message_count)


def test_a_job_is_heard_of_and_its_message_is_gone(rig: Rig) -> None:
    """Messages are acknowledged as they come: a long job keeps none from the server."""
    rig.work(2)
    handles = [rig.jobs.enqueue(note.call(str(number))) for number in range(20)]
    for handle in handles:
        assert handle.wait(20).state == "succeeded"
    assert sorted(rig.effects()) == sorted(map(str, range(20)))
    rig.until(lambda: waiting(rig.place.broker_url) == 0)


def test_a_job_whose_message_is_lost_runs_all_the_same(rig: Rig) -> None:
    """A worker finds it by looking into the table, within a second or two."""
    handle = rig.jobs.enqueue(note.call("first"))
    rig.until(lambda: _purged(rig.place.broker_url) > 0)
    rig.work(1)
    assert handle.wait(20).state == "succeeded"


def _purged(url: str) -> int:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        try:
            return int(channel.queue_purge("app.default").method.message_count)
        except pika.exceptions.ChannelClosedByBroker:  # nothing was sent yet
            return 0


def test_what_is_no_message_of_ours_is_passed_over(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Not JSON, JSON of another shape, an id that no job has: all it does is to have the worker look."""
    rig.work(1)
    assert rig.jobs.enqueue(note.call("before")).wait(20).state == "succeeded"
    with pika.BlockingConnection(pika.URLParameters(rig.place.broker_url)) as connection:
        channel = connection.channel()
        for body in (b"\xff", b"{}", _message("x" * 400), _message(7), _message("no-such-job")):
            channel.basic_publish("", "app.default", body)
    assert rig.jobs.enqueue(note.call("after")).wait(20).state == "succeeded"
    rig.until(lambda: waiting(rig.place.broker_url) == 0)


def _message(argument: object) -> bytes:
    from dramatiq import Message

    return Message("app.default", "app.default", (argument,), {}, {}).encode()


@pytest.mark.fault
def test_jobs_run_while_rabbitmq_is_away_and_after_it_came_back(
    make_rig: Callable[..., Rig], sqlite_place: Place
) -> None:
    """Nobody who enqueues waits for it; workers look for themselves, and listen again when it is back."""
    with RabbitMQServer() as server:
        rig = make_rig(Place(sqlite_place.database_url, server.create_database()), lease=1.0)
        rig.services["rig"] = rig
        rig.jobs.include(note)
        rig.work(2)
        assert rig.jobs.enqueue(note.call("before")).wait(20).state == "succeeded"
        server.kill()
        began = time.monotonic()
        handles = rig.jobs.enqueue_many([note.call("while")] * 2)  # of two none is given to the worker by the commit
        assert time.monotonic() - began < 2.0  # what a connection may take
        assert [handle.wait(20).state for handle in handles] == ["succeeded"] * 2
        server.start()
        assert rig.jobs.enqueue(note.call("after")).wait(20).state == "succeeded"
        rig.until(lambda: _quick(rig) < 0.8, timeout=30)
    assert sorted(set(rig.effects())) == ["after", "before", "quick", "while"]


@pytest.mark.fault
def test_jobs_run_while_rabbitmq_is_silent(
    make_rig: Callable[..., Rig], sqlite_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever takes the connection and says nothing is away, too: senders and listeners go on trying."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/%2F?stack_timeout=0.3"
        rig = make_rig(Place(sqlite_place.database_url, url), lease=1.0)
        rig.services["rig"] = rig
        rig.jobs.include(note)
        with rig.jobs.worker(threads=2):
            handles = [rig.jobs.enqueue(note.call(str(number))) for number in range(3)]
            assert {handle.wait(20).state for handle in handles} == {"succeeded"}
            rig.until(lambda: caplog.text.count("RabbitMQ is away") >= 2)  # both of them said so
            assert [one.name for one in threading.enumerate() if one.name.startswith("postrmagic-jobs-rabbitmq")]
            rig.jobs.close()
    assert [one for one in caplog.records if one.name.startswith("postrmagic") and one.levelname == "ERROR"] == []


@pytest.mark.fault
def test_jobs_run_while_rabbitmq_takes_no_message_for_want_of_disk(
    make_rig: Callable[..., Rig], sqlite_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Its disk alarm blocks whoever sends, without a word of when: nobody who enqueues or closes waits for that."""
    with RabbitMQServer(options=["-rabbit", "disk_free_limit", str(10**18)]) as server:
        rig = make_rig(Place(sqlite_place.database_url, server.create_database()), lease=1.0)
        rig.services["rig"] = rig
        rig.jobs.include(note)
        began = time.monotonic()
        handles = [rig.jobs.enqueue(note.call(str(number))) for number in range(200)]
        assert time.monotonic() - began < 10
        with rig.jobs.worker(threads=2):
            assert {handle.wait(20).state for handle in handles} == {"succeeded"}
        rig.until(lambda: "RabbitMQ is away" in caplog.text)
        began = time.monotonic()
        rig.jobs.close()
        assert time.monotonic() - began < 10


def _quick(rig: Rig) -> float:
    began = time.monotonic()
    rig.jobs.enqueue(note.call("quick")).wait(20)
    return time.monotonic() - began


@pytest.mark.parametrize("url", ["amqp://user:secret@host:port/vhost", "amqp://host/%2F?heartbeat=often"])
def test_a_url_that_is_none_is_refused(url: str, rig: Rig) -> None:
    """When the queue is made, without repeating the password."""
    with pytest.raises(ConfigurationError, match="amqp://user:password@host") as caught:
        RabbitmqBroker.from_url(url, BrokerOptions("app", rig.db, 1.0, lambda: 0.5))
    assert "secret" not in str(caught.value)


def test_close_leaves_no_thread(rig: Rig) -> None:
    """The consumer's and the sender's threads end with their owners."""

    def ours() -> Iterator[str]:
        return (thread.name for thread in threading.enumerate() if "rabbitmq" in thread.name or "crier" in thread.name)

    with rig.jobs.worker(threads=1):
        assert rig.jobs.enqueue(note.call("one")).wait(20).state == "succeeded"
        assert list(ours())
    rig.jobs.close()
    assert list(ours()) == []
