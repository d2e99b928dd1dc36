"""The Stack fixtures: a whole application's infrastructure in a test's own directory, and what happened on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.events import Event
from postrmagic_core.jobs import task
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import CapturedJob


class Uploaded(Event):
    """An event of these tests."""

    media_id: int


@task()
def shrink(ctx: object, media_id: int, width: int = 100) -> None:
    """A task that nobody runs here."""
    raise AssertionError("captured jobs are not run")


@contextmanager
def rolled_back(stack: Stack) -> Iterator[Any]:
    """A write unit that ends without a commit."""
    with suppress(InterruptedError), stack.database.write() as tx:
        yield tx
        raise InterruptedError


def test_the_stack_is_open_and_its_own(stack: Stack, tmp_path: Path) -> None:
    """Every backend answers, and every file lies in the test's directory."""
    assert all(health.ok for health in stack.health().values())
    stack.cache.set("k", "v", ttl=60)
    assert stack.cache.get("k") == "v"
    assert stack.settings.stack.data_dir.is_relative_to(tmp_path)


def test_production_urls_in_the_environment_are_not_touched(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A test run in a shell set up for production stays in its directory."""
    for room in ("DATABASE", "CACHE", "SESSIONS", "JOBS"):
        monkeypatch.setenv(f"POSTRMAGIC_{room}__URL", "mysql://user:secret@production.invalid/x")
    settings = request.getfixturevalue("stack").settings
    urls = [settings.database_url(), settings.broker_url()]
    urls += [settings.store_url(room) for room in (settings.cache, settings.sessions)]
    assert all(url.startswith(f"sqlite:///{tmp_path}") for url in urls)


def test_jobs_are_captured_when_they_are_committed(stack: Stack, captured_jobs: list[CapturedJob]) -> None:
    """With the arguments as the task will get them; a rolled-back unit enqueued nothing."""
    stack.jobs.include(shrink)
    with stack.database.write() as tx:
        handle = stack.jobs.enqueue(shrink.call(7), tx=tx)
        assert captured_jobs == []
    assert captured_jobs == [CapturedJob(handle.id, shrink.name, {"media_id": 7})]
    with rolled_back(stack) as tx:
        stack.jobs.enqueue(shrink.call(8), tx=tx)
    stack.jobs.enqueue(shrink.call(9, width=3))
    assert [job.arguments for job in captured_jobs] == [{"media_id": 7}, {"media_id": 9, "width": 3}]


def test_events_are_captured_when_they_are_committed(stack: Stack, captured_events: list[Event]) -> None:
    """Also those nobody listens to; a rolled-back unit emitted nothing."""
    with stack.database.write() as tx:
        stack.events.emit(Uploaded(media_id=1), tx=tx)
        assert captured_events == []
    with rolled_back(stack) as tx:
        stack.events.emit(Uploaded(media_id=2), tx=tx)
    stack.events.emit(Uploaded(media_id=3))
    assert captured_events == [Uploaded(media_id=1), Uploaded(media_id=3)]


def test_the_plugin_loads_no_driver() -> None:
    """Every pytest run of a project that has the package installed imports the plugin: it must cost nothing."""
    code = "import sys, postrmagic_core.testing.pytest_plugin as p; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    heavy = ["redis", "pymysql", "sqlalchemy", "dramatiq", "pydantic", "hypothesis", "asyncio"]
    shown = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
