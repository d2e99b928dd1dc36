"""A job fails; from the alert that fires somebody finds, link by link, the upload that it began with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from media_library.application import assemble
from media_library.posters import POSTERS
from media_library.tasks import make_thumbnails
from postrmagic_core.stack import Stack
from postrmagic_core.testing import spawn, until
from postrmagic_core.testing.capture import embedded_settings
from tests.app.chromium import as_file, log_in, told_but
from tests.app.served import ROOT, Served, serving
from tests.chromium import PATIENCE_MS

pytestmark = pytest.mark.browser

WATCHED = {"POSTRMAGIC_LOG__SEARCH": "true", "POSTRMAGIC_OBSERVABILITY__TRACES": "true"}


@pytest.fixture
def served(tmp_path: Path, furnished: Path) -> Iterator[Served]:
    """The site, its records and spans kept, without a worker."""
    with serving("uvicorn-httptools", tmp_path, furnished, tls=False, **WATCHED) as served:
        yield served


@pytest.fixture
def page(chromium: Browser, served: Served) -> Iterator[Page]:
    """The administrator's browser, on the site's page; nothing is complained of in it."""
    complaints: list[str] = []
    with chromium.new_context(viewport={"width": 1300, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.extend(told_but(message, 401)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served.origin)
        log_in(page, "keeper")
        yield page
    assert complaints == []


def work() -> None:
    """In a process of its own: a worker with its relay, until it is ended."""
    from postrmagic_core.jobs.process import run

    run("media_library.worker:stack", 2, "all")


def fail_a_job(directory: Path) -> str:
    """Have a worker make thumbnails of what was uploaded, of which the disk kept nothing; the error's fingerprint."""
    for file in (directory / "media").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"what a broken disk gives back")
    around = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}",
        "POSTRMAGIC_STACK__DATA_DIR": str(directory),
        "POSTRMAGIC_STACK__ENVIRONMENT": "test",
        "POSTRMAGIC_LOG__FILE": str(directory / "worker.log"),
    }
    stack = assemble(Stack(embedded_settings(directory), configure_logging=False)).stack
    with stack.database, spawn(work, env=around | WATCHED):
        found = until(lambda: error_of(stack, make_thumbnails.name), timeout=60)
        # As one process of all does every fifteen seconds.
        stack.observability.alerts.evaluate()
    return found


def error_of(stack: Stack, task: str) -> str:
    """The fingerprint of the error that jobs of a task failed by, if they did: of others of its type, not theirs."""
    for group in stack.observability.errors.find(search="Damaged"):
        if ((stack.observability.errors.get(group.fingerprint) or group).sample or {}).get("task") == task:
            return group.fingerprint
    return ""


@pytest.mark.soak
def test_the_upload_is_found_from_the_alert_of_its_job(page: Page, served: Served) -> None:
    """Alert, error, story: at its top stands the request that uploaded the poster, beneath it the job that failed."""
    with page.expect_response(lambda answer: answer.url.endswith("/api/v1/media") and answer.status == 201) as uploaded:
        page.set_input_files("#files", [as_file(POSTERS[0])])
    request_id = uploaded.value.headers["x-request-id"]
    error = fail_a_job(served.directory)

    page.goto(f"{served.origin}/observability/")
    page.get_by_role("link", name="Alerts", exact=True).click()
    alert = page.get_by_role("article").filter(has_text=error)
    alert.get_by_role("link", name="The error", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Damaged")
    page.get_by_role("link", name="The whole story as a tree").first.click()

    story = page.get_by_role("list", name="The story")
    expect(story.locator("li.request", has_text="POST /api/v1/media 201")).to_be_visible()
    expect(page.get_by_role("link", name=request_id)).to_be_visible()
    failed = story.locator("li.line.bad", has_text="failed in delivery 1 (media.damaged)").first
    failed.locator("summary").click()
    expect(failed.get_by_text("is damaged or missing").first).to_be_visible()
    expect(story.locator("li.span", has_text="POST /api/v1/media").first).to_be_visible()

    page.goto(f"{served.origin}/observability/alerts")
    alert.get_by_role("button", name="I look after it").click()
    expect(page.locator(".message.good")).to_contain_text("You look after it")
    expect(alert).to_contain_text("looks after it")
