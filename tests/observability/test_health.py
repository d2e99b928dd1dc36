"""Checks: every backend is told of within a bound, whatever one of them does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.observability.health import Checks
from postrmagic_core.testing import FakeClock


def fine() -> None:
    """A backend that answers."""


def away() -> None:
    """A backend that does not."""
    raise BackendUnavailable("mysql://user:s3cret@host is away")


def odd() -> None:
    """A check of an application that fails in its own way."""
    raise LookupError("s3cret")


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture
def checks(clock: FakeClock) -> Iterator[Checks]:
    """Checks, and no thread of theirs afterwards."""
    made = Checks(budget=0.3, clock=clock)
    yield made
    made.close()


def test_what_is_needed_decides(checks: Checks) -> None:
    """A cache that may be away degrades; a database fails."""
    checks.add("database", fine)
    checks.add("cache", away, needed=False)
    report = checks.report()
    assert (report.state, report.ready) == ("degraded", True)
    assert report.checks["cache"].error == BackendUnavailable.code
    checks.add("database", away)
    report = checks.report(now=True)
    assert (report.state, report.ready) == ("failed", False)


def test_an_error_is_told_by_its_name_alone(checks: Checks) -> None:
    """Its text may hold what nobody should read."""
    checks.add("own", odd)
    assert checks.report().checks["own"].error == "LookupError"
    assert "s3cret" not in repr(checks.report())


def test_one_that_hangs_keeps_no_other_from_being_told(checks: Checks) -> None:
    """It is timed out within the budget, and not begun again before it ended: probes pile nothing up."""
    going, begun = threading.Event(), []

    def hangs() -> None:
        begun.append(1)
        going.wait(30)

    checks.add("database", hangs)
    checks.add("cache", fine)
    started = time.monotonic()
    reports = [checks.report(now=True) for _ in range(3)]
    assert time.monotonic() - started < 5
    assert {report.checks["database"].error for report in reports} == {"timed_out"}
    assert all(report.checks["cache"].ok for report in reports)
    assert len(begun) == 1
    going.set()
    while not checks.report(now=True).ready:
        time.sleep(0.01)


def test_many_who_ask_cost_one_look(checks: Checks, clock: FakeClock) -> None:
    """A report is good for a second."""
    asked: list[int] = []
    checks.add("database", lambda: asked.append(1))
    threads = [threading.Thread(target=checks.report) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    clock.advance(1.0)
    checks.report()
    assert len(asked) == 2


def test_who_is_about_to_end_is_not_ready(checks: Checks) -> None:
    """Whatever the backends say."""
    checks.add("database", fine)
    assert checks.report().ready
    checks.drain()
    assert (checks.report().state, checks.report().ready) == ("draining", False)
