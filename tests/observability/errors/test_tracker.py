"""Errors that are logged become groups in the database: counted, sampled, and brought back when they come back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from postrmagic_core._clock import from_us
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.log import bind, configure, get_logger
from postrmagic_core.observability.errors import ErrorGroup, Errors, ErrorTracker
from postrmagic_core.observability.errors.waiting import MOST
from postrmagic_core.observability.releases import Releases
from postrmagic_core.observability.tables import error_counts
from postrmagic_core.testing import FakeClock, until
from tests.observability.errors.conftest import make_tables
from tests.observability.errors.rig import cleaned, noted, raised


@pytest.fixture
def metrics() -> Metrics:
    """What is counted."""
    return Metrics()


@pytest.fixture
def track(
    database: DatabaseManager, clock: FakeClock, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ErrorTracker]]:
    """A factory of open trackers of a release, as processes of the application have them; they write when told."""
    with ExitStack() as opened:

        def make(release: str = "") -> ErrorTracker:
            given: dict[str, Any] = {"service": "media", "clock": clock, "metrics": metrics}
            tracker = opened.enter_context(ErrorTracker(database, release=release, **given))
            monkeypatch.setattr(tracker._errand, "ask", lambda: None)
            return tracker

        yield make


@pytest.fixture
def errors(database: DatabaseManager, clock: FakeClock) -> Iterator[Errors]:
    """The groups."""
    found = Errors(database, clock=clock)
    yield found
    found.close()


def only(errors: Errors) -> ErrorGroup:
    """The one group there is, with all that is known of it."""
    [group] = errors.find()
    found = errors.get(group.fingerprint)
    assert found is not None
    return found


def test_a_group_tells_what_when_where_and_in_which_release(
    errors: Errors, track: Callable[..., ErrorTracker], clock: FakeClock
) -> None:
    """The first and the newest occurrence, how many there were, and the newest as it was logged."""
    first, second = track("1.0"), track("1.1")
    began = clock.now
    for number in range(3):
        noted(first, raised(ValueError, f"poster {number}"), request_id=f"r-{number}", job_id="j-1", task="thumbnail")
        clock.advance(1)
    assert first.flush()
    clock.advance(3600)
    noted(second, raised(ValueError, "poster 9"), request_id="r-9")
    assert second.flush()
    noted(first, raised(KeyError, "other"))
    assert first.flush()
    group = errors.get(errors.find(search="POSTER valueerror")[0].fingerprint)
    assert group is not None
    assert (group.state, group.count, group.type, group.message) == ("new", 4, "ValueError", "poster 9")
    assert (group.first_seen_at, group.last_seen_at) == (began, began + timedelta(seconds=3603))
    assert (group.first_release, group.last_release, group.service) == ("1.0", "1.1", "media")
    assert group.logger == "media.uploads"
    assert group.place.endswith(" in raised")
    assert group.sample == cleaned(error=raised(ValueError, "poster 9"), request_id="r-9")
    assert errors.hourly([group.fingerprint], hours=3) == {group.fingerprint: [0, 3, 1]}
    assert len(errors.find()) == 2


def test_what_is_logged_as_an_error_is_counted_once(
    errors: Errors, track: Callable[..., ErrorTracker], tmp_path: Path
) -> None:
    """Whoever logs it, with the context it was logged in; nothing below ERROR, and no secret."""
    tracker = track("1.0")
    with configure(file=tmp_path / "app.log", level="ERROR", redact=["plate"]) as handle:
        remove = handle.tap(tracker)
        with bind(request_id="r-7"):
            try:
                raise ValueError("password=c4n4ry")
            except ValueError:
                get_logger("media").exception("upload failed", plate="c4n4ry")
                logging.getLogger("media").warning("only a warning", exc_info=True)
            for number in range(3):
                logging.getLogger("media").error("poster %s not found", number)
        remove()
        get_logger("media").error("nobody hears this")
    assert tracker.flush()
    assert {(group.type, group.message, group.count) for group in errors.find()} == {
        ("ValueError", "password=[redacted]", 1),
        ("", "poster 2 not found", 3),
    }
    found = errors.get(errors.find(search="ValueError")[0].fingerprint)
    assert found is not None
    assert found.sample is not None
    assert (found.sample["request_id"], found.sample["plate"]) == ("r-7", "[redacted]")
    assert found.place.endswith("in test_what_is_logged_as_an_error_is_counted_once")


def test_what_comes_late_is_not_the_newest(
    errors: Errors, track: Callable[..., ErrorTracker], clock: FakeClock
) -> None:
    """A process that could not write for a while changes neither the newest nor, if it was earlier, keeps the first."""
    early, late = track("1.0"), track("1.1")
    noted(early, raised(ValueError, "early"))
    clock.advance(60)
    noted(late, raised(ValueError, "late"))
    assert late.flush()
    assert only(errors).first_release == "1.1"
    assert early.flush()
    group = only(errors)
    assert (group.count, group.message) == (2, "late")
    assert (group.first_release, group.last_release) == ("1.0", "1.1")
    assert group.last_seen_at - group.first_seen_at == timedelta(seconds=60)


def test_errors_are_written_without_anybody_asking(database: DatabaseManager, errors: Errors) -> None:
    """Within about a second, by a thread; those that come meanwhile, too; closing writes the rest."""
    with ErrorTracker(database) as tracker:
        for number in range(3):
            noted(tracker, raised())
            until(lambda count=number + 1: [group.count for group in errors.find()] == [count], timeout=10)  # type: ignore[misc]  # mypy infers no lambda with a default
        noted(tracker, raised())
    assert only(errors).count == 4
    noted(tracker, raised())
    assert tracker.flush()
    assert only(errors).count == 4, "who is not open notes nothing"


def test_trackers_of_one_database_count_an_error_once(
    database: DatabaseManager, errors: Errors, tmp_path: Path
) -> None:
    """The first of those that are open notes it; one of another database notes it as well."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'other.db'}") as other, ExitStack() as opened:
        make_tables(other)
        first, second, elsewhere = (
            opened.enter_context(ErrorTracker(each, service=service))
            for each, service in ((database, "first"), (database, "second"), (other, "elsewhere"))
        )
        with configure(file=tmp_path / "app.log", level="ERROR") as handle:
            for tracker in (first, second, elsewhere):
                opened.callback(handle.tap(tracker))
            for _ in range(3):
                get_logger("media").error("both hear this")
            assert all(tracker.flush() for tracker in (first, second, elsewhere))
            assert (only(errors).count, only(errors).service) == (3, "first")
            first.close()
            get_logger("media").error("both hear this")
            assert second.flush()
            assert (only(errors).count, only(errors).service) == (4, "second")
        assert elsewhere.flush()
        assert [(group.count, group.service) for group in Errors(other).find()] == [(4, "elsewhere")]


