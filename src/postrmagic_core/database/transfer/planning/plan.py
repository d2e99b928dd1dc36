"""A plan is made: the source is read once, in one state, and asked for all that would be lost or differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ..interface import ForeignKeyPlan, ObjectPlan, Plan, Report, Server, TablePlan, unreported
from ..names import quoted_sqlite
from ..planfile.edits import blocking_first
from ..server import Target, open_target
from ..source.catalogue import read_source
from ..source.scan import scan
from ..source.schema import ColumnStats, Source, SourceColumn, SourceObject, SourceTable
from ..source.sourcefile import source_file
from .choices import Choice, Doubt
from .choose import choose, roomy
from .drafting import Draft, drafts
from .examining import examine_file, examine_keys, examine_links, examine_names, examine_standing, examine_values
from .findings import Findings
from .keys import rowid_name
from .lengths import LEAST
from .links import Link
from .relating import related
from .shaping import Shaping
from .standing import unlike

# Of what kinds of expressions give, the storage classes; all others give text.
_CLASSES = {"integer": "integer", "real": "real", "bytes": "blob"}


def plan(source: Path, target: str, report: Report = unreported) -> Plan:
    """The plan of a move from the file ``source`` to the database at the URL ``target``; neither is changed.

    Raises :class:`ConfigurationError` where there is no database at ``source`` that can be read, or the target is
    none that rows can be moved to.
    """
    there = open_target(target)
    server, existing = there.server, there.existing()
    with source_file(source) as connection:
        described = read_source(connection)
        tables = {table.name: table for table in described.tables}
        findings = Findings(connection, tables)
        examine_file(connection, findings, report)
        stats = {table.name: scan(connection, table, report) for table in described.tables}
        drafted, links = drafts(tables, stats, server, existing)
        shaped, objects = _shaped(connection, drafted, links, server)
        reserved = there.reserved(
            {name for draft in drafted.values() for name in (draft.target, *draft.names.values())}
        )
        for place, draft in enumerate(drafted.values()):
            examine_names(draft, reserved, findings)
            examine_values(connection, draft, findings)
            shaped[place] = _stood(connection, there, draft, shaped[place], findings)
            if not shaped[place].kept:
                examine_keys(connection, draft, server, findings, there.weights, report)
        examine_links(connection, links, drafted, findings)
        objects += _left_objects(described, findings)
    return Plan(
        str(source),
        there.url,
        described.digest,
        server,
        tuple(shaped),
        tuple(objects),
        blocking_first(findings.all),
    )


def _shaped(
    connection: sqlite3.Connection, drafted: Mapping[str, Draft], links: list[Link], server: Server
) -> tuple[list[TablePlan], list[ObjectPlan]]:
    foreign: dict[str, list[ForeignKeyPlan]] = {}
    for link, key in related(drafted, links):
        foreign.setdefault(link.table, []).append(key)
    plans: list[TablePlan] = []
    objects: list[ObjectPlan] = []
    for name, draft in drafted.items():
        shaping = Shaping(draft, server, tuple(foreign.get(name, ())), _observing(connection, draft.table, server))
        plans.append(shaping.plan(_last_rowid(connection, draft.table)))
        objects += shaping.left
    return plans, objects


def _stood(
    connection: sqlite3.Connection, target: Target, draft: Draft, table: TablePlan, findings: Findings
) -> TablePlan:
    """The plan of a table, kept if the target has its rows already."""
    reason = ""
    if draft.existing is not None and draft.existing.filled:
        present = {column.name.lower() for column in draft.existing.columns}
        reason = "the table in the target holds rows"
        if all(column.target.lower() in present for column in table.moved):
            with closing(target.connect()) as session:
                reason = unlike(connection, session, table, target.server)
            table = replace(table, kept=not reason)
    examine_standing(draft, table, reason, findings)
    return table


def _observing(
    connection: sqlite3.Connection, table: SourceTable, server: Server
) -> Callable[[str, str], Choice | None]:
    """Of which type the values of an expression are, found by computing it for every row; without any, of its kind."""

    def observed(sql: str, otherwise: str) -> Choice | None:
        try:
            rows = connection.execute(
                f"SELECT typeof({sql}), max(length({sql})), max(length(CAST({sql} AS BLOB))) "  # noqa: S608 - the source's own
                f"FROM {quoted_sqlite(table.name)} GROUP BY 1"
            ).fetchall()
        except sqlite3.Error:
            return None
        found = {kind: (characters, size) for kind, characters, size in rows if kind != "null"}
        if len(found) > 1:
            return None
        kind, (characters, size) = next(iter(found.items()), (_CLASSES.get(otherwise, "text"), (0, 0)))
        length = max(LEAST, roomy(characters))
        integers, reals, texts, blobs = (int(kind == one) for one in ("integer", "real", "text", "blob"))
        stats = ColumnStats(0, integers, reals, texts, blobs, characters=characters, bytes=size)
        return choose(SourceColumn("", "", "blob"), stats, server, length if kind in ("text", "blob") else None)

    return observed


def _last_rowid(connection: sqlite3.Connection, table: SourceTable) -> int:
    name = rowid_name(table)
    if not name and not table.rowid_alias:
        return 0
    query = f"SELECT max({name or quoted_sqlite(table.rowid_alias)}) FROM {quoted_sqlite(table.name)}"  # noqa: S608 - quoted
    (last,) = connection.execute(query).fetchone()
    return int(last or 0)


def _left_objects(source: Source, findings: Findings) -> Iterator[ObjectPlan]:
    """Views, triggers and virtual tables."""
    for one in source.objects:
        text = f"the {one.kind} {one.name} stays behind: {_advice(one)}"
        table = one.table if one.kind == "trigger" else one.name
        findings.add(table, Doubt(one.kind.replace(" ", "-"), "decide", text), name=one.name)
        yield ObjectPlan(one.kind, one.name, one.table, one.sql)


def _advice(one: SourceObject) -> str:
    if one.kind == "virtual table":
        return "its rows are kept by an extension of SQLite's; for words, make a FULLTEXT index"
    return "make it anew in the target, by hand"
