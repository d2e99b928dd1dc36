"""Being woken: one token for one worker, as many tokens as there is work for, and none for who could not take it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest
import redis

from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import Want
from postrmagic_core.testing import until
from postrmagic_core.testing.servers import RedisServer
from tests.jobs.redis.rig import PREFIX, Opener, claim, new, settle

pytestmark = pytest.mark.redis

BELL = PREFIX + "bell:q"
# Long enough for a second listener to be woken if it were.
MEANWHILE = 0.3


class Sleeper:
    """A worker with one thread, which looks once for each ring."""

    def __init__(self, broker: RedisBroker) -> None:
        self.broker = broker
        self.rings = 0
        self.claimed: list[str] = []

    def ring(self) -> None:
        """Look."""
        self.rings += 1
        self.claimed += (each.id for each in self.broker.turn([], Want(f"{id(self)}", ["q"], 1)).claims)


@pytest.fixture
def asleep(open_broker: Opener, durable_url: str, raw: redis.Redis) -> Callable[[ExitStack, int], list[Sleeper]]:
    """Starts workers, each a process of its own to Redis, and waits until all of them wait."""

    def start(opened: ExitStack, number: int) -> list[Sleeper]:
        sleepers = [Sleeper(open_broker(durable_url)) for _ in range(number)]
        for sleeper in sleepers:
            opened.enter_context(sleeper.broker.listen(["other", "q"], sleeper.ring))
        until(lambda: waiting(raw) >= number, "they do not listen")
        return sleepers

    return start


def waiting(raw: redis.Redis) -> int:
    """How many clients are blocked."""
    return int(raw.info("clients")["blocked_clients"])


def have_claimed(sleepers: list[Sleeper], number: int) -> bool:
    """Whether together they have so many jobs."""
    return sum(len(each.claimed) for each in sleepers) == number


def test_one_job_wakes_one_worker(asleep: Callable[[ExitStack, int], list[Sleeper]], broker: RedisBroker) -> None:
    """Of four that wait, one looks; the next job wakes another, since that one is full."""
    with ExitStack() as opened:
        sleepers = asleep(opened, 4)
        for number in (1, 2, 3):
            broker.put([new()])
            until(partial(have_claimed, sleepers, number), "nobody was woken")
            time.sleep(MEANWHILE)
            assert sum(each.rings for each in sleepers) == number


def test_a_burst_wakes_as_many_as_there_is_work_for(
    asleep: Callable[[ExitStack, int], list[Sleeper]], broker: RedisBroker
) -> None:
    """One script, one token; each that takes what it can and leaves some behind wakes the next."""
    with ExitStack() as opened:
        sleepers = asleep(opened, 4)
        began = time.monotonic()
        broker.put([new() for _ in range(10)])
        until(lambda: all(each.claimed for each in sleepers), "not all were woken")
        assert time.monotonic() - began < 5.0
        assert [len(each.claimed) for each in sleepers] == [1, 1, 1, 1]


def test_a_worker_is_woken_long_before_it_would_look(
    asleep: Callable[[ExitStack, int], list[Sleeper]], broker: RedisBroker
) -> None:
    """No sleep between looks stands between a job and an idle worker: three of ten take less than a sweep's tenth."""
    delays = []
    with ExitStack() as opened:
        (sleeper,) = asleep(opened, 1)
        for number in range(1, 11):
            began = time.monotonic()
            broker.put([new()])
            until(partial(have_claimed, [sleeper], number), "it was not woken")
            delays.append(time.monotonic() - began)
            claim(sleeper.broker)  # one that leaves threads free: it wants to be woken again
    assert sorted(delays)[2] < 0.1  # the others may have waited for the machine


def test_a_full_worker_gives_the_token_back(broker: RedisBroker, raw: redis.Redis) -> None:
    """A token that comes to one that has no thread free is for another; it listens again once it has."""
    rung = threading.Event()
    first = new()
    with broker.listen(["q"], rung.set):
        until(lambda: waiting(raw) >= 1, "it does not listen")
        broker.put([first])
        assert rung.wait(10)
        rung.clear()
        until(lambda: waiting(raw) >= 1, "it does not listen")
        (taken,) = claim(broker, 1)  # full
        broker.put([new()])
        until(lambda: raw.llen(BELL) == 1, "the token was kept")
        assert not rung.is_set()
        settle(broker, taken)
        claim(broker, 5)
        assert rung.wait(10)


def test_there_is_never_more_than_one_token(broker: RedisBroker, raw: redis.Redis) -> None:
    """However much is put while nobody listens; what waits for its time puts none."""
    broker.put([new(due_us=2**53)])
    assert raw.llen(BELL) == 0
    for _ in range(5):
        broker.put([new(), new()])
    claims = claim(broker, 3)
    settle(broker, *claims, state="queued")
    assert raw.llen(BELL) == 1


@pytest.mark.fault
def test_a_listener_survives_its_server(own_redis_server: Callable[..., RedisServer], open_broker: Opener) -> None:
    """Restarted, and its connection killed: it listens again, and rings once for what it may have missed."""
    server = own_redis_server(appendonly="always")
    broker = open_broker(server.url)
    rung = threading.Event()
    with broker.listen(["q"], rung.set):
        for disturb in (server.restart, lambda: kill_clients(server)):
            with redis.Redis.from_url(server.url) as raw:
                until(partial(waiting, raw), "it does not listen")
            disturb()
            assert rung.wait(20)
            rung.clear()
            until(lambda: put_and_heard(broker, rung), "it is deaf")
            rung.clear()


def put_and_heard(broker: RedisBroker, rung: threading.Event) -> bool:
    """Whether a job is heard of."""
    broker.put([new()])
    return rung.wait(0.5)


def kill_clients(server: RedisServer) -> None:
    """End everybody's connection."""
    with redis.Redis.from_url(server.url) as raw:
        raw.client_kill_filter(skipme=True, _type="normal")
