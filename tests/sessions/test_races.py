"""Requests of one session at the same time: threads on real stores, and a logout between any two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.interface import Script
from postrmagic_core.testing import FakeClock


def test_twenty_writers_at_once_keep_twenty_fields(store: Store, ring: KeyRing) -> None:
    """All load, all wait for each other, all save."""
    with SessionStore(store, ring) as sessions:
        first = sessions.load(None)
        first.data["start"] = 0
        cookie = sessions.save(first)
        barrier = threading.Barrier(20)

        def write(number: int) -> bool:
            session = sessions.load(cookie)
            session.data[f"field{number}"] = number
            barrier.wait(30)
            return sessions.save(session) is None and not session.ended

        with ThreadPoolExecutor(20) as pool:
            assert all(pool.map(write, range(20)))
        assert sessions.load(cookie).data == {"start": 0, **{f"field{number}": number for number in range(20)}}


class Interrupted(MemoryStore):
    """Calls ``between`` before its ``at``-th Script from now."""

    at = -1
    between: Callable[[], object]

    def run(self, script: Script[Any], keys: Sequence[bytes], args: Sequence[bytes | int], **options: Any) -> Any:
        """See :meth:`Store.run`."""
        self.at -= 1
        if self.at == -1:
            self.between()
        return super().run(script, keys, args, **options)


@pytest.mark.parametrize("step", range(3))
def test_a_logout_before_any_step_of_a_save_is_final(step: int, ring: KeyRing) -> None:
    """A writer that must merge takes three steps; wherever the logout falls, the session is dead afterwards."""
    store = Interrupted()
    with SessionStore(store, ring) as sessions:
        first = sessions.load(None)
        first.login("alice")
        cookie = sessions.save(first)
        leaving, writer, rival = (sessions.load(cookie) for _ in range(3))
        rival.data["b"] = 1
        sessions.save(rival)
        leaving.logout()
        store.between = lambda: sessions.save(leaving)
        store.at = step
        writer.data["a"] = 1
        assert sessions.save(writer) is None
        if step == 2:
            store.between()
        assert sessions.load(cookie).is_new
        assert writer.ended == (step < 2)


def test_a_rotation_that_dies_half_way_leaves_the_old_session(ring: KeyRing) -> None:
    """The store fails while a login is saved: the client keeps what it had, and no half session is listed."""
    for step in range(3):
        store = Interrupted()
        with SessionStore(store, ring) as sessions:
            first = sessions.load(None)
            first.data["a"] = 1
            cookie = sessions.save(first)
            session = sessions.load(cookie)
            session.login("alice")
            store.between = fail
            store.at = step
            with pytest.raises(BackendUnavailable):
                sessions.save(session)
            found = sessions.load(cookie)
            assert (found.data, found.user_id) == ({"a": 1}, None)
            assert sessions.devices("alice") == []


def fail() -> None:
    """The store is away."""
    raise BackendUnavailable("away")


def test_a_store_that_is_away_is_an_error_and_no_anonymous_session(ring: KeyRing) -> None:
    """load() and save() raise: a visitor is not silently logged out, and no new cookie is made."""

    class Away(MemoryStore):
        def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
            raise BackendUnavailable("away")

        def run(self, *args: Any, **options: Any) -> Any:
            raise BackendUnavailable("away")

    with SessionStore(MemoryStore(), ring) as present:
        first = present.load(None)
        first.data["a"] = 1
        cookie = present.save(first)
    with SessionStore(Away(), ring) as sessions:
        with pytest.raises(BackendUnavailable):
            sessions.load(cookie)
        session = sessions.load(None)
        session.data["a"] = 1
        with pytest.raises(BackendUnavailable):
            sessions.save(session)
        assert session.is_new


def test_a_request_that_changed_nothing_is_not_failed_by_a_busy_store(ring: KeyRing, frozen_clock: FakeClock) -> None:
    """It was read; what could not be prolonged now the next request prolongs. A change that is not kept is an error."""
    store, metrics = Interrupted(), Metrics()
    store.between = fail
    with SessionStore(store, ring, clock=frozen_clock, metrics=metrics) as sessions:
        session = sessions.load(None)
        session.data["a"] = 1
        cookie = sessions.save(session)
        for seconds in (60, 1):
            frozen_clock.advance(seconds)
            store.at = 0 if seconds == 60 else -1
            session = sessions.load(cookie)
            assert sessions.save(session) is None
            assert not session.ended
        assert metrics.counter("sessions_unprolonged_total", namespace="app").value == 1
        session.data["a"] = 2
        store.at = 0
        with pytest.raises(BackendUnavailable):
            sessions.save(session)


@pytest.mark.redis
@pytest.mark.fault
def test_a_redis_that_lost_everything_logs_out_cleanly(own_redis_server: Any, ring: KeyRing) -> None:
    """Restarted empty: sessions are new, and the ids that clients still hold are not adopted."""
    from postrmagic_core.stores import open_store

    server = own_redis_server()
    store = open_store(server.create_database(), timeout=5.0)
    with SessionStore(store, ring) as sessions:
        first = sessions.load(None)
        first.login("alice")
        cookie = sessions.save(first)
        in_flight = sessions.load(cookie)
        server.kill()
        server.start()
        session = sessions.load(cookie)
        assert session.is_new
        session.data["a"] = 1
        assert sessions.save(session) != cookie
        in_flight.data["a"] = 1
        assert sessions.save(in_flight) is None
        assert in_flight.ended
        assert sessions.load(cookie).is_new
    store.close()
