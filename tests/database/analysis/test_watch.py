"""A request or job that asks too much, or the same again and again, is told once at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import text

from postrmagic_core._work import working
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.analysis.throttle import INTERVAL, Throttle, kind_of
from postrmagic_core.testing import FakeClock

Logged = Callable[..., DatabaseManager]
BY_ID = text("SELECT n FROM numbers WHERE id = :id")


def ask(db: DatabaseManager, times: int) -> None:
    """Read as many rows one by one."""
    for number in range(times):
        with db.read() as tx:
            tx.scalar(BY_ID, {"id": number})


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The warnings so far."""
    return [record for record in caplog.records if record.levelno == logging.WARNING]


def test_a_repeated_statement_is_told_with_its_line(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """N+1: the statement, how often, and where in the application."""
    db = logged(repeated=5)
    with working("GET /media/17?page=2"):
        ask(db, 7)
        assert told(caplog) == []
    (warning,) = told(caplog)
    found = warning.__dict__
    assert (found["work"], found["count"]) == ("GET /media/*", 7)
    assert found["sql"] == "SELECT n FROM numbers WHERE id = ?"
    assert found["line"].startswith(__file__)
    assert found["line"].endswith("(ask)")
    assert found["line"] in warning.getMessage()


def test_less_often_is_not_told(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Below the threshold, and over several requests together, nothing is said; neither outside of any."""
    db = logged(repeated=5)
    for _ in range(3):
        with working("GET /media"):
            ask(db, 4)
    ask(db, 10)
    assert told(caplog) == []


def test_definitions_do_not_repeat(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """What defines tables may run often: it asks for no rows."""
    db = logged(repeated=3)
    with working("job migrate"), db.write() as tx:
        for _ in range(4):
            tx.execute(text("CREATE TABLE IF NOT EXISTS other (id INTEGER)"))
    assert [record for record in told(caplog) if "count" in record.__dict__] == []


def test_a_budget_is_for_all_statements_together(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Past it, the whole is told with its three costliest statements."""
    db = logged(budget=1e-6)
    with working("job report"), db.read() as tx:
        for column in ("id", "n", "name", "n + 1", "n + id"):
            tx.execute(text(f"SELECT {column} FROM numbers")).all()
    (warning,) = told(caplog)
    assert (warning.__dict__["work"], warning.__dict__["count"]) == ("job report", 5)
    assert len(warning.__dict__["fingerprints"]) == 3
    assert warning.getMessage().count("SELECT ") == 3
    assert warning.__dict__["seconds"] > 1e-6


def test_a_budget_that_is_kept_is_not_told(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said below it."""
    db = logged(budget=1000.0)
    with working("job report"):
        ask(db, 5)
    assert told(caplog) == []


def test_the_same_is_told_once_a_minute(
    open_database: Callable[..., DatabaseManager], logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests that differ by an id are of one kind; another kind is told by itself."""
    db = logged(repeated=3)
    for path in ("/media/17", "/media/0192f0c1-7a3b-7000-8000-0123456789ab", "/lists"):
        with working(f"GET {path}"):
            ask(db, 3)
    assert [record.__dict__["work"] for record in told(caplog)] == ["GET /media/*", "GET /lists"]


def test_what_a_task_or_lane_asks_is_the_works(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Statements that run in another thread on the work's behalf count for it."""
    import asyncio

    db = logged(repeated=4)

    async def handle() -> None:
        with working("GET /media"):
            await asyncio.gather(*(one(number) for number in range(4)))

    async def one(number: int) -> None:
        async with db.aio.read() as tx:
            await tx.scalar(BY_ID, {"id": number})

    asyncio.run(handle())
    (warning,) = told(caplog)
    assert warning.__dict__["count"] == 4
    assert warning.__dict__["line"].startswith(__file__)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("GET /media/17", "GET /media/*"),
        ("GET /media/17/tags/3?token=abc", "GET /media/*/tags/*"),
        ("POST /v1/reset/eyJhbGciOi0NiJ9x", "POST /v1/reset/*"),
        ("GET /u/someone@example.org", "GET /u/*"),
        ("GET /x/%2e%2e", "GET /x/*"),
        ("GET /deadbeef", "GET /*"),
        ("job media_library.tasks.make_thumbnail2", "job media_library.tasks.make_thumbnail2"),
        ("GET /" + "a" * 5000, "GET /*"),
        ("GET /a\nb", "GET /a\nb"),
        ("", ""),
    ],
)
def test_kinds_of_work(label: str, kind: str) -> None:
    """What names one thing is left out: ids, tokens, addresses, queries. Names of tasks and routes stay."""
    assert kind_of(label) == kind


def test_a_throttle_lets_a_pair_pass_once_a_minute() -> None:
    """And a statement at most ten times, whatever kinds somebody invents."""
    throttle, clock = Throttle(), FakeClock()
    assert throttle.allows("a", "x", clock.monotonic())
    assert not throttle.allows("a", "x", clock.monotonic())
    assert throttle.allows("b", "x", clock.monotonic())
    passed = sum(throttle.allows("a", f"kind {number}", clock.monotonic()) for number in range(50))
    assert passed == 9
    clock.advance(INTERVAL)
    assert throttle.allows("a", "x", clock.monotonic())
