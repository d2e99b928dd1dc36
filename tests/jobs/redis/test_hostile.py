"""Whatever else is in the server takes no worker down: it is passed over, told once, and kept where it can be."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from importlib.resources import files

import pytest
import redis

from postrmagic_core.errors import BackendRejected, ConfigurationError, OutOfSpace
from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import Beat, Claim, NewJob, Selection, Unique
from postrmagic_core.testing.servers import RedisServer
from tests.jobs.redis.rig import PREFIX, Opener, claim, new, options, settle, states

pytestmark = pytest.mark.redis

WAITING = PREFIX + "waiting:1:q"
RUNNING = PREFIX + "running:1:q"


def test_flushed_scripts_are_taught_again(broker: RedisBroker, raw: redis.Redis) -> None:
    """Between any two operations the server may forget every script: nobody notices."""
    job, other = new(), new()
    raw.script_flush()
    broker.put([job, other])
    raw.script_flush()
    first, second = claim(broker)
    raw.script_flush()
    assert not broker.renew([Beat(first)]).lost
    raw.script_flush()
    assert settle(broker, first, second) == [True, True]
    raw.script_flush()
    assert broker.counts() == {}
    assert broker.alter("forget", Selection(ids=[job.id])) == [job.id]
    assert states(broker, other) == ["succeeded"]


def test_numbers_of_64_bits_survive(broker: RedisBroker, raw: redis.Redis) -> None:
    """A time beyond what a double holds is kept to the microsecond, a fence near that bound still grows by one."""
    far, job = new(due_us=2**63 - 1), new(retries=2**53 - 1)
    broker.put([far, job])
    assert raw.hget(f"{PREFIX}job:{far.id}", "due") == b"%d" % (2**63 - 1)
    raw.hset(f"{PREFIX}job:{job.id}", "fence", 2**53 - 2)
    (taken,) = claim(broker)
    assert (taken.id, taken.retries, taken.fence) == (job.id, 2**53 - 1, 2**53 - 1)
    assert settle(broker, taken) == [True]


def test_an_id_without_a_job_is_dropped(
    broker: RedisBroker, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one whose bytes are no text; what comes after it is delivered, and each is told of once."""
    raw.zadd(WAITING, {b"\xff\x00": 1, b"gone": 2})
    raw.zadd(RUNNING, {b"\xfe": 1})
    job = new()
    broker.put([job])
    assert [each.id for each in claim(broker)] == [job.id]
    assert (raw.zcard(WAITING), raw.zrange(RUNNING, 0, -1)) == (0, [job.id.encode()])
    raw.zadd(WAITING, {"gone": 2})
    assert claim(broker) == []
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", b"\xff"),
        ("task", b""),
        ("retries", b"many"),
        ("deliveries", b"-1"),
        ("fence", b"9" * 30),
        ("priority", b"7"),
    ],
)
def test_a_job_that_cannot_be_read_is_a_dead_letter(
    broker: RedisBroker, raw: redis.Redis, field: str, value: bytes
) -> None:
    """Reason undecodable; it can be listed, counted and forgotten, and its queue goes on."""
    forged, job = new(), new()
    broker.put([forged, job])
    raw.hset(f"{PREFIX}job:{forged.id}", field, value)
    assert [each.id for each in claim(broker)] == [job.id]
    assert states(broker, forged) == ["dead: undecodable"]
    assert [each.status.id for each in broker.records(Selection(states=["dead"]))] == [forged.id]
    assert broker.counts()["q"].dead == 1
    assert broker.alter("forget", Selection(ids=[forged.id])) == [forged.id]
    assert states(broker, forged) == []


def test_a_job_whose_place_holds_another_type_is_dropped(broker: RedisBroker, raw: redis.Redis) -> None:
    """Every operation bears it; the other jobs are claimed, renewed, settled and listed."""
    forged, job = new(), new()
    broker.put([forged, job])
    key = f"{PREFIX}job:{forged.id}"
    raw.delete(key)
    raw.set(key, "no hash")
    (taken,) = claim(broker)
    lost = Claim(forged.id, "q", "t", 1, b"", fence=1, attempt=1)
    assert broker.renew([Beat(lost), Beat(taken)]).lost == {forged.id}
    assert settle(broker, lost, taken) == [False, True]
    with pytest.raises(BackendRejected):
        broker.put([forged])
    assert broker.alter("cancel", Selection(ids=[forged.id])) == []


