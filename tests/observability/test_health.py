"""Checks: every backend is told of within a bound, whatever one of them does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.observability.health import Checks, drain_process
from postrmagic_core.testing import FakeClock, spawn


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
def checks(clock: FakeClock) -> Checks:
    """Checks that have little time."""
    return Checks(budget=0.3, clock=clock)


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


def test_callers_do_not_queue_for_one_that_hangs(checks: Checks) -> None:
    """What one has waited for is told to all; and one that is added later has its own thread."""
    going = threading.Event()
    checks.add("database", lambda: going.wait(30))
    threads = [threading.Thread(target=checks.report) for _ in range(20)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 3
    checks.add("cache", fine)
    assert checks.report(now=True).checks["cache"].ok
    going.set()


@pytest.mark.parametrize("raised", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_whatever_a_check_raises_it_failed(checks: Checks, raised: BaseException) -> None:
    """And is asked again."""
    raising = [raised]

    def once() -> None:
        if raising:
            raise raising.pop()

    checks.add("own", once)
    assert checks.report().checks["own"].error == type(raised).__name__
    assert checks.report(now=True).ready


def test_a_check_that_never_returns_keeps_no_process_alive() -> None:
    """The interpreter ends all the same."""
    code = (
        "import threading\nfrom postrmagic_core.observability.health import Checks\n"
        "checks = Checks(budget=0.1)\nchecks.add('never', threading.Event().wait)\nprint(checks.report().state)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "failed\n"


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


def in_a_process() -> None:
    """What its checks say before and after it was told to drain, those made later, and those of a forked child."""
    before = Checks()
    said = [before.report().state]
    drain_process()
    drain_process()
    said += [before.report().state, Checks().report().state]
    if os.fork():
        os.wait()
        return
    said += [before.report().state, Checks().report().state]
    sys.stdout.write(" ".join(said) + "\n")
    sys.stdout.flush()
    os._exit(0)


def test_a_process_drains_and_its_children_do_not() -> None:
    """Whoever serves knows no checks, and reaches all of them; a forked child takes work until it is told itself."""
    with spawn(in_a_process) as child:
        assert child.line().split() == ["ok", "draining", "draining", "ok", "ok"]