def test_what_one_tracker_logs_as_it_writes_no_other_notes(
    database: DatabaseManager, errors: Errors, tmp_path: Path
) -> None:
    """They would give each other work without end."""
    log = logging.getLogger("media")
    with ErrorTracker(database) as other, DatabaseManager(f"sqlite:///{tmp_path / 'a.db'}") as own:
        make_tables(own)
        own.on_write(lambda tx: log.error("a listener failed") if "pm_errors" in tx.tables_written else None)
        with configure(file=tmp_path / "app.log", level="ERROR") as handle, ErrorTracker(own) as tracker:
            handle.tap(other)
            noted(tracker, raised())
            assert tracker.flush()
        assert "a listener failed" in (tmp_path / "app.log").read_text()
        assert other.flush()
    assert errors.find() == []


def test_a_flood_of_different_errors_is_bounded(
    errors: Errors, track: Callable[..., ErrorTracker], metrics: Metrics
) -> None:
    """Of 10,000 in a second the first thousand are groups; the rest are counted, as a whole."""
    tracker = track()
    for number in range(10_000):
        tracker({"event": "x", "logger": "a", "fingerprint": f"f{number}", "much": "x" * 1000}, None)
    assert tracker.flush()
    assert metrics.counter("errors_seen_total").value == 10_000
    assert metrics.counter("errors_untracked_total").value == 10_000 - MOST
    assert len(errors.find(limit=2000)) == MOST
    noted(tracker, fingerprint="f7")
    assert tracker.flush()
    again = errors.get("f7")
    assert again is not None
    assert again.count == 2


