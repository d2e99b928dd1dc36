"""Sessions while their store lags, is full or away: nobody is let in who should not be, nobody loses theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import BackendReadOnly
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions as http_sessions
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import open_store
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, require
from tests.backends import TIMEOUT
from tests.disks import Ballast, Room, in_memory_of, in_pages_of

pytestmark = pytest.mark.fault

Sessions = SessionStore[dict[str, Any]]


def logged_in(sessions: Sessions, **data: object) -> str:
    """Alice's cookie."""
    session = sessions.load(None)
    session.data.update(data)
    session.login("alice")
    cookie = sessions.save(session)
    assert cookie
    return cookie


@pytest.mark.redis
def test_a_replica_that_lags_is_not_asked_who_is_logged_in(
    replicated: Callable[..., tuple[RedisServer, RedisServer]], ring: KeyRing
) -> None:
    """Its copy still has the session that was ended at the primary; the address that leads to it is refused."""
    primary, replica = replicated()
    with FaultProxy(primary.url) as proxy, closing(open_store(proxy.url, timeout=TIMEOUT)) as store:
        with SessionStore(store, ring) as sessions:
            cookie = logged_in(sessions)
            session = sessions.load(cookie)
            with closing(redis.Redis.from_url(primary.url)) as raw:
                assert raw.wait(1, 10_000) == 1
            with closing(redis.Redis.from_url(replica.url)) as copy:
                copy.replicaof("127.0.0.1", 1)  # nobody: it follows no more
                sessions.delete(session)
                assert sessions.load(cookie).is_new
                assert session.anchor is None
                assert copy.dbsize() > 0, "the copy is not behind, so this proves nothing"
        proxy.redirect(replica.url)
        with (
            closing(open_store(proxy.url, timeout=TIMEOUT)) as behind,
            SessionStore(behind, ring) as sessions,
            pytest.raises(BackendReadOnly),
        ):
            sessions.load(cookie)


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("sqlite on a disk", marks=pytest.mark.soak),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """A store whose room can be used up and made again."""
    match request.param:
        case "sqlite":
            yield in_pages_of(f"sqlite:///{tmp_path}/kv.db")
        case "redis":
            require(RedisServer.binary(), "faults need a private server: no redis-server is installed")
            with RedisServer(maxmemory=3_000_000) as server:
                yield in_memory_of(server)
        case _:
            disk: Path = request.getfixturevalue("small_disk")
            ballast = Ballast(disk, 0)
            yield Room(lambda: open_store(f"sqlite:///{disk}/kv.db", timeout=TIMEOUT), ballast.load, ballast.drop)


async def greeting(scope: Any, receive: Any, send: Any) -> None:
    """An application that says who is logged in, and logs in who asks."""
    session = await scope["state"]["session"]
    if scope["path"] == "/login":
        session.data["drawing"] = bytes(40_000)
        session.login("bob")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(session.user_id).encode()})


def test_a_store_without_room_lets_nobody_in_anew_and_throws_nobody_out(room: Room, ring: KeyRing) -> None:
    """A login is answered with 507 and sets no cookie; who is logged in stays so; with room it is as before."""
    with closing(room.open()) as store, SessionStore(store, ring) as sessions:
        app = Starlette(routes=[Mount("/", Pipeline([errors(), http_sessions(sessions)]).asgi(greeting))])
        cookie = logged_in(sessions)
        with TestClient(app, base_url="https://testserver") as client:
            client.cookies.set("__Host-session", cookie, domain="testserver.local", path="/")
            assert client.get("/").text == "alice"
            room.use_up()
            with TestClient(app, base_url="https://testserver") as stranger:
                refused = stranger.get("/login")
                assert (refused.status_code, "set-cookie" in refused.headers) == (507, False)
                assert client.get("/").text == "alice"
                room.make()
                assert stranger.get("/login").status_code == 200
                assert stranger.get("/").text == "bob"


@pytest.mark.redis
@pytest.mark.parametrize("fault", ["blackhole", "refuse"])
def test_a_store_that_is_away_is_no_logout(fault: str, redis_url: str, ring: KeyRing) -> None:
    """503, and the visitor's cookie stays as it is; with the store back the session is there."""
    with (
        FaultProxy(redis_url) as proxy,
        closing(open_store(redis_url, timeout=TIMEOUT)) as beside,
        closing(open_store(proxy.url, timeout=0.25)) as store,
        SessionStore(beside, ring) as direct,
        SessionStore(store, ring) as sessions,
    ):
        app = Starlette(routes=[Mount("/", Pipeline([errors(), http_sessions(sessions)]).asgi(greeting))])
        cookie = logged_in(direct)
        with TestClient(app, base_url="https://testserver") as client:
            client.cookies.set("__Host-session", cookie, domain="testserver.local", path="/")
            assert answered(client) == "alice"
            getattr(proxy, fault)()
            for path in ("/", "/login"):
                away = client.get(path)
                assert (away.status_code, "set-cookie" in away.headers) == (503, False)
            assert proxy.hits > 0 or fault == "refuse"
            proxy.heal()
            assert answered(client) == "alice"


def answered(client: TestClient) -> str:
    """Who is logged in, once the store has answered in its time, which a busy machine may not do at once."""
    deadline = time.monotonic() + 30
    while (answer := client.get("/")).status_code == 503:
        assert time.monotonic() < deadline, "it does not heal"
    return answer.text
