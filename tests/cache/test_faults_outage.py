"""A server that goes away under load: every call ends in time with what the policy says, and the cache heals."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.interface import Unavailable
from postrmagic_core.errors import BackendError
from postrmagic_core.stores import open_store
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import MariaDBServer, RedisServer, require

pytestmark = pytest.mark.fault

TIMEOUT = 0.25
# Seconds a busy machine may add to a promised time.
SLACK = 2.0
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


@dataclass
class Caller:
    """A thread, or a task, that calls one cache without end."""

    name: str
    policy: Unavailable
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
    while not stop.wait(0.002):
        for what, call in calls(cache).items():
            began = time.monotonic()
            try:
                caller.told(what, began, call())
            except Exception as error:
                caller.told(what, began, error)


async def await_on_and_on(caller: Caller, cache: CacheManager, stop: threading.Event) -> None:
    """A task of the async face."""
    while not stop.is_set():
        await asyncio.sleep(0.002)
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
    threads = [Caller(f"thread {number} of {policy}", policy) for policy in caches for number in range(2)]
    tasks = [Caller(f"task {number} of {policy}", policy) for policy in caches for number in range(2)]

    async def all_tasks() -> None:
        await asyncio.gather(*(await_on_and_on(caller, caches[caller.policy], stop) for caller in tasks))

    running = [threading.Thread(target=call_on_and_on, args=[each, caches[each.policy], stop]) for each in threads]
    running.append(threading.Thread(target=lambda: asyncio.run(all_tasks())))
    for thread in running:
        thread.start()
    try:
        yield [*threads, *tasks]
    finally:
        stop.set()
        for thread in running:
            thread.join(30)
    assert not any(thread.is_alive() for thread in running), "a call never ended"


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture(scope="module")
def redis_servers() -> Iterator[RedisServer]:
    """One that writes what it acknowledges."""
    require(RedisServer.binary(), "no redis-server or valkey-server")
    with RedisServer(appendonly="always") as server:
        yield server


@pytest.fixture(scope="module")
def mariadb_servers() -> Iterator[MariaDBServer]:
    """A private one."""
    require(MariaDBServer.binary(), "no mariadbd")
    with MariaDBServer() as server:
        yield server


@contextmanager
def broken(server: Any, proxy: FaultProxy, fault: str) -> Iterator[None]:
    """The fault, for the length of the block; a restart is over when the block begins."""
    if fault == "restarted":
        server.restart()
        yield
        return
    begin, end = {
        "killed": (server.kill, server.start),
        "stopped": (server.pause, server.resume),
        "blackholed": (proxy.blackhole, proxy.heal),
    }[fault]
    begin()
    try:
        yield
    finally:
        end()


def check_values(answer: Answer, caller: Caller) -> None:
    """What the policy says, and nothing else; a delete is never dropped silently, whatever the policy."""
    failed = isinstance(answer.outcome, BackendError)
    allowed: dict[str, set[object]] = {
        "get": {"stored", "computed"} | ({None} if caller.policy == "open" else set()),
        "set": {None},
        "delete": {0},
        "get_or_set": {"stored"} if caller.policy == "closed" else {"stored", "computed"},
    }
    assert answer.outcome in allowed[answer.what] or (failed and (caller.policy == "closed" or answer.what == "delete"))


@pytest.mark.parametrize(
    ("kind", "fault", "most"),
    [
        *(
            pytest.param("redis", fault, TIMEOUT, marks=pytest.mark.redis, id=f"redis-{fault}")
            for fault in ("killed", "stopped", "blackholed", "restarted")
        ),
        *(
            pytest.param("tiered", fault, TIMEOUT, marks=pytest.mark.redis, id=f"tiered-{fault}")
            for fault in ("killed", "blackholed")
        ),
        # Opening a connection and setting up its session are waits of their own there, and no breaker spares them.
        *(
            pytest.param("mariadb", fault, 4 * TIMEOUT, marks=pytest.mark.mysql, id=f"mariadb-{fault}")
            for fault in ("killed", "stopped")
        ),
    ],
)
def test_every_call_ends_with_what_the_policy_says_and_heals(
    request: pytest.FixtureRequest, kind: str, fault: str, most: float
) -> None:
    """Threads and tasks of three caches, one for each policy, all at once, before, during and after the fault."""
    server = request.getfixturevalue("mariadb_servers" if kind == "mariadb" else "redis_servers")
    scheme = "tiered+" if kind == "tiered" else ""
    with ExitStack() as opened:
        proxy = opened.enter_context(FaultProxy(server.create_database()))
        caches = {policy: opened.enter_context(a_cache(scheme + proxy.url, policy)) for policy in POLICIES}
        callers = opened.enter_context(load(caches))
        until(lambda: all(len(caller.answers) > 20 for caller in callers), 20, "the load never began")
        assert {caller.name for caller in callers for answer in caller.answers if answer.outcome == "computed"} == set()
        before = {policy: cache.stats().errors for policy, cache in caches.items()}
        with broken(server, proxy, fault):
            during = time.monotonic()
            until(lambda: all(len(caller.since(during)) > 8 for caller in callers), 60, "callers hang")
        ended = time.monotonic()
        until(lambda: all(healed(caller, ended) for caller in callers), HEAL + SLACK, "it did not heal in time")
    for caller in callers:
        for answer in caller.answers:
            check_values(answer, caller)
            assert answer.seconds < OPERATIONS[answer.what] * most + SLACK, (caller.name, answer)
    if fault != "restarted":
        for policy, cache in caches.items():
            assert cache.stats().errors > before[policy], f"the fault never met the cache of {policy}"
    assert caches["closed"].stats().computes == 0


def healed(caller: Caller, ended: float) -> bool:
    """Whether the store did what was asked again: under every policy a delete is done or raises."""
    return any(answer.what == "delete" and answer.outcome == 0 for answer in caller.since(ended))


@contextmanager
def a_cache(url: str, policy: Unavailable) -> Iterator[CacheManager]:
    """One that knows the key it will be asked for."""
    store = open_store(url, timeout=TIMEOUT)
    with CacheManager(store, namespace=policy, unavailable=policy) as cache:
        deadline = time.monotonic() + 10
        while cache.get("k") != "stored":
            assert time.monotonic() < deadline, "the server was not ready"
            try:
                cache.set("k", "stored", 600)
            except BackendError:
                time.sleep(0.05)
        yield cache
    store.close()
