"""The tables of the reference application and of the package as they are declared: what each database makes of them."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateColumn

from postrmagic_core._sql.types import BinaryKey, Id, Key
from postrmagic_core.backups import tables as of_backups
from postrmagic_core.database import tables as of_units
from postrmagic_core.events import tables as of_events
from postrmagic_core.flags import tables as of_flags
from postrmagic_core.jobs import tables as of_jobs
from postrmagic_core.observability import tables as of_observability
from postrmagic_core.security import tables as of_security

ROOT = Path(__file__).parents[2]
# An InnoDB index with the row format DYNAMIC, the default of both servers.
LONGEST_KEY = 3072
_FULL_TEXT = ROOT / "examples/media_library/migrations/versions/20261123002342_tables_and_full_text.py"

DIALECTS: dict[str, Dialect] = {"sqlite": sqlite.dialect(), "mysql": mysql.dialect()}
FULL_TEXT: dict[str, str] = runpy.run_path(str(_FULL_TEXT))["SEARCH"]


@dataclass(frozen=True, slots=True)
class Room:
    """Whose tables they are, and the module that declares them; ``told`` is when they are used, if not always."""

    name: str
    module: ModuleType
    told: str = ""
    holds_full_text: bool = False

    @property
    def tables(self) -> list[Table]:
        """Its tables, as they are declared."""
        return list(self.module.metadata.tables.values())


@dataclass(frozen=True, slots=True)
class Facts:
    """What a database of one kind has of a table, as far as the page tells it; sets are of lines."""

    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]
    indexes: frozenset[str]
    foreign_keys: frozenset[str]
    checks: frozenset[str]
    # Of the columns of text, on servers.
    collations: frozenset[str] = frozenset()


_TYPES: tuple[tuple[type[Any], str], ...] = (
    (Key, "Key(n)"),
    (BinaryKey, "BinaryKey(n)"),
    (Text, "Text"),
    (String, "String(n)"),
    (LargeBinary, "Blob"),
)


def library() -> ModuleType:
    """The tables of the reference application, wherever this is run."""
    examples = str(ROOT / "examples")
    if examples not in sys.path:
        sys.path.insert(0, examples)
    from media_library import tables

    return tables


def rooms() -> list[Room]:
    """The application's tables, then the package's, room by room."""
    return [
        Room("The media library", library(), holds_full_text=True),
        Room("Units and the outbox", of_units),
        Room("Jobs", of_jobs, "Used where the database is the jobs' broker, as it is by default."),
        Room("Events", of_events),
        Room("Security", of_security),
        Room("Observability", of_observability),
        Room("Backups", of_backups),
        Room("Flags", of_flags),
    ]


def full_text() -> Table:
    """``media_search`` as a revision makes it on MySQL: it is not declared, and on SQLite another thing."""
    refers = ForeignKey("media.id", name="fk_media_search_media_id", ondelete="CASCADE")
    return Table(
        "media_search",
        MetaData(),
        Column("media_id", Id(), refers, primary_key=True, autoincrement=False),
        Column("terms", Text, nullable=False),
        Index("ft_media_search", "terms", mysql_prefix="FULLTEXT"),
        mysql_collate="ascii_bin",
    )


def kind_of(column: Column[Any]) -> str:
    """The kind of its type: a key of the page's table of kinds."""
    found = next((name for kind, name in _TYPES if isinstance(column.type, kind)), "")
    if found:
        return found
    if not isinstance(column.type, BigInteger):
        return "Integer"
    if column.type._variant_mapping:
        return "Id"
    return "Micros" if column.name.endswith("_us") else "BigInteger"


def declared(table: Table, kind: str) -> Facts:
    """What ``sqlite`` or ``mysql`` makes of the table."""
    text = [column for column in table.columns if isinstance(column.type, String)]
    return Facts(
        tuple((column.name, declaration(column, kind)) for column in table.columns),
        tuple(column.name for column in table.primary_key),
        frozenset(_indexes(table)),
        frozenset(foreign_key(*each) for each in _foreign_keys(table)),
        frozenset(f"{each.name} {each.sqltext}" for each in _constraints(table, CheckConstraint)),
        frozenset([table.kwargs["mysql_collate"]] if text and kind == "mysql" else ()),
    )


def declaration(column: Column[Any], kind: str) -> str:
    """A column's type and what follows it, as CREATE TABLE has them."""
    written = str(CreateColumn(column).compile(dialect=DIALECTS[kind]))
    default = [f"DEFAULT {number}" for number in re.findall(r"DEFAULT '(\d+)'", written)]
    grows = re.findall(r"AUTO_?INCREMENT", written)
    null = [] if column.nullable else ["NOT NULL"]
    return " ".join([column.type.compile(dialect=DIALECTS[kind]), *null, *default, *grows])


def foreign_key(name: str, columns: Iterable[str], parent: str, parents: Iterable[str], on_delete: str | None) -> str:
    """A foreign key in a line."""
    rule = f" ON DELETE {on_delete}" if on_delete else ""
    return f"{name} ({', '.join(columns)}) REFERENCES {parent} ({', '.join(parents)}){rule}"


def comments(module: ModuleType) -> dict[str, str]:
    """What stands above each table where it is declared."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    found = re.findall(r'((?:^# .*\n)+)^\w+ = Table\(\n    "(\w+)"', source, re.MULTILINE)
    return {name: " ".join(line.removeprefix("# ") for line in text.splitlines()) for text, name in found}


def longest_key(tables: Iterable[Table]) -> tuple[str, int]:
    """The longest key of all indexes on MySQL, and its length in bytes."""
    lengths = {}
    for table in tables:
        lengths[f"PRIMARY KEY of {table.name}"] = sum(map(_length, table.primary_key))
        for each in [*table.indexes, *_constraints(table, UniqueConstraint)]:
            lengths[str(each.name)] = sum(map(_length, each.columns))
    return max(lengths.items(), key=lambda item: item[1])


def _length(column: Column[Any]) -> int:
    size: int | None = getattr(column.type, "size", None)
    if size is not None:
        return size
    if isinstance(column.type, String):
        return 4 * (column.type.length or 0)
    return 8 if isinstance(column.type, BigInteger) else 4


def _indexes(table: Table) -> Iterator[str]:
    for index in table.indexes:
        yield f"{index.kwargs.get('mysql_prefix') or 'INDEX'} {index.name} ({_columns(index.columns)})"
    for each in _constraints(table, UniqueConstraint):
        yield f"UNIQUE {each.name} ({_columns(each.columns)})"


def _foreign_keys(table: Table) -> Iterator[tuple[str, list[str], str, list[str], str | None]]:
    for each in table.foreign_key_constraints:
        targets = [element.target_fullname.rpartition(".") for element in each.elements]
        columns = [str(name) for name in each.column_keys]
        yield str(each.name), columns, targets[0][0], [column for _, _, column in targets], each.ondelete


def _constraints(table: Table, kind: type[Any]) -> list[Any]:
    return [each for each in table.constraints if type(each) is kind]


def _columns(columns: Iterable[Column[Any]]) -> str:
    return ", ".join(column.name for column in columns)
