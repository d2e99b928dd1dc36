"""What the application's jobs do beside thumbnails: details of pictures, statistics of users, and whom it was for."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import inspect, select, update

from media_library import tables
from media_library.colours import look_at
from media_library.statistics import month_starts
from media_library.tables import details, media, statistics
from media_library.tasks import extract_details, extract_missing, refresh_statistics
from postrmagic_core._clock import from_us, to_us
from postrmagic_core.database import DatabaseManager, Migrations
from postrmagic_core.database.migrating.migrator import Migrator
from postrmagic_core.jobs import Call, JobStatus
from postrmagic_core.log import configure
from postrmagic_core.testing import spawn
from postrmagic_core.testing.capture import embedded_settings
from tests.app.house import Browser, House, open_house, row_counts, small
from tests.app.test_worker_killed import at_rest, environment, rows, wait_until, work

BEFORE_DETAILS = "20261123002342"
REFRESH = refresh_statistics.name


@pytest.fixture(autouse=True)
def _settling_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh waits for the rest of a burst, but not for long."""
    monkeypatch.setattr("media_library.tasks.SETTLING", 0.2)


@contextmanager
def working(house: House) -> Iterator[None]:
    """A relay and a worker in this process."""
    stack = house.application.stack
    with stack.relay(), stack.worker(threads=2):
        yield


def settle(house: House) -> None:
    """Let the worker do everything there is to do."""
    with working(house):
        wait_until(lambda: at_rest(house))


