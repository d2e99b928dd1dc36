"""Two processes with a near cache each: what one has changed, the other never serves again."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores.adapters.tiered import TieredStore
from postrmagic_core.testing import Child, spawn
from tests.crowd import crowd

pytestmark = [pytest.mark.redis, pytest.mark.fault]

KEY = b"{app}:k:1"
_NUMBER = struct.Struct("!q")


@contextmanager
def client(url: str) -> Iterator[Any]:
    """A plain client of the server at ``url``."""
    with closing(redis.Redis.from_url(url, single_connection_client=True)) as raw:
        yield raw


def serving(store: TieredStore) -> None:
    """Wait until copies are kept and served."""
    mark = b"mark %d" % os.getpid()
    deadline = time.monotonic() + 15
    while store.peek(mark) is None:
        assert time.monotonic() < deadline, "the feed did not come up"
        store.set({mark: b"mark"}, 60_000)
        store.get([mark])
        time.sleep(0.005)


def said(line: socket.socket) -> int:
    """The next number the other process says."""
    data = b""
    while len(data) < _NUMBER.size:
        data += line.recv(_NUMBER.size - len(data)) or _gone()
    return int(_NUMBER.unpack(data)[0])


def _gone() -> bytes:
    raise EOFError


@contextmanager
def talking(path: Path, target: object, url: str, *more: object) -> Iterator[tuple[socket.socket, Child]]:
    """A process that runs ``target(url, path, *more)``, and a line to it that is far quicker than the server."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(30)
        with spawn(target, url, str(path), *more) as child:  # type: ignore[arg-type]  # a function of this module
            line, _ = listener.accept()
            with line:
                line.settimeout(30)
                yield line, child


@contextmanager
def reader(url: str, path: str) -> Iterator[tuple[TieredStore, socket.socket]]:
    """The other end: a near cache and the line; it ends with the line."""
    with (
        closing(TieredStore.from_url(f"tiered+{url}", timeout=5.0)) as store,
        socket.socket(socket.AF_UNIX) as line,
        suppress(EOFError, ConnectionError),
    ):
        line.connect(path)
        serving(store)
        yield store, line


def follow(url: str, path: str, asking: bool) -> None:
    """Have the value near; told that it changed, look at once; answer with what was seen, or -1 for nothing near.

    ``asking``: at this very moment the feed asks the server whether it is there.
    """
    with reader(url, path) as (store, line):
        while True:
            while store.peek(KEY) is None:
                store.get([KEY])
            if asking and store._feed._link is not None:
                store._feed._link.ask(time.monotonic())
            line.sendall(_NUMBER.pack(0))
            said(line)
            seen = store.peek(KEY)
            line.sendall(_NUMBER.pack(-1 if seen is None else int(seen)))


