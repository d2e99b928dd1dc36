"""What other rooms have of Redis beyond a Store: scripts by digest, commands, and connections that may wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from postrmagic_core.errors import BackendError, BackendRejected, BackendUnavailable, OutcomeUnknown
from postrmagic_core.stores.redis_client import Lua, RedisClient
from postrmagic_core.testing.proxy import FaultProxy

pytestmark = pytest.mark.redis

COUNT = Lua("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
def client(redis_url: str) -> Iterator[RedisClient]:
    """An impatient one."""
    with closing(RedisClient(redis_url, 0.5)) as client:
        yield client


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """The server, as somebody else sees it."""
    with closing(redis.Redis.from_url(redis_url)) as raw:
        yield raw


def test_a_script_runs_once_whether_the_server_knows_it_or_not(client: RedisClient, raw: redis.Redis) -> None:
    """Taught at first use, and again after its scripts were flushed."""
    raw.script_flush()
    assert [client.run(COUNT, ["n"], [2]) for _ in range(2)] == [2, 4]
    raw.script_flush()
    assert client.run(COUNT, ["n"], [b"3"]) == 7


def test_commands_are_answered_together_and_errors_are_ours(client: RedisClient, raw: redis.Redis) -> None:
    """The first error is raised after all answers were read: the next caller gets its own."""
    assert client.commands(("SET", "k", b"\xff"), ("GET", "k"), writes=True) == [b"OK", b"\xff"]
    with pytest.raises(BackendRejected, match="WRONGTYPE"):
        client.commands(("LLEN", "k"), ("GET", "k"), writes=False)
    assert client.commands(("ECHO", "next"), writes=False) == [b"next"]


@pytest.mark.fault
def test_a_script_whose_answer_is_lost_is_not_sent_again(redis_url: str, raw: redis.Redis) -> None:
    """What it did is done once, and the caller is told that he cannot know."""
    raw.script_load(COUNT.source)
    with FaultProxy(redis_url) as proxy, closing(RedisClient(proxy.url, 0.5)) as client:
        proxy.cut(on=b"EVAL")
        with pytest.raises(OutcomeUnknown):
            client.run(COUNT, ["n"], [1])
        assert proxy.hits == 1
    assert raw.get("n") == b"1"


def test_a_patient_one_waits_longer_than_the_time_out(client: RedisClient, raw: redis.Redis) -> None:
    """For something to come, or for the seconds that it said; the impatient one is not held up."""
    with closing(client.patient(1)) as patient:
        began = time.monotonic()
        assert patient.commands(("BLPOP", "list", 1), writes=False) == [None]
        assert time.monotonic() - began > 0.9
        raw.rpush("list", "x")
        assert patient.commands(("BLPOP", "list", 1), writes=False) == [[b"list", b"x"]]
        with pytest.raises(BackendError):
            client.commands(("BLPOP", "list", 5), writes=False)


def test_closing_ends_a_wait(client: RedisClient, raw: redis.Redis) -> None:
    """At once, with an error in the waiting thread."""
    patient = client.patient(20)
    failed: list[BackendError] = []

    def wait() -> None:
        try:
            patient.commands(("BLPOP", "list", 20), writes=False)
        except BackendError as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not raw.info("clients")["blocked_clients"]:
        time.sleep(0.01)
    began = time.monotonic()
    patient.close()
    thread.join(10)
    assert failed
    assert time.monotonic() - began < 5


def test_a_line_is_one_connection(client: RedisClient, raw: redis.Redis) -> None:
    """It waits as long as it is told to; once it is lost, it is never another one."""
    line = client.line()
    began = time.monotonic()
    assert line.commands(("BLPOP", "list", 1), writes=False, patience=1.0) == [None]
    assert time.monotonic() - began > 0.9
    first = line.commands(("CLIENT", "ID"), writes=False)
    assert line.commands(("CLIENT", "ID"), writes=False) == first
    raw.client_kill_filter(_id=first[0])
    for _ in range(2):
        with pytest.raises(BackendUnavailable):
            line.commands(("ECHO", "hello"), writes=False)
    assert client.commands(("ECHO", "hello"), writes=False) == [b"hello"]


def test_a_line_that_was_closed_is_never_made(client: RedisClient) -> None:
    """Whoever closes it need not know whether it was used."""
    line = client.line()
    line.close()
    with pytest.raises(BackendUnavailable):
        line.commands(("ECHO", "hello"), writes=False)
