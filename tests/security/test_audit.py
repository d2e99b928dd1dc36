"""The audit log tells who did what to whom, is never written by halves, and is not flooded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._protocols import UnitLike
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import NotOpen, OutsideUnit
from postrmagic_core.security.access import AuditLog
from postrmagic_core.security.access.denials import Denials, Summed
from postrmagic_core.security.tables import audit as rows
from postrmagic_core.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()


@pytest.fixture
def audit(database: DatabaseManager, clock: FakeClock) -> Iterator[AuditLog]:
    """An open log."""
    with AuditLog(database, clock=clock) as log:
        yield log


def test_a_row_tells_who_did_what_to_whom(audit: AuditLog, clock: FakeClock) -> None:
    """Found by each of them and by time, the newest first."""
    first = audit.record("role.granted", actor="1", subject="7", detail={"role": "admin", "old": ["ä", 1, None]})
    clock.advance(60)
    second = audit.record("key.rotated", actor=None, subject=None, outcome="failed")
    entry = audit.find(actor="1")[0]
    assert (entry.id, entry.actor, entry.action, entry.subject, entry.outcome) == (
        first,
        "1",
        "role.granted",
        "7",
        "done",
    )
    assert entry.recorded_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert entry.detail == {"role": "admin", "old": ["ä", 1, None]}
    assert [row.id for row in audit.find()] == [second, first]
    assert [row.id for row in audit.find(limit=1)] == [second]
    assert [row.id for row in audit.find(since=datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC))] == [second]
    assert [row.id for row in audit.find(action="role.granted", subject="7")] == [first]
    assert audit.find(actor="7") == []
    with pytest.raises(ValueError, match="expected as actor a text"):
        audit.find(actor="x" * 191)


def test_a_row_belongs_to_the_transaction_it_is_given(audit: AuditLog, database: DatabaseManager) -> None:
    """Rolled back with it; inside one, that must be said."""

    def failing(tx: Any) -> None:
        audit.record("x", actor=None, subject=None, tx=tx)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.transact(failing)
    assert audit.find() == []
    with database.write(), pytest.raises(OutsideUnit, match="pass tx="):
        audit.record("x", actor=None, subject=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": ""},
        {"action": "x" * 65},
        {"outcome": ""},
        {"outcome": "x" * 17},
        {"actor": "x" * 191},
        {"subject": "é" * 96},
        {"detail": {"a": object()}},
        {"detail": {"a": b"x"}},
        {"detail": {"a": float("nan")}},
        {"detail": {"a": "x" * 8192}},
    ],
)
def test_what_does_not_fit_is_refused(audit: AuditLog, wrong: dict[str, Any]) -> None:
    """And not cut: half a row would say something else."""
    given: dict[str, Any] = {"action": "x", "actor": None, "subject": None} | wrong
    with pytest.raises(ValueError, match=r"."):
        audit.record(given.pop("action"), **given)
    assert audit.find() == []


def test_a_detail_that_points_at_itself_is_refused(audit: AuditLog) -> None:
    """As JSON cannot say it."""
    detail: dict[str, Any] = {}
    detail["again"] = detail
    with pytest.raises(ValueError, match=r"."):
        audit.record("x", actor=None, subject=None, detail=detail)


def test_rows_that_others_wrote_are_shown_all_the_same(audit: AuditLog, database: DatabaseManager) -> None:
    """A detail that is no JSON mapping does not hide the row."""
    for number, detail in enumerate([b"\xff", b"[]", b"{", b""]):
        values = {"id": str(number), "at_us": 1, "action": "x", "outcome": "done", "detail": detail}
        with database.write() as tx:
            tx.execute(rows.insert().values(**values))
    assert [entry.detail for entry in audit.find()] == [
        {"unreadable": 0},
        {"unreadable": 1},
        {"unreadable": 2},
        {"unreadable": 1},
    ]


def test_old_rows_are_purged_in_batches_and_that_is_told(
    audit: AuditLog, database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer ones stay."""
    monkeypatch.setattr("postrmagic_core.security.access.audit._BATCH", 10)
    old = {"at_us": 1, "action": "x", "outcome": "done", "detail": b"{}"}
    with database.write() as tx:
        tx.execute(rows.insert().values([{"id": f"{number:036}", **old} for number in range(25)]))
    kept = audit.record("y", actor=None, subject=None)
    assert audit.purge(clock.now - timedelta(days=1), actor="1") == 25
    newest, oldest = audit.find()
    assert oldest.id == kept
    assert (newest.action, newest.actor, newest.detail["rows"]) == ("audit.purged", "1", 25)
    assert audit.purge(clock.now - timedelta(days=1)) == 0
    assert len(audit.find()) == 2


def counts(audit: AuditLog) -> list[tuple[str | None, str | None, object]]:
    """Rows of denials, the oldest first."""
    return [(row.actor, row.subject, row.detail["count"]) for row in audit.find(action="access.denied")][::-1]


