"""Foreign keys: what their columns become on both sides, and which of them the target can have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..names import folded
from ..source.schema import SourceForeignKey, SourceIndex, SourceTable, TableStats
from .choices import Choice
from .lengths import keys_of, spoken

ColumnId: TypeAlias = tuple[str, str]
Choices: TypeAlias = Mapping[ColumnId, Choice]
_REASON = "as the columns it refers to, or that refer to it"


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key of ``table``, its columns in the order of the parent's unique key; ``missing``: why it has none."""

    table: str
    key: SourceForeignKey
    missing: str = ""

    @property
    def pairs(self) -> tuple[tuple[ColumnId, ColumnId], ...]:
        """The columns of the child and of the parent that hold the same."""
        own = ((self.table, name) for name in self.key.columns)
        return tuple(zip(own, ((self.key.parent, name) for name in self.key.parent_columns), strict=True))


def links(tables: Mapping[str, SourceTable]) -> Iterator[Link]:
    """Every foreign key. One that SQLite itself could not check is missing: no parent, or no unique key there."""
    for table in tables.values():
        for key in table.foreign_keys:
            parent = tables.get(key.parent)
            if parent is None:
                yield Link(table.name, key, f"there is no table {key.parent}")
                continue
            ordered = _ordered(key, parent)
            missing = f"{key.parent} ({', '.join(key.parent_columns) or '…'}) is no unique key"
            yield Link(table.name, ordered or key, "" if ordered else missing)


def united(
    found: Sequence[Link], choices: Choices, stats: Mapping[str, TableStats], standing: Collection[str]
) -> dict[ColumnId, Choice]:
    """The choices that change, so that columns which refer to each other have one type and one collation.

    Tables that are ``standing`` in the target do not change; the others become like them. What cannot be made one is
    left as it is, and :func:`unequal` finds it.
    """
    changed: dict[ColumnId, Choice] = {}
    usable = [link for link in found if not link.missing]
    groups = _groups([pair for link in usable for pair in link.pairs])
    parents = {parent for link in usable for _, parent in link.pairs}
    for group in groups:
        filled = [one for one in group if stats[one[0]].columns[one[1]].nulls < stats[one[0]].rows] or group
        # The parent's decides: SQLite compares by its collation.
        fixed = [one for one in group if one[0] in standing]
        model = choices[next(iter([*fixed, *(one for one in filled if one in parents), filled[0]]))]
        whole = all(choices[one].kind in ("integer", "decimal") and _is_whole(one, stats) for one in group)
        if whole and not fixed and len({choices[one].type for one in group}) > 1:
            model = Choice("BIGINT", "integer", _REASON)
        for one in group:
            alike = _alike(choices[one], model, replaced=whole or one not in filled)
            if alike is not None and one not in fixed:
                changed[one] = alike
    return changed


def unequal(link: Link, choices: Choices) -> str:
    """Why its columns cannot be tied in the target; empty where they can."""
    for (_, own), (_, there) in link.pairs:
        child, parent = choices[link.table, own], choices[link.key.parent, there]
        if "TEXT" in child.type + parent.type or "BLOB" in child.type + parent.type:
            return f"{own} or {there} is too long for a key"
        same = child.kind == parent.kind if child.length and parent.length else child.type == parent.type
        if not same or child.collation != parent.collation or child.grammar != parent.grammar:
            return f"{own} is {child.type} and {there} is {parent.type}"
    return ""


def _ordered(key: SourceForeignKey, parent: SourceTable) -> SourceForeignKey | None:
    """The same with its pairs in the order of a unique key of the parent."""
    pairs = {folded(there): own for own, there in zip(key.columns, key.parent_columns, strict=False)}
    others = {spoken(index) for index in parent.indexes if not _is_of_columns(index, parent)}
    for name, columns in keys_of(parent):
        if (
            name not in others
            and {folded(column) for column in columns} == set(pairs)
            and len(pairs) == len(key.columns)
        ):
            return replace(key, columns=tuple(pairs[folded(column)] for column in columns), parent_columns=columns)
    return None


def _is_of_columns(index: SourceIndex, table: SourceTable) -> bool:
    """Whether it is over all rows, and over columns as they are compared elsewhere: SQLite ties to no other."""
    if index.predicate or any(part.expression for part in index.parts):
        return False
    collations = {folded(column.name): column.collation for column in table.columns}
    return all(collations.get(folded(part.column)) == part.collation for part in index.parts)


def _is_whole(one: ColumnId, stats: Mapping[str, TableStats]) -> bool:
    there = stats[one[0]].columns[one[1]]
    return not (there.reals or there.texts or there.blobs)


def _alike(choice: Choice, model: Choice, *, replaced: bool) -> Choice | None:
    if choice.type == model.type and choice.collation == model.collation:
        return None
    if replaced:
        return replace(model, reason=_REASON, doubts=choice.doubts)
    if choice.kind == model.kind == "text":
        return replace(choice, collation=model.collation)
    return None


def _groups(pairs: list[tuple[ColumnId, ColumnId]]) -> list[list[ColumnId]]:
    group_of: dict[ColumnId, list[ColumnId]] = {}
    for one, other in pairs:
        mine, theirs = group_of.setdefault(one, [one]), group_of.setdefault(other, [other])
        if mine is not theirs:
            mine += theirs
            group_of.update(dict.fromkeys(theirs, mine))
    return list({id(group): group for group in group_of.values()}.values())
