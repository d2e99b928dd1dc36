"""Jobs, events and errors in the dashboard: what went wrong is found there, and put right by a button."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from sqlalchemy import update

from postrmagic_core.database.tables import outbox
from postrmagic_core.events import Event, on
from postrmagic_core.events.tables import deliveries
from postrmagic_core.jobs import JobContext, JobHandle, every, task
from postrmagic_core.log.query import parse
from postrmagic_core.observability.dashboard import reading_deliveries
from postrmagic_core.observability.dashboard.reading_series import bars
from postrmagic_core.stack import Stack
from postrmagic_core.testing import until
from tests.observability.dashboard.visits import HOSTILE, Visitor, shown, visited


@dataclass
class Weather:
    """Whether what jobs and listeners need is there."""

    fair: bool = False


WEATHER = Weather()


@task(name="posters.scale", retries=0)
def scale(ctx: JobContext, media_id: int) -> int:
    """Fails in foul weather, with an error that would like to be markup."""
    if not WEATHER.fair:
        raise ValueError(HOSTILE)
    return media_id


@task(name="posters.tidy")
def tidy(ctx: JobContext) -> None:
    """Comes each hour."""


HOURLY = every(3600, tidy.call(), name="posters.hourly")


class PosterUploaded(Event):
    """A poster is there."""

    event_type = "posters.uploaded"
    media_id: int


@on(PosterUploaded, phase="durable", name="posters.mail")
def mail(event: PosterUploaded, ctx: object) -> None:
    """Fails in foul weather."""
    if not WEATHER.fair:
        raise ConnectionError(HOSTILE)


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Visitor]]:
    """A Stack whose worker and relay run, and who visits its dashboard."""
    with visited(tmp_path_factory.mktemp("work")) as (stack, visitor):
        stack.include(__name__)
        with stack.relay(), stack.worker(threads=2):
            yield stack, visitor


@pytest.fixture(autouse=True)
def _foul() -> Iterator[None]:
    WEATHER.fair = False
    yield
    WEATHER.fair = True


def failed(stack: Stack) -> JobHandle:
    """A job that has failed for good."""
    job = stack.jobs.enqueue(scale.call(7))
    stack.jobs.wait(job.id)
    return job


def questions(page: str) -> list[str]:
    """What a page's links ask the log."""
    links = re.findall(r'href="/logs\?([^"]*)"', page)
    return [parse_qs(html.unescape(link))["q"][0] for link in links]


def test_a_dead_letter_is_replayed_by_its_button(visit: tuple[Stack, Visitor]) -> None:
    """It is listed with why it failed; replayed in better weather it succeeds, and is listed no more."""
    stack, visitor = visit
    job = failed(stack)
    page = visitor.get("/jobs")
    assert job.id in page
    assert "posters.scale" in shown(page)
    assert "ValueError" in shown(page)
    WEATHER.fair = True
    assert visitor.press("/jobs", "replay", ids=job.id) == (True, "1 job waits again.")
    assert stack.jobs.result(job.id) == 7
    assert job.id not in visitor.get("/jobs")
    assert visitor.press("/jobs", "replay", ids=job.id)[0] is False


def test_what_is_shown_is_discarded_together(visit: tuple[Stack, Visitor]) -> None:
    """The button below the table takes those that it lists, and no others."""
    stack, visitor = visit
    first, second, third = failed(stack), failed(stack), failed(stack)
    assert visitor.press("/jobs", "discard", ids=f"{first.id} {second.id}") == (True, "2 jobs are forgotten.")
    assert stack.jobs.record(first.id) is None
    assert stack.jobs.record(third.id) is not None
    assert visitor.press("/jobs", "discard", ids="")[0] is False


def test_who_may_only_look_changes_nothing(visit: tuple[Stack, Visitor]) -> None:
    """Each button of each of the pages is refused, and what it would have done is not done."""
    stack, visitor = visit
    job = failed(stack)
    group = until(lambda: stack.observability.errors.find(search="posters.scale failed"))[0]
    guest = visitor.guest()
    assert job.id in guest.get("/jobs")
    for path, do, form in [
        ("/jobs", "replay", {"ids": job.id}),
        ("/jobs", "discard", {"ids": job.id}),
        ("/jobs", "pause-schedule", {"name": "posters.hourly"}),
        ("/events", "replay", {"id": "x"}),
        ("/events", "retry", {"ids": "1"}),
        ("/errors", "resolve", {"id": group.fingerprint}),
        ("/database", "analyze", {}),
        ("/sessions", "count", {}),
    ]:
        assert guest.refused(path, do, **form) == 403
    status = stack.jobs.status(job.id)
    assert status is not None
    assert status.state == "failed"
    assert not any(one.paused for one in stack.jobs.schedules())
    found = stack.observability.errors.get(group.fingerprint)
    assert found is not None
    assert found.state == group.state


