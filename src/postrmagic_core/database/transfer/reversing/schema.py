"""SQLite's CREATE TABLE and CREATE INDEX for a table of a server, and the plan that pairs the two. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, count

from ....errors import PlanRefused
from ..forms.back import base_of
from ..interface import (
    ROWID,
    CheckPlan,
    ColumnPlan,
    Finding,
    ForeignKeyPlan,
    IndexPart,
    IndexPlan,
    ServerKind,
    Severity,
    TablePlan,
)
from .catalogue import ServerColumn, ServerForeignKey, ServerIndex, ServerPart, ServerTable
from .expressions import Family, Untranslatable, plain, quoted, translated
from .types import BackColumn, back_column, family_of

# What a plan adds to a table for an index over an expression or over some rows.
INDEX_COLUMN = "pm_ix_"
# Text that a check of both sides sorts by its bytes, which is SQLite's order where its column ignores no case.
_ORDERED_TEXT = re.compile(r"(utf8mb4|utf8mb3|utf8|ascii)_\w*(bin|cs)")
_SORTED_ALIKE = frozenset({"DATE", "DATETIME", "TIMESTAMP", "BINARY", "VARBINARY"})
_KINDS = ("BTREE", "HASH", "RTREE")


@dataclass(frozen=True, slots=True)
class BackTable:
    """A table in the file: the statements that make it, those for when its rows are there, and what to tell of it."""

    plan: TablePlan
    create: tuple[str, ...]
    after: tuple[str, ...]
    findings: tuple[Finding, ...]


def finding(severity: Severity, table: str, text: str, column: str = "") -> Finding:
    """What is told of a table; a loss of its schema is ``accepted``, as nobody could decide otherwise here."""
    digest = sha256(repr((severity, table, column, text)).encode()).hexdigest()
    return Finding(f"back-{digest[:12]}", severity, table, text, column, accepted=severity == "decide")


def kept_columns(table: ServerTable) -> list[ServerColumn]:
    """Its columns without those that a plan has added; :class:`PlanRefused` names what SQLite could not keep."""
    kept = [one for one in table.columns if not (one.hidden and (one.name == ROWID or _is_of_index(one)))]
    lost = [f"{table.name}.{one.name} ({one.type})" for one in kept if family_of(one.type) is None]
    if lost:
        raise PlanRefused(f"SQLite has nothing that would hold {', '.join(lost)}")
    return kept


def families(table: ServerTable) -> dict[str, Family]:
    """What each column that is kept holds."""
    return {one.name: family for one in kept_columns(table) if (family := family_of(one.type)) is not None}


def back_table(table: ServerTable, server: ServerKind, others: Mapping[str, ServerTable], taken: set[str]) -> BackTable:
    """``table`` as SQLite has it, among ``others`` that come along, by name, itself too.

    ``taken`` are the names of tables and indexes in the file, in small letters; those of its indexes are added.
    """
    return _Table(table, server, others, taken).made()


class _Table:
    """One table on its way."""

    def __init__(
        self, table: ServerTable, server: ServerKind, others: Mapping[str, ServerTable], taken: set[str]
    ) -> None:
        self.table = table
        self.taken = taken
        self.server: ServerKind = server
        self.others = others
        self.families = families(table)
        self.columns = [back_column(one, server, self.families) for one in kept_columns(table)]
        self.told: list[Finding] = []
        if table.name.lower().startswith("sqlite_"):
            raise PlanRefused(f"SQLite keeps the name {table.name} to itself")

    def made(self) -> BackTable:
        indexes = tuple(self._indexes())
        foreign_keys = tuple(key for key in self.table.foreign_keys if self._can_refer(key))
        checks = tuple(self._checks())
        create = self._create(foreign_keys, checks)
        for column in self.columns:
            self.told += [finding(severity, self.table.name, text, column.plan.name) for severity, text in column.told]
            source = self.table.column(column.plan.target)
            if source is not None and source.hidden:
                self._tell("note", "it was invisible, which SQLite's columns cannot be", column.plan.name)
        rowid = self._rowid()
        plan = TablePlan(
            name=self.table.name,
            target=self.table.name,
            key=("rowid",) if rowid else self._key(),
            primary_key=self.table.primary_key,
            columns=(*rowid, *(column.plan for column in self.columns)),
            indexes=indexes,
            foreign_keys=tuple(
                ForeignKeyPlan(key.name, key.columns, key.parent, key.parent_columns, key.on_delete, key.on_update)
                for key in foreign_keys
            ),
            checks=checks,
            auto_increment=self.table.auto_increment,
            existing=True,
            sql=create,
        )
        return BackTable(plan, (create,), tuple(index.sql for index in indexes), tuple(self.told))

    def _rowid(self) -> tuple[ColumnPlan, ...]:
        """The column in which a plan had kept SQLite's own row number."""
        if self.table.primary_key != (ROWID,):
            return ()
        return (ColumnPlan("rowid", ROWID, "BIGINT", nullable=False, auto_increment=True, hidden=True),)

    def _key(self) -> tuple[str, ...]:
        """Columns that sort the rows alike on both sides; none where there are none."""
        keys = [self.table.primary_key, *(tuple(part.column for part in one.parts) for one in self._unique())]
        return next((key for key in keys if key and all(map(self._sorts, key))), ())

    def _unique(self) -> Iterator[ServerIndex]:
        for index in self.table.indexes:
            plain_parts = all(part.column and part.length is None for part in index.parts)
            found = [self.table.column(part.column) for part in index.parts]
            if index.unique and plain_parts and all(one is not None and not one.nullable for one in found):
                yield index

    def _sorts(self, name: str) -> bool:
        column = self.table.column(name)
        if column is None or column.generated:
            return False
        base = base_of(column.type)
        if self.families.get(column.name) == "integer":
            return base not in ("BIT", "YEAR")
        is_text = base.endswith(("CHAR", "TEXT"))
        return base in _SORTED_ALIKE or (is_text and _ORDERED_TEXT.fullmatch(column.collation) is not None)

    def _create(self, foreign_keys: Iterable[ServerForeignKey], checks: Iterable[CheckPlan]) -> str:
        key = self.table.primary_key if self.table.primary_key != (ROWID,) else ()
        alias = key[0] if len(key) == 1 and self._is_integer(key[0]) else ""
        parts = [column_sql(one, alias=one.plan.name == alias) for one in self.columns]
        if key and not alias:
            parts.append(f"PRIMARY KEY ({_listed(key)})")
        for column in self.columns:
            if column.plan.auto_increment and column.plan.name != alias:
                self._tell("decide", "SQLite numbers no column but an only primary key", column.plan.name)
        parts += [f"CONSTRAINT {quoted(check.target)} CHECK ({check.source})" for check in checks]
        parts += [_foreign_key(key) for key in foreign_keys]
        body = ",\n  ".join(parts)
        return f"CREATE TABLE {quoted(self.table.name)} (\n  {body}\n)"

    def _is_integer(self, name: str) -> bool:
        return any(one.plan.name == name and one.plan.declared == "INTEGER" for one in self.columns)

    def _indexes(self) -> Iterator[IndexPlan]:
        for index in self.table.indexes:
            if index.kind not in _KINDS:
                self._tell("decide", f"the {index.kind} index {index.name} stays behind")
                continue
            try:
                parts = ", ".join(self._part(part, unique=index.unique) for part in index.parts)
            except Untranslatable:
                self._tell("decide", f"the index {index.name} is not translated")
                continue
            name = self._index_name(index.name)
            words = "CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX"
            yield IndexPlan(
                name=name,
                target=index.name,
                parts=tuple(IndexPart(part.column, part.length, part.descending) for part in index.parts),
                unique=index.unique,
                sql=f"{words} {quoted(name)} ON {quoted(self.table.name)} ({parts})",
            )

    def _index_name(self, name: str) -> str:
        """One among those of all tables and indexes of the file, which on a server is one among its table's."""
        wanted = f"{self.table.name}_{name}"
        numbered = (f"{wanted}_{number}" for number in count(2))
        found = next(one for one in chain((wanted,), numbered) if one.lower() not in self.taken)
        self.taken.add(found.lower())
        return found

    def _part(self, part: ServerPart, *, unique: bool) -> str:
        column = self.table.column(part.column) if part.column else None
        if column is None or (column.hidden and _is_of_index(column)):
            expression = part.expression if column is None else column.generated
            text = f"({translated(expression, self.server, self.families)})"
        elif part.length is not None and unique:
            collate = next(one.collate for one in self.columns if one.plan.name == column.name)
            text = f"substr({quoted(column.name)}, 1, {part.length})" + (f" COLLATE {collate}" if collate else "")
        else:
            text = quoted(column.name)
        return f"{text} DESC" if part.descending else text

    def _can_refer(self, key: ServerForeignKey) -> bool:
        parent = self.others.get(key.parent) if key.here else None
        if parent is None:
            self._tell("decide", f"the foreign key {key.name} stays behind: {key.parent} does not come along")
            return False
        unique = [parent.primary_key, *(tuple(p.column for p in one.parts) for one in parent.indexes if one.unique)]
        if not any(sorted(found) == sorted(key.parent_columns) for found in unique):
            self._tell("decide", f"the foreign key {key.name} stays behind: it refers to what is not unique")
            return False
        return True

    def _checks(self) -> Iterator[CheckPlan]:
        for name, clause in self.table.checks:
            expression = plain(clause, self.server)
            try:
                yield CheckPlan(name, translated(clause, self.server, self.families), expression)
            except Untranslatable:
                self._tell("decide", f"the CHECK {name} is not translated: {expression}")

    def _tell(self, severity: Severity, text: str, column: str = "") -> None:
        self.told.append(finding(severity, self.table.name, text, column))