def test_a_flood_of_one_denial_is_a_row_a_minute(audit: AuditLog, clock: FakeClock) -> None:
    """The first is written at once, the others are counted; none is lost."""
    for _ in range(1000):
        audit.denied("7", "media:edit")
    audit._denials.flush(everything=False)
    seen = sum(int(str(count)) for _, _, count in counts(audit))
    assert len(counts(audit)) == 1
    for _ in range(500):
        audit.denied("7", "media:edit")
    clock.advance(59.9)
    audit._denials.flush(everything=False)
    assert len(counts(audit)) == 1
    clock.advance(0.1)
    audit._denials.flush(everything=False)
    assert len(counts(audit)) == 2
    assert sum(int(str(count)) for _, _, count in counts(audit)) == 1500
    assert seen >= 1


def test_a_denial_is_written_without_anybody_waiting(database: DatabaseManager) -> None:
    """By the log's own thread; what is left, when it is closed."""
    with AuditLog(database, every=3600) as audit:
        audit.denied("7", "media:edit")
        deadline = time.monotonic() + 60
        while not counts(audit) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert counts(audit) == [("7", "media:edit", 1)]
        audit.denied("7", "media:edit")
        audit.denied(None, "media:edit")
    with audit:
        assert sorted(counts(audit), key=str) == [
            ("7", "media:edit", 1),
            ("7", "media:edit", 1),
            (None, "media:edit", 1),
        ]


def test_nobody_waits_for_the_audit_log(audit: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a row is being written, and takes its time, others are denied as quickly as ever."""
    insert, writing, go = audit._insert, threading.Event(), threading.Event()

    def slow(values: Mapping[str, Any], tx: UnitLike) -> str:
        writing.set()
        assert go.wait(60)
        return insert(values, tx)

    monkeypatch.setattr(audit, "_insert", slow)
    audit.denied("7", "media:edit")
    assert writing.wait(60)
    audit.denied("7", "media:edit")
    audit.denied("8", "media:edit")
    assert not go.is_set(), "the row is still being written"
    go.set()
    audit.flush()
    assert sum(int(str(count)) for _, _, count in counts(audit)) == 3


def test_a_log_that_is_not_open_is_no_reason_to_fail(database: DatabaseManager) -> None:
    """For a denial; what is recorded on purpose needs it open."""
    audit = AuditLog(database)
    audit.denied("7", "media:edit")
    with pytest.raises(NotOpen):
        audit.record("x", actor=None, subject=None)


class Written:
    """Denials whose rows are kept here; they can be refused."""

    def __init__(self) -> None:
        self.rows: list[Summed] = []
        self.fails = False
        self.tries = 0
        self.clock = FakeClock()
        self.denials = Denials(self.write, self.clock.monotonic, 60.0)

    def write(self, summed: Summed) -> None:
        """Keep a row, or fail."""
        self.tries += 1
        if self.fails:
            raise OSError
        self.rows.append(summed)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.booleans(), st.integers(0, 90)), max_size=40)
)
def test_whatever_fails_in_between_every_denial_is_counted_once(steps: list[tuple[str, str, bool, int]]) -> None:
    """Writes that fail are repeated with what came meanwhile; no minute has two rows of one kind."""
    written = Written()
    for actor, subject, fails, seconds in steps:
        written.denials.note(actor, subject, "")
        written.fails = fails
        before = len(written.rows)
        written.denials.flush(everything=False)
        kinds = [(row.actor, row.subject) for row in written.rows[before:]]
        assert len(kinds) == len(set(kinds))
        written.clock.advance(seconds)
    written.fails = False
    written.denials.flush()
    assert sum(row.count for row in written.rows) == len(steps)
    for kind in {(row.actor, row.subject) for row in written.rows}:
        assert sum(row.count for row in written.rows if (row.actor, row.subject) == kind) == sum(
            (actor, subject) == kind for actor, subject, _, _ in steps
        )


def test_a_flood_of_different_denials_is_bounded() -> None:
    """Beyond a thousand users and permissions in a minute they are summed together; memory and rows are bounded."""
    written = Written()
    for number in range(5000):
        written.denials.note(str(number), "media:edit", "")
    written.denials.flush()
    assert len(written.rows) <= 1001
    assert sum(row.count for row in written.rows) == 5000
    written.clock.advance(61)
    written.denials.flush(everything=False)
    assert written.denials._summed == {}


def test_an_outage_is_tried_once_and_not_for_each_row() -> None:
    """Closing with the database away does not wait a thousand time-outs."""
    written = Written()
    written.fails = True
    for number in range(100):
        written.denials.note(str(number), "media:edit", "")
    written.denials.flush()
    assert written.tries == 1


@pytest.mark.parametrize("strange", ["\ud800", "x" * 5000, "é" * 500, "\x00", ""])
def test_hostile_names_are_cut_and_written(audit: AuditLog, strange: str, caplog: pytest.LogCaptureFixture) -> None:
    """A denial is noted whatever its user and permission are called."""
    audit.denied(strange, strange, strange)
    audit.flush()
    assert len(counts(audit)) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_failing_log_raises_nothing(database: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, and said in the log."""
    with AuditLog(database) as audit:
        insert: Callable[..., str] = audit._insert

        def broken(*args: Any) -> str:
            raise KeyError("c4n4ry")

        monkeypatch.setattr(audit, "_insert", broken)
        audit.denied("7", "media:edit")
        audit.flush()
        monkeypatch.setattr(audit, "_insert", insert)
        audit.flush()
        assert sum(int(str(count)) for _, _, count in counts(audit)) == 1
