"""What comes back: the tables of a server as the plan by which they went says, or as the server itself does. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from ....errors import PlanRefused
from ..interface import ColumnPlan, Finding, Plan, ServerKind, TablePlan
from .catalogue import ServerColumn, ServerSchema, ServerTable
from .schema import BackTable, back_table, column_sql, families, finding, kept_columns
from .types import back_column, planned_type, shape_of

_SAME = {"NUMERIC": "DECIMAL", "INTEGER": "INT"}
# Engines that show one state of their rows to one who reads for long.
_CONSISTENT = ("innodb", "rocksdb")


@dataclass(frozen=True, slots=True)
class Back:
    """The tables that come back, texts to run after all of them, and what is told of the whole.

    ``empty``: texts of tables that the plan has and the server lacks.
    """

    tables: tuple[BackTable, ...]
    empty: tuple[str, ...]
    after: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]


def planned_back(schema: ServerSchema, server: ServerKind, plan: Plan | None, wanted: Collection[str] | None) -> Back:
    """How ``schema`` comes back; ``wanted``: only these tables, by their names in the file or on the server."""
    planned = {} if plan is None else {table.target: table for table in plan.tables}
    there = {table.name: table for table in schema.tables}
    chosen = _chosen(planned, there, wanted)
    coming = {name: there[name] for name in chosen if name in there}
    taken = _taken(plan, there)
    made: list[BackTable] = []
    empty: list[str] = []
    told: list[Finding] = []
    for name in chosen:
        table = planned.get(name)
        if name not in there:
            empty.append(planned[name].sql)
            told.append(finding("decide", planned[name].name, "the server has it no more: it comes back empty"))
        elif table is None or not table.sql:
            made.append(back_table(there[name], server, coming, taken))
        else:
            made.append(_Known(table, there[name], server).made())
    told += [_unsafe(there[name]) for name in coming if there[name].engine.lower() not in _CONSISTENT]
    after: list[tuple[str, str]] = []
    if plan is not None:
        of_chosen = {planned[name].name for name in chosen if name in planned}
        objects = [one for one in plan.objects if one.sql and one.kind not in _WITHIN]
        objects = [one for one in objects if wanted is None or one.table in of_chosen]
        after = [(one.name, one.sql) for one in objects]
        told += [
            finding("decide", one.name, "a virtual table comes back without its rows, which had stayed behind")
            for one in objects
            if one.kind == "virtual table"
        ]
    names = {one.name for one in plan.objects} if plan is not None else set()
    told += [
        finding("decide", one.table or one.name, f"the {one.kind} {one.name} stays behind")
        for one in schema.objects
        if one.name not in names and (wanted is None or one.table in coming)
    ]
    _check_names([one.plan.name for one in made])
    return Back(tuple(made), tuple(empty), tuple(after), tuple(told))


# Parts of a table, which its own text makes.
_WITHIN = frozenset({"check", "generated column"})


def _taken(plan: Plan | None, there: Collection[str]) -> set[str]:
    """Names in the file, in small letters."""
    names = {name.lower() for name in there}
    if plan is not None:
        names |= {table.name.lower() for table in plan.tables} | {one.name.lower() for one in plan.objects}
        names |= {index.name.lower() for table in plan.tables for index in table.indexes}
    return names


def _chosen(
    planned: Mapping[str, TablePlan], there: Mapping[str, ServerTable], wanted: Collection[str] | None
) -> list[str]:
    """Names on the server: those of the plan in its order, then the others."""
    every = [*planned, *(name for name in there if name not in planned)]
    if wanted is None:
        return every
    names = {planned[name].name if name in planned else name: name for name in every}
    unknown = sorted(name for name in wanted if name not in names and name not in every)
    if unknown:
        raise PlanRefused(f"there is no table {', '.join(unknown)}")
    return [target for name, target in names.items() if name in wanted or target in wanted]


def _check_names(names: list[str]) -> None:
    """SQLite takes names for the same that differ by the case of their letters alone."""
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        alike = sorted(name for name in names if name.lower() in twice)
        raise PlanRefused(f"SQLite does not tell these tables from each other: {', '.join(alike)}")


def _unsafe(table: ServerTable) -> Finding:
    return finding("note", table.name, f"{table.engine} shows no snapshot: nobody may write to it meanwhile")


class _Known:
    """A table of the plan: made by the source's own text, and what is new on the server added to it."""

    def __init__(self, table: TablePlan, there: ServerTable, server: ServerKind) -> None:
        self.table = table
        self.there = there
        self.server: ServerKind = server
        self.told: list[Finding] = []

    def made(self) -> BackTable:
        columns = tuple(self._columns())
        new = [back_column(one, self.server, families(self.there)) for one in self._new()]
        for column in new:
            self._tell("new on the server", column.plan.name)
            self.told += [finding(severity, self.table.name, text, column.plan.name) for severity, text in column.told]
        added = [f"ALTER TABLE {_quoted(self.table.name)} ADD COLUMN {column_sql(column)}" for column in new]
        plan = replace(
            self.table, columns=(*columns, *(column.plan for column in new)), auto_increment=self.there.auto_increment
        )
        indexes = tuple(index.sql for index in self.table.indexes if index.sql)
        return BackTable(plan, (self.table.sql, *added), indexes, tuple(self.told))

    def _columns(self) -> Iterator[ColumnPlan]:
        for column in self.table.columns:
            there = self.there.column(column.target)
            if there is None and not column.generated:
                self._tell("the server has it no more: it comes back with its default", column.name)
            elif there is None or column.generated or column.hidden:
                yield column
            elif _base(there.type) == _base(column.type):
                yield replace(column, type=planned_type(there.type), collation=there.collation)
            else:
                self._tell(f"the server has made it {there.type}, which was {column.type}", column.name)
                yield replace(
                    column, type=planned_type(there.type), collation=there.collation, grammar="", generated=""
                )

    def _new(self) -> list[ServerColumn]:
        known = {column.target.lower() for column in self.table.columns}
        return [column for column in kept_columns(self.there) if column.name.lower() not in known]

    def _tell(self, text: str, column: str) -> None:
        self.told.append(finding("decide", self.table.name, text, column))


def _base(kind: str) -> str:
    base = shape_of(kind)[0]
    return _SAME.get(base, base)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
