"""One session on Redis: what loading and saving it costs beside a bare GET that is decrypted, and in commands."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import redis
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import Redis as AsyncRedis

from postrmagic_core.sessions import KeyRing, Session, SessionStore
from postrmagic_core.stores import Store, open_store

from .._cache_commands import watched
from .._cache_timing import Awaited, pair
from .._harness import Bench, Case

USER = "0190a5b4-6c1e-7c3a-9b1e-2f6d3c9e8a70"
DATA: dict[str, Any] = {
    "csrf": "x0J9hQx6u7c0tq5mV3o2pR8yL1sK4nDgWbEfZaT7iUc",
    "locale": "en",
    "theme": "dark",
    "back": "/media?page=3&tag=jazz",
    "cart": [11, 12, 13, 14, 15, 16, 17, 18],
    "count": 0,
}
"""What every session here holds, ours and the peers'."""

OURS, OURS_AWAITED = "load and save, unchanged", "aio: load and save, unchanged"
RAW, RAW_SINGLE, RAW_OURS = "redis.Redis GET, decrypted", "the same on one connection", "our store's GET, decrypted"
RAW_AWAITED = "redis.asyncio GET, decrypted"
# What is measured is what a call costs, not what becomes of it on a busy machine.
_TIMEOUT = 10.0
_TIMES = 20
_SESSIONS = 100
_NONCE = 12


@contextmanager
def opened(url: str) -> Iterator[SessionStore[dict[str, Any]]]:
    """Sessions on the store of ``url``."""
    keys = KeyRing([secrets.token_urlsafe(48)])
    with closing(open_store(url, timeout=_TIMEOUT)) as store, SessionStore(store, keys) as sessions:
        yield sessions


def many(sessions: SessionStore[dict[str, Any]]) -> Iterator[str]:
    """The cookies of many sessions, one after the other without end: a process seldom sees the same one twice."""
    return itertools.cycle([logged_in(sessions, f"{USER}/{number}") for number in range(_SESSIONS)])


def logged_in(sessions: SessionStore[dict[str, Any]], user_id: str = USER) -> str:
    """The cookie of a new session of ``user_id`` with the :data:`DATA`."""
    session = sessions.load(None)
    session.login(user_id)
    session.data.update(DATA)
    cookie = sessions.save(session)
    if not cookie:
        raise AssertionError("a login was expected to set a cookie")
    return cookie


class Raw:
    """As many blobs as there are sessions, as large as their rows, sealed with AES-256-GCM as bare code would."""

    def __init__(self, url: str) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(256))
        names = [b"raw %d" % number for number in range(_SESSIONS)]
        with redis.Redis.from_url(url) as client:
            size = max(client.strlen(key) for key in client.scan_iter(match="*:session:*"))
            for name in names:
                nonce = secrets.token_bytes(_NONCE)
                client.set(name, nonce + self._cipher.encrypt(nonce, secrets.token_bytes(size - _NONCE - 16), name))
        self.names = itertools.cycle(names)

    def opened(self, name: bytes, blob: object) -> bytes:
        """The plaintext of what a GET answered."""
        if not isinstance(blob, bytes):
            raise AssertionError("a blob was expected")
        return self._cipher.decrypt(blob[:_NONCE], blob[_NONCE:], name)

    def by(self, get: Callable[[bytes], object]) -> Callable[[], bytes]:
        """Read and decrypt the next one."""
        names, opened = self.names, self.opened

        def call() -> bytes:
            name = next(names)
            return opened(name, get(name))

        return call

    def by_awaited(self, get: Callable[[bytes], Awaitable[object]]) -> Callable[[], Awaitable[bytes]]:
        """The same awaited."""
        names, opened = self.names, self.opened

        async def call() -> bytes:
            name = next(names)
            return opened(name, await get(name))

        return call


