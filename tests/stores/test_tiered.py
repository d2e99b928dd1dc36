"""A near cache over Redis: what is near is what the server would say."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core._bridge import Bridge
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import ConfigurationError, Unsupported
from postrmagic_core.stores import AsyncStoreFace, Store, SupportsScan, durability_check, open_store
from postrmagic_core.stores.adapters._feed import feed_pause
from postrmagic_core.stores.adapters._feed_link import watcher
from postrmagic_core.stores.adapters.redis import RedisStore
from postrmagic_core.stores.adapters.tiered import TieredStore, split
from postrmagic_core.stores.interface import Script, SupportsPeek, SupportsUsage
from postrmagic_core.stores.scripts import GCRA, INVALIDATE, NOW
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.contracts.store import StoreContract
from postrmagic_core.testing.contracts.store_scripts import PROBE
from postrmagic_core.testing.servers import RedisServer, require

pytestmark = pytest.mark.redis

R = TypeVar("R")

MARK = b"is it near?"
KEY = b"{app}:k:1"


def serving(store: TieredStore, key: bytes = MARK) -> None:
    """Wait until copies are kept and served."""
    deadline = time.monotonic() + 15
    while store.peek(key) is None:
        assert time.monotonic() < deadline, "the feed did not come up"
        if store.get([key]) == [None]:
            store.set({key: b"mark"}, 600_000)
        time.sleep(0.005)
    store.delete([key])


@contextmanager
def opened(url: str, **options: Any) -> Iterator[TieredStore]:
    """A store whose feed is up; ``url`` is Redis'."""
    with closing(TieredStore.from_url("tiered+" + url, timeout=5.0, **options)) as store:
        serving(store)
        yield store


@pytest.fixture
def store(redis_url: str) -> Iterator[TieredStore]:
    """A store whose feed is up."""
    with opened(redis_url) as store:
        yield store


@pytest.fixture
def other(redis_url: str) -> Iterator[Store]:
    """Another process's eyes and hands."""
    with closing(open_store(redis_url, timeout=5.0)) as store:
        yield store


def near(store: TieredStore, key: bytes, value: bytes) -> bytes:
    """Read ``key`` until it is near: a push that is still on its way may send the first reader back."""
    deadline = time.monotonic() + 15
    while (copy := store.peek(key)) is None:
        assert store.get([key]) == [value]
        assert time.monotonic() < deadline, "what was read was not kept"
    assert copy == value
    return copy


class TestTiered(StoreContract):
    """The store contract, with the feed up."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> Callable[[], Store]:
        """In the test's own database."""

        def open_served() -> Store:
            store = open_store(f"tiered+{redis_url}", timeout=5.0)
            assert isinstance(store, TieredStore)
            serving(store)
            return store

        return open_served


class TestTieredAwaited(StoreContract):
    """The same promises, every call made by the native async operations."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> Iterator[Callable[[], Store]]:
        """Calls run on one event loop in a thread of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        def open_served() -> Store:
            tiered = TieredStore.from_url(f"tiered+{redis_url}", timeout=5.0)
            serving(tiered)
            return Awaited(tiered, loop)

        yield open_served
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Awaited:
    """A :class:`Store` whose operations are those of ``tiered.native``; a forked child, without a loop, calls them."""

    blocking: ClassVar[bool] = True
    atomic: ClassVar[Literal["keys", "key"]] = "keys"
    clock: ClassVar[Literal["store", "process"]] = "store"

    def __init__(self, tiered: TieredStore, loop: asyncio.AbstractEventLoop) -> None:
        self._tiered = tiered
        self._loop = loop
        self._process = os.getpid()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Awaited."""
        return self._call("get", keys)  # type: ignore[no-any-return]  # whatever the operation answers

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Awaited."""
        self._call("set", items, ttl_ms)

    def delete(self, keys: Sequence[bytes]) -> int:
        """Awaited."""
        return int(self._call("delete", keys))

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """Awaited."""
        return int(self._call("touch", keys, ttl_ms))

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """Awaited."""
        return self._call("run", script, keys, args, now_us=now_us)  # type: ignore[no-any-return]  # as above

    def clear(self, prefix: bytes) -> int:
        """Awaited."""
        return int(self._call("clear", prefix))

    def close(self) -> None:
        """The loop's connections, then the store."""
        self._call("close")
        self._tiered.close()

    def _call(self, name: str, *args: Any, **options: Any) -> Any:
        if os.getpid() != self._process:
            return getattr(self._tiered, name)(*args, **options)
        work = getattr(self._tiered.native, name)(*args, **options)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


