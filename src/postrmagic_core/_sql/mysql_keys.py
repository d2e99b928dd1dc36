"""Which table a violated unique key belongs to, and which columns it covers: the error names little but the key."""

from __future__ import annotations

import contextlib
from typing import Any

import pymysql
from sqlalchemy import Table

from .constraints import columns_of
from .mysql_errors import Covered

_QUERY = """
SELECT table_name, column_name FROM information_schema.statistics
WHERE table_schema = DATABASE() AND non_unique = 0 AND index_name = %s AND table_name LIKE %s
ORDER BY table_name, seq_in_index LIMIT 64
"""
_KEPT = 256


class UniqueKeys:
    """What each key covers, from metadata or else asked of the server once; a bounded number is kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], Covered] = {}

    def covered(self, connection: Any, key: str | None, table: Any) -> Covered:
        """What ``key`` (``name`` or ``table.name``) covers; no columns where several tables have a key of the name."""
        if key is None:
            return Covered()
        of, _, name = key.rpartition(".")
        declared = columns_of(table, name)
        if declared:
            return Covered(of or str(table.name), declared)
        place = of or (table.name if isinstance(table, Table) else None)
        if (place, name) not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[place, name] = _ask(connection, place, name)
        found = self._known[place, name]
        return Covered(of, found.columns) if of else found


def _ask(connection: Any, table: str | None, name: str) -> Covered:
    pattern = "%" if table is None else table.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
    rows: list[tuple[str, str]] = []
    with contextlib.suppress(pymysql.Error), connection.cursor() as cursor:
        cursor.execute(_QUERY, (name, pattern))
        rows = list(cursor.fetchall())
    owners = {owner for owner, _ in rows}
    return Covered(owners.pop(), tuple(column for _, column in rows)) if len(owners) == 1 else Covered()
