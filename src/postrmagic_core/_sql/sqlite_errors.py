"""SQLite's result codes as this package's errors (https://sqlite.org/rescode.html)."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..errors import (
    BackendReadOnly,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    IntegrityViolation,
    OutOfSpace,
    PostrMagicError,
    UniqueViolation,
)
from .constraints import name_of, table_of

_BY_PRIMARY_CODE: dict[int, tuple[type[PostrMagicError], str]] = {
    sqlite3.SQLITE_BUSY: (Conflict, "the database is locked by another connection"),
    sqlite3.SQLITE_LOCKED: (Conflict, "a table is locked by another connection"),
    sqlite3.SQLITE_SCHEMA: (Conflict, "the schema changed meanwhile"),
    sqlite3.SQLITE_READONLY: (BackendReadOnly, "the database file is read-only"),
    sqlite3.SQLITE_FULL: (OutOfSpace, "the disk is full"),
    sqlite3.SQLITE_NOMEM: (OutOfSpace, "memory is exhausted"),
    sqlite3.SQLITE_IOERR: (BackendUnavailable, "the disk reported an error"),
    sqlite3.SQLITE_CANTOPEN: (BackendUnavailable, "the database file cannot be opened"),
    sqlite3.SQLITE_INTERRUPT: (BackendTimeout, "the statement was interrupted"),
    sqlite3.SQLITE_CORRUPT: (BackendRejected, "the database file is damaged"),
    sqlite3.SQLITE_NOTADB: (BackendRejected, "the file is not a SQLite database"),
    sqlite3.SQLITE_MISMATCH: (IntegrityViolation, "a value has the wrong type for its column"),
    sqlite3.SQLITE_CONSTRAINT: (IntegrityViolation, "a constraint refused the row"),
}
_PRIMARY = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, *_PRIMARY}
_DETAILS = {
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "a column that must not be NULL is NULL",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "a foreign key refused the row",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "a CHECK constraint refused the row",
}


def translated(error: sqlite3.Error, *, table: Any, reading: bool) -> PostrMagicError:
    """The error of ours; ``table`` is the written Core table if known, ``reading`` tells the read engine's errors."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return BackendRejected(f"SQLite's driver refused the statement ({type(error).__name__})")
    if code in _UNIQUE:
        return _unique(error, table)
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_READONLY and reading:
        return BackendRejected("db.read() takes no writes: use db.write()")
    kind, text = _BY_PRIMARY_CODE.get(primary, (BackendRejected, "the database refused the statement"))
    return kind(f"{_DETAILS.get(code, text)} (SQLite error {code})")


def of_sqlite(error: BaseException) -> PostrMagicError | None:
    """For :func:`translating`, where ``sqlite3`` is used without an engine; ``None`` for an error of another kind."""
    return translated(error, table=None, reading=False) if isinstance(error, sqlite3.Error) else None


def _unique(error: sqlite3.Error, table: Any) -> UniqueViolation:
    # The one place where only the text carries the names: "UNIQUE constraint failed: t.a, t.b" or "…: index 'name'".
    _, _, named = str(error.args[0]).partition(": ")
    if named.startswith("index "):
        constraint = named.removeprefix("index ").strip("'")
        owner = table_of(table, constraint)
        return UniqueViolation(f"the row exists already ({constraint})", constraint=constraint, table=owner)
    found = tuple(part.rpartition(".")[2] for part in named.split(", ")) if named else ()
    return UniqueViolation(
        f"the row exists already: {', '.join(found)} must be unique",
        # As MySQL calls it, whatever name was declared.
        constraint="PRIMARY" if error.sqlite_errorcode in _PRIMARY else name_of(table, found),
        table=named.partition(", ")[0].rpartition(".")[0] or None,
        columns=found,
    )