# What is near


def test_a_copy_is_one_object_until_it_changes(store: TieredStore, other: Store) -> None:
    """peek() answers the very object that get() gave, so that whoever decoded it knows it again."""
    other.set({KEY: b"1"}, 60_000)
    near(store, KEY, b"1")
    assert isinstance(store, SupportsPeek)
    assert store.peek(KEY) is store.peek(KEY) is store.get([KEY])[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda who: who.set({KEY: b"2"}, 60_000),
        lambda who: who.delete([KEY]),
        lambda who: who.touch([KEY], 60_000),
        lambda who: who.run(INVALIDATE, [KEY], [60_000]),
        lambda who: who.clear(b"{app}:"),
    ],
    ids=["set", "delete", "touch", "run", "clear"],
)
@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_no_copy_outlives_a_change(
    store: TieredStore, other: Store, where: str, change: Callable[[Any], object]
) -> None:
    """Whoever makes it: once the call returned, the next look finds nothing, and the next read the server's value."""
    other.set({KEY: b"1"}, 600_000)
    for _ in range(20):
        other.set({KEY: b"1"}, 600_000)
        near(store, KEY, b"1")
        change(store if where == "here" else other)
        assert store.peek(KEY) is None
        assert store.get([KEY]) == other.get([KEY])


def test_what_ends_on_the_server_ends_near(store: TieredStore, other: Store) -> None:
    """The server tells when it drops what has expired: at the latest when somebody else asks for it."""
    other.set({KEY: b"1"}, 200)
    near(store, KEY, b"1")
    deadline = time.monotonic() + 10
    while other.get([KEY]) != [None]:
        assert time.monotonic() < deadline, "a value of 200 ms is still there after 10 s"
    assert store.peek(KEY) is None


@pytest.mark.parametrize("flush", ["flushdb", "flushall"])
def test_a_flushed_server_leaves_nothing_near(store: TieredStore, redis_url: str, flush: str) -> None:
    """No key is named, so all are meant; and copies are kept again at once."""
    with closing(redis.Redis.from_url(redis_url)) as raw:
        raw.set(KEY, b"1")
        near(store, KEY, b"1")
        getattr(raw, flush)()
        raw.ping()  # this one push follows its answer, by the time of one system call
        assert store.peek(KEY) is None
        assert store.get([KEY]) == [None]
        raw.set(KEY, b"2")
        near(store, KEY, b"2")


def test_a_script_runs_on_the_server_and_a_read_only_one_ends_no_copy(store: TieredStore, other: Store) -> None:
    """Its time is the store's, whatever is near; the counter it changes is not."""
    other.set({KEY: b"1"}, 60_000)
    copy = near(store, KEY, b"1")
    told = store.run(PROBE, [KEY], [])
    assert told[1] == b"1"
    now = store.run(NOW, [], [])[0]
    assert isinstance(told[0], int)
    assert told[0] <= now
    assert (store.peek(KEY) is copy) is PROBE.read_only
    for admitted in (1, 1, 1, 0):
        assert store.run(GCRA, [b"bucket"], [3_600_000_000, 3])[0] == admitted
        store.get([b"bucket"])


