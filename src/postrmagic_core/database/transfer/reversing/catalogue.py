"""What a server says of the tables of its database, as :mod:`.reversing.reverse` needs it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..interface import ServerKind
from ..server import CHECKPOINTS

if TYPE_CHECKING:
    from ..session import Session

_Row: TypeAlias = tuple[Any, ...]

# MySQL answers from what it remembered, up to a day old, unless it is told to look.
_FRESH = "SET SESSION information_schema_stats_expiry = 0"

_TABLES = """
SELECT table_name, auto_increment, COALESCE(engine, '') FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_name
"""
_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable, column_default, extra, COALESCE(collation_name, ''),
COALESCE(generation_expression, '') FROM information_schema.columns WHERE table_schema = DATABASE()
ORDER BY table_name, ordinal_position
"""
_INDEXES = """
SELECT table_name, index_name, non_unique, index_type, column_name, sub_part, collation, {expression}
FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index
"""
_FOREIGN_KEYS = """
SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_name, k.referenced_column_name,
r.delete_rule, r.update_rule, k.referenced_table_schema = DATABASE()
FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL
ORDER BY k.table_name, k.constraint_name, k.ordinal_position
"""
_CHECKS = {
    "mysql": """
SELECT t.table_name, c.constraint_name, c.check_clause FROM information_schema.check_constraints c
JOIN information_schema.table_constraints t
ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name
WHERE t.table_schema = DATABASE() AND t.enforced = 'YES' ORDER BY t.table_name, c.constraint_name
""",
    "mariadb": """
SELECT table_name, constraint_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE() ORDER BY table_name, constraint_name
""",
}
_OTHERS = """
SELECT 'view', table_name, table_name FROM information_schema.views WHERE table_schema = DATABASE()
UNION ALL SELECT 'trigger', trigger_name, event_object_table FROM information_schema.triggers
WHERE trigger_schema = DATABASE()
UNION ALL SELECT LOWER(routine_type), routine_name, '' FROM information_schema.routines
WHERE routine_schema = DATABASE()
UNION ALL SELECT LOWER(table_type), table_name, '' FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type NOT IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
UNION ALL SELECT 'event', event_name, '' FROM information_schema.events WHERE event_schema = DATABASE()
"""


@dataclass(frozen=True, slots=True)
class ServerColumn:
    """A column. ``type`` is as the server writes it, in small letters where it means nothing.

    ``default`` is what information_schema says, whose grammar differs by server; ``extra`` in small letters.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    extra: str = ""
    collation: str = ""
    generated: str = ""

    @property
    def auto_increment(self) -> bool:
        """Whether the server gives it its value."""
        return "auto_increment" in self.extra

    @property
    def stored(self) -> bool:
        """Whether a generated column is kept with the row."""
        return "stored" in self.extra or "persistent" in self.extra

    @property
    def hidden(self) -> bool:
        """Whether SELECT * leaves it out."""
        return "invisible" in self.extra


@dataclass(frozen=True, slots=True)
class ServerPart:
    """One part of an index: a column, its first ``length`` characters or bytes, or an ``expression``."""

    column: str
    length: int | None = None
    descending: bool = False
    expression: str = ""


@dataclass(frozen=True, slots=True)
class ServerIndex:
    """An index; ``kind`` is BTREE, HASH, FULLTEXT or SPATIAL."""

    name: str
    unique: bool
    kind: str
    parts: tuple[ServerPart, ...]


@dataclass(frozen=True, slots=True)
class ServerForeignKey:
    """A foreign key; ``here``: its parent is in the same database."""

    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    here: bool = True


@dataclass(frozen=True, slots=True)
class ServerTable:
    """A table; ``auto_increment`` is the next id it gives, 0 where it gives none; ``checks`` are names and clauses."""

    name: str
    columns: tuple[ServerColumn, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[ServerIndex, ...] = ()
    foreign_keys: tuple[ServerForeignKey, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    auto_increment: int = 0
    engine: str = ""

    def column(self, name: str) -> ServerColumn | None:
        """The column of that name, however its letters are written."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class ServerObject:
    """A view, a trigger, a routine or an event, by its kind and name."""

    kind: str
    name: str
    table: str


@dataclass(frozen=True, slots=True)
class ServerSchema:
    """All of a database."""

    tables: tuple[ServerTable, ...]
    objects: tuple[ServerObject, ...]


def read_server(session: Session, kind: ServerKind) -> ServerSchema:
    """What the database of ``session`` has, without the table of the checkpoints."""

    def rows(query: str) -> dict[str, list[_Row]]:
        by_table: dict[str, list[_Row]] = defaultdict(list)
        for table, *rest in session.rows(query):
            by_table[str(table)].append(tuple(rest))
        return by_table

    if kind == "mysql":
        session.execute(_FRESH)
    # MariaDB has no indexes over expressions.
    indexes = rows(_INDEXES.format(expression="expression" if kind == "mysql" else "NULL"))
    columns, foreign_keys, checks = rows(_COLUMNS), rows(_FOREIGN_KEYS), rows(_CHECKS[kind])
    tables = [
        _table(name, found[0], columns[name], (indexes[name], foreign_keys[name], checks[name]))
        for name, found in rows(_TABLES).items()
        if name != CHECKPOINTS
    ]
    objects = [ServerObject(str(what).lower(), str(name), str(table)) for what, name, table in session.rows(_OTHERS)]
    return ServerSchema(tuple(tables), tuple(objects))


def _table(name: str, told: _Row, columns: list[_Row], rules: tuple[list[_Row], list[_Row], list[_Row]]) -> ServerTable:
    parts, keys, checks = rules
    indexes = _indexes(parts)
    # One over the beginnings of columns is no primary key of SQLite's, but a unique index.
    whole = [index for index in indexes if all(part.length is None for part in index.parts)]
    primary = next((index for index in whole if index.name == "PRIMARY"), None)
    return ServerTable(
        name,
        tuple(_column(*column) for column in columns),
        tuple(part.column for part in primary.parts) if primary else (),
        tuple(index for index in indexes if index is not primary),
        _foreign_keys(keys),
        tuple((str(check), _text(clause)) for check, clause in checks),
        int(told[0] or 0),
        str(told[1]),
    )


def _column(
    name: str, kind: Any, nullable: str, default: Any, extra: str, collation: str, generated: Any
) -> ServerColumn:
    value = None if default is None else _text(default)
    return ServerColumn(
        name, _text(kind), nullable.upper() == "YES", value, extra.lower(), collation.lower(), _text(generated)
    )


def _indexes(parts: list[_Row]) -> list[ServerIndex]:
    grouped: dict[str, list[_Row]] = defaultdict(list)
    for name, *part in parts:
        grouped[str(name)].append(tuple(part))
    return [
        ServerIndex(
            name,
            not found[0][0],
            str(found[0][1]),
            tuple(
                ServerPart(column or "", length, direction == "D", _text(expression or ""))
                for _, _, column, length, direction, expression in found
            ),
        )
        for name, found in grouped.items()
    ]


def _foreign_keys(rows: list[_Row]) -> tuple[ServerForeignKey, ...]:
    grouped: dict[str, list[_Row]] = defaultdict(list)
    for name, *row in rows:
        grouped[str(name)].append(tuple(row))
    return tuple(
        ServerForeignKey(
            name,
            tuple(row[0] for row in found),
            str(found[0][1]),
            tuple(row[2] for row in found),
            str(found[0][3]),
            str(found[0][4]),
            bool(found[0][5]),
        )
        for name, found in grouped.items()
    )


def _text(value: Any) -> str:
    """MySQL sends some texts of information_schema as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
