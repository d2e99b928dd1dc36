"""A replica is promoted: without Sentinels the address moves and the store follows; nothing is written to a copy."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
import redis

from postrmagic_core.errors import BackendError, BackendReadOnly
from postrmagic_core.stores.adapters.redis import RedisStore
from postrmagic_core.testing import until
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer

pytestmark = [pytest.mark.redis, pytest.mark.fault]

Replicated = Callable[[], tuple[RedisServer, RedisServer]]
KEY = b"{app}:k:1"
# Seconds a busy machine may add to a promised time.
SLACK = 2.0


def promote(replica: RedisServer, primary: RedisServer) -> None:
    """Make ``replica`` the primary of ``primary``."""
    with closing(redis.Redis.from_url(replica.url)) as new, closing(redis.Redis.from_url(primary.url)) as old:
        new.replicaof("NO", "ONE")
        old.replicaof(replica.host, replica.port)


def until_written(call: Any, seconds: float = 5.0) -> None:
    """Write until it succeeds; more than promised fails."""
    began = time.monotonic()
    while True:
        try:
            call("set", {KEY: b"2"}, None)
        except BackendError:
            assert time.monotonic() - began < seconds + SLACK, "it did not find the primary"
            time.sleep(0.02)
        else:
            return


def test_a_promoted_replica_is_found_where_the_address_leads(
    caller: Callable[..., Any], replicated: Replicated
) -> None:
    """The open connection still leads to the old primary: its READONLY ends it, and the next write is the new one's."""
    primary, replica = replicated()
    with FaultProxy(primary.url) as proxy, closing(redis.Redis.from_url(replica.url)) as raw:
        call = caller(proxy.url)
        call("set", {KEY: b"1"}, None)
        promote(replica, primary)
        proxy.redirect(replica.url)
        with pytest.raises(BackendReadOnly):
            call("set", {KEY: b"lost"}, None)
        until_written(call)
        assert raw.get(KEY) == b"2"
        assert call("get", [KEY]) == [b"2"]
        assert proxy.accepted == 2


@contextmanager
def writing(store: RedisStore) -> Iterator[dict[bytes, int]]:
    """Two threads and two tasks that count up a key each, whatever becomes of it; what each tried to write last."""
    stop, last = threading.Event(), {b"thread 0": 0, b"thread 1": 0, b"task 0": 0, b"task 1": 0}

    def thread(key: bytes) -> None:
        while not stop.wait(0.005):
            last[key] += 1
            with suppress(BackendError):
                store.set({key: b"%d" % last[key]}, None)

    async def task(key: bytes) -> None:
        while not stop.is_set():
            await asyncio.sleep(0.005)
            last[key] += 1
            with suppress(BackendError):
                await store.native.set({key: b"%d" % last[key]}, None)

    async def tasks() -> None:
        await asyncio.gather(task(b"task 0"), task(b"task 1"))
        await store.native.close()

    running = [threading.Thread(target=thread, args=[key]) for key in (b"thread 0", b"thread 1")]
    running.append(threading.Thread(target=lambda: asyncio.run(tasks())))
    for each in running:
        each.start()
    try:
        yield last
    finally:
        stop.set()
        for each in running:
            each.join(30)


@pytest.mark.parametrize("how", ["demoted", "killed", pytest.param("stopped", marks=pytest.mark.soak)])
def test_everybody_writes_to_the_promoted_replica_within_five_seconds(replicated: Replicated, how: str) -> None:
    """Threads and tasks under way: the old primary becomes a copy, dies or hangs, and the address leads elsewhere.

    For half a second, a time-out and a breaker's opening, the address still leads to the old one.
    """
    primary, replica = replicated()
    with (
        FaultProxy(primary.url) as proxy,
        closing(RedisStore.from_url(proxy.url, timeout=0.25)) as store,
        closing(redis.Redis.from_url(replica.url)) as raw,
        writing(store) as last,
    ):

        def written() -> dict[bytes, int]:
            return {key: int(raw.get(key) or 0) for key in last}

        until(lambda: min(written().values()) > 5, "nobody wrote")
        {"demoted": lambda: None, "killed": primary.kill, "stopped": primary.pause}[how]()
        raw.replicaof("NO", "ONE")
        if how == "demoted":
            with closing(redis.Redis.from_url(primary.url)) as old:
                old.replicaof(replica.host, replica.port)
        time.sleep(0.5)
        before = dict(last)
        assert all(written()[key] < before[key] for key in last), "the fault never bit"
        proxy.redirect(replica.url)
        until(lambda: all(written()[key] > before[key] for key in last), "not everybody found the primary", 5 + SLACK)


def test_one_refused_write_moves_every_thread_and_both_faces(replicated: Replicated) -> None:
    """Who is told READONLY tells the others: none of them reads from the copy or is refused itself."""
    primary, replica = replicated()
    with FaultProxy(primary.url) as proxy, closing(RedisStore.from_url(proxy.url, timeout=2)) as store:
        turn, answers = threading.Barrier(2, timeout=10), []

        def other() -> None:
            store.set({b"other": b"1"}, None)
            turn.wait()
            turn.wait()
            answers.append(store.get([KEY]))
            store.set({b"other": b"2"}, None)

        thread = threading.Thread(target=other)
        thread.start()
        store.set({KEY: b"1"}, None)
        turn.wait()
        promote(replica, primary)
        proxy.redirect(replica.url)
        with pytest.raises(BackendReadOnly):
            store.set({KEY: b"lost"}, None)
        store.set({KEY: b"2"}, None)
        turn.wait()
        thread.join(10)
        assert answers == [[b"2"]]
        with closing(redis.Redis.from_url(replica.url)) as raw:
            assert raw.get(b"other") == b"2"


def test_a_replica_is_refused(caller: Callable[..., Any], replicated: Replicated) -> None:
    """What it says may be over already: a read is refused as a write is; promoted, it is used."""
    primary, replica = replicated()
    call = caller(replica.url)
    with pytest.raises(BackendReadOnly, match="name its primary"):
        call("get", [KEY])
    with pytest.raises(BackendReadOnly, match="name its primary"):
        call("set", {KEY: b"v"}, None)
    promote(replica, primary)
    until_written(call)
    assert call("get", [KEY]) == [b"2"]