def test_only_what_is_missing_is_asked_for(store: TieredStore, other: Store, redis_url: str) -> None:
    """One near, one not: one MGET of the other one."""
    other.set({b"a": b"1", b"b": b"2"}, 60_000)
    near(store, b"a", b"1")
    with closing(redis.Redis.from_url(redis_url)) as raw:
        raw.config_resetstat()
        assert store.get([b"b", b"a", b"b"]) == [b"2", b"1", b"2"]
        assert store.get([b"a", b"b"]) == [b"1", b"2"]
        assert raw.info("commandstats")["cmdstat_mget"]["calls"] == 1


def test_a_prefix_says_what_is_kept(redis_url: str, other: Store) -> None:
    """What begins otherwise is never near, and read as ever."""
    other.set({KEY: b"1", b"{other}:k:1": b"2"}, 60_000)
    with closing(TieredStore.from_url(f"tiered+{redis_url}?prefix=%7Bapp%7D:", timeout=5.0)) as store:
        serving(store, b"{app}:mark")
        near(store, KEY, b"1")
        for _ in range(5):
            assert store.get([b"{other}:k:1", KEY]) == [b"2", b"1"]
            assert store.peek(b"{other}:k:1") is None
        other.set({b"{other}:k:1": b"3", KEY: b"4"}, 60_000)
        assert store.get([b"{other}:k:1", KEY]) == [b"3", b"4"]


def test_the_room_is_bounded(redis_url: str, other: Store) -> None:
    """The least recently used go; what would take a sixteenth of the room is not kept at all."""
    with closing(TieredStore(redis_url, near_mb=1, timeout=5.0)) as store:
        serving(store)
        keys = [b"k%d" % number for number in range(40)]
        other.set({**dict.fromkeys(keys, b"x" * 50_000), b"large": b"x" * 70_000}, 60_000)
        near(store, keys[0], b"x" * 50_000)
        store.get([*keys, b"large"])
        held = [key for key in keys if store.peek(key) is not None]
        assert 15 <= len(held) <= 20
        assert keys[-1] in held
        assert store.peek(b"large") is None
        assert store.get([b"large"]) == [b"x" * 70_000]


def test_a_copy_is_kept_no_longer_than_told(redis_url: str, other: Store) -> None:
    """near_ttl bounds what the server would tell us too late, or never."""
    with opened(redis_url, clock=(clock := FakeClock())) as store:
        other.set({KEY: b"1"}, None)
        near(store, KEY, b"1")
        clock.advance(59)
        store.get([MARK])
        serving(store)
        assert store.peek(KEY) == b"1"
        clock.advance(1.1)
        serving(store)
        assert store.peek(KEY) is None


# Races


class Crossed:
    """The server's store; ``between`` runs when it has answered a read and before the reader hears of it."""

    def __init__(self, far: RedisStore) -> None:
        self.far = far
        self.between: Callable[[], object] = lambda: None

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The answer is old when it arrives."""
        answer = self.far.get(keys)
        between, self.between = self.between, lambda: None
        between()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.far, name)


@pytest.fixture
def crossed(store: TieredStore, monkeypatch: pytest.MonkeyPatch) -> Crossed:
    """Reads of ``store`` can be crossed."""
    far = Crossed(store._far)
    monkeypatch.setattr(store, "_far", far)
    return far


@pytest.mark.parametrize("drained", [True, False], ids=["told before it is kept", "told after"])
def test_what_changed_while_it_was_read_is_not_kept(
    store: TieredStore, other: Store, crossed: Crossed, drained: bool
) -> None:
    """The reader gets what was true within its call; the next one gets the change."""
    for number in range(20):
        other.set({KEY: b"old"}, 60_000)
        store.get([MARK])

        def change(value: bytes = b"new %d" % number) -> None:
            other.set({KEY: value}, 60_000)
            if drained:
                store.peek(MARK)

        crossed.between = change
        assert store.get([KEY]) == [b"old"]
        assert store.peek(KEY) is None
        assert store.get([KEY]) == [b"new %d" % number]


def test_what_this_process_changed_while_it_was_read_is_not_kept(store: TieredStore, crossed: Crossed) -> None:
    """The own write ends the read under way, before the server's word comes."""
    store.set({KEY: b"old"}, 60_000)
    crossed.between = lambda: store.set({KEY: b"new"}, 60_000)
    assert store.get([KEY]) == [b"old"]
    assert store.peek(KEY) is None
    assert store.get([KEY]) == [b"new"]


