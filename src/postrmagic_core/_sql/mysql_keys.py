"""Which columns a violated unique key covers: the error names only the key."""

from __future__ import annotations

import contextlib
from typing import Any

import pymysql
from sqlalchemy import Table

from .constraints import columns_of

_QUERY = """
SELECT table_name, column_name FROM information_schema.statistics
WHERE table_schema = DATABASE() AND non_unique = 0 AND index_name = %s AND table_name LIKE %s
ORDER BY table_name, seq_in_index LIMIT 64
"""
_KEPT = 256


class UniqueKeys:
    """Columns by table and key, from metadata or else asked of the server once; a bounded number is kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], tuple[str, ...]] = {}

    def columns(self, connection: Any, key: str | None, table: Any) -> tuple[str, ...]:
        """Columns of ``key`` (``name`` or ``table.name``); empty when they cannot be told apart."""
        if key is None:
            return ()
        of, _, name = key.rpartition(".")
        declared = columns_of(table, name)
        if declared:
            return declared
        place = of or (table.name if isinstance(table, Table) else None)
        if (place, name) not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[place, name] = _ask(connection, place, name)
        return self._known[place, name]


def _ask(connection: Any, table: str | None, name: str) -> tuple[str, ...]:
    pattern = "%" if table is None else table.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
    rows: list[tuple[str, str]] = []
    with contextlib.suppress(pymysql.Error), connection.cursor() as cursor:
        cursor.execute(_QUERY, (name, pattern))
        rows = list(cursor.fetchall())
    if len({owner for owner, _ in rows}) != 1:
        return ()
    return tuple(column for _, column in rows)
