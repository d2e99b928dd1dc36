"""What a plan says: of each table, column, key and object of the source, what becomes of it and why.

A plan is data. It is written to a file that a person reads and corrects (:mod:`.planfile.file`), and everything that
moves, compares or draws works from it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

# What SQLite stores: an integer of 64 bits, a double, text, bytes.
Value: TypeAlias = int | float | str | bytes | None
Key: TypeAlias = tuple[Value, ...]
# Told of long work: what is being done, how much of it is done, of how much (None: not known).
Report: TypeAlias = Callable[[str, int, int | None], None]

Severity: TypeAlias = Literal["note", "decide", "stop"]
ServerKind: TypeAlias = Literal["mysql", "mariadb"]
ObjectKind: TypeAlias = Literal["view", "trigger", "virtual table", "index", "check", "generated column"]

# The column that holds SQLite's rowid where a table has no primary key that MySQL could have; not seen by SELECT *.
ROWID = "pm_rowid"


def unreported(what: str, done: int, total: int | None) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row that a finding is about: the values of its key, and the value in question as SQLite's literal."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the source that a person should know, decide or mend.

    ``note``: moves as it is, but something differs from now on. ``decide``: moves only in another shape, or stays
    behind; nothing runs until it is ``accepted`` in the plan. ``stop``: these rows fit no column of the target; they
    have to be mended in the source, and ``query`` finds them. ``id`` is the same each time the source is looked at.
    """

    id: str
    severity: Severity
    table: str
    text: str
    column: str = ""
    rows: int = 0
    examples: tuple[Example, ...] = ()
    query: str = ""
    accepted: bool = False

    @property
    def blocks(self) -> bool:
        """Whether nothing may run because of it."""
        return self.severity == "stop" or (self.severity == "decide" and not self.accepted)


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One column: ``name`` in the source, ``target`` and ``type`` (as MySQL writes it) there, and the reason.

    ``default`` is an expression of MySQL's, in parentheses where it must be. ``generated`` is the expression that
    computes the column, which is then never written. ``grammar`` is how a DATE or DATETIME is written in the source,
    by :meth:`datetime.datetime.strftime`'s letters with ``%f`` for as many digits as ``type`` has. ``declared`` is the
    source's own type, ``seen`` what was found in it.
    """

    name: str
    target: str
    type: str
    nullable: bool = True
    collation: str = ""
    default: str = ""
    generated: str = ""
    stored: bool = False
    auto_increment: bool = False
    hidden: bool = False
    grammar: str = ""
    declared: str = ""
    seen: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class IndexPart:
    """A column of an index, by its name in the target; ``length`` is its first so many characters."""

    column: str
    length: int | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """An index or a unique key; ``name`` is the source's, ``target`` unique within its table.

    ``sql`` is how the source made it, empty where its table did.
    """

    name: str
    target: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    reason: str = ""
    sql: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKeyPlan:
    """A foreign key; ``columns``, ``parent`` and ``parent_columns`` are named as in the target."""

    target: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A CHECK: ``source`` is SQLite's expression, ``expression`` MySQL's."""

    target: str
    source: str
    expression: str


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table. ``key`` orders its rows alike on both sides: columns of the source, or ``rowid``; none does if empty.

    ``primary_key`` is by the target's names. ``existing``: the table stands in the target already, and only rows move
    into it; ``kept``: its rows are in the target already too, so that none is moved, and all are compared afterwards.
    ``auto_increment`` is the next id it gives, 0 where it gives none. ``sql`` is how the source made it.
    """

    name: str
    target: str
    key: tuple[str, ...]
    primary_key: tuple[str, ...]
    columns: tuple[ColumnPlan, ...]
    indexes: tuple[IndexPlan, ...] = ()
    foreign_keys: tuple[ForeignKeyPlan, ...] = ()
    checks: tuple[CheckPlan, ...] = ()
    auto_increment: int = 0
    existing: bool = False
    kept: bool = False
    rows: int = 0
    sql: str = ""

    @property
    def moved(self) -> tuple[ColumnPlan, ...]:
        """The columns that are written: all but those the target computes."""
        return tuple(column for column in self.columns if not column.generated)


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """What stays behind: the source's own text of it, and how MySQL might write it, never run."""

    kind: ObjectKind
    name: str
    table: str
    sql: str
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """What a plan is made for. ``exact`` compares text by its characters; ``nocase`` ignores case, but not accents."""

    kind: ServerKind
    version: str
    exact: str
    nocase: str
    max_allowed_packet: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one move. ``source`` is a path, ``target`` a URL without a password.

    ``schema`` is a digest of the source's schema: a source that was altered since is not run.
    """

    source: str
    target: str
    schema: str
    server: Server
    tables: tuple[TablePlan, ...]
    objects: tuple[ObjectPlan, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings because of which nothing runs."""
        return tuple(finding for finding in self.findings if finding.blocks)

    def table(self, name: str) -> TablePlan:
        """The table of that name in the source; :class:`KeyError` where there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)
