"""`postrmagic doctor` on tables: their revision, what waits in them and for whom, and the backups."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, text

from postrmagic_core.backups.tables import runs
from postrmagic_core.cli.diagnosis import backups
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.migrating.interface import PACKAGE_TABLE, RESTORE_TABLE
from postrmagic_core.database.tables import outbox
from postrmagic_core.jobs import tables
from postrmagic_core.settings import Settings
from tests.cli.doctoring import KEY, Patient, named
from tests.databases import create_tables

HOUR = 3600 * 10**6
DAY = 24 * HOUR

Put = Callable[..., None]


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """Who is looked at."""
    return Patient(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as this release makes it, closed."""
    path = tmp_path_factory.mktemp("migrated") / "app.db"
    with DatabaseManager(f"sqlite:///{path}") as database:
        database.upgrade()
    return path


@pytest.fixture
def put(patient: Patient, migrated: Path) -> Iterator[Put]:
    """Puts a row into a table of this application's database: ``put(outbox, topic="mail")``."""
    (patient.directory / "var").mkdir()
    shutil.copy(migrated, patient.directory / "var" / "app.db")
    with DatabaseManager(f"sqlite:///{patient.directory / 'var' / 'app.db'}") as database:

        def put_row(table: Table, **row: Any) -> None:
            with database.write() as tx:
                tx.execute(insert(table).values({**FILLED[table.name], **row}))

        yield put_row


def now_us() -> int:
    """This moment, as rows have it."""
    return time.time_ns() // 1000


FILLED: dict[str, dict[str, Any]] = {
    "pm_outbox": {"topic": "mail", "payload": b"", "created_us": 0, "due_us": 0, "attempts": 0, "dead": 0},
    "pm_jobs": {
        **dict.fromkeys(["priority", "retries", "deliveries", "fence", "cancelling", "keep_us", "created_us"], 0),
        "id": "1",
        "queue": "default",
        "task": "one",
        "payload": b"",
        "headers": b"",
        "due_us": 0,
    },
    "pm_workers": {
        "id": "1",
        "host": "h",
        "pid": 1,
        "queues": "default,mail",
        "threads": 4,
        "running": 0,
        "rss": 0,
        "started_us": 0,
        "seen_us": 0,
    },
    "pm_schedules": {"name": "nightly", "spec": "0 3 * * *", "zone": "UTC", "next_us": 0, "paused": 0},
    "pm_backup_runs": {"id": "1", "kind": "backup", "until_us": 0, "ended_us": 1, "outcome": "done", "detail": b""},
}


@pytest.fixture
def production(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where users are."""
    monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production")
    monkeypatch.setenv("POSTRMAGIC_SECURITY__KEYS", f'["{KEY}"]')


def test_tables_of_this_release_are_well(patient: Patient, put: Put, production: None) -> None:
    """And nothing waits in them."""
    found = patient.found("schema", "work", "files")
    assert named(found, "problem") == named(found, "advice") == named(found, "unknown") == ""
    assert re.search("the package's tables are at .*, the newest", named(found, "ok"))
    assert "nothing waits in the outbox" in named(found)


def test_tables_that_are_missing_or_old_or_new(patient: Patient, put: Put, production: None) -> None:
    """Before a release they are run; what is newer needs another release; a restore that was cut is told."""
    path = patient.directory / "var" / "app.db"

    def at(revision: str | None) -> str:
        with DatabaseManager(f"sqlite:///{path}") as database, database.write() as tx:
            tx.execute(text(f"DELETE FROM {PACKAGE_TABLE}"))
            if revision:
                tx.execute(text(f"INSERT INTO {PACKAGE_TABLE} VALUES (:at)"), {"at": revision})
        return named(patient.found("schema"), "problem")

    assert "postrmagic db upgrade" in at(None)
    assert "newer than this code: revision from_the_future" in at("from_the_future")
    with DatabaseManager(f"sqlite:///{path}") as database, database.write() as tx:
        tx.execute(text(f"CREATE TABLE {RESTORE_TABLE} (id INT)"))
    assert "a backup is being restored" in named(patient.found("schema"), "problem")
    for name in patient.directory.glob("var/app.db*"):
        name.unlink()
    assert "there are no tables yet → postrmagic db upgrade" in named(patient.found("schema"), "problem")
    assert not list(patient.directory.glob("var/*"))


def test_migrations_of_the_application(patient: Patient, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not there is a problem; one with a revision that was not run, too, once there are tables."""
    monkeypatch.setenv("POSTRMAGIC_DATABASE__MIGRATIONS", "migrations")
    assert "there are no migrations at migrations/versions" in named(patient.found("schema"), "problem")
    versions = patient.directory / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "one.py").write_text('revision = "one"\ndown_revision = None\n')
    monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production")
    assert "the application's tables are at revision none" in named(patient.found("schema"), "problem")


