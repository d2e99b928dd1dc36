"""The Redis store's own promises: what it sends, what it says when the server is away, and that it comes back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
import redis

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import (
    BackendError,
    BackendReadOnly,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    ConfigurationError,
    OutcomeUnknown,
)
from postrmagic_core.stores import Keys, Store, acquire, durability_check, open_store
from postrmagic_core.stores.adapters._redis_wire import Wire
from postrmagic_core.stores.adapters.redis import RedisStore
from postrmagic_core.stores.scripts import GCRA, INVALIDATE
from postrmagic_core.testing import until
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, free_port
from tests.backends import TIMEOUT as PATIENT

pytestmark = pytest.mark.redis

OwnRedis = Callable[..., RedisServer]
# Seconds, where a test waits for its end; elsewhere a busy machine has time.
TIMEOUT = 0.5
# Seconds a busy machine may add to a promised time-out.
SLACK = 2.0
KEY = Keys("app").build("k", "1")


@contextmanager
def opened(url: str, timeout: float = PATIENT, **options: Any) -> Iterator[RedisStore]:
    """A store."""
    with closing(RedisStore.from_url(url, timeout=timeout, **options)) as store:
        yield store


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    """Faults before the shared server."""
    with FaultProxy(redis_url) as proxy:
        yield proxy


def counters(metrics: Metrics) -> dict[str, int]:
    """Every counter by its name."""
    return {name: value for name, _, value in metrics.counters()}


def until_answered(store: Store, seconds: float = 5.0) -> float:
    """Seconds until the store answers again; more than promised fails."""
    began = time.monotonic()
    while True:
        try:
            store.get([KEY])
            return time.monotonic() - began
        except BackendError:
            assert time.monotonic() - began < seconds + SLACK, "it did not heal"
            time.sleep(0.02)


@pytest.mark.fault
def test_a_refusing_server_costs_nothing_after_three_tries(proxy: FaultProxy) -> None:
    """The breaker opens: further calls fail at once without a connection, are counted, and it closes by itself."""
    metrics = Metrics()
    with opened(proxy.url, metrics=metrics) as store:
        proxy.refuse()
        for _ in range(20):
            with pytest.raises(BackendUnavailable):
                store.get([KEY])
        seen = counters(metrics)
        assert seen["stores_failures_total"] + seen["stores_refused_total"] == 20
        assert seen["stores_failures_total"] < 10
        assert seen["stores_opened_total"] == 1
        proxy.heal()
        until_answered(store)


@pytest.mark.fault
def test_a_silent_server_costs_the_time_out_and_then_nothing(proxy: FaultProxy) -> None:
    """A black hole costs three time-outs; a hundred more calls cost less than twenty."""
    with opened(proxy.url, TIMEOUT) as store:
        store.get([KEY])
        proxy.blackhole()
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(BackendTimeout):
                store.get([KEY])
            assert time.monotonic() - began < TIMEOUT + SLACK
        assert proxy.hits
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises((BackendUnavailable, BackendTimeout)):
                store.get([KEY])
        assert time.monotonic() - began < 100 * TIMEOUT / 5
        proxy.heal()
        until_answered(store)


@pytest.mark.fault
def test_a_dribbling_server_gets_no_more_time(proxy: FaultProxy) -> None:
    """Each byte comes in time, the answer does not: the time-out is for the whole call."""
    with opened(proxy.url, TIMEOUT) as store:
        store.set({KEY: b"x" * 1000}, None)
        proxy.slice(1, pause=TIMEOUT / 10)
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            store.get([KEY])
        assert time.monotonic() - began < TIMEOUT + SLACK
        assert proxy.hits


@pytest.mark.fault
@pytest.mark.parametrize("how", ["close", "reset", "hang"])
def test_a_lost_answer_is_said_and_nothing_is_sent_again(proxy: FaultProxy, redis_url: str, how: Any) -> None:
    """The server counted, the answer was lost: the caller is told so, and the count is one."""
    bucket = [b"bucket"]
    with opened(proxy.url, TIMEOUT if how == "hang" else PATIENT) as store, opened(redis_url) as direct:
        assert store.run(GCRA, [b"other"], [3_600_000_000, 10]) == [1, 3_600_000_000]
        proxy.cut(on=b"EVALSHA", how=how)
        with pytest.raises(OutcomeUnknown):
            store.run(GCRA, bucket, [3_600_000_000, 10])
        assert proxy.hits == 1
        admitted, ahead = direct.run(GCRA, bucket, [3_600_000_000, 10])
        assert admitted == 1
        assert 3_600_000_000 < ahead <= 2 * 3_600_000_000


@pytest.mark.fault
def test_a_lost_answer_to_a_read_changed_nothing(proxy: FaultProxy) -> None:
    """A read may be tried again by whoever wants to."""
    with opened(proxy.url) as store:
        store.get([KEY])
        proxy.cut(on=b"MGET")
        with pytest.raises(BackendUnavailable):
            store.get([KEY])
        assert proxy.hits == 1
        assert store.get([KEY]) == [None]


@pytest.mark.fault
def test_an_owner_whose_answer_was_lost_knows_that_it_owns(proxy: FaultProxy, redis_url: str) -> None:
    """The lease was taken and the answer was cut: asked again, the same owner has it, and nobody else."""
    with opened(proxy.url) as store, opened(redis_url) as direct:
        warm = acquire(store, b"other", ttl=60)
        assert warm is not None
        proxy.cut(on=b"EVALSHA")
        lease = acquire(store, b"lease", ttl=60)
        assert proxy.hits == 1
        assert lease is not None
        assert acquire(direct, b"lease", ttl=60) is None
        assert lease.renew()


@pytest.mark.fault
def test_a_restarted_server_is_found_by_the_next_call(own_redis_server: OwnRedis) -> None:
    """The old connection is seen to be dead before anything is sent: no call fails, no write is in doubt."""
    server = own_redis_server(appendonly="always")
    with opened(server.url) as store:
        store.set({KEY: b"1"}, None)
        server.restart()
        store.set({KEY: b"2"}, None)
        server.restart()
        assert store.run(INVALIDATE, [b"tag"], [60_000])[0] > 0
        server.restart()

        async def main() -> list[bytes | None]:
            await store.native.set({b"warm": b"1"}, None)
            await asyncio.to_thread(server.restart)
            return await store.native.get([KEY])

        assert asyncio.run(main()) == [b"2"]


def test_a_script_the_server_forgot_is_taught_again(own_redis_server: OwnRedis) -> None:
    """After SCRIPT FLUSH the same call works, on both faces."""
    server = own_redis_server()
    with opened(server.url) as store, closing(redis.Redis.from_url(server.url)) as raw:
        store.run(GCRA, [b"bucket"], [1_000_000, 10])
        raw.script_flush()
        assert store.run(GCRA, [b"bucket"], [3_600_000_000, 10])[0] == 1
        raw.script_flush()
        assert asyncio.run(store.native.run(GCRA, [b"bucket"], [3_600_000_000, 10]))[0] == 1


@pytest.mark.fault
def test_a_replica_is_left_for_its_primary(own_redis_server: OwnRedis) -> None:
    """READONLY is told as such and ends the connection: the next one may lead to the new primary."""
    server = own_redis_server()
    with FaultProxy(server.url) as proxy, opened(proxy.url) as store, closing(redis.Redis.from_url(server.url)) as raw:
        store.set({KEY: b"1"}, None)
        raw.replicaof("127.0.0.1", free_port())
        before = proxy.accepted
        for _ in range(3):
            with pytest.raises(BackendReadOnly):
                store.set({KEY: b"2"}, None)
        raw.replicaof("NO", "ONE")
        store.set({KEY: b"3"}, None)
        assert proxy.accepted - before >= 3
        assert store.get([KEY]) == [b"3"]


@pytest.mark.fault
def test_a_lease_lost_with_the_servers_memory_is_noticed(own_redis_server: OwnRedis) -> None:
    """After FLUSHALL the owner learns at its next renewal that it is none, and the next fence is higher."""
    server = own_redis_server()
    with opened(server.url) as store, closing(redis.Redis.from_url(server.url)) as raw:
        store.set({KEY: b"v"}, None)
        first = acquire(store, b"lease", ttl=60)
        raw.flushall()
        second = acquire(store, b"lease", ttl=60)
        assert first is not None
        assert second is not None
        assert store.get([KEY]) == [None]
        assert second.fence > first.fence
        assert not first.renew()
        assert not first.release()
        assert second.renew()


@pytest.mark.fault
def test_clearing_a_prefix_among_many_keys_never_holds_the_server_up(own_redis_server: OwnRedis) -> None:
    """Forty thousand keys go in batches, no KEYS among them, and the other applications' keys stay."""
    server = own_redis_server()
    with opened(server.url) as store, closing(redis.Redis.from_url(server.url)) as raw:
        for start in range(0, 40_000, 20_000):
            raw.mset({b"{app}:k:%d" % number: b"v" for number in range(start, start + 20_000)})
        raw.mset({b"{app2}:k:%d" % number: b"v" for number in range(500)})
        raw.config_resetstat()
        assert store.clear(Keys("app").prefix()) == 40_000
        calls: Any = raw.info("commandstats")
        assert "cmdstat_keys" not in calls
        assert calls["cmdstat_scan"]["calls"] >= 40
        assert calls["cmdstat_scan"]["usec_per_call"] < 10_000
        assert raw.dbsize() == 500
        with pytest.raises(ValueError, match="empty prefix"):
            store.clear(b"")
        assert raw.dbsize() == 500


