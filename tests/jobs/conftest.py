"""A database, a broker and a queue over them: embedded, on MariaDB, and with Redis as the broker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobHandle, JobQueue
from postrmagic_core.jobs.interface import ENDED
from postrmagic_core.jobs.worker import Worker
from postrmagic_core.testing import until
from postrmagic_core.testing.faults import VARIABLE
from postrmagic_core.testing.servers import MariaDBServer

# A test whose guard is taken away is to fail anyway.
PATIENCE = 10.0 if VARIABLE in os.environ else 20.0

metadata = MetaData()
effects = Table("effects", metadata, Column("id", Integer, primary_key=True), Column("value", String(64)))

PACKAGE_TABLES = [
    "pm_jobs",
    "pm_job_keys",
    "pm_workers",
    "pm_schedules",
    "pm_outbox",
    "pm_once",
    "pm_events",
    "pm_event_deliveries",
]


def migrate(url: str) -> None:
    """Make the package's tables and the application's one."""
    with DatabaseManager(url) as db:
        db.upgrade()
        metadata.create_all(db.backend.engine("write"))


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "app.db"
    migrate(f"sqlite:///{path}")
    with DatabaseManager(f"sqlite:///{path}") as db, db.backend.engine("write").connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    return path


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb_server: MariaDBServer) -> Iterator[str]:
    """A migrated database, to be emptied before each test."""
    url = mariadb_server.create_database()
    migrate(url)
    yield url
    mariadb_server.drop_database(url)


@pytest.hookimpl(tryfirst=True)  # before what is marked so is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to the long run what a class of tests has that is not of the promises it names as ``brief``."""
    for item in items:
        brief = getattr(getattr(item, "cls", None), "brief", None)
        if brief is not None and not any(hasattr(promises, item.name.partition("[")[0]) for promises in brief):
            item.add_marker(pytest.mark.soak)


@dataclass(frozen=True)
class Place:
    """Where a test runs: URLs that a child process can be given."""

    database_url: str
    broker_url: str


@pytest.fixture
def sqlite_place(migrated_sqlite: Path, tmp_path: Path) -> Place:
    """A database file of this test's own."""
    shutil.copy(migrated_sqlite, tmp_path / "app.db")
    url = f"sqlite:///{tmp_path / 'app.db'}"
    return Place(url, url)


@pytest.fixture
def mariadb_place(migrated_mariadb: str) -> Place:
    """The run's MariaDB database, emptied."""
    with DatabaseManager(migrated_mariadb) as db, db.write() as tx:
        for name in [*PACKAGE_TABLES, "effects"]:
            tx.execute(delete(Table(name, MetaData())))
    return Place(migrated_mariadb, migrated_mariadb)


@pytest.fixture
def redis_place(sqlite_place: Place, redis_url: str) -> Place:
    """SQLite as the database, Redis as the broker."""
    # What is promised does not depend on it here: no test of these kills the server.
    return Place(sqlite_place.database_url, f"{redis_url}?durability=none")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    """Each combination of database and broker in turn."""
    # Indirect parameters name the place too: @pytest.mark.parametrize("place", ["sqlite"], indirect=True).
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


class Rig:
    """An open database and queue, with the relay where the broker needs it."""

    def __init__(self, stack: ExitStack, place: Place, **options: Any) -> None:
        self.place = place
        self._stack = stack
        self.db = stack.enter_context(DatabaseManager(place.database_url))
        self.services: dict[str, object] = {}
        self.jobs = stack.enter_context(JobQueue(place.broker_url, database=self.db, services=self.services, **options))
        if place.broker_url != place.database_url:
            relay = self.db.relay({"jobs": self.jobs.deliver})
            stack.callback(relay.stop)
            relay.start()

    def work(self, threads: int = 2, **options: Any) -> Worker:
        """Open a worker here until the test ends."""
        return self._stack.enter_context(self.jobs.worker(threads=threads, **options))

    def effect(self, tx: Any, value: str) -> None:
        """Do what the application does."""
        tx.execute(insert(effects).values(value=value))

    def effects(self) -> list[str]:
        """What the application did, in order."""
        with self.db.read() as tx:
            return list(tx.scalars(select(effects.c.value).order_by(effects.c.id)))

    def state(self, job_id: str) -> str:
        """The job's state, with the reason where that says more."""
        status = self.jobs.status(job_id)
        assert status is not None
        return status.state if status.reason in (None, status.state) else f"{status.state}: {status.reason}"

    def until(self, holds: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until ``holds()``; fail after ``timeout`` seconds."""
        until(holds, timeout=timeout)

    def result(self, job: JobHandle) -> Any:
        """What a job returned that a unit enqueued: outside the broker's database it is known a moment later."""
        self.until(lambda: job.status() is not None)
        return job.result()

    def ends(self, job_id: str, timeout: float = PATIENCE) -> str:
        """Wait for the job's end; its state."""
        self.until(lambda: self.state(job_id).partition(":")[0] in ENDED, timeout)
        return self.state(job_id)


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    """A factory: ``make_rig(place, lease=1.0)``; everything is closed after the test."""
    with ExitStack() as stack:
        yield lambda place, **options: Rig(stack, place, **options)


@pytest.fixture
def rig(make_rig: Callable[..., Rig], place: Place) -> Rig:
    """A rig in each place in turn."""
    return make_rig(place)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def sql_rig(request: pytest.FixtureRequest, make_rig: Callable[..., Rig]) -> Rig:
    """A rig on each database in turn, where the test looks into the rows."""
    return make_rig(request.getfixturevalue(f"{request.param}_place"))


@pytest.fixture
def sqlite_rig(make_rig: Callable[..., Rig], sqlite_place: Place) -> Rig:
    """A rig on SQLite, for what does not depend on the place."""
    return make_rig(sqlite_place)