def test_outbox_rows_that_nobody_forwards(patient: Patient, put: Put) -> None:
    """Old ones are a problem, dead ones advice, new ones nothing."""
    put(outbox, created_us=now_us())
    assert {one.state for one in patient.found("work")} == {"ok"}
    put(outbox, created_us=now_us() - HOUR, topic="events")
    put(outbox, created_us=now_us() - HOUR, dead=1)
    found = patient.found("work")
    assert "outbox rows of events that wait: 1" in named(found, "problem")
    assert "outbox rows of mail that were given up: 1 → `postrmagic outbox list --state dead --topic mail" in named(
        found, "advice"
    )


def test_jobs_that_nobody_does(patient: Patient, put: Put) -> None:
    """Due ones of a queue without a worker are a problem; with one they may be late; dead letters are advice."""
    put(tables.jobs, state="queued", due_us=now_us(), id="new", queue="mail")
    assert named(patient.found("work"), "problem") == ""
    put(tables.jobs, state="queued", due_us=now_us() - HOUR)
    put(tables.jobs, state="dead", id="2", queue="mail")
    found = patient.found("work")
    assert "jobs of the queue default that are due: 1, the oldest for 1h; no worker" in named(found, "problem")
    assert "jobs of the queue mail that were given up: 1" in named(found, "advice")
    put(tables.workers, seen_us=now_us())
    found = patient.found("work")
    assert named(found, "problem") == ""
    assert "workers do not keep up" in named(found, "advice")
    assert "workers that tell of themselves: 1" in named(found, "ok")


def test_schedules_that_nobody_fires(patient: Patient, put: Put) -> None:
    """One that is paused, or to come, is on time."""
    put(tables.schedules, name="paused", next_us=now_us() - HOUR, paused=1)
    put(tables.schedules, name="to come", next_us=now_us() + HOUR)
    assert "on time, all of 2" in named(patient.found("work"), "ok")
    put(tables.schedules, next_us=now_us() - HOUR)
    assert "schedules are late: nightly" in named(patient.found("work"), "problem")