def test_what_was_cleared_while_it_was_read_is_not_kept(store: TieredStore, crossed: Crossed) -> None:
    """By prefix, too."""
    store.set({KEY: b"old"}, 60_000)
    crossed.between = lambda: store.clear(b"{app}:")
    assert store.get([KEY]) == [b"old"]
    assert store.get([KEY]) == [None]


def test_a_failed_read_keeps_nothing_and_is_forgotten(store: TieredStore, crossed: Crossed) -> None:
    """The announcement of a read does not outlive it."""

    def fail() -> None:
        raise RuntimeError("between")

    store.set({KEY: b"1"}, 60_000)
    crossed.between = fail
    with pytest.raises(RuntimeError):
        store.get([KEY])
    assert store._copies._reading == {}
    near(store, KEY, b"1")


def test_threads_never_read_what_is_older_than_what_was_acknowledged(store: TieredStore, other: Store) -> None:
    """A writer counts up; six readers compare each answer with what was acknowledged before they asked."""
    keys = [b"n%d" % number for number in range(4)]
    acknowledged = dict.fromkeys(keys, 0)
    other.set(dict.fromkeys(keys, b"0"), None)
    stop, wrong, hits = threading.Event(), [], [0]

    def write() -> None:
        for number in range(1, 200):
            for key in keys:
                (other if number % 2 else store).set({key: b"%d" % number}, None)
                acknowledged[key] = number
        stop.set()

    def read(which: int) -> None:
        while not stop.is_set():
            for key in keys:
                least = acknowledged[key]
                if (value := store.peek(key)) is not None:
                    hits[0] += 1
                elif which % 3 == 0:
                    value = store.get([key])[0]
                if value is not None and int(value) < least:
                    wrong.append((key, least, value))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    write()
    for thread in threads:
        thread.join()
    assert not wrong
    assert hits[0]


OPERATIONS = st.tuples(
    st.sampled_from(["get", "peek", "set", "delete", "touch", "clear", "append"]),
    st.integers(0, 2),
    st.sampled_from([b"a:1", b"a:2", b"b:1"]),
    st.binary(max_size=4),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.lists(OPERATIONS, min_size=1, max_size=30))
def test_three_processes_see_one_dictionary(three: list[Any], operations: list[tuple[str, int, bytes, bytes]]) -> None:
    """Two near caches and a plain client, in any order of operations: each answer is the dictionary's."""
    model: dict[bytes, bytes] = {}
    three[0].clear(b"a:")
    three[1].clear(b"b:")
    for name, who, key, value in operations:
        store = three[who]
        match name:
            case "get":
                assert store.get([key, b"a:1"]) == [model.get(key), model.get(b"a:1")]
            case "peek" if who < 2:
                assert store.peek(key) in {None, model.get(key)}
            case "set":
                store.set({key: value}, 600_000)
                model[key] = value
            case "delete":
                assert store.delete([key]) == (model.pop(key, None) is not None)
            case "touch":
                assert store.touch([key], 300_000) == (key in model)
            case "append":
                store.run(INVALIDATE, [b"tag"], [60_000])
            case "clear":
                assert store.clear(b"a:") == sum(known.startswith(b"a:") for known in model)
                model = {known: kept for known, kept in model.items() if not known.startswith(b"a:")}
    for store in three:
        assert store.get([b"a:1", b"a:2", b"b:1"]) == [model.get(key) for key in (b"a:1", b"a:2", b"b:1")]


@pytest.fixture
def three(redis_url: str, other: Store) -> Iterator[list[Any]]:
    """Two near caches and a plain client on one database."""
    with opened(redis_url) as first, opened(redis_url) as second:
        yield [first, second, other]


