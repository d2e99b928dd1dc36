"""Keys that are apart in the source and would be one where letters, accents or spaces at the end do not count."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from ..interface import Example, Report, Value
from ..names import quoted_sqlite
from .offenders import EXAMPLES, literal
from .schema import SourceTable, TableStats

Fold: TypeAlias = Literal["capitals", "accents", "spaces at the end", "the collation"]
# What a server's collation compares each text by.
Weigh: TypeAlias = Callable[[Sequence[str], str], Sequence[bytes]]
_ASKED = 4000
_Found: TypeAlias = tuple[int, tuple[Example, ...]]


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique key, and which of its columns hold text; ``predicate`` is that of a partial one."""

    name: str
    columns: tuple[str, ...]
    texts: tuple[str, ...]
    predicate: str = ""


@dataclass(frozen=True, slots=True)
class Collision:
    """``groups`` of keys that are one to ``fold``; the examples are two keys of each."""

    key: UniqueKey
    fold: Fold
    groups: int
    examples: tuple[Example, ...]


def collisions(
    connection: sqlite3.Connection, table: SourceTable, key: UniqueKey, stats: TableStats, report: Report
) -> Iterator[Collision]:
    """What would be one under each fold. SQLite sorts, on disk where it must; Python only folds."""
    texts = [stats.columns[name] for name in key.texts]
    if any(stats.columns[name].misfits for name in key.columns):
        return
    for fold, function in _FOLDS.items():
        if fold == "accents" and all(column.ascii for column in texts):
            continue
        if fold == "spaces at the end" and not any(column.trailing_spaces for column in texts):
            continue
        report(f"comparing keys of {table.name}", 0, None)
        connection.create_function("pm_fold", 1, function, deterministic=True)
        folded = [
            f"pm_fold({quoted_sqlite(name)})" if name in key.texts else quoted_sqlite(name) for name in key.columns
        ]
        found = _groups(connection, key, quoted_sqlite(table.name), folded)
        if found[0]:
            yield Collision(key, fold, *found)


def is_plain(connection: sqlite3.Connection, table: SourceTable, columns: Collection[str]) -> bool:
    """Whether the texts of ``columns`` have only the printable characters of ASCII, of which servers know two cases."""
    others = " OR ".join(f"{name} GLOB '*[^ -~]*' OR instr({name}, char(0))" for name in map(quoted_sqlite, columns))
    query = f"SELECT 1 FROM {quoted_sqlite(table.name)} WHERE {others} LIMIT 1"  # noqa: S608 - quoted names
    return connection.execute(query).fetchone() is None


def conflicts(
    connection: sqlite3.Connection, table: SourceTable, key: UniqueKey, collations: Mapping[str, str], weigh: Weigh
) -> Collision | None:
    """Those that the server's own ``collations`` of the key's texts make one: these cannot both move.

    Each text is weighed by the server; what a row weighs is kept in a temporary table, on disk.
    """
    columns = ", ".join(map(quoted_sqlite, key.columns))
    connection.execute("DROP TABLE IF EXISTS temp.pm_weights")
    connection.execute("CREATE TEMP TABLE pm_weights (weight BLOB, shown TEXT)")
    try:
        rows = connection.execute(f"SELECT {columns} FROM {quoted_sqlite(table.name)} WHERE {_counted(key)}")  # noqa: S608 - quoted names
        while batch := rows.fetchmany(_ASKED):
            weights = _weights(batch, [collations.get(name) for name in key.columns], weigh)
            shown = (", ".join(map(literal, row)) for row in batch)
            connection.executemany("INSERT INTO temp.pm_weights VALUES (?, ?)", zip(weights, shown, strict=True))
        found = _told(connection.execute(_GROUPS.format("shown", "temp.pm_weights", "true", "weight")))
    finally:
        connection.execute("DROP TABLE temp.pm_weights")
    return Collision(key, "the collation", *found) if found[0] else None


def _weights(batch: Sequence[Sequence[Value]], collations: Sequence[str | None], weigh: Weigh) -> Iterator[bytes]:
    columns: list[list[bytes]] = []
    for values, collation in zip(zip(*batch, strict=True), collations, strict=True):
        written = [_written(value) if collation else None for value in values]
        texts = [text for text in written if text is not None]
        known = dict(zip(texts, weigh(texts, collation or ""), strict=True)) if texts else {}
        columns.append(
            [repr(value).encode() if text is None else known[text] for value, text in zip(values, written, strict=True)]
        )
    for row in zip(*columns, strict=True):
        yield sha256(b"".join(b"%d:%b" % (len(part), part) for part in row)).digest()


def _written(value: Value) -> str | None:
    """What stands in a column of texts; among them numbers become some."""
    return value if isinstance(value, str) else repr(value) if isinstance(value, int | float) else None


_GROUPS = "SELECT min({0}), max({0}) FROM {1} WHERE {2} GROUP BY {3} HAVING count(*) > 1"


def _groups(connection: sqlite3.Connection, key: UniqueKey, table: str, folded: Sequence[str]) -> _Found:
    shown = " || ', ' || ".join(f"quote({quoted_sqlite(name)})" for name in key.columns)
    return _told(connection.execute(_GROUPS.format(shown, table, _counted(key), ", ".join(folded))))


def _counted(key: UniqueKey) -> str:
    """Rows with a NULL in the key are unique whatever else is in it."""
    given = [f"{quoted_sqlite(name)} IS NOT NULL" for name in key.columns]
    return " AND ".join([*given, f"({key.predicate})"] if key.predicate else given)


def _told(rows: sqlite3.Cursor) -> _Found:
    groups, examples = 0, []
    for one, other in rows:
        groups += 1
        if groups <= EXAMPLES:
            examples.append(Example(one, other))
    return groups, tuple(examples)


def _without_accents(text: Value) -> Value:
    if not isinstance(text, str) or text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(part for part in parts if unicodedata.category(part) != "Mn"))


_FOLDS: dict[Fold, Callable[[Value], Value]] = {
    "capitals": lambda text: text.casefold() if isinstance(text, str) else text,
    "accents": _without_accents,
    "spaces at the end": lambda text: text.rstrip(" ") if isinstance(text, str) else text,
}