def noise(url: str, stop: threading.Event) -> None:
    """Other keys change all the time, so that pushes are many and come in every order."""
    with client(url) as raw:
        while not stop.is_set():
            raw.mset({b"n%d" % number: b"" for number in range(50)})


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Redis' by default; with the parameter ``valkey``, Valkey's."""
    return str(request.getfixturevalue(f"{getattr(request, 'param', 'redis')}_url"))


def soak(*case: object) -> Any:
    """A long case."""
    return pytest.param(*case, marks=pytest.mark.soak)


@pytest.mark.parametrize(
    ("url", "when", "rounds"),
    [
        *[("redis", "quiet", 400), ("redis", "busy", 100), ("redis", "asking", 400)],
        *[soak("redis", "quiet", 2000), soak("redis", "busy", 500), soak("redis", "asking", 2000)],
        *[soak("valkey", "quiet", 2000), soak("valkey", "asking", 2000)],
    ],
    indirect=["url"],
)
def test_an_acknowledged_change_is_seen_by_whoever_hears_of_it(
    url: str, tmp_path: Path, when: str, rounds: int
) -> None:
    """A writes, has the server's answer and tells B, which has the old value near: B's next look never shows it.

    Be the server quiet, busy with other pushes, or about to answer B's feed itself.
    """
    stop, beside = threading.Event(), threading.Thread(target=lambda: noise(url, stop))
    with client(url) as writer:
        writer.set(KEY, 0)
        if when == "busy":
            beside.start()
        try:
            with talking(tmp_path / "line", follow, url, when == "asking") as (line, _):
                for number in range(1, rounds + 1):
                    assert said(line) == 0
                    writer.set(KEY, number)
                    line.sendall(_NUMBER.pack(number))
                    assert said(line) in {-1, number}, f"round {number}: an older value was served"
        finally:
            stop.set()
            if when == "busy":
                beside.join()


def page(url: str, path: str) -> None:
    """The same by a cache under a tag: answers with the value served, computing it where it must."""
    with reader(url, path) as (store, line), CacheManager(store, namespace="site") as cache:
        number = 0
        while True:
            for _ in range(2):
                cache.get_or_set("page", lambda now=number: now, fresh=600, tags=["media"])  # type: ignore[misc]  # a lambda's default
            line.sendall(_NUMBER.pack(number))
            number = said(line)
            value = cache.get_or_set("page", lambda now=number: now, fresh=600, tags=["media"])  # type: ignore[misc]  # as above
            line.sendall(_NUMBER.pack(value))


def test_an_invalidation_ends_the_entry_in_every_process(redis_url: str, tmp_path: Path) -> None:
    """A invalidates a tag and tells B: B computes anew, every time."""
    with (
        closing(TieredStore.from_url(f"tiered+{redis_url}", timeout=5.0)) as store,
        CacheManager(store, namespace="site") as cache,
        talking(tmp_path / "line", page, redis_url) as (line, _),
    ):
        for number in range(1, 101):
            assert said(line) == number - 1
            cache.invalidate("media")
            line.sendall(_NUMBER.pack(number))
            assert said(line) == number, f"round {number}: a value older than the invalidation was served"


def test_a_process_that_was_paused_serves_nothing_old(redis_url: str, tmp_path: Path) -> None:
    """Stopped while the value changed, and while its feed was cut: its first look afterwards shows nothing older."""
    with (
        client(redis_url) as raw,
        talking(tmp_path / "line", follow, redis_url, False) as (line, child),
    ):
        for number, cut in enumerate((False, True, False, True), 1):
            raw.set(KEY, number * 10)
            assert said(line) == 0
            child.pause()
            with raw.pipeline(transaction=True) as both:
                for told in raw.client_list():
                    if cut and "t" in told["flags"]:
                        both.execute_command("CLIENT", "KILL", "ID", told["id"])
                both.set(KEY, number * 10 + 1)
                both.execute()
            line.sendall(_NUMBER.pack(number))
            child.resume()
            assert said(line) in {-1, number * 10 + 1}


def count(url: str, who: int, rounds: int) -> None:
    """Write one's own key, read the others' from near; a number that goes back is told."""
    with closing(TieredStore.from_url(f"tiered+{url}", timeout=5.0)) as store:
        serving(store)
        highest: dict[int, int] = {}
        near = 0
        for number in range(1, rounds + 1):
            store.set({b"p%d" % who: b"%d" % number}, 600_000)
            assert store.get([b"p%d" % who]) == [b"%d" % number], "a process did not read its own write"
            for other in (0, 1, 2):
                for _ in range(3):
                    near += store.peek(b"p%d" % other) is not None
                    value = int(store.get([b"p%d" % other])[0] or 0)
                    if value < highest.get(other, 0):
                        print(f"back from {highest[other]} to {value}")  # noqa: T201 - the parent reads it
                    highest[other] = value
        print("done" if near else "nothing was near")  # noqa: T201 - the parent reads it


def test_no_process_ever_goes_back(redis_url: str) -> None:
    """Three processes write and read each other's counters: what was seen once is never older later."""
    with crowd(count, *[(redis_url, who, 100) for who in range(3)]) as children:
        assert [child.line(60) for child in children] == ["done"] * 3