# The async face


def test_the_async_face_shares_the_copies(store: TieredStore, other: Store) -> None:
    """What one face read the other has near; what one face wrote the other has no more."""
    other.set({KEY: b"1"}, 60_000)

    async def main() -> None:
        face = AsyncStoreFace(store, bridge)
        while store.peek(KEY) is None:
            assert await face.get([KEY]) == [b"1"]
        assert (await face.get([KEY]))[0] is store.peek(KEY)
        await face.set({KEY: b"2"}, 60_000)
        assert store.peek(KEY) is None
        assert store.get([KEY]) == [b"2"]
        store.set({KEY: b"3"}, 60_000)
        assert await face.get([KEY]) == [b"3"]
        assert await face.clear(b"{app}:") == 1
        assert await face.get([KEY]) == [None]
        await store.native.close()

    with closing(Bridge(1)) as bridge:
        asyncio.run(main())


def test_a_cancelled_read_leaves_no_announcement(store: TieredStore) -> None:
    """Whenever the task is cancelled."""

    async def main() -> None:
        for number in range(30):
            task = asyncio.ensure_future(store.native.get([KEY, b"k%d" % number]))
            await asyncio.sleep(0.0001 * (number % 5))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await store.native.close()

    asyncio.run(main())
    assert store._copies._reading == {}


# The cache on it


def test_the_cache_serves_from_near_and_never_past_an_invalidation(store: TieredStore, other: Store) -> None:
    """A hit sends nothing to the server; another process's invalidation makes the very next look a miss."""
    with CacheManager(store, namespace="site") as cache, CacheManager(other, namespace="site") as elsewhere:
        for number in range(20):
            value = {"n": number}
            assert cache.get_or_set("page", lambda: value, fresh=60, tags=["media"]) == value  # noqa: B023 - used at once
            assert cache.get("page") == value
            elsewhere.invalidate("media")
            assert cache.get("page") is None


# Threads, forks, URLs


def names() -> list[str]:
    """The threads that run."""
    return [thread.name for thread in threading.enumerate()]


def test_closing_ends_the_thread_and_serves_nothing(redis_url: str) -> None:
    """The thread is gone when close() returns, and no later call starts another."""
    before = names()
    with opened(redis_url) as store:
        store.set({KEY: b"1"}, 60_000)
        near(store, KEY, b"1")
        assert len(names()) == len(before) + 1
    assert names() == before
    assert store.peek(KEY) is None
    assert store.get([KEY]) == [b"1"]
    assert names() == before
    store.close()


def test_nothing_is_connected_before_the_first_read(redis_url: str) -> None:
    """Opening does no I/O, a look neither."""
    before = names()
    with closing(TieredStore.from_url("tiered+redis://127.0.0.1:1")) as store:
        assert store.peek(KEY) is None
        assert names() == before


def test_a_forgotten_store_lets_its_thread_end(redis_url: str) -> None:
    """The thread keeps nobody alive."""
    store = TieredStore.from_url(f"tiered+{redis_url}", timeout=5.0)
    serving(store)
    thread = store._feed._sweeper._thread
    gone = weakref.ref(store)
    del store
    assert gone() is None
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()


