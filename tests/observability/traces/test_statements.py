"""A statement as a span: its text without values, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, text

from postrmagic_core._spans import span
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import UniqueViolation
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here

from .conftest import Kept

CANARY = "c4n4ry-Xy7"
metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("said", String(64)))


@pytest.fixture
def db(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:  # noqa: F811 - the fixture imported
    """An open database with a table of notes."""
    database = open_database()
    metadata.create_all(database.backend.engine("write"))
    return database


def test_each_statement_is_a_span(db: DatabaseManager, kept: Kept) -> None:
    """Its kind, system, operation, table and text; its duration; no value; nothing for BEGIN, SET or COMMIT."""
    with span("job", "consumer", {}, {}):
        with db.write() as tx:
            tx.execute(insert(notes).values(id=1, said=CANARY))
            tx.execute(insert(notes), [{"id": 2, "said": CANARY}, {"id": 3, "said": CANARY}])
        db.rows(text("SELECT said FROM notes WHERE id = 1 AND said = 'c4n4ry-Xy7'"))
    assert kept.names == ["INSERT notes", "INSERT notes", "unit write", "SELECT notes", "job"]
    selected = kept.one("SELECT notes")
    told = dict(selected.attributes or {})
    assert selected.kind is SpanKind.CLIENT
    assert told.pop("db.namespace", "") == ("" if db.dialect == "sqlite" else db.database_id.rpartition("/")[2])
    assert len(str(told.pop("postrmagic.fingerprint"))) == 16
    assert told == {
        "db.system.name": db.dialect,
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT notes",
        "db.query.text": "SELECT said FROM notes WHERE id = ? AND said = ?",
    }
    assert kept.path(selected) == ["SELECT notes", "job"]
    assert selected.start_time is not None
    assert selected.end_time is not None
    assert 0 < selected.end_time - selected.start_time < 10**9
    assert CANARY not in "".join(each.to_json() for each in kept.all)


def test_a_refused_one_says_why(db: DatabaseManager, kept: Kept) -> None:
    """The driver's type and the server's number, and none of its text, which holds the value."""
    db.transact(lambda tx: tx.execute(insert(notes).values(id=1)))
    with span("job", "consumer", {}, {}), pytest.raises(UniqueViolation), db.write() as tx:
        tx.execute(insert(notes).values(id=1, said=CANARY))
    told = kept.attributes("INSERT notes")
    assert str(told["error.type"]).endswith("IntegrityError")
    assert told["db.response.status_code"] == ("SQLITE_CONSTRAINT_PRIMARYKEY" if db.dialect == "sqlite" else "1062")
    assert kept.attributes("unit write")["error.type"] == "postrmagic_core.errors.UniqueViolation"
    assert CANARY not in "".join(each.to_json() for each in kept.all)


def test_what_nobody_asked_for_is_none(db: DatabaseManager, kept: Kept) -> None:
    """Outside of a request or job there is no span."""
    db.rows(select(notes))
    assert kept.all == []


async def _awaited(db: DatabaseManager) -> Any:
    with span("job", "consumer", {}, {}):
        async with db.aio.write() as tx:
            await tx.execute(insert(notes).values(id=1))
            tx.after_commit(lambda: None)
        async with db.aio.read(snapshot=True) as unit:
            await unit.scalar(select(notes.c.id))
        return await db.aio.rows(select(notes))


def test_awaited_units_are_spans_too(db: DatabaseManager, kept: Kept) -> None:
    """The async face's statements run in other threads and are children all the same."""
    import asyncio

    assert asyncio.run(_awaited(db)) == [(1, None)]
    paths = [kept.path(each) for each in kept.all]
    assert paths == [
        ["INSERT notes", "unit write", "job"],
        ["unit write", "job"],
        ["SELECT notes", "unit read", "job"],
        ["unit read", "job"],
        ["SELECT notes", "job"],
        ["job"],
    ]
