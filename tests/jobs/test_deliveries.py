"""Replies that are lost and brokers that stumble: the one consumer of a worker goes on, and nothing is done twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.jobs import task

pytestmark = pytest.mark.fault

Rig = Any
Turn = Callable[..., Any]
starts: list[int] = []


@task(name="counted", retries=3)
def counted(ctx: Any) -> int:
    starts.append(ctx.attempt)
    return int(ctx.attempt)


@pytest.fixture
def rig(make_rig: Callable[..., Rig], place: Any) -> Rig:
    starts.clear()
    rig = make_rig(place, lease=1.0)
    rig.jobs.include(counted)
    return rig


def breaking(rig: Rig, monkeypatch: pytest.MonkeyPatch, turn: Callable[[Turn, Any, Any], Any]) -> None:
    """Have every turn of the workers go through ``turn``, which is given the real one."""
    real = rig.jobs.adapter.turn
    monkeypatch.setattr(rig.jobs.adapter, "turn", lambda settlements, want: turn(real, settlements, want))


def test_a_claim_whose_reply_was_lost_is_delivered_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker counts a delivery that nobody has: it ends with its lease, also while the worker lives."""
    lost: list[float] = []

    def turn(real: Turn, settlements: Any, want: Any) -> Any:
        found = real(settlements, want)
        if found.claims and not lost:
            lost.append(time.monotonic())
            raise BackendUnavailable("the reply is lost")
        return found

    breaking(rig, monkeypatch, turn)
    job = rig.jobs.enqueue(counted.call())
    rig.work()
    assert job.result(20) == 2
    assert time.monotonic() - lost[0] < 1.0 + 5
    assert starts == [2]


def test_an_end_whose_reply_was_lost_is_recorded_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again, is nobody's any more, and changes nothing."""
    told = []

    def turn(real: Turn, settlements: Any, want: Any) -> Any:
        found = real(settlements, want)
        told.extend(found.owned)
        if settlements and len(told) == 1:
            rig.first_end = rig.jobs.status(settlements[0].claim.id)
            raise BackendUnavailable("the reply is lost")
        return found

    breaking(rig, monkeypatch, turn)
    rig.work()
    job = rig.jobs.enqueue(counted.call())
    rig.until(lambda: len(told) >= 2)
    assert told == [True, False]
    assert job.status() == rig.first_end
    assert (job.result(), starts) == (1, [1])


def test_an_end_that_cannot_be_recorded_is_kept_until_it_can(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than the lease: the job is not run again."""
    first = []

    def turn(real: Turn, settlements: Any, want: Any) -> Any:
        if settlements:
            first.append(time.monotonic())
            if time.monotonic() - first[0] < 1.5:
                raise BackendUnavailable("away")
        return real(settlements, want)

    breaking(rig, monkeypatch, turn)
    rig.work()
    job = rig.jobs.enqueue(counted.call())
    assert job.result(20) == 1
    assert len(first) > 1
    assert starts == [1]


@pytest.mark.parametrize(("error", "lines"), [(BackendUnavailable("away"), 1), (RuntimeError("unforeseen"), 3)])
def test_a_worker_goes_on_whatever_its_broker_raises(
    sqlite_rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    lines: int,
) -> None:
    """Told once, and again when it works; what nobody foresaw is told each time."""
    failures = [error] * 3

    def turn(real: Turn, settlements: Any, want: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(settlements, want)

    sqlite_rig.jobs.include(counted)
    breaking(sqlite_rig, monkeypatch, turn)
    with caplog.at_level(logging.WARNING, "postrmagic_core.jobs"):
        job = sqlite_rig.jobs.enqueue(counted.call())
        sqlite_rig.work()
        assert job.result() == 1
    told = [record.getMessage() for record in caplog.records]
    assert [text.startswith("jobs cannot be fetched") for text in told].count(True) == lines
    assert told.count("the jobs' broker answers again") == 1


def test_a_worker_that_cannot_tell_its_last_ends_leaves_them_to_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It closes all the same and says so; they are delivered again."""

    def turn(real: Turn, settlements: Any, want: Any) -> Any:
        if settlements:
            raise BackendUnavailable("away")
        return real(settlements, want)

    breaking(rig, monkeypatch, turn)
    with rig.jobs.worker(threads=1):
        job = rig.jobs.enqueue(counted.call())
        rig.until(lambda: starts == [1])
    assert "could not be settled" in caplog.text
    monkeypatch.undo()
    rig.work()
    assert job.result(20) == 2