def test_a_forked_child_has_a_feed_of_its_own(store: TieredStore, other: Store) -> None:
    """The child starts empty, is told of changes itself, and leaves the parent's feed alone."""
    other.set({KEY: b"1"}, 60_000)
    near(store, KEY, b"1")
    feed = store._feed._link
    ask, answer = socket.socketpair()
    child = os.fork()
    if not child:
        status = 1
        try:
            assert store.peek(KEY) is None
            serving(store)
            near(store, KEY, b"1")
            answer.sendall(b".")
            assert answer.recv(1) == b"."
            assert store.peek(KEY) is None
            assert store.get([KEY]) == [b"2"]
            store.close()
            status = 0
        finally:
            os._exit(status)
    with ask, answer:
        ask.settimeout(30)
        assert ask.recv(1) == b"."
        other.set({KEY: b"2"}, 60_000)
        assert store.peek(KEY) is None
        ask.sendall(b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    near(store, KEY, b"2")
    assert store._feed._link is feed


def test_the_url_says_how_much_and_how_long() -> None:
    """Our options are taken out; what is left is Redis' URL."""
    assert split("tiered+rediss://u:p%40@h:1/2?near_mb=8&ssl_ca=/x%20y.pem&near_ttl=1.5&prefix=%7Ba%7D%ff") == (
        "rediss://u:p%40@h:1/2?ssl_ca=%2Fx+y.pem",
        {"near_mb": 8, "near_ttl": 1.5, "prefix": b"{a}\xff"},
    )
    assert split("tiered+redis://h") == ("redis://h", {})


@pytest.mark.parametrize(
    "url",
    [
        "tiered://h",
        "tiered+mysql://h/db",
        "tiered+redis://h?near_mb=0",
        "tiered+redis://h?near_mb=much",
        "tiered+redis://h?near_ttl=0",
        "tiered+redis://h?near_ttl=nan",
        "tiered+redis://h?near=1",
    ],
)
def test_a_url_that_means_nothing_is_refused(url: str) -> None:
    """When the store is opened."""
    with pytest.raises(ConfigurationError, match=r"expected|found"):
        open_store(url)


def test_the_registry_knows_it(redis_url: str) -> None:
    """By its scheme, and it can clear."""
    with closing(open_store(f"tiered+{redis_url}")) as store:
        assert isinstance(store, TieredStore)
        assert isinstance(store, SupportsScan)
        assert not issubclass(TieredStore, Unsupported)


def test_what_it_takes_and_keeps_is_the_servers_to_tell(store: TieredStore, redis_url: str) -> None:
    """What is near is a copy: the questions go to the server."""
    assert isinstance(store, SupportsUsage)
    store.set({KEY: b"1"}, 60_000)
    assert store.usage(b"{app}:").entries == 1
    assert durability_check(f"tiered+{redis_url}?near_mb=8") == durability_check(redis_url) != []


def test_the_feed_comes_over_tls(tmp_path: Path) -> None:
    """The same server, verified in the same way; large and many changes alike."""
    require(RedisServer.binary(), "no redis-server or valkey-server")
    authority = Authority(tmp_path)
    with RedisServer(tls=authority.issue("127.0.0.1")) as server:
        url = f"{server.tls_url}?ssl_ca={authority.file}"
        with opened(url) as store, closing(open_store(url, timeout=5.0)) as other:
            for number in range(20):
                value = b"%d" % number * 1000
                other.set({KEY: value, **{b"%d" % key + b"x" * 200: b"" for key in range(number * 50)}}, 60_000)
                near(store, KEY, value)
                other.delete([KEY])
                assert store.peek(KEY) is None
                assert store.get([KEY]) == [None]


@pytest.mark.parametrize("failures", [0, 1, 5, 1000])
def test_processes_that_lost_the_server_come_back_one_by_one(failures: int) -> None:
    """The pause grows, stays below two seconds, and chance spreads it by half."""
    soonest, latest = feed_pause(failures, 0.0), feed_pause(failures, 0.999)
    assert 0.05 <= soonest < latest <= 2.0
    assert latest > 1.9 * soonest


@pytest.mark.parametrize("system", ["epoll", "poll"])
def test_a_watcher_sees_what_came_and_what_ended(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no epoll, poll does; in any thread."""
    if system == "poll":
        monkeypatch.delattr(select, "epoll", raising=False)
    here, there = socket.socketpair()
    with here, there:
        come, seen = watcher(here.fileno()), []
        assert not come()
        there.sendall(b"x")
        thread = threading.Thread(target=lambda: seen.append(bool(come())))
        thread.start()
        thread.join()
        assert come()
        assert seen == [True]
        here.recv(1)
        assert not come()
        there.close()
        assert come()
