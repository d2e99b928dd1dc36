"""The row that keeps files where they are while a backup goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from postrmagic_core._clock import SystemClock
from postrmagic_core.backups.holding import LASTS, holding, holds
from postrmagic_core.backups.tables import runs
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendUnavailable, BackupFailed
from postrmagic_core.testing.clock import FakeClock
from tests.backups.site import Site
from tests.copies import packaged


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DatabaseManager]:
    """With the package's tables."""
    packaged(f"sqlite:///{tmp_path}/app.db")
    with DatabaseManager(f"sqlite:///{tmp_path}/app.db") as database:
        yield database


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told."""
    return FakeClock()


def held(database: DatabaseManager, clock: FakeClock) -> bool:
    """What who removes files is told now."""
    with database.read(snapshot=True) as tx:
        return holds(tx, clock.now_us())


def outcomes(database: DatabaseManager) -> list[str | None]:
    """How the backups ended, in their order."""
    return [row.outcome for row in database.rows(select(runs).order_by(runs.c.began_us, runs.c.id))]


def test_files_are_held_while_it_lasts(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a hold, when it has ended, then files may be removed again, and the row says how it ended."""
    assert not held(database, clock)
    with holding(database, clock) as hold:
        assert held(database, clock)
        hold.end("done", backup="a", size=7, detail={"rows": 3})
    assert not held(database, clock)
    (row,) = database.rows(select(runs))
    assert (row.kind, row.outcome, row.backup, row.size, row.detail) == ("backup", "done", "a", 7, b'{"rows": 3}')


def test_an_error_ends_it_as_failed(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a hold, when its block raises, then it has failed and holds nothing."""
    with pytest.raises(BackupFailed), holding(database, clock):
        raise BackupFailed("the disk went")
    assert not held(database, clock)
    (row,) = database.rows(select(runs))
    assert row.outcome == "failed"
    assert row.detail == b'{"error": "BackupFailed: the disk went"}'


def test_a_second_is_refused(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a backup under way, when another begins, then it is refused, and told since when that goes on."""
    with (
        holding(database, clock),
        pytest.raises(BackupFailed, match="under way since 2026-01-01 00:00:00 UTC"),
        holding(database, clock),
    ):
        pass  # pragma: no cover - refused
    assert outcomes(database) == ["failed"]


def test_of_many_at_once_one_begins(database: DatabaseManager, clock: FakeClock) -> None:
    """Given eight that begin together, when they have, then one holds and seven are refused."""
    begun, refused, done = [], [], threading.Event()
    ready = threading.Barrier(8)

    def begin() -> None:
        ready.wait()
        try:
            with holding(database, clock) as hold:
                begun.append(hold.id)
                done.wait(30)
        except BackupFailed:
            refused.append(1)
        if len(refused) == 7:
            done.set()

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(begun), len(refused)) == (1, 7)


def test_a_killed_one_holds_no_longer_than_its_time(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a backup that was killed, when its time is over, then files may go and another begins."""
    until = clock.now_us() + int(LASTS * 1e6)
    row = {"id": "x", "kind": "backup", "began_us": clock.now_us(), "until_us": until, "detail": b"{}"}
    with database.write() as tx:
        tx.execute(runs.insert().values(row))
    clock.advance(LASTS - 1)
    assert held(database, clock)
    clock.advance(1)
    assert not held(database, clock)
    with holding(database, clock) as hold:
        hold.end("done")
    assert outcomes(database) == ["failed", "done"]


def test_it_is_renewed(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a hold that is renewed, when more than its time has passed, then it still holds and is good."""
    with holding(database, clock, every=0.005) as hold:
        for _ in range(5):
            clock.advance(LASTS / 2)
            _wait_for(database, clock)
        hold.check()
        hold.confirm()


def _wait_for(database: DatabaseManager, clock: FakeClock) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (row,) = database.rows(select(runs.c.until_us))
        if row.until_us >= clock.now_us() + int(LASTS * 1e6):
            return
        time.sleep(0.005)
    raise AssertionError("the hold was not renewed")


def test_one_that_lapsed_is_never_good_again(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a hold whose time was over, when it is asked, then it has failed: files may have gone meanwhile."""
    with holding(database, clock) as hold:
        clock.advance(LASTS)
        with pytest.raises(BackupFailed, match="files may have been removed"):
            hold.confirm()
    assert outcomes(database) == ["failed"]


def test_a_renewal_that_came_too_late_does_not_count(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a hold that lapsed in the database alone, when it is confirmed, then it has failed."""
    with holding(database, clock) as hold:
        with database.write() as tx:
            tx.execute(runs.update().values(until_us=clock.now_us()))
        with pytest.raises(BackupFailed):
            hold.confirm()


def test_a_commit_that_waited_too_long_does_not_count(database: DatabaseManager, clock: FakeClock) -> None:
    """Given a renewal whose commit waited until the old time was over, when it is done, then the hold has lapsed."""
    database.on_write(lambda tx: clock.advance(LASTS) if slow else None)
    slow: list[int] = []
    with holding(database, clock) as hold:
        slow.append(1)
        with pytest.raises(BackupFailed):
            hold.confirm()


def test_a_database_that_is_away_for_a_while_does_no_harm(
    database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a database that does not answer twice, when the hold is confirmed, then it is asked again, and is good."""
    with holding(database, clock) as hold:
        real, failures = hold._renew, [BackendUnavailable("away"), BackendUnavailable("away")]

        def renew() -> None:
            if failures:
                raise failures.pop()
            real()

        monkeypatch.setattr(hold, "_renew", renew)
        hold.confirm()


def test_a_database_that_stays_away_ends_it(
    database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a database that does not answer any more, when the hold's time is over, then the backup has failed."""

    def away() -> None:
        raise BackendUnavailable("away")

    with holding(database, clock) as hold:
        monkeypatch.setattr(hold, "_renew", away)
        with pytest.raises(BackupFailed):
            hold.confirm()


def test_a_database_without_the_tables_is_told(tmp_path: Path) -> None:
    """Given a database that was never migrated, when a backup begins, then it says what to do."""
    with (
        DatabaseManager(f"sqlite:///{tmp_path}/empty.db") as database,
        pytest.raises(BackupFailed, match="postrmagic db upgrade"),
        holding(database, SystemClock()),
    ):
        pass  # pragma: no cover - refused


def test_what_is_very_old_is_forgotten(database: DatabaseManager, clock: FakeClock) -> None:
    """Given rows of two years, when a backup begins, then those beyond 400 days are gone."""
    for _ in range(4):
        with holding(database, clock) as hold:
            hold.end("done")
        clock.advance(200 * 86_400)
    with holding(database, clock) as hold:
        hold.end("done")
    assert len(outcomes(database)) == 3


def test_its_thread_ends_with_it(tmp_path: Path) -> None:
    """Given a backup, when it is taken, then no thread of the hold is left."""
    Site(tmp_path).made().take()
    assert "postrmagic-backup-hold" not in {thread.name for thread in threading.enumerate()}
