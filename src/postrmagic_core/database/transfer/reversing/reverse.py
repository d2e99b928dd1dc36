"""From a server back into a SQLite file: every row exactly, or no file and the row that is to blame."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...._sql.sqlite_errors import of_sqlite
from ....errors import ConfigurationError, PlanRefused, RowRefused, translating
from ..copying.batches import key_as_sql
from ..interface import Finding, Plan, Report, TablePlan, unreported
from ..names import folded, quoted_sqlite
from ..server import open_target
from ..source.catalogue import read_source
from ..source.tokens import tokens_of
from .catalogue import read_server
from .file import new_file
from .plan import Back, planned_back
from .refilling import file_affinities, refill
from .schema import BackTable, finding

if TYPE_CHECKING:
    from ..session import Session

# KiB of the file that are kept in memory.
_CACHE = 2048
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ReverseReport:
    """What came back: ``rows`` of them at ``path``.

    ``plan`` pairs the file and the server, for :func:`.verifying.verify.verify`; its findings tell what is different.
    """

    path: Path
    plan: Plan
    rows: int


def reverse(
    url: str,
    path: Path,
    *,
    plan: Plan | None = None,
    tables: Collection[str] | None = None,
    report: Report = unreported,
) -> ReverseReport:
    """Copy the database at ``url`` into a new SQLite file at ``path``, from one snapshot of the server.

    With the ``plan`` by which rows had gone there, their tables are made by the source's own texts; without, as the
    server describes them. ``tables``: only these. The file is there whole, readable by its owner alone, or not at all.
    Raises :class:`ConfigurationError` where ``path`` exists, :class:`PlanRefused` where SQLite has nothing that would
    hold a column, and :class:`RowRefused` for a row that would not be the same.
    """
    if path.exists():
        raise ConfigurationError(f"{path} is there already")
    target = open_target(url)
    session = target.connect()
    try:
        session.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        back = planned_back(read_server(session, target.server.kind), target.server.kind, plan, tables)
        with new_file(path) as partial, translating(of_sqlite), closing(_opened(partial)) as file:
            made, rows, found = _fill(file, session, back, report)
            source = read_source(file)
    finally:
        session.close()
    there = f"mysql://{target.database_id.removeprefix('mysql:')}" if plan is None else plan.target
    return ReverseReport(
        path, Plan(str(path), there, source.digest, target.server, made, findings=(*back.findings, *found)), rows
    )


def _opened(partial: Path) -> sqlite3.Connection:
    file = sqlite3.connect(partial, isolation_level=None)
    # Whoever fails begins anew, so that nothing is ever rolled back.
    for name, value in (("journal_mode", "OFF"), ("synchronous", "OFF"), ("foreign_keys", "OFF")):
        file.execute(f"PRAGMA {name} = {value}")
    file.execute(f"PRAGMA cache_size = -{_CACHE}")
    return file


def _fill(
    file: sqlite3.Connection, session: Session, back: Back, report: Report
) -> tuple[tuple[TablePlan, ...], int, list[Finding]]:
    """The tables as they were made, how many rows came, and what is told of them."""
    for table in back.tables:
        for statement in table.create:
            file.execute(statement)
    for statement in back.empty:
        file.execute(statement)
    made = [_settled(file, table.plan) for table in back.tables]
    rows = 0
    filled = []
    for plan in made:
        done = refill(session, file, plan, report)
        rows += done
        filled.append(replace(plan, rows=done))
        _number_on(file, plan)
    told = [one for table in back.tables for one in table.findings]
    for table in back.tables:
        _index(file, table, report)
    told += _check_foreign_keys(file, made, report)
    told += _make_objects(file, back.after)
    return tuple(filled), rows, told


def _settled(file: sqlite3.Connection, table: TablePlan) -> TablePlan:
    """``table`` without what the file computes by itself; :class:`PlanRefused` where it could get no row."""
    written = file_affinities(file, table.name)
    columns = tuple(
        replace(column, generated="by the source")
        if not (column.generated or column.hidden) and folded(column.name) not in written
        else column
        for column in table.columns
    )
    given = {folded(column.name) for column in columns}
    described = file.execute(f"PRAGMA main.table_xinfo({quoted_sqlite(table.name)})").fetchall()
    needed = [
        name
        for _, name, _, required, default, key, hidden in described
        if required and default is None and not (key or hidden)
    ]
    missing = [name for name in needed if folded(name) not in given]
    if missing:
        raise PlanRefused(f"the server has no {table.name}.{missing[0]} any more, which has no default in the plan")
    return replace(table, columns=columns)


def _number_on(file: sqlite3.Connection, table: TablePlan) -> None:
    """Give no id again that the server had given."""
    numbers = any(token.keyword == "AUTOINCREMENT" for token in tokens_of(table.sql))
    last = min(table.auto_increment - 1, _MOST)
    if not numbers or last < 1:
        return
    found = file.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
    if found is None:
        file.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last))
    elif found[0] < last:
        file.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table.name))


def _index(file: sqlite3.Connection, table: BackTable, report: Report) -> None:
    for place, statement in enumerate(table.after):
        report(f"indexes of {table.plan.name}", place, len(table.after))
        try:
            file.execute(statement)
        except sqlite3.IntegrityError as error:
            reason = f"another row is the same for the index that is made by {statement}"
            raise RowRefused(reason, table=table.plan.name, key=_twin(file, table.plan, statement)) from error


def _twin(file: sqlite3.Connection, table: TablePlan, statement: str) -> str:
    """The key of a row that is not the only one for a unique index of plain columns; a question mark for others."""
    places = {column.target: quoted_sqlite(column.name) for column in table.columns if not column.hidden}
    index = next((one for one in table.indexes if one.sql == statement), None)
    partial = any(token.keyword == "WHERE" for token in tokens_of(statement))
    if index is None or partial or not table.key or any(part.column not in places for part in index.parts):
        return "?"
    group = ", ".join(places[part.column] for part in index.parts)
    key = ", ".join(name if name == "rowid" else quoted_sqlite(name) for name in table.key)
    query = f"SELECT {key} FROM {quoted_sqlite(table.name)} GROUP BY {group} HAVING COUNT(*) > 1"  # noqa: S608 - quoted
    found = file.execute(query).fetchone()
    return "?" if found is None else key_as_sql(found)


def _check_foreign_keys(file: sqlite3.Connection, tables: Collection[TablePlan], report: Report) -> list[Finding]:
    """Look at every reference; one whose parent does not come along is only told."""
    there = {name.lower() for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    told = []
    for place, table in enumerate(tables):
        report("foreign keys", place, len(tables))
        parents = [row[2] for row in file.execute(f"PRAGMA main.foreign_key_list({quoted_sqlite(table.name)})")]
        absent = {parent for parent in parents if parent.lower() not in there}
        told += [finding("decide", table.name, f"it refers to {parent}, which did not come along") for parent in absent]
        if absent:
            continue
        try:
            orphan = file.execute(f"PRAGMA main.foreign_key_check({quoted_sqlite(table.name)})").fetchone()
        except sqlite3.OperationalError:
            told.append(finding("decide", table.name, "a foreign key refers to what is not unique, as in the source"))
            continue
        if orphan is not None:
            reason = f"a foreign key names no row of {orphan[2]}"
            raise RowRefused(reason, table=table.name, key=f"rowid {orphan[1]}")
    return told


def _make_objects(file: sqlite3.Connection, objects: Collection[tuple[str, str]]) -> list[Finding]:
    """Views, triggers and the like by their own texts; one that SQLite refuses is told."""
    told = []
    for name, statement in objects:
        try:
            file.execute(statement)
        except sqlite3.OperationalError:
            told.append(finding("decide", name, "SQLite refuses its text now: it stays behind"))
    return told