def test_each_thread_has_its_connection(redis_url: str) -> None:
    """No thread ever sees another's answer, and none waits for another's connection."""
    with FaultProxy(redis_url) as proxy, opened(proxy.url) as store:
        barrier = threading.Barrier(4)

        def work(number: int) -> None:
            barrier.wait(10)
            key = b"thread-%d" % number
            for turn in range(50):
                store.set({key: b"%d" % turn}, 60_000)
                assert store.get([key]) == [b"%d" % turn]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert proxy.accepted == 4


def test_an_interrupted_call_gives_its_connection_up(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyboardInterrupt between request and answer: the answer is never read by the next call."""
    with opened(proxy.url) as store:
        store.set({b"a": b"1", b"b": b"2"}, None)

        def interrupted(wire: Wire, said: list[Any], until: float) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Wire, "_fill", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.get([b"a"])
        assert store.get([b"b"]) == [b"2"]


@pytest.mark.parametrize(
    "url",
    ["redis://host/not-a-number", "redis://host:port/0", "redis://host/0?retry=9", "redis://host/0?ssl_ca=/x"],
)
def test_a_url_that_means_nothing_is_refused(url: str) -> None:
    """A database's name is not silently number 0, and options nobody reads are named."""
    with pytest.raises(ConfigurationError):
        open_store(url)


@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_wrong_password_is_refused_and_not_repeated(own_redis_server: OwnRedis, face: str) -> None:
    """It is said by type; neither password appears in any text."""
    server = own_redis_server()
    with closing(redis.Redis.from_url(server.url)) as raw:
        raw.config_set("requirepass", "right-canary")
    url = server.url.rsplit("@", 1)[-1].removeprefix("redis://")
    with opened(f"redis://:wrong-canary@{url}") as store:
        with pytest.raises(BackendRejected) as caught:
            store.get([KEY]) if face == "sync" else asyncio.run(store.native.get([KEY]))
        assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"
    with opened(f"redis://:right-canary@{url}") as store:
        assert store.get([KEY]) == [None]


def test_another_applications_type_is_named(redis_url: str) -> None:
    """A key that holds a list is no value of ours: reading finds none, a Script says why it fails."""
    with opened(redis_url) as store, closing(redis.Redis.from_url(redis_url)) as raw:
        raw.rpush(KEY, "x")
        assert store.get([KEY]) == [None]
        with pytest.raises(BackendRejected, match="another type"):
            store.run(INVALIDATE, [KEY], [1000])


def test_many_tasks_share_a_few_connections(redis_url: str) -> None:
    """Two hundred reads at once open sixteen connections, and all are answered; the loop's end closes them."""
    with FaultProxy(redis_url) as proxy, closing(RedisStore.from_url(proxy.url, timeout=10)) as store:
        store.set({KEY: b"v"}, None)

        async def main() -> list[list[bytes | None]]:
            return await asyncio.gather(*(store.native.get([KEY]) for _ in range(200)))

        assert asyncio.run(main()) == [[b"v"]] * 200
        assert proxy.accepted <= 1 + 16
        until(lambda: proxy.connections <= 1, "the event loop's connections outlived it")


@pytest.mark.fault
def test_the_async_face_is_bounded_and_says_unknown(proxy: FaultProxy) -> None:
    """A silent server: a read times out, a write is in doubt, both in time; then it heals."""

    async def main() -> None:
        await store.native.run(GCRA, [b"bucket"], [1_000_000, 10])
        proxy.blackhole()
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            await store.native.get([KEY])
        with pytest.raises((OutcomeUnknown, BackendTimeout)):
            await store.native.set({KEY: b"v"}, None)
        assert time.monotonic() - began < 2 * TIMEOUT + SLACK
        proxy.heal()
        deadline = time.monotonic() + 5 + SLACK
        while True:
            try:
                await store.native.get([KEY])
            except BackendError:
                assert time.monotonic() < deadline, "it did not heal"
                await asyncio.sleep(0.02)
            else:
                return

    with opened(proxy.url, TIMEOUT) as store:
        asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"appendonly": "always"}, []),
        ({"appendonly": "everysec"}, []),
        ({}, ["appendonly is off"]),
        ({"maxmemory": "10mb", "policy": "allkeys-lru"}, ["maxmemory-policy is allkeys-lru", "appendonly is off"]),
        ({"appendonly": "always", "maxmemory": "10mb", "policy": "volatile-ttl"}, ["maxmemory-policy is volatile-ttl"]),
        ({"appendonly": "always", "options": ("--appendfsync", "no")}, ["appendfsync is no"]),
    ],
)
def test_durability_names_what_loses_writes(
    own_redis_server: OwnRedis, options: dict[str, Any], found: list[str]
) -> None:
    """An evicting or forgetful server is found out; a durable one passes."""
    problems = durability_check(own_redis_server(**options).url)
    assert [problem.partition(":")[0] for problem in problems] == found


def test_durability_of_the_other_stores() -> None:
    """Memory is none; SQL databases are taken at their word."""
    assert len(durability_check("memory://")) == 1
    assert durability_check("sqlite:///kv.db") == []
    assert durability_check("mysql://host/name") == []
