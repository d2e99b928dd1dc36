"""Uses of features: counted by user, day and feature, without saying who it was and without anybody waiting."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, NotOpen
from postrmagic_core.events import Event, EventManager
from postrmagic_core.observability.experience import Experience, rows, uses
from postrmagic_core.observability.experience.policy import day_of
from postrmagic_core.observability.tables import feature_uses
from postrmagic_core.testing import FakeClock, spawn
from tests.databases import kept_url  # noqa: F401 - pytest looks for fixtures here
from tests.observability.experience.conftest import KEYS

DAY = 86_400.0


class PosterUploaded(Event):
    """Somebody uploaded one."""

    user_id: str | None
    broken: bool = False


def told(experience: Experience, **options: Any) -> list[tuple[str, int, int, float]]:
    """Features, users, uses and shares."""
    since = options.pop("since", datetime(2000, 1, 1, tzinfo=UTC))
    found = experience.adoption(since, **options)
    return [(each.feature, each.users, each.uses, each.share) for each in found]


def test_users_are_counted_once_and_uses_each(experience: Experience) -> None:
    """The share is of those who used anything; a use of nobody known is a use."""
    for user in ("alice", "bob", "alice", 7, None):
        experience.use("upload", user)
    experience.use("share", "carol")
    assert experience.flush()
    assert told(experience) == [("upload", 3, 5, 0.75), ("share", 1, 1, 0.25)]
    assert {each.active_users for each in experience.adoption(datetime(2000, 1, 1, tzinfo=UTC))} == {4}


def test_without_uses_there_is_nothing(experience: Experience) -> None:
    """And no division."""
    assert told(experience) == []
    experience.use("upload")
    experience.flush()
    assert told(experience) == [("upload", 0, 1, 0.0)]


def test_a_span_has_whole_days(experience: Experience, clock: FakeClock) -> None:
    """From the day of since on, before the day of until; a user of two days is one user."""
    first = clock.now
    for _ in range(3):
        experience.use("upload", "alice")
        experience.flush()
        clock.sleep(DAY)
    now = clock.now
    assert told(experience, since=first) == [("upload", 1, 3, 1.0)]
    assert told(experience, since=first, until=now - timedelta(days=1)) == [("upload", 1, 2, 1.0)]
    assert told(experience, since=now - timedelta(days=1)) == [("upload", 1, 1, 1.0)]


def test_weeks_show_the_course(experience: Experience, clock: FakeClock) -> None:
    """A user of two weeks is one in each; a week without any is there."""
    for user in ("alice", "bob", "alice"):
        experience.use("upload", user)
    clock.sleep(14 * DAY)
    experience.use("upload", "alice")
    experience.use("share", "carol")
    experience.flush()
    weeks = experience.weeks("upload", weeks=4)
    assert [(week.users, week.uses) for week in weeks] == [(0, 0), (2, 3), (0, 0), (1, 1)]
    assert {week.began_at.weekday() for week in weeks} == {0}


def test_processes_add_up(database: DatabaseManager, clock: FakeClock) -> None:
    """Two who write the same rows at once lose none, and a user of both is one."""
    barrier = threading.Barrier(2)

    def process() -> None:
        with Experience(database, KEYS, clock=clock) as own:
            for _ in range(5):
                for user in range(20):
                    own.use("upload", user)
                barrier.wait(60)
                assert own.flush()

    threads = [threading.Thread(target=process) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told(Experience(database, clock=clock)) == [("upload", 20, 200, 1.0)]


def test_nothing_in_the_table_says_who(experience: Experience, database: DatabaseManager) -> None:
    """No id, and not the hash that anybody could make of it."""
    for user in ("alice@example.org", "198.51.100.7"):
        experience.use("upload", user)
    experience.flush()
    with database.read() as tx:
        hashes = [row.user_hash for row in tx.execute(select(feature_uses))]
    assert len(set(hashes)) == 2
    for name in ("alice", "198.51", hashlib.sha256(b"alice@example.org").hexdigest()[:32]):
        assert name not in str(hashes)


def test_events_are_uses(experience: Experience) -> None:
    """After the commit, by the user that the event names; an event that cannot tell fails for nobody."""
    with EventManager() as events:
        listener = experience.count(PosterUploaded, feature="upload", user=lambda event: event.user_id)
        broken = experience.count(PosterUploaded, feature="broken", user=lambda event: 1 / 0)
        events.include(listener, broken)
        for user in ("alice", "alice", None):
            events.emit(PosterUploaded(user_id=user))
    experience.flush()
    assert told(experience) == [("upload", 1, 3, 1.0)]
    assert listener.name == f"experience:upload:{__name__}.PosterUploaded"


def test_an_event_of_a_unit_that_is_rolled_back_is_none(experience: Experience, database: DatabaseManager) -> None:
    """It counts if and only if the unit commits."""
    with EventManager(database=database) as events:
        events.include(experience.count(PosterUploaded, feature="upload", user=lambda event: event.user_id))
        with suppress(RuntimeError), database.write() as tx:
            events.emit(PosterUploaded(user_id="alice"), tx=tx)
            raise RuntimeError
        with database.write() as tx:
            events.emit(PosterUploaded(user_id="bob"), tx=tx)
    experience.flush()
    assert told(experience) == [("upload", 1, 1, 1.0)]


def test_a_thread_writes_soon(database: DatabaseManager) -> None:
    """Nobody has to flush."""
    with Experience(database, KEYS) as experience:
        experience.use("upload", "alice")
        until = time.monotonic() + 30
        while not told(experience) and time.monotonic() < until:
            time.sleep(0.02)
        assert told(experience) == [("upload", 1, 1, 1.0)]


def test_closing_writes_the_rest(database: DatabaseManager, clock: FakeClock) -> None:
    """What was noted before is there; what comes later is lost, counted, and fails for nobody."""
    metrics = Metrics()
    with Experience(database, KEYS, clock=clock, metrics=metrics) as experience:
        for user in range(1200):
            experience.use("upload", user)
    experience.use("upload", "late")
    assert told(experience) == [("upload", 1200, 1200, 1.0)]
    assert metrics.counter("feature_uses_lost_total").value == 1


def test_what_cannot_be_written_is_kept(
    experience: Experience, database: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once; written when the table is back, with what came meanwhile."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    with database.write() as tx:
        feature_uses.drop(tx.connection)
    try:
        for user in ("alice", "bob"):
            experience.use("upload", user)
            assert not experience.flush()
    finally:
        with database.write() as tx:
            feature_uses.create(tx.connection)
    assert experience.flush()
    assert told(experience) == [("upload", 2, 2, 1.0)]
    events = [record.message for record in caplog.records if record.name == "postrmagic_core.observability"]
    assert [event.partition(",")[0] for event in events if "uses of features" in event] == [
        "uses of features cannot be written to the database",
        "uses of features are written to the database again",
    ]


def test_closing_does_not_wait_for_a_database_that_is_held(
    database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Seconds at most; how many uses are lost is counted and told."""
    monkeypatch.setattr(uses, "_END", 0.2)
    metrics = Metrics()
    experience = Experience(database, KEYS, clock=clock, metrics=metrics).open()
    experience._uses._errand.is_open = False  # the thread of the end writes, and none before
    for _ in range(3):
        experience.use("upload")
    with database.write() as tx:
        rows.add({rows.Use("upload", day_of(clock.now_us()), ""): 1}, tx)
        began = time.monotonic()
        experience.close()
        assert time.monotonic() - began < 3
    for thread in threading.enumerate():
        if thread.name == "postrmagic-experience-end":
            thread.join()
    assert metrics.counter("feature_uses_lost_total").value == 3
    assert "3 uses of features could not be written before the end" in caplog.text


