"""Indexes in the target: plain ones, and those over a part of the rows or over expressions, by hidden columns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ..interface import ColumnPlan, IndexPart, IndexPlan, Server
from ..names import INDEX_NAMES, quoted, quoted_sqlite, target_name
from ..source.schema import SourceIndex, SourceIndexPart, SourceTable
from .choices import Choice
from .lengths import GREATEST, LEAST, MOST, UNIT, fit

# Of InnoDB: columns of one index, and indexes of one table beside the primary key.
MOST_PARTS, MOST_INDEXES = 16, 64
_BYTES = {"integer": 8, "real": 8, "decimal": 30, "datetime": 8, "date": 3}
_PREFIX = "pm_ix_"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the indexes of one table are made from.

    ``computed`` gives MySQL's expression for one of SQLite's, and the type of what it gives in the rows there are;
    ``selected`` that for a predicate. Either is ``None`` where there is no sure translation. No column computes
    anything from one of ``uncomputed``.
    """

    table: SourceTable
    names: Mapping[str, str]
    choices: Mapping[str, Choice]
    server: Server
    computed: Callable[[str], tuple[str, Choice] | None]
    selected: Callable[[str], str | None]
    uncomputed: Collection[str] = ()


@dataclass(slots=True)
class Indexes:
    """The plans, and the ``columns`` that the target computes for them.

    ``left`` are those that stay behind, and why; ``wider`` were of some rows, and are of all.
    """

    plans: list[IndexPlan] = field(default_factory=list)
    columns: list[ColumnPlan] = field(default_factory=list)
    left: list[tuple[SourceIndex, str]] = field(default_factory=list)
    wider: list[SourceIndex] = field(default_factory=list)


def indexes(setting: Setting, demoted: tuple[str, ...] = (), kept: int = MOST_INDEXES) -> Indexes:
    """Every index of a table; ``demoted`` is a primary key that becomes a unique one."""
    found = Indexes()
    taken = [*INDEX_NAMES]
    if demoted and all(_is_whole(setting.choices[name]) for name in demoted):
        name = target_name("uq_" + "_".join(demoted), taken)
        taken.append(name)
        parts = tuple(IndexPart(setting.names[column]) for column in demoted)
        found.plans.append(IndexPlan("PRIMARY KEY", name, parts, unique=True, reason="the primary key in the source"))
    for index in setting.table.indexes:
        if len(found.plans) >= kept:
            found.left.append((index, f"a table has at most {kept} indexes"))
        elif len(index.parts) > MOST_PARTS:
            found.left.append((index, f"an index has at most {MOST_PARTS} columns"))
        else:
            _add(setting, index, found, taken)
    return found


def _add(setting: Setting, index: SourceIndex, found: Indexes, taken: list[str]) -> None:
    plain = all(_is_plain(setting, part) for part in index.parts)
    name = target_name(_name(index), taken)
    reason = ""
    if plain and not (index.unique and index.predicate):
        parts = _plain(setting, index)
        if parts is None:
            return  # a unique key over values that are too long, which is told of the key
        if any(part.length is not None for part in parts):
            reason = f"only the first characters: a key has at most {MOST} bytes"
        if index.predicate:
            reason = "of all rows: an index over a part of them is not to be had"
            found.wider.append(index)
    else:
        made = _hidden(setting, index, [column.target for column in found.columns])
        if made is None:
            found.left.append((index, "it is over an expression that has no sure translation"))
            return
        found.columns += [one for one in made if isinstance(one, ColumnPlan)]
        targets = [one.target if isinstance(one, ColumnPlan) else one for one in made]
        directions = [part.descending for part in index.parts]
        parts = tuple(IndexPart(one, None, way) for one, way in zip(targets, directions, strict=True))
        reason = "over hidden columns that the target computes"
    taken.append(name)
    found.plans.append(IndexPlan(index.name, name, parts, index.unique, reason, index.sql))


def _name(index: SourceIndex) -> str:
    """The source's, but for an index that SQLite made for a UNIQUE and named by itself."""
    if not index.name.startswith("sqlite_autoindex_"):
        return index.name
    return "uq_" + "_".join(part.column for part in index.parts)


def _is_plain(setting: Setting, part: SourceIndexPart) -> bool:
    """Whether it is a column that is compared as elsewhere."""
    known = part.column in setting.choices and not part.expression
    return known and setting.table.column(part.column).collation == part.collation


def _is_whole(choice: Choice) -> bool:
    return choice.kind not in UNIT or choice.length is not None


def _plain(setting: Setting, index: SourceIndex) -> tuple[IndexPart, ...] | None:
    chosen = {part.column: setting.choices[part.column] for part in index.parts}
    whole = {name: choice.length for name, choice in chosen.items() if choice.length is not None}
    fixed = sum(_BYTES.get(choice.kind, 0) for choice in chosen.values())
    full = fixed + sum(length * UNIT[chosen[name].kind] for name, length in whole.items())
    if all(map(_is_whole, chosen.values())) and full <= MOST:
        lengths: Mapping[str, int] = {}
    elif index.unique:
        return None
    else:
        long = {name: choice for name, choice in chosen.items() if choice.kind in UNIT}
        liked = {name: min(whole.get(name, LEAST), GREATEST) for name in long}
        lengths = fit({name: (1, liked[name], UNIT[long[name].kind]) for name in long}, MOST - fixed) or {}
    return tuple(
        IndexPart(
            setting.names[part.column], _shorter(lengths.get(part.column), whole.get(part.column)), part.descending
        )
        for part in index.parts
    )


def _shorter(length: int | None, whole: int | None) -> int | None:
    return None if length is None or length == whole else length


def _hidden(setting: Setting, index: SourceIndex, taken: Collection[str]) -> list[ColumnPlan | str] | None:
    """A hidden column for each part, or the name of one that is there and serves as it is; ``None``: not to be had."""
    columns: list[ColumnPlan | str] = []
    selected = setting.selected(index.predicate) if index.predicate else ""
    if selected is None:
        return None
    for part in index.parts:
        if not index.predicate and _is_plain(setting, part) and _is_whole(setting.choices[part.column]):
            columns.append(setting.names[part.column])
            continue
        found = _part(setting, part)
        if found is None or not _is_whole(found[1]):
            return None
        expression, choice = found
        if selected:
            expression = f"CASE WHEN {selected} THEN {expression} END"
        collation = choice.collation
        if choice.kind == "text":
            collation = {"BINARY": setting.server.exact, "NOCASE": setting.server.nocase}.get(part.collation, "")
            if not collation:
                return None
        name = target_name(f"{_PREFIX}{_name(index)}_{len(columns) + 1}", [*taken, *setting.names.values()])
        taken = [*taken, name]
        columns.append(
            ColumnPlan(
                name,
                name,
                choice.type,
                collation=collation,
                generated=expression,
                hidden=True,
                reason=f"computed for the index {index.name}: {_spoken(index, part)}",
            )
        )
    return columns


def _part(setting: Setting, part: SourceIndexPart) -> tuple[str, Choice] | None:
    """What the target computes for a part, and its type."""
    if part.expression or part.column not in setting.choices:
        return setting.computed(part.expression) if part.expression else None
    if part.column in setting.uncomputed:
        return None
    return quoted(setting.names[part.column]), setting.choices[part.column]


def _spoken(index: SourceIndex, part: SourceIndexPart) -> str:
    """What SQLite would compute for a part, NULL outside of the index."""
    sql = part.expression or quoted_sqlite(part.column)
    return f"CASE WHEN {index.predicate} THEN {sql} END" if index.predicate else sql
