"""What a revision does to a schema, whether it said so by Alembic's operations or by SQL: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

KeyKind: TypeAlias = Literal["primary", "unique", "foreign", "check"]
Default: TypeAlias = Literal["unchanged", "dropped", "set"]
NamedKind: TypeAlias = Literal["view", "trigger"]
Writing: TypeAlias = Literal["insert", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Key:
    """A constraint; ``columns`` is empty where it is not told.

    ``refers`` is the table that a foreign key names, ``lets_go`` whether its rows may be deleted under it.
    """

    kind: KeyKind
    columns: tuple[str, ...] = ()
    name: str | None = None
    refers: str | None = None
    lets_go: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``type`` as the dialect writes it, ``filled`` whether it has a server default.

    ``counts``: the server gives it the next number, as AUTO_INCREMENT says.
    """

    name: str
    type: str | None = None
    nullable: bool | None = True
    filled: bool = False
    counts: bool = False


@dataclass(frozen=True, slots=True)
class AddTable:
    """``CREATE TABLE``; ``if_absent`` does nothing where it is there."""

    table: str
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] = ()
    if_absent: bool = False


@dataclass(frozen=True, slots=True)
class DropTable:
    """``DROP TABLE``."""

    table: str


@dataclass(frozen=True, slots=True)
class RenameTable:
    """``ALTER TABLE … RENAME TO``."""

    table: str
    to: str


@dataclass(frozen=True, slots=True)
class AddColumn:
    """``ALTER TABLE … ADD COLUMN`` with the constraints that stand in the column."""

    table: str
    column: Column
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class DropColumn:
    """``ALTER TABLE … DROP COLUMN``."""

    table: str
    name: str


@dataclass(frozen=True, slots=True)
class AlterColumn:
    """A column that is changed; what is ``None`` (or ``unchanged``) stays.

    ``was`` is what the revision says of the column as it was, each part ``None`` where it does not say, and
    ``filled_before`` whether it had a default. ``anew``: on MySQL the statement gives the whole column, so that what
    is not said is lost. ``counts``: whether it is to count by itself.
    """

    table: str
    was: Column
    to: str | None = None
    type: str | None = None
    nullable: bool | None = None
    default: Default = "unchanged"
    filled_before: bool | None = None
    anew: bool = False
    counts: bool | None = None


@dataclass(frozen=True, slots=True)
class AddKey:
    """A constraint on a table."""

    table: str
    key: Key


@dataclass(frozen=True, slots=True)
class DropKey:
    """A constraint goes; ``kind`` is ``None`` where it is not told."""

    table: str
    name: str | None
    kind: KeyKind | None


@dataclass(frozen=True, slots=True)
class AddIndex:
    """``CREATE INDEX``; ``searched``: a FULLTEXT or SPATIAL one, without which some queries are refused."""

    table: str
    name: str | None
    columns: tuple[str, ...]
    unique: bool = False
    searched: bool = False


@dataclass(frozen=True, slots=True)
class DropIndex:
    """``DROP INDEX``; SQLite's statement does not name the table."""

    table: str | None
    name: str


@dataclass(frozen=True, slots=True)
class AddNamed:
    """``CREATE VIEW`` or ``CREATE TRIGGER``; ``table`` is the trigger's, ``if_absent`` as of a table."""

    kind: NamedKind
    name: str
    table: str | None = None
    if_absent: bool = False


@dataclass(frozen=True, slots=True)
class DropNamed:
    """``DROP VIEW`` or ``DROP TRIGGER``, or that another takes its place."""

    kind: NamedKind
    name: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class WriteRows:
    """Rows that are written: ``table`` is ``None`` where it is not told."""

    table: str | None
    how: Writing


@dataclass(frozen=True, slots=True)
class Other:
    """What is a case of ``rule`` in the catalogue by itself; ``table`` where it belongs to one."""

    rule: str
    what: str
    table: str | None = None


Change: TypeAlias = (
    AddTable
    | DropTable
    | RenameTable
    | AddColumn
    | DropColumn
    | AlterColumn
    | AddKey
    | DropKey
    | AddIndex
    | DropIndex
    | AddNamed
    | DropNamed
    | WriteRows
    | Other
)
