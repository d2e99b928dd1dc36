"""How the database differs from the application's metadata, leaving alone what is not the application's."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.types import TypeEngine

from ..._sql.types import BinaryKey, Key
from .interface import Migrations

# The tables in which SQLite's modules keep what a virtual table shows (fts3.html, fts5.html, rtree.html at sqlite.org).
_SHADOWS = {
    "config",
    "content",
    "data",
    "docsize",
    "idx",
    "node",
    "parent",
    "rowid",
    "segdir",
    "segments",
    "stat",
}


class Foreign:
    """The tables that are not the application's to migrate: ours, version tables, virtual and unmanaged ones."""

    def __init__(self, connection: Connection, history: Migrations, metadata: MetaData) -> None:
        self._patterns = ["pm[_]*", history.version_table, *metadata.info.get("unmanaged", ())]
        self._virtual: set[str] = set()
        if connection.dialect.name == "sqlite":
            found = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'"
            )
            self._virtual = set(found.scalars())

    def has(self, table: str) -> bool:
        """Whether ``table`` is left alone."""
        stem, _, end = table.rpartition("_")
        shadow = stem in self._virtual and end in _SHADOWS
        return table in self._virtual or shadow or any(fnmatchcase(table, pattern) for pattern in self._patterns)

    def include_name(self, name: str | None, kind: str, parents: object) -> bool:
        """Alembic's hook, for what is in the database."""
        return kind != "table" or not self.has(name or "")

    def include_object(self, found: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        """Alembic's hook, for what is declared."""
        return kind != "table" or not self.has(name or "")


def options(connection: Connection, history: Migrations, metadata: MetaData) -> dict[str, Any]:
    """What Alembic is told, so that it compares like this and writes like :func:`rendered`."""
    foreign = Foreign(connection, history, metadata)
    connection.rollback()
    return {
        "include_name": foreign.include_name,
        "include_object": foreign.include_object,
        # SQLite alters next to nothing; elsewhere a batch is plain ALTER TABLE, so that one revision serves both.
        "render_as_batch": True,
        "render_item": rendered,
    }


def differences(connection: Connection, history: Migrations, metadata: MetaData) -> list[str]:
    """What would have to be done to make the tables what ``metadata`` declares, one line each."""
    found: dict[str, Any] = options(connection, history, metadata)
    found |= {"target_metadata": metadata, "version_table": history.version_table}
    context = MigrationContext.configure(connection, opts=found)
    script: MigrationScript = produce_migrations(context, metadata)
    return [] if script.upgrade_ops is None else list(_lines(script.upgrade_ops.as_diffs()))


def _lines(diffs: list[Any]) -> Iterator[str]:
    for diff in diffs:
        if isinstance(diff, list):
            yield from _lines(diff)
        elif diff[0].startswith("modify_"):
            kind, _, table, column, _, before, after = diff
            yield f"{kind.replace('_', ' ')} of {table}.{column}: {before!r} in the database, {after!r} declared"
        else:
            yield f"{diff[0].replace('_', ' ')} {_named(diff)}"


def _named(diff: tuple[Any, ...]) -> str:
    subject = diff[-1]
    table = getattr(subject, "table", None)
    name = getattr(subject, "name", None)
    columns = ", ".join(column.name for column in getattr(subject, "columns", ()) if table is not None)
    if diff[0].endswith("_column"):
        return f"{diff[2]}.{name}"
    return " ".join(part for part in (name, f"on {table.name} ({columns})" if table is not None else "") if part)


def rendered(kind: str, found: object, context: AutogenContext) -> Any:
    """Alembic's hook: a type from outside SQLAlchemy is written with its import; ``False`` leaves it to Alembic."""
    if kind != "type" or not isinstance(found, TypeEngine):
        return False
    if type(found) in {Key, BinaryKey}:
        context.imports.add(f"from postrmagic_core.database.types import {type(found).__name__}")
        return f"{type(found).__name__}({found.size})"  # type: ignore[attr-defined]  # both have one
    module = type(found).__module__
    if module.partition(".")[0] != "sqlalchemy":
        context.imports.add(f"import {module}")
    return False
