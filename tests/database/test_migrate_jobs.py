"""Jobs of before priorities, unique keys and six more states: upgraded, each is what it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import column as named
from sqlalchemy import insert, inspect, select, table, text

from postrmagic_core._codec import encode
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.migrating.migrator import Migrator
from postrmagic_core.jobs import JobContext, JobQueue, task
from postrmagic_core.jobs.interface import DEAD
from postrmagic_core.jobs.tables import jobs as rows
from tests.copies import copied

Open = Callable[..., DatabaseManager]

DAY_US = 86_400_000_000
OLD = (
    *("id", "queue", "task", "state", "due_us", "retries", "deliveries", "fence", "lease_owner", "payload"),
    *("result", "reason", "error", "fingerprint", "created_us", "started_us", "ended_us"),
)
jobs = table("pm_jobs", *map(named, OLD))


@task(name="old")
def old(ctx: JobContext, number: int) -> int:
    return number


def row(job_id: str, state: str, **columns: Any) -> dict[str, Any]:
    now = time.time_ns() // 1000
    ended = now - 1_000_000 if state in ("done", "dead") else None
    due = None if ended else now - 1_000_000
    fixed = {
        "queue": "default",
        "task": "old",
        "retries": 3,
        "payload": old.call(7).payload,
        "created_us": now - DAY_US,
    }
    blank = dict.fromkeys(OLD) | {"deliveries": 0, "fence": 0, "due_us": due, "ended_us": ended}
    return blank | fixed | {"id": job_id, "state": state} | columns


def made_before(database: DatabaseManager) -> None:
    """What the revision before left."""
    database.upgrade()
    Migrator(database.backend, None).downgrade("0040", package=True)


def before(url: str, open_database: Open, *rows: dict[str, Any]) -> DatabaseManager:
    """A database as the revision before left it, with ``rows`` in it."""
    copied(url, "0040", made_before)
    database = open_database()
    if rows:
        with database.write() as tx:
            tx.execute(insert(jobs), list(rows))
    return database


def test_the_tables_of_before_come_back_where_no_job_is(open_database: Open, database_url: str) -> None:
    """Columns, index and all; and the way up again."""
    database = before(database_url, open_database)
    with database.read() as tx:
        found = inspect(tx.connection)
        assert {each["name"] for each in found.get_columns("pm_jobs")} == set(OLD)
        assert {each["name"]: each["column_names"] for each in found.get_indexes("pm_jobs")} == {
            "ix_pm_jobs_due": ["queue", "due_us"],
            "ix_pm_jobs_state": ["state", "queue", "due_us"],
        }
        assert {each["name"] for each in found.get_columns("pm_workers")} == {"id", "host", "port", "seen_us"}
        assert not {"pm_job_keys", "pm_jobs_before"} & set(found.get_table_names())
    database.upgrade()
    assert database.schema_current()


def test_every_job_is_taken_over_in_its_state(open_database: Open, database_url: str) -> None:
    """Waiting, tried again, running, done, failed and poisoned ones, with what is known of them."""
    later = time.time_ns() // 1000 + DAY_US
    failed = {"reason": "failed", "error": "builtins.ValueError", "fingerprint": "0123456789abcdef", "deliveries": 4}
    database = before(
        database_url,
        open_database,
        row("waits", "waiting", due_us=later),
        row("again", "waiting", due_us=later, deliveries=2, fence=2, error="builtins.OSError"),
        row("runs", "running", due_us=later, deliveries=1, fence=1, lease_owner="worker-1", started_us=later - DAY_US),
        row("done", "done", deliveries=1, fence=1, result=encode("seven"), started_us=later - DAY_US),
        row("failed", "dead", fence=4, started_us=later - DAY_US, **failed),
        row("poison", "dead", fence=4, deliveries=4, reason="poison"),
    )
    database.upgrade()
    with JobQueue(database_url, database=database) as queue:
        found = {
            status.id: status
            for status in map(queue.status, ("waits", "again", "runs", "done", "failed", "poison"))
            if status
        }
        assert {name: status.state for name, status in found.items()} == {
            "waits": "queued",
            "again": "retrying",
            "runs": "running",
            "done": "succeeded",
            "failed": "failed",
            "poison": "dead",
        }
        assert {status.priority for status in found.values()} == {"normal"}
        assert [found[name].attempts for name in ("waits", "again", "runs", "done", "failed")] == [0, 2, 1, 1, 4]
        assert found["runs"].worker == "worker-1"
        assert found["again"].error == "builtins.OSError"
        letter = found["failed"]
        assert (letter.reason, letter.error, letter.fingerprint) == tuple(failed.values())[:3]
        assert found["poison"].reason == "poison"
        assert {status.id for status in queue.find(DEAD)} == {"failed", "poison"}
        assert queue.result("done") == "seven"
        record = queue.record("waits")
        assert record is not None
        assert (record.payload, record.headers) == (old.call(7).payload, b"")


def test_what_was_taken_over_goes_on(open_database: Open, database_url: str) -> None:
    """Waiting jobs run, one whose worker is gone is delivered again, dead letters can be replayed, done ones go."""
    database = before(
        database_url,
        open_database,
        row("waits", "waiting"),
        row("gone", "running", deliveries=1, fence=1, lease_owner="worker-1"),
        row("dead", "dead", reason="failed", deliveries=4, fence=4),
        row("done", "done", deliveries=1, fence=1, ended_us=time.time_ns() // 1000 - 2 * DAY_US),
    )
    database.upgrade()
    with JobQueue(database_url, database=database) as queue:
        queue.include(old)
        with queue.worker(threads=1):
            assert [queue.result(job_id) for job_id in ("waits", "gone")] == [7, 7]
            assert queue.replay(everything=True) == 1
            assert queue.result("dead") == 7
            statuses = [queue.status(job_id) for job_id in ("waits", "gone", "dead")]
            assert [status.attempts for status in statuses if status] == [1, 2, 1]
        queue.adapter.sweep()  # type: ignore[attr-defined]  # rows have upkeep
        assert queue.status("done") is None


def test_a_kill_while_the_rows_are_taken_over_neither_loses_nor_doubles_one(
    open_database: Open, database_url: str
) -> None:
    """Run again, the revision finds what it has copied: nothing, a part, or all."""
    database = before(database_url, open_database, row("one", "waiting"), row("two", "waiting"))
    migrator = Migrator(database.backend, None)
    for done in (set[str](), {"one"}, {"one", "two"}):
        migrator.upgrade()
        # Back to where a killed migration may have stood: the old rows put aside, some of them copied.
        migrator.downgrade("0047", package=True)
        with database.write() as tx:
            aside = [row("one", "waiting"), row("two", "waiting")]
            tx.execute(insert(table("pm_jobs_before", *map(named, OLD))), aside)
            for job_id in {"one", "two"} - done:
                tx.execute(text("DELETE FROM pm_jobs WHERE id = :id"), {"id": job_id})
            tx.execute(text("UPDATE pm_alembic_version SET version_num = '0046'"))
        migrator.upgrade()
        with database.read() as tx:
            assert sorted(tx.execute(select(rows.c.id)).scalars()) == ["one", "two"]