@pytest.mark.parametrize("kind", ["waiting:1", "running:1", "letters", "ended", "bell"])
def test_a_set_that_is_another_type_stops_no_other_queue(broker: RedisBroker, raw: redis.Redis, kind: str) -> None:
    """A turn is never half done: what else it settles and claims is recorded."""
    first, second = new("q"), new("r")
    broker.put([first])
    (taken,) = claim(broker)
    raw.delete(f"{PREFIX}{kind}:q")
    raw.set(f"{PREFIX}{kind}:q", "somebody else's")
    broker.put([second])
    assert settle(broker, taken, state="dead" if kind == "letters" else "succeeded") == [True]
    assert [each.id for each in claim(broker, queues=("q", "r"))] == [second.id]
    assert broker.counts()["r"].running == 1


def test_an_enqueued_job_is_refused_where_it_cannot_wait(broker: RedisBroker, raw: redis.Redis) -> None:
    """The caller is told, and nothing of it is known."""
    raw.set(WAITING, "somebody else's")
    job = new(unique=Unique("key"))
    with pytest.raises(BackendRejected):
        broker.put([job])
    assert states(broker, job) == []
    raw.delete(WAITING)
    other = new(unique=Unique("key"))
    assert broker.put([other]) == {}


def test_a_full_server_takes_no_job_and_finishes_those_it_has(
    own_redis_server: Callable[..., RedisServer], open_broker: Opener
) -> None:
    """J11: a typed error, nothing half kept; what was taken before is run, ends and makes room."""
    server = own_redis_server(appendonly="always", maxmemory=8_000_000)
    broker = open_broker(server.url)
    jobs = [new(payload=b"p" * 100_000) for _ in range(10)]
    broker.put(jobs)
    refused = filled(broker, jobs)
    assert states(broker, refused) == []
    waits = sum(counts.queued for counts in broker.counts().values())
    assert waits == len(jobs)
    while claims := claim(broker, 10):
        assert not broker.renew([Beat(each) for each in claims]).lost
        assert all(settle(broker, *claims))
        broker.alter("forget", Selection(ids=[each.id for each in claims]))
        waits -= len(claims)
    assert waits == 0
    broker.put([refused])
    assert states(broker, refused) == ["queued"]


def filled(broker: RedisBroker, jobs: list[NewJob]) -> NewJob:
    """Put further jobs until there is no room; the one that was refused."""
    for _ in range(100):
        job = new(payload=b"p" * 100_000)
        try:
            broker.put([job])
        except OutOfSpace:
            return job
        jobs.append(job)
    raise AssertionError("the server was never full")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_evicts_is_refused(own_redis_server: Callable[..., RedisServer], policy: str) -> None:
    """J11: before a job is lost, not after; unless the URL says that they may be."""
    server = own_redis_server(appendonly="always", maxmemory=50_000_000, policy=policy)
    with pytest.raises(ConfigurationError, match="maxmemory-policy"):
        RedisBroker.from_url(server.url, options()).open()
    accepted = RedisBroker.from_url(f"{server.url}?durability=none", options())
    accepted.open()
    accepted.put([new()])
    assert accepted.counts()["q"].queued == 1
    accepted.close()


def test_the_scripts_keep_to_their_own_keys_and_the_server_s_clock() -> None:
    """J8: none scans the server, decodes numbers, or takes time from a worker; each key begins with the namespace."""
    folder = files("postrmagic_core.jobs.adapters").joinpath("redis_scripts")
    texts = {each.name: re.sub(r"--.*", "", each.read_text("utf-8")) for each in folder.iterdir()}
    assert len(texts) == 7
    for name, text in texts.items():
        assert not re.search(r"'(KEYS|SCAN|SORT|RANDOMKEY|EVAL|FLUSH\w*)'|cjson|cmsgpack|\bos\.|math\.random", text), (
            name
        )
        assert re.findall(r"'TIME'|ARGV\[1\]", text) == (
            ["ARGV[1]", "ARGV[1]", "'TIME'"] if name == "prelude.lua" else []
        ), name
        for key in re.findall(r"'([a-z]+:)'", text):
            assert f"prefix .. '{key}'" in text, (name, key)
