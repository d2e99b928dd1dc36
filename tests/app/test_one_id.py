"""One id, the whole story: an upload that fails in its job is found by it wherever something was told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from postrmagic_core import _codec
from postrmagic_core.events.tables import deliveries, events
from postrmagic_core.jobs.tables import jobs
from postrmagic_core.log.terms import configured
from postrmagic_core.observability.errors import ErrorGroup
from postrmagic_core.settings import Settings
from postrmagic_core.testing import until
from postrmagic_core.testing.capture import embedded_settings
from tests.app.house import House, furnish, open_house, small
from tests.observability.traces.conftest import Tap, tap  # noqa: F401 - pytest looks for fixtures here

REQUEST = "01-one-upload-that-fails"
TASK = "media_library.tasks.make_thumbnails"


@pytest.fixture
def settings(tmp_path: Path, tap: Tap) -> Settings:  # noqa: F811 - the fixture
    """Everything on: each statement is slow enough to be told, each trace recorded."""
    observability = {"traces": True, "traces_endpoint": tap.url}
    return embedded_settings(tmp_path).replace(
        log={"file": tmp_path / "application.log"},
        stack={"release": "1.4.2", "service": "media"},
        observability=observability,
        database={"slow_query": 0.000001},
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    """The site, with its log in a file, and who keeps count of errors."""
    furnish(settings)
    with ExitStack() as opened:
        opened.enter_context(configured(settings))
        yield opened.enter_context(open_house(settings))


def lines(settings: Settings) -> list[dict[str, Any]]:
    """The log."""
    assert settings.log.file is not None
    return [json.loads(line) for line in settings.log.file.read_text(encoding="utf-8").splitlines()]


def groups(house: House) -> list[ErrorGroup]:
    """The groups of errors of thumbnails."""
    errors = house.application.stack.observability.errors
    found = [errors.get(group.fingerprint) for group in errors.find(search="Damaged")]
    return [group for group in found if group is not None and group.sample and group.sample.get("task") == TASK]


def test_an_upload_that_fails_in_its_job_is_told_by_its_id(house: House, settings: Settings, tap: Tap) -> None:  # noqa: F811 - the fixture
    """From the access log to SQL, event, job, error group and trace."""
    stack, browser = house.application.stack, house.browser()
    answer = browser.post("/api/v1/media", files={"file": ("a.jpeg", small())}, headers={"X-Request-ID": REQUEST})
    assert (answer.status_code, answer.headers["x-request-id"]) == (201, REQUEST)
    for blob in (settings.stack.data_dir / "media" / "blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()  # as a disk loses it between the upload and the job
    with stack.relay(), stack.worker(threads=2):
        until(lambda: groups(house), "no error group")
    # the access log gives the trace
    told = [line for line in lines(settings) if line.get("request_id") == REQUEST]
    (access,) = [line for line in told if line["event"] == "request"]
    assert (access["status"], access["path"], access["release"]) == (201, "/api/v1/media", "1.4.2")
    trace = access["trace_id"]
    # SQL: of the request, and of the job that it caused
    statements = [line for line in told if line["logger"] == "postrmagic_core.database" and "sql" in line]
    assert any("INSERT INTO media" in line["sql"] for line in statements)
    # the event, and the job that came of it
    with stack.database.read() as unit:
        rows = unit.execute(select(jobs.c.id, jobs.c.task, jobs.c.headers)).all()
        delivered = unit.execute(
            select(deliveries.c.job_id, events.c.type).join(events, deliveries.c.event_id == events.c.id)
        )
        listened = {row.job_id: row.type for row in delivered}
    mine = {row.id: row.task for row in rows if row.headers and _codec.decode(row.headers).get("request_id") == REQUEST}
    assert "PosterUploaded" in " ".join(listened[id] for id in mine if id in listened)
    (job_id,) = [id for id, task in mine.items() if task == TASK]
    failed = [line for line in told if line["level"] == "error" and line.get("job_id") == job_id]
    assert {line["task"] for line in failed} == {TASK}
    # the error group's sample
    (group,) = groups(house)
    assert (group.state, group.service, group.first_release) == ("new", "media", "1.4.2")
    assert group.sample is not None
    assert (group.sample["request_id"], group.sample["job_id"]) == (REQUEST, job_id)
    assert group.fingerprint in {line["fingerprint"] for line in failed}

    # the trace, at a receiver that is not ours
    def spans() -> list[dict[str, Any]]:
        return [span for span in tap.spans if span["traceId"] == trace]

    until(lambda: any(TASK in span["name"] for span in spans()), "the job's span did not arrive")
    names = " ".join(span["name"] for span in spans())
    assert "POST /api/v1/media" in names
    assert any("INSERT" in span["name"] for span in spans())
