"""A database with jobs and events over it, wired as a Stack wires them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.database import DatabaseManager
from postrmagic_core.events import EventManager
from postrmagic_core.events.durable import DELIVERY_TASK
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.testing import until
from tests.copies import copied

metadata = MetaData()
effects = Table("effects", metadata, Column("id", Integer, primary_key=True), Column("value", String(64)))
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


def _make_tables(database: DatabaseManager) -> None:
    database.upgrade()
    metadata.create_all(database.backend.engine("write"))


class Rig:
    """An open database, queue and events; the relay delivers when told, or in its thread."""

    def __init__(self, stack: ExitStack, url: str) -> None:
        self._stack = stack
        self.url = url
        copied(url, "effects", _make_tables)
        self.db = stack.enter_context(DatabaseManager(url))
        self.services: dict[str, object] = {}
        self.jobs = stack.enter_context(JobQueue(url, database=self.db, services=self.services, lease=1.0))
        self.events = stack.enter_context(EventManager(database=self.db, jobs=self.jobs, services=self.services))
        self.jobs.include(task(name=DELIVERY_TASK, retries=5, backoff=QUICK)(self.events.run_delivery))
        self.relay = self.db.relay({"events": self.events.deliver})
        stack.callback(self.relay.stop)

    def work(self, threads: int = 2, **options: Any) -> None:
        """Run the relay and a worker (with ``options``) here until the test ends."""
        self.relay.start()
        self._stack.enter_context(self.jobs.worker(threads=threads, **options))

    def effect(self, tx: Any, value: str) -> None:
        """Do what the application does."""
        tx.execute(insert(effects).values(value=value))

    def effects(self) -> list[str]:
        """What the application did, in order."""
        with self.db.read() as tx:
            return list(tx.scalars(select(effects.c.value).order_by(effects.c.id)))

    def until(self, holds: Callable[[], object], timeout: float = 20.0) -> None:
        """Wait until ``holds()``; fail after ``timeout`` seconds."""
        until(holds, timeout=timeout)

    def delivered(self, event_id: str) -> dict[str, bool]:
        """Which listeners the event went to, and whether they are done."""
        record = self.events.record(event_id)
        return {} if record is None else {each.listener: each.done_at is not None for each in record.deliveries}

    def all_done(self, event_id: str) -> bool:
        """Whether the event was fanned out and every listener is done."""
        found = self.delivered(event_id)
        return bool(found) and all(found.values())


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    return str(request.getfixturevalue("mariadb_url"))


@pytest.fixture
def make_rig() -> Iterator[Callable[[str], Rig]]:
    """A factory: everything is closed after the test."""
    with ExitStack() as stack:
        yield lambda url: Rig(stack, url)


@pytest.fixture
def rig(make_rig: Callable[[str], Rig], url: str) -> Rig:
    """A rig on each database in turn."""
    return make_rig(url)


@pytest.fixture
def sqlite_rig(make_rig: Callable[[str], Rig], tmp_path: Path) -> Rig:
    """A rig on SQLite, for what does not depend on the database."""
    return make_rig(f"sqlite:///{tmp_path / 'app.db'}")
