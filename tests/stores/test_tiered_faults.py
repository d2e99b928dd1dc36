"""A near cache whose feed is lost, silent or refused serves nothing that may be old, and comes back by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import redis

from postrmagic_core import testing
from postrmagic_core._metrics import Metrics
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import BackendError, BackendReadOnly
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters import _feed
from postrmagic_core.stores.adapters.tiered import TieredStore
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.contracts.store_reliability import StoreReliabilityContract
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, ValkeyServer, free_port
from tests.backends import TIMEOUT, OnOwnRedis

pytestmark = [pytest.mark.redis, pytest.mark.fault]

OwnRedis = Callable[..., RedisServer]
KEY = b"{app}:k:1"
# Seconds a busy machine may add to what is promised.
SLACK = 1.5


@contextmanager
def opened(url: str, timeout: float = TIMEOUT, **options: Any) -> Iterator[TieredStore]:
    """A near cache over the Redis at ``url``."""
    with closing(TieredStore.from_url("tiered+" + url, timeout=timeout, **options)) as store:
        yield store


@contextmanager
def client(url: str) -> Iterator[Any]:
    """A plain client of the server at ``url``."""
    with closing(redis.Redis.from_url(url, single_connection_client=True)) as raw:
        yield raw


def until(true: Callable[[], object], seconds: float) -> None:
    """Wait until ``true()``, for so many seconds at most."""
    testing.until(true, timeout=seconds + SLACK)


def near(store: TieredStore, value: bytes) -> None:
    """Read ``KEY`` until its copy is near; it has ``value`` all the time. Promised within 5 s of a fault's end."""

    def kept() -> bool:
        try:
            assert store.get([KEY]) == [value]
        except BackendError:
            return False
        copy = store.peek(KEY)
        assert copy in {None, value}
        return copy is not None

    until(kept, 5.0)


class TestTieredReliability(OnOwnRedis, StoreReliabilityContract):
    """The promises of a store on a server, with a near cache before it."""

    def open(self, url: str) -> Store:
        """Impatient."""
        return open_store(f"tiered+{url}", timeout=0.25)


@pytest.mark.soak
class TestTieredValkeyReliability(TestTieredReliability):
    """The same over the other Redis."""

    kind = ValkeyServer


def feed_of(raw: Any) -> list[int]:
    """The ids of the connections that are told of changes."""
    return [int(client["id"]) for client in raw.client_list() if "t" in client["flags"]]


def test_a_killed_feed_leaves_nothing_near(redis_url: str) -> None:
    """What changed while nobody was told is not served, neither at once nor when the feed is back."""
    metrics = Metrics()
    with opened(redis_url, metrics=metrics) as store, client(redis_url) as raw:
        for number in range(5):
            raw.set(KEY, b"old")
            near(store, b"old")
            feed = feed_of(raw)
            with raw.pipeline(transaction=True) as both:
                for one in feed:
                    both.execute_command("CLIENT", "KILL", "ID", one)
                both.set(KEY, b"new %d" % number)
                both.execute()
            assert len(feed) == 1
            assert store.peek(KEY) is None
            until(lambda: store._feed.current() is not None, 5.0)
            assert store.peek(KEY) is None
            near(store, b"new %d" % number)
        lost = {name: value for name, _, value in metrics.counters()}["stores_feed_lost_total"]
        assert lost == 5


