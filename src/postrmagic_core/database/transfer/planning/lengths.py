"""How long text and bytes may be in the columns of a key, so that every key fits into an index. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ..source.schema import SourceIndex, SourceTable, TableStats
from .choices import Choice
from .choose import declared_length, roomy, text_size

# Bytes of an index's key, with InnoDB's pages of 16 KB.
MOST = 3072
# Characters, or bytes of bytes: what a key's column gets at least, and at most where nothing longer is there.
LEAST, GREATEST = 191, 768
# Bytes that a key takes of each other kind, at most.
_FIXED = {"integer": 8, "real": 8, "decimal": 30, "datetime": 8, "date": 3}
UNIT = {"text": 4, "bytes": 1}


@dataclass(frozen=True, slots=True)
class TooLong:
    """A unique key over values that no index holds; ``column`` has the longest of them."""

    key: str
    columns: tuple[str, ...]
    column: str


def keys_of(table: SourceTable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The name and the columns of each key that has to look at whole values: primary, and unique."""
    if table.primary_key:
        yield "the primary key", table.primary_key
    known = {column.name for column in table.columns}
    for index in table.indexes:
        if index.unique:
            yield spoken(index), tuple(part.column for part in index.parts if part.column in known)


def spoken(index: SourceIndex) -> str:
    """What a person calls an index, of which SQLite itself has named some."""
    if not index.name.startswith("sqlite_autoindex_"):
        return index.name
    return f"UNIQUE ({', '.join(part.column for part in index.parts)})"


def lengths(
    table: SourceTable, stats: TableStats, choices: Mapping[str, Choice], linked: Collection[tuple[str, ...]]
) -> tuple[dict[str, int], tuple[TooLong, ...]]:
    """The length of each column of text or bytes that is in a key or, ``linked``, in a foreign key; what is too long.

    A column of an index that is not unique gets one as well, where what is in it is short.
    """
    wanted = {name: _wanted(table, stats, name) for name, choice in choices.items() if choice.kind in UNIT}
    needed = {name: text_size(table.column(name), stats.columns[name]) for name in wanted}
    found: dict[str, int] = {}
    wrong: list[TooLong] = []
    for key, columns in [*keys_of(table), *(("the foreign key", columns) for columns in linked)]:
        parts = [name for name in dict.fromkeys(columns) if name in wanted]
        rest = sum(_FIXED.get(choices[name].kind, 0) for name in columns)
        sizes = {name: UNIT[choices[name].kind] for name in parts}
        fitted = fit({name: (needed[name], wanted[name], sizes[name]) for name in parts}, MOST - rest)
        if fitted is None:
            longest = max(parts, key=lambda name: needed[name] * UNIT[choices[name].kind])
            wrong.append(TooLong(key, tuple(columns), longest))
            continue
        for name, length in fitted.items():
            found[name] = min(length, found.get(name, length))
    indexed = {part.column for index in table.indexes for part in index.parts if part.column in wanted}
    for name in indexed - set(found):
        if roomy(needed[name]) <= GREATEST and not any(name in one.columns for one in wrong):
            found[name] = wanted[name]
    return found, tuple(wrong)


def fit(parts: Mapping[str, tuple[int, int, int]], room: int) -> dict[str, int] | None:
    """Lengths within ``room`` bytes; ``None`` where even what is needed has none.

    A part is what it needs, what it would like, and the bytes of one unit; what is left of the room is shared by them.
    """
    needed = {name: max(1, need) for name, (need, _, _) in parts.items()}
    liked = {name: max(needed[name], like) for name, (_, like, _) in parts.items()}
    unit = {name: each for name, (_, _, each) in parts.items()}
    spare = room - sum(needed[name] * unit[name] for name in parts)
    missing = sum((liked[name] - needed[name]) * unit[name] for name in parts)
    if spare < 0:
        return None
    if missing <= spare:
        return liked
    return {name: needed[name] + (liked[name] - needed[name]) * spare // missing for name in parts}


def _wanted(table: SourceTable, stats: TableStats, name: str) -> int:
    declared = declared_length(table.column(name))
    size = text_size(table.column(name), stats.columns[name])
    if declared is not None and size <= declared:
        return declared
    return min(GREATEST, max(LEAST, roomy(size)))
