"""Remarks become findings: with the rows that each is about, and an id that is the same each time."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping

from ..interface import Example, Finding
from ..names import quoted_sqlite
from ..source.offenders import Offenders, where
from ..source.schema import SourceTable
from .choices import Doubt
from .drafting import Remark


class Findings:
    """What was found so far; each id is unique."""

    def __init__(self, connection: sqlite3.Connection, tables: Mapping[str, SourceTable]) -> None:
        self._connection = connection
        self._tables = tables
        self._ids: Counter[str] = Counter()
        self.all: list[Finding] = []

    def remark(self, remark: Remark) -> None:
        """Add a remark; its rows are looked for."""
        condition = remark.doubt.where
        found = None
        if condition:
            table = self._tables[remark.table]
            try:
                condition = condition.replace("{column}", quoted_sqlite(remark.column))
                found = where(self._connection, table, condition, remark.column)
            except sqlite3.Error:
                found = None  # an expression that only the application's own functions could compute
        self.add(remark.table, remark.doubt, column=remark.column, name=remark.name, rows=found)

    def add(
        self,
        table: str,
        doubt: Doubt,
        *,
        column: str = "",
        name: str = "",
        rows: Offenders | None = None,
        examples: tuple[Example, ...] = (),
    ) -> None:
        """Add what is known already; ``examples`` stand for the rows where none were looked for."""
        about = ".".join(part for part in (table, name or column) if part)
        self._ids[f"{doubt.kind}:{about}"] += 1
        number = self._ids[f"{doubt.kind}:{about}"]
        self.all.append(
            Finding(
                f"{doubt.kind}:{about}" + (f"#{number}" if number > 1 else ""),
                doubt.severity,
                table,
                doubt.text,
                column,
                rows.rows if rows else 0,
                rows.examples if rows else examples,
                rows.query if rows else "",
            )
        )