def plain(*colours: str) -> bytes:
    """A picture of these colours, side by side, as a PNG."""
    image = Image.new("RGB", (20 * len(colours), 30))
    for at, colour in enumerate(colours):
        image.paste(colour, (20 * at, 0, 20 * at + 20, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def done(house: House, call: Call) -> JobStatus:
    """How a job ends that a worker runs now, without a relay: nothing that events ask for."""
    jobs = house.application.stack.jobs
    with house.application.stack.worker(threads=1):
        return jobs.wait(jobs.enqueue(call).id, timeout=60)


# Details


def test_colours_and_orientation_are_told_once_the_job_is_done(house: House, visitor: Browser) -> None:
    """By the upload's answer not yet; then by the list and the medium, which were cached before."""
    item = visitor.added(plain("#cc0000", "#0000ff", "#cc0000"), name="flag.png")
    assert (item["colours"], item["orientation"]) == (None, None)
    assert visitor.get("/api/v1/media").json()["data"] == [item]
    digest = house.application.library.get(house.user_id(), item["id"])["digest"]
    assert done(house, extract_details.call(digest)).state == "succeeded"
    (listed,) = visitor.get("/api/v1/media").json()["data"]
    assert (listed["colours"], listed["orientation"]) == (["#cc0000", "#0000ff"], "landscape")
    assert visitor.get(f"/api/v1/media/{item['id']}").json()["data"] == listed


@pytest.mark.usefixtures("unseen")
def test_two_holders_of_one_file_see_what_was_found_in_it(any_house: House) -> None:
    """One row for the file, the lists of both told anew; it goes with the last of them."""
    house, data = any_house, small()
    library = house.application.library
    mine, theirs = house.add(data), house.add(data, "guest")
    users = {house.user_id(): mine.media_id, house.user_id("guest"): theirs.media_id}
    for user, media_id in users.items():
        assert library.get(user, media_id)["colours"] is None
    settle(house)
    for user, media_id in users.items():
        assert library.get(user, media_id)["colours"]
    assert rows(house, details) == 1
    for left, name, added in ((1, "demo", mine), (0, "guest", theirs)):
        library.delete(house.who(name), added.media_id)
        assert rows(house, details) == left


def test_a_file_that_has_gone_meanwhile_leaves_no_details(house: House) -> None:
    """The job ends well, and nothing names what nobody holds."""
    status = done(house, extract_details.call(hashlib.sha256(b"gone").hexdigest()))
    assert (status.state, status.attempts, rows(house, details)) == ("succeeded", 1, 0)


def test_a_file_deleted_while_it_is_looked_at_leaves_no_details(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is who holds it when the effect commits; that nobody does is no failure."""
    library = house.application.library
    data = small()
    added = house.add(data)

    def deleting(*arguments: Any) -> Any:
        found = look_at(*arguments)
        library.delete(house.who(), added.media_id)
        return found

    monkeypatch.setattr("media_library.tasks.look_at", deleting)
    status = done(house, extract_details.call(hashlib.sha256(data).hexdigest()))
    assert (status.state, status.attempts, rows(house, details)) == ("succeeded", 1, 0)


# Search


def test_an_upload_that_cannot_be_found_is_not_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are written by a listener inside the transaction: what that cannot do undoes the upload."""

    def broken(*_: Any) -> None:
        raise LookupError("no index")

    before = row_counts(house.application)
    monkeypatch.setattr("media_library.search.index", broken)
    with pytest.raises(LookupError, match="no index"):
        house.add(small())
    assert row_counts(house.application) == before


# Statistics


def figures(house: House, user: str = "demo") -> dict[str, Any]:
    """What the statistics tell of a user, from the rows and not from the cache."""
    found: dict[str, Any] = house.application.library._stats(house.user_id(user))
    return found


def test_statistics_are_unknown_until_they_were_computed(house: House, visitor: Browser) -> None:
    """Null, and then figures."""
    assert visitor.get("/api/v1/stats").json()["data"]["activity"] is None
    visitor.added(plain("#cc0000"), name="red.png")
    visitor.added(small())
    assert visitor.get("/api/v1/stats").json()["data"]["activity"] is None
    settle(house)
    told = visitor.get("/api/v1/stats").json()["data"]
    assert [month["uploads"] for month in told["activity"]] == [0] * 11 + [2]
    assert told["types"] == [{"type": "image/jpeg", "count": 1}, {"type": "image/png", "count": 1}]
    assert {"colour": "#cc0000", "count": 1} in told["colours"]
    assert datetime.fromisoformat(told["refreshed_at"]).tzinfo is not None


def test_a_refresh_is_seen_at_once_and_costs_no_list(house: House) -> None:
    """The cached answer of before does not hide it; what else is cached of the user stays."""
    library, user = house.application.library, house.user_id()
    house.add(small())
    computes = house.application.stack.cache.stats
    assert library.stats(user)["activity"] is None
    house.page(user)
    before = computes().computes
    refreshed(house)
    assert library.stats(user)["activity"] is not None
    house.page(user)
    assert computes().computes == before + 1


@pytest.mark.usefixtures("unseen")
def test_a_burst_of_changes_makes_one_refresh(any_house: House) -> None:
    """Five uploads and a deletion: one job waits, and what it then computes is how things are."""
    house, stack = any_house, any_house.application.stack
    added = [house.add(small()) for _ in range(5)]
    house.application.library.delete(house.who(), added[0].media_id)
    with stack.relay():
        wait_until(lambda: sum(count.waiting for count in stack.database.outbox_counts().values()) == 0)
    deliveries = stack.jobs.find({"queued"}, task="postrmagic.events.deliver")
    assert len(deliveries) == 2 * 5 + 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("media_library.tasks.SETTLING", 3600.0)
        with stack.worker(threads=2):
            wait_until(lambda: not stack.jobs.find({"queued", "running"}, task="postrmagic.events.deliver"))
            wait_until(lambda: not stack.jobs.find({"queued", "running"}, task=extract_details.name))
    (waiting,) = stack.jobs.find({"queued"}, task=REFRESH)
    assert (waiting.priority, waiting.attempts) == ("low", 0)
    refreshed(house)
    assert figures(house)["types"] == [{"type": "image/jpeg", "count": 4}]


def refreshed(house: House, user: str = "demo") -> None:
    """Compute the user's statistics now."""
    house.application.stack.database.transact(house.application.library.refresh_statistics, house.user_id(user))


def test_each_upload_counts_in_its_month(any_house: House) -> None:
    """In UTC, to the microsecond; what is older than twelve months counts in none."""
    house, library = any_house, any_house.application.library
    starts = month_starts(library._clock.now_us())
    moments = [to_us(starts[0]) - 1, to_us(starts[0]), to_us(starts[3]) - 1, to_us(starts[3]), to_us(starts[-2])]
    for moment in moments:
        media_id = house.add(small()).media_id
        with house.application.stack.database.write() as tx:
            tx.execute(update(media).where(media.c.id == media_id).values(created_us=moment))
    refreshed(house)
    told = figures(house)["activity"]
    assert [month["month"] for month in told] == [f"{start:%Y-%m}" for start in starts[:-1]]
    assert [month["uploads"] for month in told] == [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert figures(house)["types"] == [{"type": "image/jpeg", "count": 5}]


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        ("2026-01-01T00:00:00+00:00", "2025-02-01", "2026-02-01"),
        ("2026-12-31T23:59:59+00:00", "2026-01-01", "2027-01-01"),
        ("2028-02-29T12:00:00+00:00", "2027-03-01", "2028-03-01"),
    ],
)
def test_the_year_ends_with_the_present_month(now: str, first: str, last: str) -> None:
    """Twelve beginnings and the end, whatever the month's length."""
    starts = month_starts(to_us(datetime.fromisoformat(now)))
    assert (len(starts), f"{starts[0]:%Y-%m-%d}", f"{starts[-1]:%Y-%m-%d}") == (13, first, last)


def test_months_go_on_when_nobody_uploads(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of long ago are shown as of now: their months move to the left and out."""
    library = house.application.library
    house.add(small())
    refreshed(house)
    began = from_us(library._clock.now_us())
    for later, expected in ((2, [0] * 9 + [1, 0, 0]), (12, [0] * 12)):
        number = began.year * 12 + began.month - 1 + later
        then = to_us(datetime(number // 12, number % 12 + 1, 15, tzinfo=UTC))
        monkeypatch.setattr(library._clock, "now_us", lambda then=then: then, raising=False)
        assert [month["uploads"] for month in figures(house)["activity"]] == expected


def test_like_colours_of_several_posters_count_together_each_poster_once(house: House) -> None:
    """Ten at most, the most used first."""
    for data in (plain("#cc0000", "#0000ff"), plain("#c80404"), plain("#d00000", "#00ff00")):
        house.add(data)
    settle(house)
    assert figures(house)["colours"] == [
        {"colour": "#cc0000", "count": 3},
        {"colour": "#0000ff", "count": 1},
        {"colour": "#00ff00", "count": 1},
    ]
    with house.application.stack.database.write() as tx:
        palette = " ".join(f"#{red}00{blue}" for red, blue in (("33", "00"), ("00", "33"), ("66", "99"), ("99", "66")))
        tx.execute(update(details).values(colours=palette))
    refreshed(house)
    assert [each["count"] for each in figures(house)["colours"]] == [3] * 4


@pytest.mark.usefixtures("unseen")
def test_nobody_sees_the_figures_of_another(house: House) -> None:
    """Each user's own."""
    house.add(small())
    house.add(small(), "guest")
    house.add(small(), "guest")
    settle(house)
    for user, count in (("demo", 1), ("guest", 2)):
        told = house.browser(user).get("/api/v1/stats").json()["data"]
        assert told["activity"][-1]["uploads"] == count


def test_refreshes_in_parallel_end_with_how_things_are(any_house: House) -> None:
    """Each sees what was committed before it; whichever comes last, nothing is missing in what is kept."""
    house = any_house

    def change(data: bytes) -> None:
        house.add(data)
        refreshed(house)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(change, [small() for _ in range(12)]))
    assert rows(house, statistics) == 1
    assert figures(house)["types"] == [{"type": "image/jpeg", "count": 12}]


# Whom it was for


@pytest.mark.usefixtures("unseen")
def test_the_records_of_jobs_name_the_request_that_caused_them(house: House) -> None:
    """From the upload over the event to its listeners and their jobs; two requests are told apart."""
    stream = io.StringIO()
    visitor = house.browser()
    asked = {"first": small(), "second": small()}
    with configure(level="INFO", format="json", stream=stream):
        for name, data in asked.items():
            answer = visitor.post(
                "/api/v1/media", files={"file": ("poster.jpeg", data)}, headers={"X-Request-ID": f"upload-{name}"}
            )
            assert answer.headers["x-request-id"] == f"upload-{name}"
        settle(house)
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = Counter((record["event"], record.get("request_id")) for record in records if "job_id" in record)
    for name, data in asked.items():
        digest = hashlib.sha256(data).hexdigest()
        for event in ("thumbnails made", "details extracted"):
            assert told[event, f"upload-{name}"] == 1
            (record,) = [each for each in records if each["event"] == event and each.get("digest") == digest]
            assert record["request_id"] == f"upload-{name}"
    # The burst's one refresh, or the one that the details asked for, runs for the request that asked first.
    refreshes = {request for event, request in told if event == "statistics refreshed"}
    assert refreshes
    assert refreshes <= {"upload-first", "upload-second"}


# Libraries of an earlier version


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def test_the_tables_are_those_that_the_code_needs(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """And the revision can be taken back."""
    url = f"sqlite:///{tmp_path / 'app.db'}" if kind == "sqlite" else request.getfixturevalue("mariadb_url")
    migrations = Migrations("media_library:migrations", tables.metadata)
    with DatabaseManager(url, migrations=migrations) as database:
        database.upgrade()
        migrator = Migrator(database.backend, migrations)
        assert migrator.check() == []
        migrator.downgrade(BEFORE_DETAILS)
        with database.read() as unit:
            assert not {"details", "statistics"} & set(inspect(unit.connection).get_table_names())


def test_a_library_of_an_earlier_version_is_upgraded_and_looked_through(tmp_path: Path, furnished: Path) -> None:
    """The tables come as it opens; the worker extracts what was taken in before, a piece after another."""
    shutil.copy(furnished, tmp_path)
    settings = embedded_settings(tmp_path)
    with open_house(settings) as house:
        pictures = [house.add(small()) for _ in range(2)]
        database = house.application.stack.database
        Migrator(database.backend, database.migrations).downgrade(BEFORE_DETAILS)
    with open_house(settings) as house:
        assert rows(house, details) == 0
        assert figures(house)["activity"] is None
        with spawn(work, env=environment(settings)):
            wait_until(lambda: rows(house, details) == len(pictures))
            wait_until(lambda: rows(house, statistics) == 1 and at_rest(house))
        assert figures(house)["types"] == [{"type": "image/jpeg", "count": 2}]


@pytest.mark.usefixtures("unseen")
def test_a_large_library_is_looked_through_a_piece_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece asks for the next in its own unit; every file is asked for, those with details are not."""
    for _ in range(5):
        house.add(small())
    settle(house)
    with house.application.stack.database.write() as tx:
        kept = tx.scalar(select(details.c.digest).limit(1))
        tx.execute(details.delete().where(details.c.digest != kept))
    monkeypatch.setattr("media_library.tasks._PIECE", 2)
    jobs = house.application.stack.jobs
    before = len(jobs.find({"succeeded"}, task=extract_details.name))
    jobs.enqueue(extract_missing.call())
    settle(house)
    assert rows(house, details) == 5
    assert len(jobs.find({"succeeded"}, task=extract_missing.name)) == 3
    assert len(jobs.find({"succeeded"}, task=extract_details.name)) == before + 4


# Schedules


def test_uploads_that_nobody_finished_are_removed_every_hour(house: House) -> None:
    """The schedule is declared with the tasks; run by hand here, as `postrmagic schedules run` does."""
    jobs, incoming = house.application.stack.jobs, house.application.library.storage.incoming
    old, young = incoming / "old", incoming / "young"
    for path in (old, young):
        path.write_bytes(b"half of a poster")
    os.utime(old, (0, 0))
    (schedule,) = [each for each in jobs.schedules() if each.name == "remove-abandoned"]
    assert schedule.spec == "every 3600 s"
    with house.application.stack.worker(threads=1):
        assert jobs.run_schedule(schedule.name).wait(60).state == "succeeded"
    assert (old.exists(), young.exists()) == (False, True)