def test_a_queue_tells_what_it_has_and_who_works(visit: tuple[Stack, Visitor]) -> None:
    """Dead letters are counted, the worker is told, and a job for later is listed where it waits."""
    stack, visitor = visit
    job = failed(stack)
    later = stack.jobs.enqueue(scale.call(1), delay=3600)
    stack.observability.metrics.publish()
    page = shown(visitor.get("/jobs"))
    assert "0 of 2" in page  # jobs of threads
    assert re.search(r"Tasks .* posters\.scale \d+ [1-9]\d* 0 ", page) is not None
    assert later.id not in visitor.get("/jobs")
    waiting = visitor.get("/jobs", state="waiting")
    assert later.id in waiting
    assert job.id not in waiting
    assert "in 59 min" in shown(waiting)
    assert job.id not in visitor.get("/jobs", queue="another")
    assert visitor.press("/jobs?state=waiting", "cancel", ids=later.id) == (True, "1 job is cancelled.")


def test_a_schedule_is_paused_run_and_resumed(visit: tuple[Stack, Visitor]) -> None:
    """By its buttons; one that is not known is refused in words."""
    stack, visitor = visit
    assert visitor.press("/jobs", "pause-schedule", name="posters.hourly")[0]
    assert "paused" in shown(visitor.get("/jobs"))
    assert "is enqueued" in visitor.press("/jobs", "run-schedule", name="posters.hourly")[1]
    assert visitor.press("/jobs", "resume-schedule", name="posters.hourly")[0]
    assert not any(one.paused for one in stack.jobs.schedules())
    done, why = visitor.press("/jobs", "run-schedule", name=HOSTILE)
    assert not done
    assert "there is no schedule" in why


def test_a_failed_job_leads_to_its_error_and_the_error_back(visit: tuple[Stack, Visitor]) -> None:
    """The job's page names the group; the group's shows the frames, and leads to the job and its log."""
    stack, visitor = visit
    job = failed(stack)
    status = stack.jobs.status(job.id)
    assert status is not None
    page = visitor.get("/jobs", id=job.id)
    assert f"/errors?id={status.fingerprint}" in page
    assert f"/logs?q=job%3A{job.id}" in page
    fingerprint = status.fingerprint or ""

    def told() -> bool:
        group = stack.observability.errors.get(fingerprint)
        return group is not None and (group.sample or {}).get("job_id") == job.id

    until(told)
    error = visitor.get("/errors", id=fingerprint)
    assert "ValueError" in shown(error)
    assert HOSTILE in shown(error).replace(" > ", ">")
    assert "test_pages_work.py" in error
    assert f"/jobs?id={job.id}" in error
    assert f"/traces?id={job.id}" in error
    for asked in questions(error):
        parse(asked, 0)
    assert any(asked.startswith("job:") for asked in questions(error))


def test_an_error_is_resolved_ignored_and_reopened(visit: tuple[Stack, Visitor]) -> None:
    """By its buttons, each noted with who did it; a release that is none is refused in words."""
    stack, visitor = visit
    logging.getLogger("posters.resolving").error("cannot resolve %s", HOSTILE)
    errors = stack.observability.errors
    name = until(lambda: errors.find(search="posters.resolving"))[0].fingerprint
    assert visitor.press("/errors", "resolve", id=name, release="2.1")[0]
    assert visitor.press("/errors", "ignore", id=name, **{"for": "24h"})[0]
    assert visitor.press("/errors", "reopen", id=name)[0]
    group = errors.get(name)
    assert group is not None
    assert [(change.state, change.by) for change in group.changes] == [
        ("resolved", "admin"),
        ("ignored", "admin"),
        ("new", "admin"),
    ]
    assert group.changes[0].release == "2.1"
    assert group.changes[1].until is not None
    assert timedelta(hours=23) < group.changes[1].until - group.changes[1].at <= timedelta(days=1)
    for asked in questions(visitor.get("/errors", id=name)):
        parse(asked, 0)
    page = shown(visitor.get("/errors", id=name))
    assert "resolved admin 2.1" in page
    assert visitor.press("/errors", "resolve", id=name, release="2 1")[0] is False
    assert visitor.press("/errors", "reopen", id="0" * 16)[0] is False