def unchanged(bench: Bench, url: str) -> None:
    """``load_save_time_ratio`` of a request that only reads, over the bare GET; ``unchanged_commands`` of both calls.

    The bare client is redis-py with its parser in C (hiredis), used as an application with threads would; the row on
    one connection, which threads cannot share, saves it its pool.
    """
    with (
        opened(url) as sessions,
        redis.Redis.from_url(url) as client,
        redis.Redis.from_url(url, single_connection_client=True) as single,
    ):
        cookies, store = many(sessions), sessions.store
        raw = Raw(url)

        def ours() -> None:
            sessions.save(sessions.load(next(cookies)))

        cases = [
            Case(OURS, ours),
            Case(RAW, raw.by(client.get)),
            Case(RAW_SINGLE, raw.by(single.get)),
            Case(RAW_OURS, raw.by(lambda name: store.get([name])[0])),
            Case("load", lambda: sessions.load(next(cookies))),
        ]
        rounds, calls = bench.repeats(60, 10), bench.repeats(400, 150)
        found = bench.pair("a session that a request only reads, on Redis", cases, rounds=rounds, calls=calls)
        bench.figure("load_save_time_ratio", found.time_ratio(OURS, RAW))
        bench.figure("load_save_time_ratio.one_connection", found.time_ratio(OURS, RAW_SINGLE))
        bench.figure("load_save_time_ratio.our_store", found.time_ratio(OURS, RAW_OURS))
        bench.figure("load_save_us", found[OURS].median * 1e6)
        bench.figure("unchanged_commands", _each(url, ours))


def unchanged_awaited(bench: Bench, runner: asyncio.Runner, url: str) -> None:
    """``load_save_aio_time_ratio``: the same awaited, over redis.asyncio."""
    with opened(url) as sessions:
        cookies, face, store = many(sessions), sessions.aio, _native(sessions.store)
        raw, client = Raw(url), AsyncRedis.from_url(url)

        async def ours() -> None:
            await face.save(await face.load(next(cookies)))

        async def native(name: bytes) -> object:
            return (await store.get([name]))[0]

        cases = [
            Awaited(OURS_AWAITED, ours),
            Awaited(RAW_AWAITED, raw.by_awaited(client.get)),
            Awaited(f"aio: {RAW_OURS}", raw.by_awaited(native)),
        ]
        title, calls = "a session that a request only reads, on Redis, awaited", bench.repeats(400, 150)
        found = pair(bench, runner, title, cases, rounds=bench.repeats(40, 8), calls=calls)
        bench.figure("load_save_aio_time_ratio", found.time_ratio(OURS_AWAITED, RAW_AWAITED))
        runner.run(client.aclose())
        runner.run(store.close())


def _native(store: Store) -> Any:
    return getattr(store, "native")  # noqa: B009  a Store need not have one; Redis' has


def changed(bench: Bench, url: str) -> None:
    """``changed_commands`` of saving one changed field; ``changed_load_commands`` of the load before it."""
    with opened(url) as sessions:
        cookies = many(sessions)

        def change(cookie: str) -> Session[dict[str, Any]]:
            session = sessions.load(cookie)
            session.data["count"] += 1
            return session

        sessions.save(change(next(cookies)))  # teaches the server its script
        loads: list[int] = []
        saves: list[int] = []
        for cookie in itertools.islice(cookies, _TIMES):
            with watched(url) as seen:
                session = change(cookie)
            loads.append(len(seen))
            with watched(url) as seen:
                sessions.save(session)
            saves.append(len(seen))
            if sessions.load(cookie).data["count"] != session.data["count"]:
                raise AssertionError("a change was expected to be saved")
        bench.figure("changed_commands", sum(saves) / _TIMES)
        bench.figure("changed_load_commands", sum(loads) / _TIMES)
        told = f"load ({sum(loads) / _TIMES:g} command), change one field, save ({sum(saves) / _TIMES:g} command)"
        case = Case(told, lambda: sessions.save(change(next(cookies))))
        found = bench.pair("a session that a request changes, on Redis", [case], rounds=bench.repeats(40, 8), calls=100)
        bench.figure("changed_us", found[told].median * 1e6)


def _each(url: str, call: Callable[[], object]) -> float:
    """Commands that one call sends."""
    call()
    with watched(url) as seen:
        for _ in range(_TIMES):
            call()
    return len(seen) / _TIMES