class Unprintable(Exception):
    """It cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("c4n4ry")


def endless() -> None:
    """Goes on until it cannot."""
    endless()


def hostile() -> list[BaseException]:
    """Errors that make it hard to tell of them."""
    looped = raised(ValueError, "loop")
    looped.__cause__ = looped
    with pytest.raises(RecursionError) as deep:
        endless()
    found = [raised(Unprintable), deep.value, looped, raised(BaseExceptionGroup, "g", [raised(Unprintable), raised()])]
    found += [raised(ValueError, "x" * 5_000_000), raised(OSError, "\ud800\x00\x1b[31m\u2028"), raised(SystemExit, 1)]
    return found


def test_hostile_errors_are_groups_like_others(errors: Errors, track: Callable[..., ErrorTracker]) -> None:
    """Each counted, each with a sample of bounded size."""
    tracker = track()
    for error in hostile():
        noted(tracker, error)
    tracker({"event": object(), "exception": "x", "logger": None, "fingerprint": "odd"}, None)
    assert tracker.flush()
    assert sum(group.count for group in errors.find()) == len(hostile()) + 1
    for group in errors.find():
        found = errors.get(group.fingerprint)
        assert found is not None
        assert found.sample
        assert len(json.dumps(found.sample)) < 40_000


def test_no_secret_reaches_the_tables(
    database: DatabaseManager, track: Callable[..., ErrorTracker], errors: Errors
) -> None:
    """Whatever column one looks into: what the log masks is masked here."""
    error = raised(ValueError, "login failed: password=c4n4ry1 at mysql://root:c4n4ry2@db/x")
    error.add_note("Authorization: Bearer c4n4ry3c4n4ry3")
    error.__cause__ = raised(KeyError, "token='c4n4ry4'")
    tracker = track()
    noted(tracker, error, password="c4n4ry5", headers={"cookie": "sid=c4n4ry6"}, url="https://u:c4n4ry7@host/")
    assert tracker.flush()
    errors.resolve(only(errors).fingerprint, by="7")
    with database.read() as tx:
        for table in ("pm_errors", "pm_error_counts", "pm_releases", "pm_once"):
            assert "c4n4ry" not in repr(tx.execute(text(f"SELECT * FROM {table}")).all()), table


def test_resolved_it_comes_back_with_a_later_release_only(
    database: DatabaseManager, track: Callable[..., ErrorTracker], errors: Errors, clock: FakeClock, metrics: Metrics
) -> None:
    """Processes of the same and of older releases may still run; each change says who and when."""
    releases = Releases(database, clock=clock)
    old, fixed = track("1.0"), track("1.1")
    for release in ("1.0", "1.1"):
        releases.note(release)
        clock.advance(60)
    noted(old, raised())
    assert old.flush()
    name = only(errors).fingerprint
    assert errors.resolve(name, release="1.1", by="ann")
    for tracker in (old, fixed):
        clock.advance(60)
        noted(tracker, raised())
        assert tracker.flush()
        assert (only(errors).state, only(errors).resolved_in) == ("resolved", "1.1")
    clock.advance(60)
    newer = track("2.0")
    noted(newer, raised())
    assert newer.flush()
    group = only(errors)
    assert (group.state, group.count) == ("regressed", 4)
    assert [(change.state, change.by, change.release) for change in group.changes] == [
        ("resolved", "ann", "1.1"),
        ("regressed", "", "2.0"),
    ]
    assert group.changes[-1].at == clock.now
    assert metrics.counter("errors_regressed_total").value == 1
    assert [one.version for one in releases.find()] == ["2.0", "1.1", "1.0"]


def test_resolved_now_it_comes_back_when_it_comes_again(
    track: Callable[..., ErrorTracker], errors: Errors, clock: FakeClock
) -> None:
    """What was noted before, and is written after, brings nothing back."""
    tracker = track()
    noted(tracker, raised())
    assert tracker.flush()
    noted(tracker, raised())
    clock.advance(1)
    assert errors.resolve(only(errors).fingerprint)
    assert tracker.flush()
    assert only(errors).state == "resolved"
    clock.advance(1)
    noted(tracker, raised())
    assert tracker.flush()
    assert only(errors).state == "regressed"
    assert errors.reopen(only(errors).fingerprint, by="ann")
    assert only(errors).state == "new"


def test_ignored_until_then_or_for_so_many_or_for_good(
    track: Callable[..., ErrorTracker], errors: Errors, clock: FakeClock
) -> None:
    """Once that is over it is new again."""
    tracker = track()

    def come(times: int = 1) -> str:
        for _ in range(times):
            noted(tracker, raised())
        assert tracker.flush()
        return only(errors).state

    come()
    name = only(errors).fingerprint
    assert errors.ignore(name, more=3, by="ann")
    assert [come(), come(), come(), come()] == ["ignored"] * 3 + ["new"]
    assert errors.ignore(name, until=clock.now + timedelta(hours=1), by="ann")
    clock.advance(3600)
    assert come(5) == "ignored"
    clock.advance(1)
    assert come() == "new"
    assert errors.ignore(name, by="ann")
    clock.advance(1e7)
    assert come(100) == "ignored"
    with pytest.raises(ValueError, match="future"):
        errors.ignore(name, until=clock.now)
    with pytest.raises(ValueError, match="at least 1"):
        errors.ignore(name, more=0)


def test_groups_are_found_by_state_time_and_words(
    track: Callable[..., ErrorTracker], errors: Errors, clock: FakeClock
) -> None:
    """The newest first, page by page; whatever is typed is looked for as it stands."""
    tracker = track()
    for number in range(5):
        noted(tracker, raised(ValueError, f"Überraschung n{number} 100%"), fingerprint=f"f{number}")
        clock.advance(60)
    assert tracker.flush()
    assert errors.resolve("f3")
    assert [group.fingerprint for group in errors.find()] == ["f4", "f3", "f2", "f1", "f0"]
    assert [group.fingerprint for group in errors.find(state="resolved")] == ["f3"]
    assert [group.fingerprint for group in errors.find(since=clock.now - timedelta(seconds=130))] == ["f4", "f3"]
    assert [group.fingerprint for group in errors.find(search="überraschung n2 100%")] == ["f2"]
    for nothing in ("_", "%%", "'", "\ud800", "\x00", "n1 n2"):
        assert errors.find(search=nothing) == []
    page = errors.find(limit=2)
    rest = errors.find(limit=10, after=page[-1].cursor)
    assert [group.fingerprint for group in rest] == ["f2", "f1", "f0"]
    with pytest.raises(ValueError, match="cursor"):
        errors.find(after="x")
    with pytest.raises(ValueError, match="expected a state"):
        errors.find(state="odd")  # type: ignore[arg-type]  # what a query may hold


def test_who_names_no_group_changes_nothing(errors: Errors) -> None:
    """Neither one that is unknown nor what can be no name."""
    for name in ("unknown", "", "x" * 65, "'; DROP", "\ud800"):
        assert errors.get(name) is None
        assert not errors.resolve(name)
        assert not errors.ignore(name)
        assert not errors.reopen(name)
        assert not errors.delete(name)


def test_a_deleted_group_is_a_new_one_when_it_comes_again(
    database: DatabaseManager, track: Callable[..., ErrorTracker], errors: Errors
) -> None:
    """Its counts are gone with it."""
    tracker = track()
    noted(tracker, raised())
    assert tracker.flush()
    name = only(errors).fingerprint
    assert errors.resolve(name)
    assert errors.delete(name, by="ann")
    assert errors.find() == []
    assert database.rows(select(error_counts)) == []
    noted(tracker, raised())
    assert tracker.flush()
    assert (only(errors).state, only(errors).count) == ("new", 1)


def test_old_counts_and_groups_beyond_the_bound_are_swept(
    database: DatabaseManager,
    track: Callable[..., ErrorTracker],
    errors: Errors,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hours after 90 days, groups that were not seen for longest; once an hour."""
    monkeypatch.setattr("postrmagic_core.observability.errors.manager._KEEP_GROUPS", 3)
    monkeypatch.setattr("postrmagic_core.observability.errors.manager._BATCH", 2)
    tracker = track()
    for number in range(6):
        noted(tracker, fingerprint=f"f{number}")
        clock.advance(3600)
    assert tracker.flush()
    assert errors.sweep() == 3
    assert sorted(group.fingerprint for group in errors.find()) == ["f3", "f4", "f5"]
    clock.advance(90 * 86_400 - 2 * 3600 + 1)
    assert errors.sweep() == 2
    assert [from_us(row.hour_us).hour for row in database.rows(select(error_counts))] == [5]
    assert errors.sweep() == 0
    assert len(errors.find()) == 3


def test_the_async_face_does_the_same(track: Callable[..., ErrorTracker], errors: Errors) -> None:
    """With the same names."""
    tracker = track()
    noted(tracker, raised())
    assert tracker.flush()

    async def use() -> list[object]:
        aio = errors.aio
        [group] = await aio.find(search="ValueError")
        name = group.fingerprint
        told: list[object] = [await aio.resolve(name), await aio.ignore(name), await aio.reopen(name)]
        found = await aio.get(name)
        assert found is not None
        told += [found.state, sum((await aio.hourly([name]))[name]), await aio.sweep(), await aio.delete(name)]
        await aio.close()
        return told

    assert asyncio.run(use()) == [True, True, True, "new", 1, 0, True]
