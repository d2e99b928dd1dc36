"""The database, the cache and the sessions in the dashboard: who holds what, what it costs, and what is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.jobs import JobContext, task
from postrmagic_core.log.query import parse
from postrmagic_core.observability.dashboard import reading_figures, reading_queries
from postrmagic_core.observability.dashboard.reading_figures import Figures, figures
from postrmagic_core.observability.dashboard.reading_repeats import QUERY, gathered
from postrmagic_core.observability.metrics.policy import Totals
from postrmagic_core.observability.metrics.reading import Reader
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock, until
from tests.observability.dashboard.visits import HOSTILE, Visitor, shown, visited


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Visitor]]:
    """A Stack, and who visits its dashboard."""
    with visited(tmp_path_factory.mktemp("backends"), log={"search": True}) as (stack, visitor):
        with stack.database.write() as tx:
            tx.execute(text("CREATE TABLE posters (id INTEGER PRIMARY KEY, owner INTEGER, title TEXT)"))
            rows = [{"owner": number % 50, "title": "x" * 50} for number in range(2000)]
            tx.execute(text("INSERT INTO posters (owner, title) VALUES (:owner, :title)"), rows)
        yield stack, visitor


@pytest.fixture(autouse=True)
def _read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_queries, "_KEPT", 0.0)


def test_who_holds_a_connection_is_seen(visit: tuple[Stack, Visitor]) -> None:
    """With the line that took it and for how long; and it is counted in the pools."""
    stack, visitor = visit
    with stack.database.read(snapshot=True) as tx:
        tx.execute(text("SELECT 1"))
        stack.observability.metrics.publish()
        page = visitor.get("/database")
    assert "test_pages_backends.py" in page.partition("Who holds a connection")[2].partition("</section>")[0]
    pools = shown(page.partition(">Pools<")[2].partition("</section>")[0])
    assert "read 1 " in pools
    assert "Nobody holds a connection" in shown(visitor.get("/database"))


def test_statements_are_listed_found_and_shown(visit: tuple[Stack, Visitor]) -> None:
    """By what they cost; one has its callers, and leads to its lines in the log."""
    stack, visitor = visit
    for number in range(5):
        stack.database.rows(text("SELECT title AS dear FROM posters WHERE owner = :owner"), {"owner": number})
    stack.database.rows(text('SELECT 1 AS "<script>alert(1)</script>", 2 AS cheap'))
    assert stack.database.queries is not None
    stack.database.queries.flush()
    page = visitor.get("/database", q="dear FROM posters", of="application")
    assert "SELECT title AS dear" in shown(page)
    assert "SELECT title AS dear" not in shown(visitor.get("/database", q="dear FROM posters", of="package"))
    assert "No such statement" in shown(visitor.get("/database", q="nobody asked that"))
    assert "<script>alert(1)</script>" in shown(visitor.get("/database", q="cheap", sort="count"))
    fingerprint = page.partition("statement=")[2][:16]
    one = visitor.get("/database", statement=fingerprint)
    assert "5" in shown(one.partition("<dt>Calls</dt>")[2][:40])
    assert "test_pages_backends.py" in one
    assert f"/logs?q=fingerprint%3A{fingerprint}" in one
    assert "is not known here" in shown(visitor.get("/database", 404, statement=HOSTILE))


def test_only_this_process_tells_where_the_files_are_too_large(
    visit: tuple[Stack, Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for files of hundreds of processes; the page says whose statements these are."""
    stack, visitor = visit
    stack.database.rows(text("SELECT 3 AS alone"))
    assert stack.database.queries is not None
    stack.database.queries.flush()
    assert "of this process alone" not in shown(visitor.get("/database"))
    monkeypatch.setattr(reading_queries, "_LARGEST", 10)
    page = shown(visitor.get("/database", q="alone"))
    assert "of this process alone" in page
    assert "SELECT ? AS alone" in page


def test_an_index_that_is_missing_is_named_when_somebody_asks(visit: tuple[Stack, Visitor]) -> None:
    """Not before: it costs. Asked for, it names the table and the column, and what tries them."""
    stack, visitor = visit
    for number in range(20):
        stack.database.rows(text("SELECT title FROM posters WHERE owner = :owner ORDER BY title"), {"owner": number})
    assert stack.database.queries is not None
    stack.database.queries.flush()
    assert "Nobody has asked yet" in shown(visitor.get("/database"))
    assert visitor.press("/database", "analyze")[0]
    page = until(lambda: found if "looked at" in (found := shown(visitor.get("/database"))) else None)
    advice = page.partition("Index advice")[2]
    assert "posters owner" in advice
    assert "postrmagic db analyze" in advice


def test_the_question_about_repetitions_is_one() -> None:
    """The log's language understands it."""
    assert parse(QUERY, 86_400_000_000 * 2).matches(
        {"ts": "1970-01-02T12:00:00Z", "level": "warning", "event": "GET /media ran one statement 25 times (0.1 s)"}
    )


def test_repetitions_are_gathered_by_statement_and_work() -> None:
    """The most of each stands first; what is no such warning is passed over."""
    told = {"fingerprint": "f1", "sql": "SELECT ?", "work": "GET /media", "line": "a.py:1", "seconds": 0.5}
    records: list[dict[str, Any]] = [
        told | {"count": 30},
        told | {"count": 50, "seconds": 0.1},
        told | {"count": 70, "work": "job posters.scale"},
        {"event": "another"},
        told | {"count": "many"},
    ]
    assert [(one.work, one.most, one.seconds, one.times) for one in gathered(records)] == [
        ("job posters.scale", 70, 0.5, 1),
        ("GET /media", 50, 0.5, 2),
    ]


