"""Servers killed, promoted and cut off: what was acknowledged is delivered, what is in doubt happens once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime

import pytest
import redis

from postrmagic_core.errors import BackendError, BackendUnavailable, ConfigurationError, OutcomeUnknown
from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import Claim, NewJob, Outcome, Selection, Settlement, Unique, Want
from postrmagic_core.testing import until
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, SentinelServer
from tests.jobs.redis.rig import Opener, claim, new, options, settle, states

pytestmark = [pytest.mark.redis, pytest.mark.fault]


@pytest.fixture
def proxy(durable_url: str) -> Iterator[FaultProxy]:
    """Faults on the way to the server."""
    with FaultProxy(durable_url) as proxy:
        yield proxy


def test_a_lost_answer_to_put_is_asked_for_again(open_broker: Opener, broker: RedisBroker, proxy: FaultProxy) -> None:
    """J4: the job waits once, and its caller is told so; a unique one is not kept out by itself."""
    cut_off = open_broker(proxy.url)
    holder = new(unique=Unique("taken"))
    jobs = [new(), new(unique=Unique("mine")), new(unique=Unique("taken"))]
    broker.put([holder])
    proxy.cut(on=b"EVAL")
    assert cut_off.put(jobs) == {jobs[2].id: holder.id}
    assert proxy.hits == 1
    assert [each.id for each in claim(broker)] == [holder.id, jobs[0].id, jobs[1].id]
    proxy.cut(on=b"EVAL", times=None)
    with pytest.raises(OutcomeUnknown):
        cut_off.put([jobs[0]])
    assert proxy.hits == 2
    assert claim(broker) == []


def test_claims_whose_answer_was_lost_are_delivered_when_their_leases_end(
    open_broker: Opener, proxy: FaultProxy
) -> None:
    """J5: to the very worker that never heard of them, too."""
    cut_off = open_broker(proxy.url, lease=0.5)
    assert claim(cut_off) == []  # the script is loaded: what is lost below is an answer, not the word that it is not
    jobs = [new(), new()]
    cut_off.put(jobs)
    proxy.cut(on=b"EVAL")
    with pytest.raises(OutcomeUnknown):
        claim(cut_off)
    assert proxy.hits == 1
    assert states(cut_off, *jobs) == ["running", "running"]
    again = until(lambda: claim(cut_off), "they were stranded")
    assert [(each.id, each.attempt) for each in again] == [(job.id, 2) for job in jobs]


def test_a_lost_answer_to_a_settlement_runs_nothing_again(
    open_broker: Opener, broker: RedisBroker, proxy: FaultProxy
) -> None:
    """J6: it was recorded; asked again it is told that nobody holds the job any more."""
    cut_off = open_broker(proxy.url, lease=0.3)
    job, beside = new(), new()
    cut_off.put([job, beside])
    taken = claim(cut_off, 1)
    proxy.cut(on=b"EVAL")
    with pytest.raises(OutcomeUnknown):
        settle(cut_off, *taken, result=b"r")
    assert proxy.hits == 1
    time.sleep(0.4)  # longer than the lease
    assert [each.id for each in claim(broker)] == [beside.id]
    assert settle(cut_off, *taken) == [False]
    assert states(broker, job) == ["succeeded"]


def test_a_server_killed_at_any_moment_loses_nothing_it_acknowledged(
    own_redis_server: Callable[..., RedisServer], open_broker: Opener
) -> None:
    """J3: kill -9 while jobs are put and settled. Without an append-only file all would be gone: that is refused."""
    with pytest.raises(ConfigurationError, match="appendonly"):
        RedisBroker.from_url(own_redis_server(appendonly="no").url, options()).open()
    server = own_redis_server(appendonly="always")
    broker = open_broker(server.url)
    acknowledged: list[NewJob] = []
    done: list[Claim] = []

    def work() -> None:
        try:
            while True:
                job = new()
                broker.put([job])
                acknowledged.append(job)
                taken = claim(broker, 1)
                if len(acknowledged) % 2:
                    assert settle(broker, *taken) == [True]
                    done.extend(taken)
        except BackendError:
            pass  # the server is gone

    worker = threading.Thread(target=work)
    worker.start()
    until(lambda: len(acknowledged) >= 200, "nothing was put")
    server.kill()
    worker.join()
    server.start()
    until(lambda: answers(broker), "it did not come back")
    ended = {each.id for each in done}
    for job in acknowledged:
        (state,) = states(broker, job)
        assert (state == "succeeded") if job.id in ended else state in ("queued", "running", "succeeded")


def answers(broker: RedisBroker) -> bool:
    """Whether the broker's server is there."""
    try:
        broker.counts()
    except BackendError:
        return False
    return True


