"""By what a table's rows are told apart in the target, and in which order they are read on both sides. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..interface import ROWID, ColumnPlan, Server
from ..source.schema import SourceTable, TableStats
from .choices import Choice

# Kinds that both sides put into the same order, byte by byte or number by number.
_ORDERED = ("integer", "bytes", "date", "datetime")
_ROWID_REASON = "SQLite's rowid, as the table has no primary key that the target could have"


@dataclass(frozen=True, slots=True)
class Identity:
    """``columns`` of the primary key, by the source's names; none where the rowid is it, and ``reason`` says why.

    ``key`` is :attr:`.interface.TablePlan.key`. ``exact``: columns that have to be compared by their characters for it.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    reason: str = ""
    exact: tuple[str, ...] = ()


def identity(table: SourceTable, stats: TableStats, choices: Mapping[str, Choice], server: Server) -> Identity:
    """The primary key where it can be one and orders rows alike on both sides, else the rowid.

    A table WITHOUT ROWID has nothing else: there the key's text is compared by its characters from now on. Text of a
    file in UTF-16 is ordered by bytes there (https://sqlite.org/datatype3.html, 7).
    """
    key = table.primary_key
    if table.without_rowid:
        folded = tuple(name for name in key if choices[name].collation not in ("", server.exact))
        return Identity(key, key, exact=folded)
    if not key:
        return Identity((), ("rowid",), "it has no primary key")
    if any(stats.columns[name].nulls for name in key):
        return Identity((), ("rowid",), "there are NULLs in its primary key, which becomes a unique key")
    unordered = [name for name in key if not _is_ordered(choices[name], server, utf16=table.utf16)]
    if unordered:
        why = f"{', '.join(unordered)} would be sorted otherwise in the target; the primary key becomes a unique key"
        return Identity((), ("rowid",), why)
    return Identity(key, key)


def key_columns(table: SourceTable) -> tuple[str, ...]:
    """What names a row to a person: the primary key, else the rowid by that of its names which no column has."""
    return table.primary_key or (rowid_name(table) or "NULL",)


def rowid_name(table: SourceTable) -> str:
    """The word by which a table's rowid is asked for; empty where it has none, or columns have all its names."""
    if table.without_rowid:
        return ""
    taken = {column.name.lower() for column in table.columns}
    return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), "")


def rowid_column() -> ColumnPlan:
    """The hidden column for it."""
    return ColumnPlan(
        "rowid", ROWID, "BIGINT", nullable=False, auto_increment=True, hidden=True, seen="", reason=_ROWID_REASON
    )


def _is_ordered(choice: Choice, server: Server, *, utf16: bool) -> bool:
    if choice.kind == "text":
        return choice.collation == server.exact and choice.length is not None and not utf16
    return choice.kind in _ORDERED and (choice.kind != "bytes" or choice.length is not None)