def test_memory_has_an_end(experience: Experience, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """More different users than wait at once are counted as lost; those who wait go on."""
    monkeypatch.setattr(uses, "MOST", 10)
    for _ in range(2):
        for user in range(15):
            experience.use("upload", user)
    experience.flush()
    assert told(experience)[0][1:3] == (10, 20)
    assert metrics.counter("feature_uses_lost_total").value == 10


def test_it_says_what_it_needs(database: DatabaseManager) -> None:
    """Keys, names, and to be opened."""
    experience = Experience(database, KEYS)
    with pytest.raises(NotOpen):
        experience.use("upload", "alice")
    with pytest.raises(ConfigurationError, match="keys=KeyRing"):
        Experience(database).use("upload", "alice")
    for name in ("", "a b", "x" * 65, "\n", "-a"):
        with pytest.raises(ValueError, match="expected as a name"):
            experience.use(name, "alice")


def test_old_days_are_forgotten(experience: Experience, database: DatabaseManager, clock: FakeClock) -> None:
    """Of 365 days ago; a worker that asks often looks once an hour."""
    for user in range(600):
        experience.use("upload", user)
    experience.flush()
    clock.sleep(100 * DAY)
    experience.use("upload", "alice")
    experience.flush()
    assert experience.sweep() == 0
    clock.sleep(266 * DAY)
    assert experience.sweep() == 600
    assert experience.sweep() == 0
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(feature_uses)) == 1


def fork_and_use(url: str) -> None:
    """A child of a process that has uses waiting has none of them, and writes its own."""
    with DatabaseManager(url) as database, Experience(database, KEYS) as experience:
        experience._uses._errand.ask = lambda: None  # type: ignore[method-assign]  # it writes when told
        experience.use("upload", "parent")
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            experience.use("upload", "child")
            os._exit(0 if experience.flush() else 1)
        print(os.waitpid(child, 0)[1], flush=True)  # noqa: T201 - the parent reads it


@pytest.mark.fault
def test_a_forked_child_leaves_what_waits_to_its_parent(kept_url: str, database: DatabaseManager) -> None:  # noqa: F811 - the fixture imported
    """Else it would be written twice."""
    with spawn(fork_and_use, kept_url) as child:
        assert child.line() == "0"
        child.wait()
    assert told(Experience(database)) == [("upload", 2, 2, 1.0)]