@task(name="posters.one_by_one")
def one_by_one(ctx: JobContext) -> None:
    """Asks for each poster's owner by itself."""
    for number in range(25):
        ctx.database.rows(text("SELECT owner FROM posters WHERE id = :id"), {"id": number})


def test_a_job_that_asks_again_and_again_is_told(visit: tuple[Stack, Visitor]) -> None:
    """Its statement stands there with how often it ran and from which line, out of the log that is searched."""
    stack, visitor = visit
    stack.include(__name__)
    with stack.worker(threads=1):
        stack.jobs.wait(stack.jobs.enqueue(one_by_one.call()).id)

    def told() -> str | None:
        page = visitor.get("/database").partition("again and again<")[2].partition("</section>")[0]
        return page if "posters.one_by_one" in page else None

    found = until(told)
    assert "25" in shown(found)
    assert "SELECT owner FROM posters WHERE id = ?" in shown(found)
    assert "test_pages_backends.py" in found
    assert "/logs?q=" in found


def test_the_cache_tells_what_it_answered(visit: tuple[Stack, Visitor]) -> None:
    """Reads, the share of them that found a value, and what was computed, by namespace."""
    stack, visitor = visit
    for _ in range(4):
        stack.cache.get_or_set("poster", lambda: "shown", fresh=60)
    stack.observability.metrics.publish()
    page = shown(visitor.get("/cache"))
    assert "Answered 75.0 %" in page
    assert "sqlite cache, sessions, limits, observability there" in page
    assert "database ok" in page


def test_a_store_that_is_away_is_told_and_spoils_no_page(tmp_path: Path) -> None:
    """Known to be away after some calls; its password is on no page, and the other backends are told as ever."""
    away = {"url": "redis://user:hunter22@127.0.0.1:1/0", "timeout": 0.2}
    with visited(tmp_path, cache=away, sessions=away) as (stack, visitor):
        for _ in range(10):
            stack.cache.get_or_set("poster", lambda: "shown", fresh=60)
        stack.observability.metrics.publish()
        page = visitor.get("/cache")
        assert "redis cache, sessions away" in shown(page)
        assert f"sessions {BackendUnavailable.code}" in shown(page)
        assert "hunter22" not in page
        assert visitor.press("/sessions", "count")[0] is False
        assert "Sessions begun" in shown(visitor.get("/sessions"))


def test_sessions_are_counted_when_asked_and_logins_told(visit: tuple[Stack, Visitor]) -> None:
    """The button counts what is stored; the audit log's newest entries are there, and nothing in them is markup."""
    stack, visitor = visit
    for name in ("anna", "ben"):
        session = stack.sessions.load(None)
        session.login(name)
        stack.sessions.save(session)
    stack.security.audit.record("role.granted", actor=HOSTILE, subject="ben")
    stack.observability.metrics.publish()
    assert "2 sessions are stored now" in visitor.press("/sessions", "count")[1]
    page = shown(visitor.get("/sessions"))
    assert "Sessions begun 2" in page
    assert "role.granted ben done" in page
    assert "anna" not in page


def test_a_rate_is_of_what_came_since_a_look_before(visit: tuple[Stack, Visitor]) -> None:
    """Unknown at the first look; then by the seconds between, and anew after nobody looked for long."""
    stack, _ = visit
    clock, counter = FakeClock(), stack.metrics.counter("posters_total", kind="a")
    reading_figures._looks.forget()

    def rate() -> float | None:
        stack.observability.metrics.publish()
        return figures(stack, clock.monotonic).rate("posters_total", kind="a")

    assert rate() is None
    counter.add(60)
    clock.advance(30)
    assert rate() == 2.0
    clock.advance(30)
    assert rate() == 0.0
    counter.add(7)
    clock.advance(1000)
    assert rate() is None


def test_figures_of_this_process_stand_in_where_none_are_published(tmp_path: Path) -> None:
    """With metrics switched off the page tells what is counted here, and says so."""
    with visited(tmp_path, observability={"metrics": False}) as (stack, visitor):
        stack.cache.get_or_set("poster", lambda: "shown", fresh=60)
        page = shown(visitor.get("/cache"))
    assert "Reads 1" in page
    assert "of this process alone" in page


def test_a_quantile_is_the_bound_that_the_share_stays_within() -> None:
    """Over all labels that are not named; beyond the last bound it is that one; of nothing it is unknown."""
    metrics = Metrics()
    for pool, values in (("read", [0.0004] * 95 + [0.2] * 5), ("write", [99.0])):
        for value in values:
            metrics.histogram("db_pool_wait_seconds", pool=pool).observe(value)
    found = Figures(Reader(metrics).counted())
    assert found.quantile("db_pool_wait_seconds", 0.95, pool="read") == 0.0005
    assert found.quantile("db_pool_wait_seconds", 0.96, pool="read") == 0.25
    assert found.quantile("db_pool_wait_seconds", 0.5, pool="write") == 10.0
    assert found.quantile("db_pool_wait_seconds", 0.95) == 0.25
    assert Figures(Totals()).quantile("db_pool_wait_seconds", 0.5) is None