def test_jobs_in_a_database_of_their_own(patient: Patient, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read, and where it is not there it is not made."""
    other = patient.directory / "jobs.db"
    monkeypatch.setenv("POSTRMAGIC_JOBS__URL", f"sqlite:///{other}")
    assert named(patient.found("work"), "problem") == ""
    assert not other.exists()
    shutil.copy(patient.directory / "var" / "app.db", other)
    put(tables.jobs, state="queued")  # elsewhere
    assert named(patient.found("work"), "problem") == ""
    with DatabaseManager(f"sqlite:///{other}") as database, database.write() as tx:
        tx.execute(insert(tables.jobs).values({**FILLED["pm_jobs"], "state": "queued"}))
    assert "that are due: 1" in named(patient.found("work"), "problem")


@pytest.mark.mysql
def test_work_on_a_server(patient: Patient, mariadb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is told, and nothing is written: its tables are of today, its rows as they were."""
    with DatabaseManager(mariadb_url) as database:
        create_tables(database, [outbox, tables.jobs, tables.workers, tables.schedules, runs])
        with database.write() as tx:
            tx.execute(insert(outbox).values({**FILLED["pm_outbox"], "created_us": now_us() - HOUR}))
            tx.execute(insert(tables.jobs).values({**FILLED["pm_jobs"], "state": "queued"}))
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", mariadb_url)
    found = patient.found("work", "schema")
    wrong = named(found, "problem")
    assert "outbox rows of mail that wait" in wrong
    assert "jobs of the queue default that are due" in wrong
    assert named(found, "unknown") == ""


@pytest.mark.redis
def test_jobs_on_redis(patient: Patient, put: Put, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their numbers are asked of the server; where it is away, what the database says is told all the same."""
    import redis

    monkeypatch.setenv("POSTRMAGIC_JOBS__URL", redis_url)
    put(outbox, created_us=now_us() - HOUR)
    found = patient.found("work")
    assert "outbox rows of mail that wait" in named(found, "problem")
    assert named(found, "unknown") == ""
    with closing(redis.Redis.from_url(redis_url)) as raw:
        assert raw.dbsize() == 0
    monkeypatch.setenv("POSTRMAGIC_JOBS__URL", "redis://127.0.0.1:1/0")
    found = patient.found("work")
    assert "outbox rows of mail that wait" in named(found, "problem")
    assert "cannot be asked for" in named(found, "unknown")


def test_backups_are_expected_in_production(patient: Patient, put: Put, production: None) -> None:
    """None, none by schedule, none tried, none of its own key, on the same disk: each is told."""
    better = named(patient.found("backups"), "advice")
    for word in (
        "no worker takes backups",
        "no worker tries",
        "keys of their own",
        "on the disk that",
        "was ever taken",
    ):
        assert word in better
    put(runs, began_us=now_us() - HOUR)
    put(runs, id="2", kind="drill", began_us=now_us() - DAY)
    found = patient.found("backups")
    assert "the newest backup is 1h old" in named(found, "ok")
    assert "restored for a trial 1d ago" in named(found, "ok")


def test_backups_that_ended(patient: Patient, put: Put, production: None) -> None:
    """The newest is days old, and others failed since; so did a drill."""
    put(runs, began_us=now_us() - 3 * DAY)
    put(runs, id="2", began_us=now_us() - DAY, outcome="failed")
    put(runs, id="3", kind="drill", began_us=now_us() - DAY, outcome="failed")
    wrong = named(patient.found("backups"), "problem")
    for word in (
        "newest backup is 3d old",
        "backups that failed since: 1",
        "drills that failed since one went well: 1",
    ):
        assert word in wrong


def test_backups_elsewhere_under_their_own_key() -> None:
    """By schedule, on another disk: nothing is said."""
    room = {"url": "file:///mnt/backups", "keys": [KEY], "schedule": "0 3 * * *", "drill_schedule": "0 5 * * 0"}
    assert list(backups.meant(Settings(backups=room, database={"url": "mysql://app@db/app"}))) == []


def test_nobody_is_told_of_alerts(patient: Patient, production: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In production; with a webhook, whether it is signed."""
    assert "nobody is told" in named(patient.found("alerts"), "advice")
    monkeypatch.setenv("POSTRMAGIC_OBSERVABILITY__CHANNELS", '{"pager": "webhook+https://pager.example.org/x"}')
    assert "webhooks are not signed" in named(patient.found("alerts"), "advice")
    monkeypatch.setenv("POSTRMAGIC_OBSERVABILITY__WEBHOOK_SECRET", KEY)
    assert {one.state for one in patient.found("alerts")} == {"ok"}
    monkeypatch.setenv("POSTRMAGIC_OBSERVABILITY__WATCH", "false")
    assert "does not watch" in named(patient.found("alerts"), "advice")