def test_errors_are_found_by_state_and_words_a_page_at_a_time(visit: tuple[Stack, Visitor]) -> None:
    """Thirty of them make two pages; a cursor that somebody made up leads to the first."""
    stack, visitor = visit
    for number in range(30):
        logging.getLogger(f"posters.many.{number:02}").error("one of many %s", HOSTILE)
    until(lambda: len(stack.observability.errors.find(search="posters.many")) == 30)
    first = visitor.get("/errors", q="posters.many")
    cursor = first.partition("after=")[2].partition('"')[0].replace("%3A", ":")
    second = visitor.get("/errors", q="posters.many", after=cursor)
    logged = [f"posters.many.{number:02}" for number in range(30)]
    assert [name for name in logged if (name in first) + (name in second) != 1] == []
    assert sum(name in first for name in logged) == 25
    assert "posters.many.00" in visitor.get("/errors", q="posters.many.00", after="not a cursor")
    assert "No such error" in shown(visitor.get("/errors", state="ignored", q="posters.many"))


def test_what_nobody_knows_is_told_so(visit: tuple[Stack, Visitor]) -> None:
    """A job, an event, an error that is not there: a page that says it, with 404."""
    _, visitor = visit
    for path in ("/jobs", "/events", "/errors"):
        assert "is not known" in shown(visitor.get(path, 404, id="0" * 16))
        visitor.get(path, 404, id=HOSTILE)


def test_a_dead_delivery_is_made_again_by_its_button(visit: tuple[Stack, Visitor]) -> None:
    """The listener that failed is told with its event; delivered again in better weather it is heard."""
    stack, visitor = visit
    event_id = stack.events.emit(PosterUploaded(media_id=3)).event_id
    event = until(lambda: stack.events.record(event_id))
    stack.jobs.cancel(event.deliveries[0].job_id)
    stack.jobs.wait(event.deliveries[0].job_id)
    stack.events.sweep()
    page = shown(visitor.get("/events"))
    assert "posters.mail" in page
    assert "posters.uploaded" in page
    assert "Deliver again" in page
    assert "1 dead" in shown(visitor.get("/events", type="posters.uploaded"))
    WEATHER.fair = True
    assert visitor.press("/events", "replay", id=event_id, listener="posters.mail")[0]
    stack.events.drain()
    assert "1 done" in shown(visitor.get("/events", id=event_id))
    assert "Everything durable has been heard" in shown(visitor.get("/events"))
    assert visitor.press("/events", "replay", id=event_id)[0] is False


def test_a_dead_row_of_the_outbox_waits_again(visit: tuple[Stack, Visitor]) -> None:
    """It is listed with its topic and why; the button lets it wait."""
    stack, visitor = visit
    with stack.database.write() as tx:
        tx.stage("posters", b"x")
    with stack.database.write() as tx:
        tx.execute(update(outbox).where(outbox.c.topic == "posters").values(dead=1, error="BackendTimeout"))
    row = stack.database.rows(outbox.select().where(outbox.c.topic == "posters"))[0]
    page = shown(visitor.get("/events"))
    assert "BackendTimeout" in page
    assert visitor.press("/events", "retry", ids=row.id) == (True, "1 row waits again, for the next relay that looks.")
    assert stack.database.outbox_counts()["posters"].dead == 0
    assert visitor.press("/events", "retry", ids=row.id)[0] is False


def test_deliveries_are_counted_up_to_a_bound(visit: tuple[Stack, Visitor], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, only so many are read, and the page says so."""
    stack, visitor = visit
    monkeypatch.setattr(reading_deliveries, "COUNTED", 2)
    with stack.database.write() as tx:
        for number in range(5):
            told = {"event_id": f"bound-{number}", "listener": HOSTILE, "job_id": ""}
            tx.execute(deliveries.insert().values(told))
    try:
        assert "There are more than were counted" in shown(visitor.get("/events"))
    finally:
        with stack.database.write() as tx:
            tx.execute(deliveries.delete().where(deliveries.c.listener == HOSTILE))


def test_bars_stand_in_proportion() -> None:
    """The greatest is as high as there is room; nothing is drawn of nothing."""
    assert bars([0, 0]) == ""
    assert (
        bars([1, 0, 2, 4], width=40, height=20)
        == "M0.0 20v-5.0h9.0v5.0zM20.0 20v-10.0h9.0v10.0zM30.0 20v-20.0h9.0v20.0z"
    )


def test_a_queue_that_cannot_be_has_no_jobs(visit: tuple[Stack, Visitor]) -> None:
    """Names that the database would refuse are asked for in vain, and break nothing."""
    _, admin = visit
    for name in ("\N{PILE OF POO}" * 50, "'; --", "\x00"):
        assert "cannot be read" not in admin.get("/jobs", queue=name)
