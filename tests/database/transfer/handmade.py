"""Plans made by hand, for tests of what carries them out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from postrmagic_core.database.transfer.interface import ROWID, ColumnPlan, Plan, Server, TablePlan
from postrmagic_core.database.transfer.source.catalogue import read_source

MARIADB = Server("mariadb", "10.11.6", "utf8mb4_nopad_bin", "utf8mb4_uca1400_nopad_as_ci", 16_777_216)
MYSQL = Server("mysql", "9.7.0", "utf8mb4_0900_bin", "utf8mb4_0900_as_ci", 67_108_864)
HIDDEN = ColumnPlan("rowid", ROWID, "BIGINT", nullable=False, auto_increment=True, hidden=True)


def column(name: str, kind: str = "BIGINT", **options: Any) -> ColumnPlan:
    """A column of the same name on both sides; ``kind`` is MySQL's type."""
    return ColumnPlan(name, options.pop("target", name), kind, **options)


def serial(name: str = "id") -> ColumnPlan:
    """What becomes of an INTEGER PRIMARY KEY."""
    return column(name, nullable=False, auto_increment=True, declared="INTEGER")


def words(name: str, kind: str = "VARCHAR(191)", server: Server = MARIADB, **options: Any) -> ColumnPlan:
    """A column of text that is equal only to itself."""
    return column(name, kind, collation=server.exact, declared="TEXT", **options)


def table(name: str, *columns: ColumnPlan, key: tuple[str, ...] = (), **options: Any) -> TablePlan:
    """A table of these columns; its key is the first of them, unless another is named."""
    found = key or (columns[0].name,)
    targets = {each.name: each.target for each in columns}
    primary = options.pop("primary_key", tuple(targets[part] for part in found if part in targets))
    return TablePlan(name, options.pop("target", name), found, primary, columns, **options)


def plan(source: Path, url: str, *tables: TablePlan, server: Server = MARIADB, **options: Any) -> Plan:
    """A plan of these tables for the file ``source`` as it is now."""
    with closing(sqlite3.connect(source)) as connection:
        digest = read_source(connection).digest
    return Plan(str(source), url, digest, server, tables, **options)
