"""Which indexes may help: decided from statements, tables and plans alone; whether one does, is measured elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .catalog import Index, Table
from .statements import Source, Statement

# Below, every plan is fast and a stopwatch shows noise.
FEWEST_ROWS = 1000
MOST_CANDIDATES = 24
_MOST_COLUMNS = 5
_MOST_COVERED = 4
# MySQL allows 64 characters, https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html.
_LONGEST_NAME = 60

Distinct = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement of the log that was understood, and the seconds it took there altogether."""

    fingerprint: str
    statement: Statement
    seconds: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index to try: which statements it may help (fingerprints) and why.

    ``covering`` adds the columns that the statements read beside; it is worth its room only if ``columns`` alone leave
    much to gain.
    """

    table: str
    columns: tuple[str, ...]
    fingerprints: tuple[str, ...]
    reason: str
    seconds: float
    covering: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """By the convention of the tables, ``ix_<table>_<columns>``; a long one is cut and made unique again."""
        return index_name(self.table, self.columns)

    def widened(self) -> Candidate:
        """The covering variant."""
        return replace(
            self, columns=self.columns + self.covering, covering=(), reason=f"{self.reason}; covers the columns read"
        )


def index_name(table: str, columns: Sequence[str]) -> str:
    """``ix_<table>_<columns>`` in at most 60 bytes."""
    name = "_".join(("ix", table, *columns))
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME:
        return name
    mark = hashlib.blake2b(raw, digest_size=4).hexdigest()
    return f"{raw[: _LONGEST_NAME - 9].decode(errors='ignore')}_{mark}"


def candidates(asked: Iterable[Asked], catalog: Mapping[str, Table], distinct: Distinct) -> list[Candidate]:
    """Indexes worth trying, the ones for the most time first; of two that begin alike the longer comes first.

    ``distinct`` counts the different values of (table, column): of columns that must be equal, the selective one leads.
    """
    found: dict[tuple[str, tuple[str, ...]], Candidate] = {}
    for one in asked:
        for source in one.statement.sources:
            table = catalog.get(source.table)
            if table is None or table.rows < FEWEST_ROWS:
                continue
            for columns, reason in _wanted(source, table, distinct):
                covering = _covering(source, one.statement, table, columns)
                new = Candidate(table.name, columns, (one.fingerprint,), reason, one.seconds, covering)
                key = (table.name, columns)
                found[key] = _merged(found[key], new) if key in found else new
    # A longer one serves whoever asked for its beginning, and is tried before it.
    weights = {one: max(other.seconds for other in found.values() if _begins(one, other)) for one in found.values()}
    ordered = sorted(found.values(), key=lambda one: (-weights[one], -len(one.columns), one.table, one.columns))
    return ordered[:MOST_CANDIDATES]


def _begins(one: Candidate, other: Candidate) -> bool:
    return one.table == other.table and one.columns[: len(other.columns)] == other.columns


def _merged(one: Candidate, other: Candidate) -> Candidate:
    fingerprints = tuple(dict.fromkeys(one.fingerprints + other.fingerprints))
    seconds = one.seconds if other.fingerprints[0] in one.fingerprints else one.seconds + other.seconds
    covering = one.covering if set(other.covering) <= set(one.covering) else other.covering
    return replace(one, fingerprints=fingerprints, seconds=seconds, covering=covering)


def _wanted(source: Source, table: Table, distinct: Distinct) -> Iterable[tuple[tuple[str, ...], str]]:
    """Equality first, then one thing that an index can do in order: a range, an order, a grouping, a join."""
    known = set(table.columns) - table.wide
    equal = [column for column in source.equal if column in known]
    equal.sort(key=lambda column: (-distinct.get((table.name, column), 0), column))
    if table.is_unique(equal):
        return
    joins = (column for column in source.joins if column in known and column not in equal)
    shared = [column for column in joins if table.serving((*equal, column)) is None and not table.is_unique([column])]
    options: list[tuple[Sequence[str], str]] = []
    order = _one_way(source.order)
    if order and set(order) <= known:
        options.append((_without(order, equal, table.appended), "finds the rows in the order asked for"))
    options += [(source.ranges[:1], "reads only the range")] if source.ranges else []
    options += [(source.lists[:1], "looks up each value of the list")] if source.lists else []
    options += [(_without(source.group, equal, ()), "finds the groups one after the other")] if source.group else []
    options += [(shared[:1], "finds the rows that a row of another table joins")] if shared else []
    options += [((), "finds the rows")] if equal else []
    for then, reason in options:
        columns = (*equal, *(column for column in then if column not in equal))[:_MOST_COLUMNS]
        if columns and set(columns) <= known and _is_new(table, equal, columns[len(equal) :]):
            yield columns, reason
    if equal and shared:
        yield (shared[0], *equal)[:_MOST_COLUMNS], "finds the rows that a row of another table joins"


def _is_new(table: Table, equal: Sequence[str], then: Sequence[str]) -> bool:
    return table.serving(equal, then) is None and not (not then and table.is_unique(equal))


def _one_way(order: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
    """The columns, if all go the same way: an index can be read in either direction, but not in both."""
    return tuple(column for column, _ in order) if len({down for _, down in order}) == 1 else ()


def _without(columns: Sequence[str], equal: Sequence[str], appended: Sequence[str]) -> tuple[str, ...]:
    """``columns`` without those that are constant, and without a key at the end that every index has there anyway."""
    left = [column for column in columns if column not in equal]
    while left and left[-1] in appended:
        left.pop()
    return tuple(left)


def _covering(source: Source, statement: Statement, table: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """What is missing to answer from the index alone; nothing if that is much, or all columns are asked for."""
    rest = tuple(column for column in source.used if column not in columns and column not in table.appended)
    fits = len(rest) <= _MOST_COVERED and not set(rest) - (set(table.columns) - table.wide)
    return rest if fits and "star" not in statement.traits and statement.kind == "select" else ()


def duplicates(catalog: Mapping[str, Table]) -> list[tuple[str, str, str]]:
    """(table, index, the key that makes it needless); constraints are left alone."""
    found = []
    for table in catalog.values():
        for index in table.indexes:
            longer = next((other for other in table.declared if _replaces(other, index)), None)
            if longer is not None and not index.unique:
                found.append((table.name, index.name, longer.name or "the primary key"))
    return found


def _replaces(other: Index, index: Index) -> bool:
    if other.columns == index.columns:
        return other.name < index.name  # of two equal ones one is needless, not both
    return other.columns[: len(index.columns)] == index.columns


def unused(catalog: Mapping[str, Table], used: Iterable[str]) -> list[tuple[str, str]]:
    """(table, index) that no plan names; those that guard a rule or serve a foreign key are left out."""
    names = set(used)
    return [
        (table.name, index.name)
        for table in catalog.values()
        for index in table.indexes
        if not (index.unique or index.refers or index.name in names)
    ]