def test_a_feed_that_is_cut_again_and_again_never_lets_an_old_value_pass(redis_url: str) -> None:
    """A writer counts up while the feed is killed; each reader's answer is as new as what was acknowledged before."""
    stop, wrong, seen = threading.Event(), [], Counter[str]()
    acknowledged = 0

    def read(store: TieredStore) -> None:
        while not stop.is_set():
            least = acknowledged
            value = store.peek(KEY)
            seen["near" if value is not None else "far"] += 1
            if value is None:
                value = store.get([KEY])[0]
            if value is None or int(value) < least:
                wrong.append((least, value))
            time.sleep(0.0005)

    with opened(redis_url) as store, client(redis_url) as raw:
        raw.set(KEY, b"0")
        near(store, b"0")
        readers = [threading.Thread(target=read, args=(store,)) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for number in range(1, 600):
                if number % 100 == 0:
                    for feed in feed_of(raw):
                        raw.client_kill_filter(_id=feed)
                raw.set(KEY, number)
                acknowledged = number
                time.sleep(0.003)
        finally:
            stop.set()
            for reader in readers:
                reader.join()
    assert not wrong
    assert min(seen["near"], seen["far"]) > 0


@pytest.mark.parametrize("direction", ["both", "requests", "replies"])
def test_a_silent_feed_is_noticed(redis_url: str, direction: Any) -> None:
    """The feed alone falls into a black hole: within a second or so every read asks the server; it heals by itself."""
    with FaultProxy(redis_url) as proxy, opened(proxy.url) as store, client(redis_url) as raw:
        raw.set(KEY, b"old")
        near(store, b"old")
        proxy.blackhole(direction, on=b"PING")
        until(lambda: proxy.hits, _feed.ASKS_EVERY + _feed.TICK)
        raw.set(KEY, b"new")
        for _ in range(50):
            assert store.peek(KEY) is None
            assert store.get([KEY]) == [b"new"]
            time.sleep(0.005)
        accepted = proxy.accepted
        until(lambda: proxy.accepted > accepted, _feed.PATIENCE + 1.0)
        assert store.peek(KEY) is None
        proxy.heal()
        near(store, b"new")


def test_nothing_is_served_on_an_old_word(redis_url: str) -> None:
    """Should the thread not run at all, what the server last vouched for is served three seconds and no longer."""
    clock = FakeClock()
    with opened(redis_url, clock=clock) as store, client(redis_url) as raw:
        raw.set(KEY, b"1")
        near(store, b"1")
        store._feed._sweeper.stop()
        clock.advance(_feed.LAG - 0.1)
        assert store.peek(KEY) == b"1"
        clock.advance(0.2)
        assert store.peek(KEY) is None
        raw.set(KEY, b"2")
        assert store.get([KEY]) == [b"2"]
        near(store, b"2")


def test_a_stopped_server_is_noticed(own_redis_server: OwnRedis) -> None:
    """Copies are served until the server owes an answer; after that its silence is the caller's to hear."""
    server = own_redis_server()
    with opened(server.url, timeout=1.0) as store, client(server.url) as raw:
        raw.set(KEY, b"1")
        near(store, b"1")
        server.pause()
        try:
            until(lambda: store.peek(KEY) is None, _feed.ASKS_EVERY + _feed.TICK)
            with pytest.raises(BackendError):
                store.get([KEY])
        finally:
            server.resume()
        near(store, b"1")
        raw.set(KEY, b"2")
        assert store.get([KEY]) == [b"2"]


def test_a_restarted_server_leaves_nothing_near(own_redis_server: OwnRedis) -> None:
    """It lost its data; so does the near cache, and what is stored anew is near again."""
    server = own_redis_server()
    with opened(server.url) as store:
        for number in range(3):
            store.set({KEY: b"%d" % number}, None)
            near(store, b"%d" % number)
            server.kill()
            assert store.peek(KEY) is None
            server.start()
            until(lambda: store._feed.current() is not None, 5.0)
            assert store.peek(KEY) is None
            until(lambda: answered(store) == [None], 5.0)


def answered(store: Store) -> list[bytes | None] | None:
    """What the server says, if it does."""
    try:
        return store.get([KEY])
    except BackendError:
        return None


def test_a_read_that_began_before_the_loss_keeps_nothing(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed is lost and back while the answer is on its way: what changed in between is unknown."""
    with opened(redis_url) as store, client(redis_url) as raw:
        raw.set(KEY, b"old")
        near(store, b"old")
        store._copies.drop([KEY])
        read = store._far.get

        def crossed(keys: Any) -> Any:
            answer = read(keys)
            with raw.pipeline(transaction=True) as both:
                for one in feed_of(raw):
                    both.execute_command("CLIENT", "KILL", "ID", one)
                both.set(KEY, b"new")
                both.execute()
            before = store._feed._link
            until(lambda: store._feed.current() is not None and store._feed._link is not before, 5.0)
            return answer

        monkeypatch.setattr(store._far, "get", crossed)
        assert store.get([KEY]) == [b"old"]
        monkeypatch.undo()
        assert store.peek(KEY) is None
        near(store, b"new")


@contextmanager
def moving(own_redis_server: OwnRedis) -> Iterator[tuple[Callable[[], None], TieredStore, Any, Any]]:
    """How its address moves to another server, a near cache that has a copy, and clients of the old and the new one."""
    first, second = own_redis_server(), own_redis_server()
    with (
        FaultProxy(first.url) as proxy,
        opened(proxy.url) as store,
        client(first.url) as old,
        client(second.url) as new,
    ):
        old.set(KEY, b"1")
        near(store, b"1")
        yield lambda: proxy.redirect(second.url), store, old, new


def test_a_server_that_is_the_primary_no_more_tells_nothing(own_redis_server: OwnRedis) -> None:
    """A refused write says so: the feed goes where the next write goes, and what was near is forgotten."""
    with moving(own_redis_server) as (move, store, old, new):
        move()
        old.replicaof("127.0.0.1", free_port())
        new.set(KEY, b"2")
        with pytest.raises(BackendReadOnly):
            store.set({b"other": b"v"}, None)
        until(lambda: store.peek(KEY) is None, _feed.TICK)
        near(store, b"2")
        new.set(KEY, b"3")
        until(lambda: store.peek(KEY) is None, 1.0)
        assert store.get([KEY]) == [b"3"]


def test_reads_follow_the_feed_to_its_server(own_redis_server: OwnRedis) -> None:
    """The feed is cut and finds another server: nothing is read, and kept, from the one before."""
    with moving(own_redis_server) as (move, store, old, new):
        new.set(KEY, b"2")
        move()
        for one in feed_of(old):
            old.execute_command("CLIENT", "KILL", "ID", one)
        until(lambda: feed_of(new) and store._feed.current() is not None, 5.0)
        near(store, b"2")


def test_a_flood_of_changes_is_no_word_missed(redis_url: str) -> None:
    """More than a caller takes at once: until all is taken, the server is asked."""
    with opened(redis_url) as store, client(redis_url) as raw:
        for number in range(3):
            raw.set(KEY, b"old")
            near(store, b"old")
            with raw.pipeline(transaction=False) as flood:
                for other in range(20_000):
                    flood.set(b"%d" % other + b"x" * 100, b"", px=60_000)
                flood.set(KEY, b"new %d" % number)
                flood.execute()
            assert store.peek(KEY) is None
            near(store, b"new %d" % number)


def test_a_server_that_refuses_to_tell_is_a_plain_one(
    own_redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the right to CLIENT TRACKING all reads go to the server; it is said once, and heals when granted."""
    server = own_redis_server()
    with client(server.url) as raw, caplog.at_level(logging.WARNING, "postrmagic_core.stores"):
        raw.acl_setuser("app", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-client"])
        with opened(f"redis://app:secret@{server.host}:{server.port}/0") as store:
            store.set({KEY: b"1"}, None)
            deadline = time.monotonic() + 1.0
            while time.monotonic() < deadline:
                assert store.get([KEY]) == [b"1"]
                assert store.peek(KEY) is None
                time.sleep(0.01)
            raw.execute_command("ACL", "SETUSER", "app", "+client")
            near(store, b"1")
        told = [record.getMessage() for record in caplog.records if "near cache" in record.getMessage()]
        assert len(told) == 2
        assert "NOPERM" in told[0]
        assert "secret" not in caplog.text


def test_a_cache_on_it_serves_nothing_old_when_the_feed_is_lost(redis_url: str) -> None:
    """Invalidated while nobody was told: the next look is a miss, before and after the feed is back."""
    with (
        opened(redis_url) as store,
        client(redis_url) as raw,
        closing(open_store(redis_url)) as plain,
        CacheManager(store, namespace="site") as cache,
        CacheManager(plain, namespace="site") as elsewhere,
    ):
        raw.set(KEY, b"1")
        near(store, b"1")
        cache.get_or_set("page", lambda: "old", fresh=600, tags=["media"])
        assert cache.get_or_set("page", lambda: "unused", fresh=600, tags=["media"]) == "old"
        for one in feed_of(raw):
            raw.execute_command("CLIENT", "KILL", "ID", one)
        elsewhere.invalidate("media")
        assert cache.get("page") is None
        near(store, b"1")
        assert cache.get("page") is None
        assert cache.get_or_set("page", lambda: "new", fresh=600, tags=["media"]) == "new"
