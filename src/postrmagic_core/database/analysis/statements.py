"""What a statement asks of its tables, read from its text; nothing here touches a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from .sqltext import numbered, parser_of, placeholders

if TYPE_CHECKING:
    from sqlglot import exp

Kind: TypeAlias = Literal["select", "insert", "update", "delete"]
Role: TypeAlias = Literal["equal", "list", "range", "like", "match", "escape", "limit", "offset", "other"]
Trait: TypeAlias = Literal["offset", "star", "count all", "not in", "contains", "pattern", "or", "unfiltered"]
Columns: TypeAlias = Mapping[str, Collection[str]]


class Unreadable(Exception):
    """Why a statement cannot be analysed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a ``?`` stands for: its part in the statement, and the column of which source (a number) it meets.

    ``part`` and ``parts`` number the pieces of a LIKE pattern that is put together from several.
    """

    role: Role
    source: int | None = None
    column: str | None = None
    part: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """One use of a table. Conditions that must all hold; columns under an OR are in ``used`` alone.

    ``order`` and ``group`` are empty unless every column of ORDER BY or GROUP BY belongs to this source; the flag says
    descending. ``lists``: columns of ``IN (…)``.
    """

    table: str
    alias: str
    equal: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    group: tuple[str, ...] = ()
    used: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was understood.

    ``positions`` are those of its ``?``, ``slots`` what each stands for. ``functions``: (source, column, expression)
    where a column is compared inside an expression. ``keyset``: columns of ``a < ? OR a = ? AND b < ?``. ``refusal``
    says why it must not be run on a copy; empty when it may.
    """

    sql: str
    kind: Kind
    sources: tuple[Source, ...]
    slots: tuple[Slot, ...]
    positions: tuple[int, ...]
    traits: frozenset[Trait]
    functions: tuple[tuple[int, str, str], ...] = ()
    keyset: tuple[str, ...] = ()
    refusal: str = ""


def parse(sql: str, dialect: str, columns: Columns) -> Statement:
    """Read a normalized statement; ``columns`` names those of each known table.

    Raises :class:`Unreadable` with a reason, and :class:`MissingExtra` without sqlglot.
    """
    parser_of(dialect)
    from sqlglot.errors import SqlglotError

    from .reading import Reader

    try:
        positions = placeholders(sql, dialect)
        trees = parser_of(dialect).parse(numbered(sql, positions))
    except (SqlglotError, RecursionError) as error:
        raise Unreadable(f"it was not understood ({type(error).__name__})") from None
    if len(trees) != 1 or trees[0] is None:
        raise Unreadable("it is not one statement")
    tree = trees[0]
    reader = Reader(tree, dialect, columns)
    return Statement(
        sql=sql,
        kind=_kind(tree),
        sources=reader.sources(),
        slots=reader.slots(len(positions)),
        positions=tuple(positions),
        traits=reader.traits(),
        functions=tuple(reader.functions),
        keyset=tuple(reader.keyset),
        refusal=_refusal(sql, tree),
    )


def _kind(tree: exp.Expr) -> Kind:
    from sqlglot import exp

    kinds: dict[type[exp.Expr], Kind] = {
        exp.Query: "select",
        exp.Insert: "insert",
        exp.Update: "update",
        exp.Delete: "delete",
    }
    for kind, name in kinds.items():
        if isinstance(tree, kind):
            return name
    raise Unreadable("it neither reads nor changes rows")


# Functions that wait, lock, or reach out of the database: what runs on a copy must stay in the copy.
_REACHING = frozenset({
    "benchmark", "get_lock", "load_extension", "load_file", "master_pos_wait", "release_all_locks", "release_lock",
    "setval", "nextval", "sleep", "sys_eval", "sys_exec", "writefile", "readfile", "edit", "fts3_tokenizer",
})  # fmt: skip


def _refusal(sql: str, tree: exp.Expr) -> str:
    """A statement of a log may have been written by anybody: it is run only if it can reach nothing but the copy."""
    from sqlglot import exp

    if "/*!" in sql or "/*M!" in sql:
        return "it holds a comment that only the server reads"
    for table in tree.find_all(exp.Table):
        if table.catalog or table.db.lower() not in {"", "main"}:
            return "it names a database beside its table"
        if not isinstance(table.this, exp.Identifier):
            return "it reads from a function"
    if tree.find(exp.Into, exp.Dot, exp.SessionParameter, exp.Parameter) is not None:
        return "it writes elsewhere, or calls or reads what is not in the copy"
    for function in tree.find_all(exp.Anonymous):
        if function.name.lower() in _REACHING:
            return f"it calls {function.name.lower()}()"
    return ""
