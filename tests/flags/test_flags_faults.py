"""With the database away flags go on as they were; in a forked child they keep up; a killed change is whole or none."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError
from postrmagic_core.flags import Flags, Rule
from postrmagic_core.security.access import AuditLog
from postrmagic_core.testing import until
from postrmagic_core.testing.process import spawn
from postrmagic_core.testing.servers import MariaDBServer
from tests.databases import create_tables
from tests.flags.conftest import TABLES

SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)
ON = Rule(percent=100)


def made(url: str) -> None:
    """The tables, and a flag that is on by the database alone."""
    with DatabaseManager(url) as database:
        create_tables(database, TABLES)
        with AuditLog(database) as audit, Flags(database, audit=audit) as flags:
            flags.set("new", ON, actor="1")


@contextmanager
def opened(url: str, **options: Any) -> Iterator[tuple[DatabaseManager, Flags]]:
    """Flags over a database that is not waited for long, and quick to see changes."""
    with (
        DatabaseManager(url, timeouts=SHORT) as database,
        AuditLog(database) as audit,
        Flags(database, audit=audit, max_age=0.05, **options) as flags,
    ):
        yield database, flags


def logged(caplog: pytest.LogCaptureFixture, event: str) -> int:
    """How often this was logged."""
    return sum(getattr(record, "event", "") == event for record in caplog.records)


@pytest.mark.fault
def test_with_the_database_away_the_last_rules_stand(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Given flags that are known, when the database goes, then they stay; that is logged once, counted, and heals."""
    caplog.set_level(logging.INFO)
    url, away, back = house
    made(url)
    metrics = Metrics()
    failures = metrics.counter("flag_load_failures_total")
    with opened(url, rules={"new": {}}, metrics=metrics) as (_, flags):
        assert flags.on("new", "7")
        away()
        try:
            until(lambda: failures.value >= 3)
            assert flags.on("new", "7")
            assert flags.state("7") == {"new": True}
            with pytest.raises(BackendError):
                flags.set("new", Rule(), actor="1")
            with pytest.raises(BackendError):
                flags.list()
            assert flags.on("new", "7"), "what was not committed does not count"
            assert logged(caplog, "flags.load_failed") == 1
        finally:
            back()
        until(lambda: logged(caplog, "flags.recovered") == 1)
        flags.set("new", Rule(), actor="1")
        assert not flags.on("new", "7")


@pytest.mark.fault
def test_it_starts_without_a_database(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Given a database that is away from the start, then the rules of settings stand until it is back."""
    url, away, back = house
    made(url)
    with DatabaseManager(url, timeouts=SHORT) as database, AuditLog(database) as audit:
        away()
        try:
            flags = Flags(database, audit=audit, rules={"new": {}, "gallery": {"percent": 100}}, max_age=0.05).open()
            assert (flags.on("new", "7"), flags.on("gallery", "7")) == (False, True)
            assert logged(caplog, "flags.load_failed") == 1
        finally:
            back()
        until(lambda: flags.on("new", "7"))
        flags.close()


@pytest.mark.fault
@pytest.mark.mysql
def test_a_server_that_hangs_holds_up_nobody(server: MariaDBServer) -> None:
    """Given a stopped server, when flags are asked, on an event loop too, then each answer is there at once."""
    url = server.create_database()
    made(url)
    with opened(url) as (_, flags):
        aio = flags.aio
        assert flags.on("new", "7")
        server.pause()
        try:
            time.sleep(0.2)  # a read has begun, and waits

            async def ask() -> float:
                began = time.monotonic()
                for _ in range(1000):
                    assert aio.on("new", "7")
                    assert aio.fixed("7").on("new")
                    if time.monotonic() - began > 1:
                        break
                return time.monotonic() - began

            assert asyncio.run(ask()) < 0.9, "the server's time-out is a second"
        finally:
            server.resume()
        until(lambda: flags.set("new", Rule(), actor="1") or not flags.on("new", "7"))


class Silent:
    """A database that answers when it may."""

    def __init__(self, database: DatabaseManager) -> None:
        self._database = database
        self.asked, self.may = threading.Event(), threading.Event()
        self.may.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def read(self) -> Iterator[Any]:
        """One more read."""
        self.asked.set()
        assert self.may.wait(5)
        with self._database.read() as tx:
            yield tx


def test_closing_does_not_wait_for_a_silent_server(tmp_path: Any) -> None:
    """Given a read that is not answered, when flags are closed, then that is over; the thread ends with its read."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    made(url)
    with DatabaseManager(url) as database, AuditLog(database) as audit:
        silent: Any = Silent(database)
        flags = Flags(silent, audit=audit, max_age=0.01).open()
        assert flags.on("new", "7")
        silent.may.clear()
        silent.asked.clear()
        assert silent.asked.wait(30)
        try:
            flags.close()
            running = [thread for thread in threading.enumerate() if thread.name == "postrmagic-flags"]
            assert running, "it has waited for the read"
        finally:
            silent.may.set()
        for thread in running:
            thread.join(30)
            assert not thread.is_alive()


def test_a_child_s_first_answer_does_not_give_way_to_its_thread(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a thread of the child's that is as quick as can be, then the first answer is of now all the same."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    made(url)
    with opened(url) as (database, flags):
        standing = flags._standing
        standing._forget()  # as in the child of a fork
        with Flags(database, audit=flags._audit) as other:
            other.set("new", Rule(), actor="1")
        monkeypatch.setattr(standing._errand, "ask", lambda: standing._loading.acquire())
        assert not flags.on("new", "7")


def fork_and_ask(url: str) -> None:
    """A process that opens flags, is told of a change by another, and asks in a child of its own."""
    with opened(url) as (database, flags):
        print(flags.on("new", "7"))  # noqa: T201 - the parent reads it
        flags._standing._errand.close()  # what is asked for the first time in the child is as old as the fork
        flags._standing._errand.open()
        with Flags(database, audit=flags._audit) as other:
            other.set("new", Rule(), actor="1")
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            return
        try:
            print(flags.on("new", "7"))  # noqa: T201 - the parent reads it
            with Flags(database, audit=flags._audit) as other:
                other.set("new", ON, actor="1")
            until(lambda: flags.on("new", "7"))
            print("kept up", flush=True)  # noqa: T201 - the parent reads it
        finally:
            os._exit(0)


@pytest.mark.fault
def test_a_forked_child_keeps_up(tmp_path: Any) -> None:
    """Given a process that forks, then its child's first answer is of now, and a thread of its own keeps up."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    made(url)
    with spawn(fork_and_ask, url) as child:
        assert [child.line() for _ in range(3)] == ["True", "False", "kept up"]


def keep_setting(url: str) -> None:
    """A process that sets a flag until it is killed."""
    with DatabaseManager(url) as database, AuditLog(database) as audit, Flags(database, audit=audit) as flags:
        for n in range(1, 100_000):
            flags.set("new", Rule(percent=n % 100), actor="1")
            print(n, flush=True)  # noqa: T201 - the parent reads it


@pytest.mark.fault
def test_a_killed_process_leaves_no_half_a_change(tmp_path: Any) -> None:
    """Given a process that is killed while it sets a flag, then its last rule is the one that was last noted."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    made(url)
    for lines in (1, 7, 13):
        with spawn(keep_setting, url) as child:
            for _ in range(lines):
                child.line()
            child.kill()
        with DatabaseManager(url) as database, AuditLog(database) as audit, Flags(database, audit=audit) as flags:
            assert flags.list()[0].rule.as_json() == audit.find(limit=1)[0].detail["new"]
