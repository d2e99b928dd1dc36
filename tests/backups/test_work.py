"""Backups and drills by workers: enqueued by a schedule, run once, and told of."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from postrmagic_core.backups.tables import runs
from postrmagic_core.backups.work import scheduled
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.jobs.interface import DEAD
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock, spawn, until
from postrmagic_core.testing.capture import embedded_settings
from tests.copies import packaged

TAKE, DRILL = "postrmagic.backups.take", "postrmagic.backups.drill"
SCHEDULES = {"schedule": "17 2 * * *", "drill_schedule": "40 4 * * SUN"}


def stack_in(directory: Path, **backups: Any) -> Stack:
    """One on SQLite files there, whose workers are to take backups."""
    settings = embedded_settings(directory).replace(
        backups={**SCHEDULES, **backups}, security={"keys": ["a key of the tests, of 32 characters or more"]}
    )
    return Stack(settings.replace(jobs={"lease": 1.0}), configure_logging=False)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Open."""
    packaged(f"sqlite:///{tmp_path}/app.db")
    with stack_in(tmp_path) as opened:
        yield opened


def outcomes(stack: Stack, kind: str) -> list[str | None]:
    """How the runs of a kind ended."""
    with stack.database.read() as tx:
        return list(tx.scalars(select(runs.c.outcome).where(runs.c.kind == kind).order_by(runs.c.began_us)))


def test_a_worker_takes_a_backup_and_tries_it(stack: Stack, tmp_path: Path) -> None:
    """As jobs like any other; a drill that fails is a job that failed, with the reason, and is not tried again."""
    jobs = stack.jobs
    with stack.worker(threads=1):
        early = jobs.wait(jobs.enqueue(jobs.tasks[DRILL].call()).id, 30)
        assert (early.state, early.attempts) == ("failed", 1)
        taken = jobs.wait(jobs.enqueue(jobs.tasks[TAKE].call()).id, 30)
        assert taken.state == "succeeded"
        assert stack.backups.verify().endswith(".backup")
        assert jobs.wait(jobs.enqueue(jobs.tasks[DRILL].call()).id, 30).state == "succeeded"
    assert outcomes(stack, "backup") == ["done"]
    assert outcomes(stack, "drill") == ["failed", "done"]
    assert taken.progress is not None


def test_settings_say_when(stack: Stack) -> None:
    """Both are schedules that `postrmagic schedules` lists; of two backups at once the second is the first."""
    with stack.scheduler():
        until(lambda: len(stack.jobs.schedules()) >= 2)
    assert {one.name: one.spec for one in stack.jobs.schedules()} == {
        TAKE: SCHEDULES["schedule"],
        DRILL: SCHEDULES["drill_schedule"],
    }
    task = stack.jobs.tasks[TAKE]
    first, second = stack.jobs.enqueue(task.call()), stack.jobs.enqueue(task.call())
    assert first.id == second.id


def test_a_schedule_that_brings_nothing_is_told_to_somebody(tmp_path: Path) -> None:
    """The gauges reach the shipped rules by themselves, in whichever process evaluates them."""
    packaged(f"sqlite:///{tmp_path}/app.db")
    clock = FakeClock()
    with Stack(stack_in(tmp_path).settings, clock=clock, configure_logging=False) as stack:
        stack.observability.alerts.evaluate()
        assert stack.observability.alerts.current("firing") == []
        clock.advance(27 * 3600)
        stack.observability.alerts.evaluate()
        assert [one.rule for one in stack.observability.alerts.current("firing")] == ["a backup is overdue"]
        stack.backups.take()
        clock.advance(120)
        stack.observability.alerts.evaluate()
        assert stack.observability.alerts.current("firing") == []


def test_without_schedules_there_are_none(tmp_path: Path) -> None:
    """Nor the tasks: nobody asked for them."""
    stack = stack_in(tmp_path, schedule=None, drill_schedule=None)
    assert not {TAKE, DRILL} & set(stack.jobs.tasks)
    (only,) = [each for each in scheduled(lambda: stack.backups, drills="0 0 * * *") if hasattr(each, "timing")]
    assert only.name == DRILL


@pytest.mark.parametrize("setting", ["schedule", "drill_schedule"])
def test_an_expression_that_is_none_names_its_setting(tmp_path: Path, setting: str) -> None:
    """When the queue is made, not at two in the morning."""
    with pytest.raises(ConfigurationError, match=rf"POSTRMAGIC_BACKUPS__{setting.upper()}: .*'every night'"):
        _ = stack_in(tmp_path, **{setting: "every night"}).jobs


def die_in_a_backup(directory: str) -> None:
    """In a process of its own: a worker takes a backup, and is killed in the middle of it."""
    stack = stack_in(Path(directory))

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    vars(stack.backups)["take"] = die  # what a machine does that loses its power
    with stack, stack.worker(threads=1):
        stack.jobs.enqueue(stack.jobs.tasks[TAKE].call())
        until(lambda: False, timeout=60)


def test_a_backup_that_kills_its_worker_is_not_tried_again_at_once(tmp_path: Path) -> None:
    """Else it would for ever; its next time comes."""
    packaged(f"sqlite:///{tmp_path}/app.db")
    with spawn(die_in_a_backup, str(tmp_path)) as child:
        assert child.wait(60) == -signal.SIGKILL
    with stack_in(tmp_path) as stack, stack.worker(threads=1):
        (job,) = until(lambda: stack.jobs.find(DEAD, task=TAKE), timeout=60)
        assert job.attempts == 1
        assert stack.backups.list() == []
        again = stack.jobs.enqueue(stack.jobs.tasks[TAKE].call())
        assert again.id != job.id
        assert stack.jobs.wait(again.id, 30).state == "succeeded"
