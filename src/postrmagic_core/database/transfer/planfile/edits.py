"""What a person may change in a plan, and whether a changed plan is still possible. Pure.

Rows are looked at when they move, so that a type that is too narrow is noticed by the first row that it cannot hold.
Here stands what can be said without looking at a row.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace

from ....errors import PlanRefused
from ..interface import ColumnPlan, Finding, IndexPlan, Plan, TablePlan
from ..names import INDEX_NAMES, compared, why
from .column_types import counts, holds_text, temporal, too_long, type_problem

_RANKS = {"stop": 0, "decide": 1, "note": 2}
_COLLATION = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def blocking_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """In the order in which a person should read them; of equal weight, as they were."""
    return tuple(sorted(findings, key=lambda finding: _RANKS[finding.severity]))


def carried(plan: Plan, earlier: Plan) -> Plan:
    """``plan`` with those findings accepted that were accepted in ``earlier`` and say the same, row for row."""
    accepted = {replace(one, accepted=False) for one in earlier.findings if one.accepted}
    return replace(
        plan, findings=tuple(replace(one, accepted=True) if one in accepted else one for one in plan.findings)
    )


def seals(plan: Plan) -> dict[str, str]:
    """A digest for each part of a plan, of all in it that is not for editing."""
    found = {
        "findings": _digest(sorted(json.dumps(asdict(replace(one, accepted=False))) for one in plan.findings)),
        "server": _digest([plan.schema, asdict(plan.server)]),
    }
    return found | {f"table {table.name}": _digest(_fixed(table)) for table in plan.tables}


def ensure_unedited(plan: Plan, noted: Mapping[str, object]) -> None:
    """Raise :class:`PlanRefused` where something differs from :func:`seals`, ``noted`` when the plan was made."""
    found = seals(plan)
    wrong = [f"{name!r} is missing" for name in noted if name not in found]
    wrong += [f"{name!r} was not there when the plan was made" for name in found if name not in noted]
    wrong += [
        f"{name!r}: something was changed that only tells what was found"
        for name, seal in found.items()
        if noted.get(name, seal) != seal
    ]
    _refuse(wrong, "take the change back, or make the plan anew")


def ensure_possible(plan: Plan) -> None:
    """Raise :class:`PlanRefused` with all that :func:`problems` finds."""
    _refuse(list(problems(plan)), "correct it")


def problems(plan: Plan) -> Iterator[str]:
    """Each thing because of which no server could make these tables, or not hold in them what was seen."""
    yield from _names("the tables", (table.target for table in plan.tables))
    yield from _names("the foreign keys", (one.target for table in plan.tables for one in table.foreign_keys))
    if plan.server.kind == "mysql":  # MariaDB's checks are named within their table
        yield from _names("the checks", (one.target for table in plan.tables for one in table.checks))
    columns = {table.target: {column.target for column in table.columns} for table in plan.tables}
    for table in plan.tables:
        if not table.existing:
            found = (*_table(table, plan.server.exact), *_foreign_keys(table, columns))
            yield from (f"table {table.name!r}: {one}" for one in found)


def _table(table: TablePlan, exact: str) -> Iterator[str]:
    yield from _names("the columns", (column.target for column in table.columns))
    yield from _names("the indexes", (index.target for index in table.indexes))
    yield from _names("the checks", (check.target for check in table.checks))
    for column in table.columns:
        yield from (f"column {column.name!r}: {one}" for one in _column(column))
        if column.name in table.key and holds_text(column.type) and column.collation != exact:
            yield f"column {column.name!r}: it tells the rows apart, so that its collation must be {exact}"
    columns = {column.target: column for column in table.columns}
    for name in table.primary_key:
        if name not in columns:
            yield f"primary_key: there is no column {name!r}"
        elif columns[name].nullable:
            yield f"primary_key: column {name!r} may be NULL"
        elif too_long(columns[name].type):
            yield f"primary_key: column {name!r} is {columns[name].type}, too long for a key"
    for index in table.indexes:
        yield from (f"index {index.target!r}: {one}" for one in _index(index, columns))


def _column(column: ColumnPlan) -> Iterator[str]:
    if column.generated:
        return  # its type is the server's to judge: nothing is written into it
    wrong = type_problem(column.type, column.seen)
    if wrong is not None:
        yield wrong
        return
    if column.collation and not _COLLATION.fullmatch(column.collation):
        yield f"{column.collation!r} is no collation"
    if bool(column.grammar) != temporal(column.type):
        yield f"{column.type} {'takes no' if column.grammar else 'needs a'} grammar"
    if column.auto_increment and not counts(column.type):
        yield f"{column.type} cannot be counted up"


def _index(index: IndexPlan, columns: Mapping[str, ColumnPlan]) -> Iterator[str]:
    if index.target.upper() in INDEX_NAMES:
        yield "no index can have this name"
    if not index.parts:
        yield "it has no parts"
    for part in index.parts:
        if part.column not in columns:
            yield f"there is no column {part.column!r}"
        elif part.length is None and too_long(columns[part.column].type):
            yield f"column {part.column!r} is {columns[part.column].type}, and needs a length here"
        elif part.length is not None and index.unique:
            yield f"it is unique, and so must look at the whole of column {part.column!r}"


def _foreign_keys(table: TablePlan, columns: Mapping[str, set[str]]) -> Iterator[str]:
    for link in table.foreign_keys:
        if link.parent not in columns:
            yield f"foreign key {link.target!r}: there is no table {link.parent!r}"
            continue
        pairs = ((table.target, link.columns), (link.parent, link.parent_columns))
        missing = [(owner, name) for owner, names in pairs for name in names if name not in columns[owner]]
        yield from (f"foreign key {link.target!r}: table {owner!r} has no column {name!r}" for owner, name in missing)
        if not link.columns or len(link.columns) != len(link.parent_columns):
            yield f"foreign key {link.target!r}: expected as many columns on both sides"


def _names(what: str, names: Iterable[str]) -> Iterator[str]:
    found: set[str] = set()
    for name in names:
        if compared(name) in found:
            yield f"{what}: {name!r} is there twice; neither case nor accents tell names apart"
        found.add(compared(name))
        if why(name):
            yield f"{what}: {name!r} is no name: {why(name)}"


def _fixed(table: TablePlan) -> object:
    if table.existing:
        return asdict(table)
    columns = [(one.name, one.hidden, bool(one.generated), one.declared, one.seen, one.reason) for one in table.columns]
    return [table.name, table.existing, table.kept, table.rows, table.key, table.auto_increment, table.sql, columns]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _refuse(found: list[str], remedy: str) -> None:
    if found:
        listed = "".join(f"\n  {one}" for one in found)
        raise PlanRefused(f"{len(found)} thing(s) in the plan cannot be so: {remedy}{listed}")
