"""Idle and absolute time-outs, by the store's clock, to the edge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import text

from postrmagic_core._clock import SystemClock
from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.scripts import NOW
from postrmagic_core.testing import FakeClock

IDLE, ABSOLUTE, TOUCH = 600.0, 3600.0, 60.0


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, frozen_clock: FakeClock) -> Iterator[Store]:
    """A store whose clock moves when told; the servers' own do not."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'kv.db'}"
    opened = open_store(url, timeout=5.0, clock=frozen_clock)
    yield opened
    opened.close()


def sessions_of(store: Store, ring: KeyRing, clock: FakeClock) -> SessionStore[dict[str, object]]:
    """Sessions with round time-outs."""
    return SessionStore(store, ring, idle_timeout=IDLE, absolute_timeout=ABSOLUTE, touch_interval=TOUCH, clock=clock)


def started(sessions: SessionStore[dict[str, object]]) -> str:
    """A logged-in session's cookie."""
    session = sessions.load(None)
    session.login("alice")
    cookie = sessions.save(session)
    assert cookie is not None
    return cookie


def test_a_session_ends_when_idle(store: Store, ring: KeyRing, frozen_clock: FakeClock) -> None:
    """A moment before it is there, at the time-out it is gone; its cookie is no id then."""
    with sessions_of(store, ring, frozen_clock) as sessions:
        cookie = started(sessions)
        frozen_clock.advance(IDLE - 0.001)
        assert not sessions.load(cookie).is_new
        frozen_clock.advance(0.001)
        session = sessions.load(cookie)
        assert session.is_new
        session.data["a"] = 1
        assert sessions.save(session) != cookie


def test_a_request_that_only_reads_prolongs_it(store: Store, ring: KeyRing, frozen_clock: FakeClock) -> None:
    """Every touch interval at most, so that a visitor who comes back within the idle time less that stays."""
    with sessions_of(store, ring, frozen_clock) as sessions:
        cookie = started(sessions)
        for _ in range(5):
            frozen_clock.advance(IDLE - TOUCH)
            session = sessions.load(cookie)
            assert not session.is_new
            sessions.save(session)


def test_activity_does_not_extend_the_absolute_end(store: Store, ring: KeyRing, frozen_clock: FakeClock) -> None:
    """Used every minute, it ends an hour after login all the same; a save at that moment is refused."""
    with sessions_of(store, ring, frozen_clock) as sessions:
        cookie = started(sessions)
        for _ in range(59):
            frozen_clock.advance(60)
            session = sessions.load(cookie)
            assert not session.is_new
            session.data["at"] = frozen_clock.now_us()
            sessions.save(session)
        in_flight = sessions.load(cookie)
        frozen_clock.advance(60)
        assert sessions.load(cookie).is_new
        in_flight.data["at"] = 0
        assert sessions.save(in_flight) is None
        assert in_flight.ended


def test_a_host_whose_clock_is_wrong_moves_no_end(store: Store, ring: KeyRing, frozen_clock: FakeClock) -> None:
    """A day ahead or behind: the store's clock decides, and a touch is made rather than missed."""
    for skew in (-86_400, 86_400):
        skewed = FakeClock(frozen_clock.now)
        skewed.jump(skew)
        with sessions_of(store, ring, skewed) as wrong, sessions_of(store, ring, frozen_clock) as right:
            cookie = started(wrong)
            for _ in range(7):
                frozen_clock.advance(500)
                skewed.advance(500)
                for sessions in (wrong, right):
                    session = sessions.load(cookie)
                    assert not session.is_new
                    sessions.save(session)
            frozen_clock.advance(100)
            assert right.load(cookie).is_new
            assert wrong.load(cookie).is_new


def ends_on_redis(url: str, key: bytes) -> int:
    """When a row ends, by the server's clock: milliseconds since the epoch."""
    raw: Any = redis.Redis.from_url(url)  # its types expect a key's text
    with closing(raw):
        return int(raw.pexpiretime(key))


def ends_on_mariadb(url: str, key: bytes) -> int:
    """The same."""
    with DatabaseManager(url) as database, database.read() as tx:
        return int(tx.connection.execute(text("SELECT e FROM pm_kv WHERE k = :key"), {"key": key}).scalar_one())


@pytest.mark.parametrize("skew", [-86_400, 86_400], ids=["behind", "ahead"])
@pytest.mark.parametrize(
    ("server", "ends"),
    [
        pytest.param("mariadb", ends_on_mariadb, marks=pytest.mark.mysql, id="mariadb"),
        pytest.param("redis", ends_on_redis, marks=pytest.mark.redis, id="redis"),
    ],
)
def test_a_host_whose_clock_is_wrong_moves_no_end_on_a_server(
    server: str, ends: Callable[[str, bytes], int], skew: int, url_of: Callable[[str], str], ring: KeyRing
) -> None:
    """A day ahead or behind: each use prolongs a session by its idle time-out from then, and not past its end."""
    url, clock = url_of(server), Skewed(skew)
    with closing(open_store(url, timeout=5.0)) as opened:
        for idle, absolute in ((600, 3600), (60, 60)):
            with SessionStore(
                opened, ring, clock=clock, idle_timeout=idle, absolute_timeout=absolute, touch_interval=0.01
            ) as wrong:
                cookie = started(wrong)
                key = wrong.load(cookie).anchor
                assert key is not None
                first = ends(url, key)
                time.sleep(0.05)
                before = server_ms(opened)
                session = wrong.load(cookie)
                assert not session.is_new
                wrong.save(session)
                after = server_ms(opened)
                now = ends(url, key)
                if idle == absolute:
                    assert abs(now - first) < 25  # what a prolonged one would have more: the 50 that were slept
                else:
                    assert before - 1 <= now - idle * 1000 <= after + 1


def server_ms(store: Store) -> int:
    """The store's clock."""
    return int(store.run(NOW, [], [])[0]) // 1000


class Skewed(SystemClock):
    """A host's clock that is wrong by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._skew_us = round(seconds * 1e6)

    def now_us(self) -> int:
        """See :meth:`Clock.now_us`."""
        return super().now_us() + self._skew_us


def test_logging_in_again_begins_a_new_absolute_time(store: Store, ring: KeyRing, frozen_clock: FakeClock) -> None:
    """It counts from the login, and the user's generation lives as long."""
    with sessions_of(store, ring, frozen_clock) as sessions:
        cookie: str | None = started(sessions)
        for _ in range(10):
            frozen_clock.advance(IDLE - TOUCH)
            session = sessions.load(cookie)
            assert session.user_id == "alice"
            session.login("alice")
            cookie = sessions.save(session)
        assert not sessions.load(cookie).is_new