def column_sql(column: BackColumn, *, alias: bool = False) -> str:
    """The column in a CREATE TABLE or an ADD COLUMN; ``alias``: it is the only primary key, and SQLite's row number."""
    plan = column.plan
    words = [quoted(plan.name), plan.declared]
    if alias:
        words.append("PRIMARY KEY AUTOINCREMENT" if plan.auto_increment else "PRIMARY KEY")
    if not plan.nullable and not alias:
        words.append("NOT NULL")
    if column.default:
        words.append(f"DEFAULT {column.default}")
    if column.collate:
        words.append(f"COLLATE {column.collate}")
    if column.generated:
        words.append(f"GENERATED ALWAYS AS ({column.generated}) {'STORED' if plan.stored else 'VIRTUAL'}")
    if column.check:
        words.append(f"CHECK ({column.check})")
    return " ".join(words)


def _is_of_index(column: ServerColumn) -> bool:
    return column.name.startswith(INDEX_COLUMN) and bool(column.generated)


def _foreign_key(key: ServerForeignKey) -> str:
    text = f"CONSTRAINT {quoted(key.name)} FOREIGN KEY ({_listed(key.columns)}) REFERENCES {quoted(key.parent)} "
    text += f"({_listed(key.parent_columns)})"
    for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        if action not in ("NO ACTION", "RESTRICT"):
            text += f" ON {event} {action}"
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
