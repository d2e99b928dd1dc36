"""A release begins when it is first seen or marked; who marks it twice is told so."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from postrmagic_core._metrics import Metrics
from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.errors import ErrorTracker
from postrmagic_core.observability.releases import Marked, Releases
from postrmagic_core.observability.tables import releases as table
from postrmagic_core.testing import FakeClock
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here
from tests.observability.errors.conftest import make_tables


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()


@pytest.fixture
def database(database_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """A database with the table of releases, of each kind."""
    with DatabaseManager(database_url) as manager:
        with manager.write() as tx:
            table.create(tx.connection)
        yield manager


@pytest.fixture
def releases(database: DatabaseManager, clock: FakeClock) -> Releases:
    """The releases."""
    return Releases(database, clock=clock)


def test_a_mark_is_kept_logged_and_made_once(
    releases: Releases, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A second one changes nothing, and says so."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    first = releases.mark("1.0", "the first", by="ann")
    clock.advance(60)
    again = releases.mark("1.0", "another", by="bob")
    assert (first.changed, again.changed) == (True, False)
    assert first.release == again.release
    assert (again.release.note, again.release.marked_by, again.release.first_seen_at) == ("the first", "ann", None)
    [record] = [record for record in caplog.records if record.message == "release marked"]
    assert record.__dict__["marked_release"] == "1.0"


def test_a_release_begins_when_it_is_first_seen_or_marked(releases: Releases, clock: FakeClock) -> None:
    """Whichever comes first: the order of beginnings is that of versions."""
    assert releases.current() is None
    seen_first = clock.now
    releases.note("1.0")
    clock.advance(60)
    releases.mark("2.0")
    clock.advance(60)
    marked = releases.mark("1.0", by="ann").release
    releases.note("2.0")
    assert (marked.began_at, marked.first_seen_at, marked.marked_at) == (seen_first, seen_first, clock.now)
    newest = releases.current()
    assert newest is not None
    assert (newest.version, newest.first_seen_at) == ("2.0", clock.now)
    clock.advance(60)
    releases.note("2.0")
    assert [one.version for one in releases.find()] == ["2.0", "1.0"]
    assert releases.find(1) == [newest]


def test_a_database_that_is_busy_or_away_keeps_no_process_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A note is tried once, and told; the first errors that are written bring it along."""
    file = tmp_path / "app.db"
    with DatabaseManager(f"sqlite:///{file}", timeouts=Timeouts(lock=1.0)) as database:
        make_tables(database)
        releases = Releases(database)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            releases.note("1.0")
            assert time.monotonic() - began < 2.5, "one try"
        assert releases.find() == []
        with ErrorTracker(database, release="1.0") as tracker:
            tracker({"event": "x"}, None)
            assert tracker.flush()
        assert [one.version for one in releases.find()] == ["1.0"]
    with DatabaseManager(f"sqlite:///{tmp_path}") as away:  # a directory cannot be opened
        Releases(away).note("1.1")
    told = [(record.levelno, record.message) for record in caplog.records if "cannot be noted" in record.message]
    assert [level for level, _ in told] == [logging.WARNING] * 2
    assert "Conflict" in told[0][1]


def test_of_marks_at_once_one_is_made(releases: Releases) -> None:
    """By processes that start together, too: each notes what it is."""
    made: list[Marked] = []
    threads = [threading.Thread(target=lambda: made.append(releases.mark("1.0"))) for _ in range(6)]
    threads += [threading.Thread(target=releases.note, args=["1.0"]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(one.changed for one in made) == [False] * 5 + [True]
    assert len(releases.find()) == 1


@pytest.mark.parametrize("version", ["", "x" * 65, "1 0", "1/0", "\n", "1.0\n", "é"])
def test_what_is_no_version_is_refused(releases: Releases, version: str) -> None:
    """It stands in logs, labels and headers."""
    for call in (releases.mark, releases.note):
        with pytest.raises(ValueError, match="expected as a version"):
            call(version)
    assert releases.find() == []


def test_a_long_note_is_cut(releases: Releases) -> None:
    """As is a long name; neither is refused for it."""
    found = releases.mark("1.0", "ü" * 5000, by="\ud800" * 500).release
    assert found.note == "ü" * 500
    assert found.marked_by == "?" * 190


def test_the_gauge_tells_when_the_release_was_marked(
    database: DatabaseManager, releases: Releases, clock: FakeClock
) -> None:
    """Or began, while it is not; the database is asked now and then, and what it does not know is left out."""
    metrics = Metrics()
    releases.watch(metrics, "1.0")
    assert list(metrics.gauges()) == []
    releases.note("1.0")
    began = clock.now.timestamp()
    labels = (("release", "1.0"),)
    assert list(metrics.gauges()) == [("release_marked_timestamp_seconds", labels, began)]
    clock.advance(10)
    releases.mark("1.0")
    assert [value for *_, value in metrics.gauges()] == [began]
    clock.advance(20)
    assert [value for *_, value in metrics.gauges()] == [began + 10]
    with database.write() as tx:
        tx.execute(text("DELETE FROM pm_releases"))
    assert [value for *_, value in metrics.gauges()] == [began + 10]
