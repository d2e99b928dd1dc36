"""Tables of every kind that are on both sides, made without the package's own copying: for tests of what compares."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from postrmagic_core.database.transfer.copying import ddl
from postrmagic_core.database.transfer.copying.batches import Reading
from postrmagic_core.database.transfer.forms.form import form_of
from postrmagic_core.database.transfer.interface import ROWID, ColumnPlan, Plan, Server, TablePlan, Value
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.source.catalogue import read_source

HIDDEN = ColumnPlan("rowid", ROWID, "BIGINT", nullable=False, auto_increment=True, hidden=True)


def column(name: str, kind: str, declared: str, **options: Any) -> ColumnPlan:
    """A column of the same name on both sides; ``kind`` is MySQL's type."""
    return ColumnPlan(name, options.pop("target", name), kind, declared=declared, **options)


def serial(name: str = "id") -> ColumnPlan:
    """What becomes of an INTEGER PRIMARY KEY."""
    return column(name, "BIGINT", "INTEGER", nullable=False, auto_increment=True)


def table(name: str, *columns: ColumnPlan, key: tuple[str, ...] = (), **options: Any) -> TablePlan:
    """A table of these columns, whose key is the first of them unless another is named."""
    found = key or (columns[0].name,)
    targets = {each.name: each.target for each in columns}
    primary = options.pop("primary_key", tuple(targets[part] for part in found))
    return TablePlan(name, options.pop("target", name), found, primary, columns, **options)


def plan_of(file: Path, url: str, server: Server, *tables: TablePlan) -> Plan:
    """A plan of these tables for the file as it is now."""
    with closing(sqlite3.connect(file)) as connection:
        return Plan(str(file), url, read_source(connection).digest, server, tables)


def copied(file: Path, session: Session, plan: Plan) -> Plan:
    """The plan, of which everything stands in the target now."""
    with closing(sqlite3.connect(file)) as connection:
        for table in plan.tables:
            session.execute(ddl.create_table(table, plan.server))
            for batch in Reading(table).batches(connection, after=None, rows=500, size=2**30):
                insert(session, table, dict(zip((one.name for one in table.moved), batch.columns, strict=True)))
            _alter(session, ddl.add_indexes(table), ddl.add_checks(table), ddl.set_auto_increment(table))
    for table in plan.tables:
        _alter(session, ddl.add_foreign_keys(table))
    session.commit()
    return plan


def insert(session: Session, table: TablePlan, values: Mapping[str, Sequence[Value]]) -> None:
    """Write rows, given by columns, into the target."""
    parameters = [form_of(one).parameters(values[one.name]) for one in table.moved]
    rows = list(zip(*parameters, strict=True))
    marks = ", ".join([f"({', '.join(['%s'] * len(parameters))})"] * len(rows))
    if rows:
        head = ddl.insert(table).replace("%", "%%")
        session.execute(head + marks, [part for row in rows for part in row])


def _alter(session: Session, *statements: str) -> None:
    for statement in filter(None, statements):
        session.execute(statement)