def test_killed_connections_cost_an_error_and_no_job(broker: RedisBroker, raw: redis.Redis) -> None:
    """J18: CLIENT KILL between operations is not even seen."""
    jobs = [new() for _ in range(20)]
    ended: set[str] = set()
    for job in jobs:
        killed = raw.client_kill_filter(skipme=True, _type="normal")
        broker.put([job])
        raw.client_kill_filter(skipme=True, _type="normal")
        taken = claim(broker)
        assert settle(broker, *taken) == [True] * len(taken)
        ended.update(each.id for each in taken)
        assert killed or job is jobs[0]
    assert ended == {job.id for job in jobs}


def test_a_promoted_replica_goes_on_with_every_job(
    replicated: tuple[RedisServer, RedisServer], open_broker: Opener
) -> None:
    """J18: with all their state, found through the Sentinels; a claim made before is settled after."""
    primary, replica = replicated
    with SentinelServer(primary) as sentinel:
        until(lambda: knows_replica(sentinel), "the Sentinel sees no replica")
        broker = open_broker(sentinel.url)
        jobs = [new(), new(), new(due_us=1)]
        broker.put(jobs)
        (taken,) = claim(broker, 1)
        with closing(redis.Redis.from_url(primary.url)) as raw:
            raw.wait(1, 10_000)
        primary.kill()
        until(lambda: answers(broker), "the replica was not promoted")
        with closing(redis.Redis.from_url(replica.url)) as raw:
            assert raw.role()[0] == b"master"
        assert settle(broker, taken) == [True]
        assert [each.id for each in claim(broker)] == [jobs[0].id, jobs[1].id]
        assert states(broker, jobs[2]) == ["succeeded"]


def knows_replica(sentinel: RedisServer) -> bool:
    """Whether it could promote one."""
    with closing(redis.Redis(host=sentinel.host, port=sentinel.port)) as raw:
        return bool(raw.sentinel_slaves("main"))


def test_a_server_that_is_away_costs_each_call_no_more_than_its_time(
    own_redis_server: Callable[..., RedisServer], open_broker: Opener
) -> None:
    """A paused server: typed errors, in bounded time; afterwards everything goes on."""
    server = own_redis_server(appendonly="always")
    broker = open_broker(server.url)
    broker.put([new()])
    server.pause()
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):  # it may have been sent; that asking again failed too changes nothing about it
        broker.put([new()])
    with pytest.raises(BackendError):
        broker.turn([], Want("w", ["q"], 1))
    with pytest.raises(BackendUnavailable):  # by now it is known to be away
        broker.turn([], Want("w", ["q"], 1))
    assert time.monotonic() - began < 3.0 + 3.0
    server.resume()
    until(lambda: answers(broker), "it did not heal")
    assert claim(broker)


CLAIMING = """
import sys, time
from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.testing import until
from tests.jobs.redis.rig import claim, options
broker = RedisBroker.from_url(sys.argv[1], options(float(sys.argv[2])))
print(*[each.id for each in claim(broker)], flush=True)
time.sleep(60)
"""


def started(broker: RedisBroker, job: NewJob) -> datetime:
    """When its last delivery began."""
    (record,) = broker.records(Selection([job.id]))
    assert record.status.started_at is not None
    return record.status.started_at


def test_a_killed_worker_s_jobs_are_another_s_when_its_lease_ends(broker: RedisBroker, durable_url: str) -> None:
    """J1: SIGKILL; not before, and not much later."""
    job = new()
    broker.put([job])
    with subprocess.Popen([sys.executable, "-c", CLAIMING, durable_url, "1.0"], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline().split() == [job.id.encode()]
        lost = started(broker, job)
        worker.kill()
    taken = until(lambda: claim(broker), "nobody got it")
    assert 1.0 <= (started(broker, job) - lost).total_seconds() < 11
    assert [(each.id, each.attempt) for each in taken] == [(job.id, 2)]


def test_a_worker_s_clock_decides_nothing(
    open_broker: Opener, durable_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J8: one that is a minute ahead takes over no lease, and delivers nothing early; one behind delays nothing."""
    worker, other = open_broker(durable_url, lease=30.0), open_broker(durable_url, lease=30.0)
    job = new()
    worker.put([job])
    (taken,) = claim(worker)
    true = time.time_ns
    for skew in (60, -60):
        monkeypatch.setattr(time, "time_ns", lambda skew=skew: true() + skew * 10**9)
        monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
        assert claim(other) == []
        beside = new()
        other.put([beside])
        assert [each.id for each in claim(worker)] == [beside.id]
    assert settle(worker, taken) == [True]


def test_a_worker_that_was_stopped_cannot_complete_what_another_took_over(
    open_broker: Opener, durable_url: str
) -> None:
    """J7: its fence is old; exactly one end is recorded."""
    slow, quick = open_broker(durable_url, lease=0.2), open_broker(durable_url)
    job = new()
    slow.put([job])
    (stale,) = claim(slow)
    (taken,) = until(lambda: claim(quick), "its lease did not end")
    assert list(slow.turn([Settlement(stale, Outcome("dead", reason="given_up"))], None).owned) == [False]
    assert settle(quick, taken) == [True]
    assert states(quick, job) == ["succeeded"]
