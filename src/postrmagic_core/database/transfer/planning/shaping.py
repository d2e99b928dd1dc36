"""A draft becomes a table's plan: its columns with what the server computes, its CHECKs and its indexes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..interface import CheckPlan, ColumnPlan, ForeignKeyPlan, ObjectPlan, Server, TablePlan
from ..names import quoted, target_name
from ..source.schema import SourceColumn, affinity_of
from ..translating.defaults import translate_default
from ..translating.expressions import Translated, translate_check, translate_generated, translate_predicate, translated
from .choices import Choice, Doubt, seen
from .drafting import Draft
from .indexes import MOST_INDEXES, Indexes, Setting, indexes
from .keys import rowid_column

# Of InnoDB, in one table.
MOST_COLUMNS = 1017
# Digits that a decimal may have before the point so that SQLite calculates with it exactly.
_EXACT_DIGITS = 15
_LAST_ID = 2**63 - 1
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

# An expression of SQLite's, and what to take its values for where there are none.
Observed = Callable[[str, str], Choice | None]


class Shaping:
    """One table's way to its plan; what has to be said of it is remarked in the draft.

    ``observed`` tells the type of what an expression of SQLite's gives in the rows there are. ``left`` is what of the
    table stays behind.
    """

    def __init__(
        self, draft: Draft, server: Server, foreign_keys: tuple[ForeignKeyPlan, ...], observed: Observed
    ) -> None:
        self._draft = draft
        self._table = draft.table
        self._server = server
        self._foreign_keys = foreign_keys
        self._observed = observed
        self._kinds = {name: _kind(draft, name, server) for name in draft.choices}
        # Neither server computes anything from an AUTO_INCREMENT.
        self._known = {name: target for name, target in draft.names.items() if name != draft.table.rowid_alias}
        self._ordered = not draft.table.utf16
        self.left: list[ObjectPlan] = []

    def plan(self, last_rowid: int) -> TablePlan:
        """The table; ``last_rowid`` is its greatest rowid, 0 where it has no rows."""
        draft, table = self._draft, self._table
        hides = not draft.identity.columns
        columns = [self._column(column) for column in table.columns]
        checks, more = ((), Indexes()) if draft.existing else (self._checks(), self._indexes(hides=hides))
        columns += [*([rowid_column()] if hides else []), *more.columns]
        if len(columns) > MOST_COLUMNS:
            text = f"{len(columns):,} columns; a table of the target has at most {MOST_COLUMNS:,}"
            draft.remark(Doubt("columns", "stop", text))
        given = max(table.sequence, last_rowid, 0)
        return TablePlan(
            name=table.name,
            target=draft.target,
            key=draft.identity.key,
            primary_key=tuple(draft.names[name] for name in draft.identity.columns) or (rowid_column().target,),
            columns=tuple(columns),
            indexes=tuple(more.plans),
            foreign_keys=self._foreign_keys,
            checks=checks,
            auto_increment=min(given, _LAST_ID - 1) + 1 if table.rowid_alias or hides else 0,
            existing=draft.existing is not None,
            rows=draft.stats.rows,
            sql=table.sql,
        )

    def _column(self, column: SourceColumn) -> ColumnPlan:
        draft, choice = self._draft, self._draft.choices[column.name]
        there = draft.there(column.name)
        stats = draft.stats.columns[column.name]
        generated = there.generated if there else self._generated(column)
        in_key = column.name in draft.identity.columns
        # What a foreign key refers from has to be kept in the row.
        linked = any(draft.names[column.name] in key.columns for key in self._foreign_keys)
        return ColumnPlan(
            name=column.name,
            target=draft.names[column.name],
            type=choice.type,
            nullable=there.nullable if there else column.nullable and not in_key,
            collation=choice.collation,
            default="" if there or generated else self._default(column, choice),
            generated=generated,
            # No server keeps what is computed from a column that a foreign key writes to.
            stored=bool(generated)
            and (linked or (column.stored and not self._written_by_keys(generated, deleting=True))),
            auto_increment=there.auto_increment if there else column.name == self._table.rowid_alias,
            grammar=choice.grammar,
            # What STRICT tables make of ANY is what others make of no type; bytes in a column for texts are no texts.
            declared=""
            if affinity_of(column.declared) != column.affinity or (choice.kind == "bytes" and stats.blobs)
            else column.declared,
            seen=seen(stats),
            reason=choice.reason,
        )

    def _generated(self, column: SourceColumn) -> str:
        if not column.generated:
            return ""
        kind = self._kinds[column.name]
        found = translate_generated(column.generated, self._known, self._kinds, kind, ordered=self._ordered)
        if found is not None and kind in ("real", "decimal"):
            value = translated(column.generated, self._known, self._kinds, ordered=self._ordered)
            if value is None or _overflows(value, self._observed(column.generated, value.kind)):
                found = None
        if found is None:
            what = ObjectPlan("generated column", column.name, self._table.name, column.generated)
            self._leave(what, "its expression has no sure translation: its values move, into a column like any other")
        return found or ""

    def _default(self, column: SourceColumn, choice: Choice) -> str:
        if not column.default or column.name == self._table.rowid_alias:
            return ""
        decimal = _DECIMAL.fullmatch(choice.type)
        kind = self._kinds[column.name] or choice.kind
        found = translate_default(column.default, kind, int(decimal[2]) if decimal else choice.digits)
        if found is None:
            text = f"DEFAULT {column.default} has no sure translation, and stays behind"
            self._draft.remark(Doubt("default", "decide", text), column=column.name)
        return "" if found in (None, "NULL") else found or ""

    def _checks(self) -> tuple[CheckPlan, ...]:
        draft = self._draft
        plans: list[CheckPlan] = []
        for number, check in enumerate(self._table.checks, 1):
            found = translate_check(check, self._known, self._kinds, ordered=self._ordered)
            name = target_name(f"{draft.target}_check_{number}", [plan.target for plan in plans])
            what = ObjectPlan("check", name, self._table.name, check, found or "")
            changed = self._written_by_keys(found or "")
            if found is None:
                self._leave(what, f"CHECK ({check}) has no sure translation")
            elif changed:
                self._leave(what, f"CHECK ({check}) is over {changed}, which a foreign key changes")
            else:
                plans.append(CheckPlan(name, check, found))
        return tuple(plans)

    def _written_by_keys(self, expression: str, *, deleting: bool = False) -> str:
        """A column of ``expression`` that a foreign key's action writes to; empty where there is none.

        ``deleting``: also one whose row it deletes.
        """
        written = {"SET NULL", "CASCADE"} if deleting else {"SET NULL"}
        for key in self._foreign_keys:
            if key.on_update in ("CASCADE", "SET NULL") or key.on_delete in written:
                for column in key.columns:
                    if quoted(column) in expression:
                        return column
        return ""

    def _indexes(self, *, hides: bool) -> Indexes:
        draft, table = self._draft, self._table

        def selected(sql: str) -> str | None:
            return translate_predicate(sql, self._known, self._kinds, ordered=self._ordered)

        setting = Setting(
            table, draft.names, draft.choices, self._server, self._computed, selected, {table.rowid_alias}
        )
        # The server makes an index for each foreign key that finds none.
        found = indexes(setting, table.primary_key if hides else (), MOST_INDEXES - len(self._foreign_keys))
        for index, why in found.left:
            self._leave(ObjectPlan("index", index.name, table.name, index.sql), f"the index {index.name}: {why}")
        for index in found.wider:
            text = f"the index {index.name} was of some rows, and is of all"
            draft.remark(Doubt("partial-index", "note", text), name=index.name)
        return found

    def _computed(self, sql: str) -> tuple[str, Choice] | None:
        """What an index is over; its values are kept as what they are."""
        found = translated(sql, self._known, self._kinds, ordered=self._ordered)
        choice = self._observed(sql, found.kind) if found else None
        if found is None or choice is None or _overflows(found, choice):
            return None
        fitting = translate_generated(sql, self._known, self._kinds, choice.kind, ordered=self._ordered)
        return None if fitting is None else (fitting, choice)

    def _leave(self, what: ObjectPlan, why: str) -> None:
        self.left.append(what)
        column = what.name if what.kind == "generated column" else ""
        self._draft.remark(
            Doubt(what.kind.replace(" ", "-"), "decide", f"{why}; it stays behind" if not column else why),
            column=column,
            name=what.name,
        )


def _overflows(found: Translated, choice: Choice | None) -> bool:
    """Whether whole numbers give one beyond 64 bits in some row: SQLite makes it a real, MySQL an error."""
    return found.kind == "integer" and (choice is None or choice.kind != "integer")


def _kind(draft: Draft, name: str, server: Server) -> str:
    """What an expression may take a column for; empty where none of them is sure."""
    choice, column, stats = draft.choices[name], draft.table.column(name), draft.stats.columns[name]
    if name == draft.table.rowid_alias or (choice.kind == "text" and (stats.integers or stats.reals)):
        return ""
    if choice.kind == "text":
        return "text" if choice.collation == server.exact and column.collation == "BINARY" else "folded"
    if choice.kind in ("date", "datetime"):
        return f"{choice.kind} {choice.grammar}"
    decimal = _DECIMAL.fullmatch(choice.type)
    return "" if decimal and int(decimal[1]) - int(decimal[2]) > _EXACT_DIGITS else choice.kind
