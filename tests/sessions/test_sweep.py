"""Expired rows are swept beside the sessions that live, whoever sweeps and whoever dies at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import open_store
from postrmagic_core.stores.adapters.sql import SqlStore
from postrmagic_core.testing import spawn
from tests.backends import TIMEOUT

KINDS = ["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)]


def logged_in(sessions: SessionStore[dict[str, object]], number: int) -> str:
    """One of Alice's cookies."""
    session = sessions.load(None)
    session.data["number"] = number
    session.login("alice")
    cookie = sessions.save(session)
    assert cookie
    return cookie


def sweep_for_ever(url: str) -> None:
    """A cleaner, until it is killed."""
    with closing(open_store(url, timeout=TIMEOUT)) as store:
        assert isinstance(store, SqlStore)
        store.sweep(1)
        print("sweeping", flush=True)  # noqa: T201 - the parent waits for it
        while True:
            store.sweep()


@pytest.mark.fault
@pytest.mark.parametrize("kind", KINDS)
def test_cleaners_at_once_of_which_one_is_killed_end_no_live_session(
    kind: str, url_of: Callable[[str], str], ring: KeyRing
) -> None:
    """Thousands of rows expire; what lives is there, in the lists too, while and after they are swept."""
    url = url_of(kind)
    with closing(open_store(url, timeout=TIMEOUT)) as store, SessionStore(store, ring) as sessions:
        cookies = [logged_in(sessions, number) for number in range(20)]
        with spawn(sweep_for_ever, url) as one, spawn(sweep_for_ever, url) as two:
            assert [child.line() for child in (one, two)] == ["sweeping"] * 2
            for turn in range(20):
                store.set({b"{app}:session:%d-%d" % (turn, number): bytes(100) for number in range(200)}, 1)
                if turn == 10:
                    one.kill()
                assert [sessions.load(cookie).data["number"] for cookie in cookies] == list(range(20))
            two.kill()
        assert isinstance(store, SqlStore)
        while store.sweep():
            pass
        assert [sessions.load(cookie).data["number"] for cookie in cookies] == list(range(20))
        assert len(sessions.devices("alice")) == 20


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_expired_rows_keep_nobody_waiting(kind: str, url_of: Callable[[str], str], ring: KeyRing) -> None:
    """They go in batches: a session is read and saved beside it, and not one of a hundred saves waits 100 ms."""
    url = url_of(kind)
    with closing(open_store(url, timeout=TIMEOUT)) as store, SessionStore(store, ring) as sessions:
        assert isinstance(store, SqlStore)
        cookie = logged_in(sessions, 0)
        for turn in range(500):
            store.set({b"{app}:session:%d-%d" % (turn, number): bytes(20) for number in range(2000)}, 1)
        with spawn(sweep_for_ever, url) as sweeper:
            assert sweeper.line(120) == "sweeping"
            waits = []
            for number in range(100):
                session = sessions.load(cookie)
                session.data["number"] = number
                began = time.monotonic()
                sessions.save(session)
                waits.append(time.monotonic() - began)
        assert sorted(waits)[98] < 0.1
