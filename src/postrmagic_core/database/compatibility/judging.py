"""Which rules a change breaks, beside a release that knows the schema as it was before; nothing here does any I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from . import changes as c
from .known import Known

Case: TypeAlias = tuple[str, str]
"""The name of a rule, and what is a case of it."""

_TYPE = re.compile(r"\s*([A-Z]+(?: PRECISION)?)\s*(?:\(([^()]*)\))?\s*(.*)", re.DOTALL | re.IGNORECASE)
# Each holds whatever one before it in its row holds.
_WIDER = (
    ("TINYINT", "SMALLINT", "MEDIUMINT", "INTEGER", "BIGINT"),
    ("VARCHAR", "TEXT", "MEDIUMTEXT", "LONGTEXT"),
    ("TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"),
    ("VARBINARY", "BLOB", "MEDIUMBLOB", "LONGBLOB"),
    ("TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"),
)
_SAME = {"INT": "INTEGER", "DEC": "DECIMAL", "NUMERIC": "DECIMAL", "DOUBLE PRECISION": "DOUBLE", "BOOL": "TINYINT"}
_SIZED = {"VARCHAR", "VARBINARY"}
# Padded to their length: what was stored reads otherwise in another type.
_PADDED = {"CHAR", "BINARY"}
_BYTES_OF_TEXT = 65_535
_RULE_OF_KEY = {"primary": "change-primary-key", "unique": "add-unique", "foreign": "add-foreign-key"}
_RULE_OF_DROP = {"primary": "change-primary-key", "unique": "drop-unique"}


def judged(change: c.Change, known: Known) -> list[Case]:
    """The cases of rules in ``change``, in a schema that is ``known`` as it is before the change."""
    return list(_cases(change, known))


def _cases(change: c.Change, known: Known) -> Iterator[Case]:
    match change:
        case c.AddTable():
            yield from _referring(change.table, change.keys, known)
        case c.DropIndex():
            yield from _index_dropped(change, known)
        case c.DropNamed():
            if not known.is_made_named(change.kind, change.name):
                verb = "replaced" if change.replaced else "dropped"
                yield f"drop-{change.kind}", f"{change.kind} {change.name} is {verb}"
        case c.WriteRows(table=None):
            yield from _rows_written(change)
        case c.Other(table=None):
            yield change.rule, change.what
        case c.AddKey() if known.is_made(change.table):
            yield from _referring(change.table, (change.key,), known)
        case _ if change.table is not None and not known.is_made(change.table):
            yield from _of_table(change, known)
        case _:
            return


def _of_table(change: c.Change, known: Known) -> Iterator[Case]:
    """The cases in a change of a table that the running release knows."""
    match change:
        case c.DropTable():
            yield "drop-table", f"table {change.table} is dropped"
        case c.RenameTable():
            yield "rename-table", f"table {change.table} is renamed to {change.to}"
        case c.AddColumn():
            yield from _column_added(change, known)
        case c.DropColumn():
            if not known.is_made(change.table, change.name):
                yield "drop-column", f"column {change.table}.{change.name} is dropped"
        case c.AlterColumn():
            yield from (_made_strict if known.is_made(change.table, change.was.name) else _altered)(change, known)
        case c.AddNamed():
            yield "trigger", f"trigger {change.name} is made on {change.table}"
        case c.Other():
            yield change.rule, change.what
        case _:
            yield from _of_keys_and_rows(change, known)


def _of_keys_and_rows(change: c.Change, known: Known) -> Iterator[Case]:
    match change:
        case c.AddKey():
            yield from _key_added(change.table, change.key, known)
        case c.DropKey():
            yield from _key_dropped(change, known)
        case c.AddIndex():
            yield from _index_added(change, known)
        case c.WriteRows():
            yield from _rows_written(change)
        case _:
            return


def _referring(table: str, keys: tuple[c.Key, ...], known: Known) -> Iterator[Case]:
    for key in keys:
        if key.kind == "foreign" and key.refers and not key.lets_go and not known.is_made(key.refers):
            same = known.table(key.refers) == known.table(table)
            if not same:
                yield "refers-to", f"{table} refers to {key.refers}"


def _column_added(change: c.AddColumn, known: Known) -> Iterator[Case]:
    column, shown = change.column, f"{change.table}.{change.column.name}"
    if not column.nullable and not (column.filled or column.counts):
        yield "add-not-null", f"column {shown} is NOT NULL and has no server default"
    after = Known(known.dialect, made_tables=set(known.made_tables))
    after.learn(c.AddColumn(change.table, column), new=True)
    for key in change.keys:
        yield from _key_added(change.table, key, after)


def _key_added(table: str, key: c.Key, known: Known) -> Iterator[Case]:
    columns = ", ".join(key.columns)
    what = f"{table} gets {key.kind.upper()}" + (f" ({columns})" if columns else f" {key.name or ''}".rstrip())
    if key.kind == "check":
        yield "add-check", what
    elif key.kind == "primary" or not known.stays_empty(table, key.columns):
        yield _RULE_OF_KEY[key.kind], what
    if key.kind == "foreign":
        yield from _referring(table, (key,), known)
        if known.dialect == "mysql":
            yield "copies-table", f"{what} of {table}"


def _key_dropped(change: c.DropKey, known: Known) -> Iterator[Case]:
    found = None if change.name is None else known.keys.get(known.part(change.table, change.name))
    kind = change.kind or (found.kind if found is not None else None)
    if not known.is_made_key(change.table, change.name):
        shown = f"{'a constraint' if kind is None else kind.upper()} {change.name or ''}".rstrip()
        yield _RULE_OF_DROP.get(kind or "", "drop-constraint"), f"{shown} of {change.table} is dropped"


def _index_added(change: c.AddIndex, known: Known) -> Iterator[Case]:
    if change.unique and not known.stays_empty(change.table, change.columns):
        yield "add-unique", f"{change.table} gets the UNIQUE index {change.name} ({', '.join(change.columns)})"


def _index_dropped(change: c.DropIndex, known: Known) -> Iterator[Case]:
    table, unique = known.index(change.table, change.name)
    if table is None or not known.is_made_key(table, change.name):
        rule = "unknown-index" if unique is None else "drop-unique" if unique else "drop-index"
        if table is not None and known.part(table, change.name) in known.searched:
            rule = "drop-fulltext"
        yield rule, f"index {change.name}{f' of {table}' if table else ''} is dropped"


def _rows_written(change: c.WriteRows) -> Iterator[Case]:
    if change.how != "insert":
        rule, verb = ("write-rows", "updated") if change.how == "update" else ("delete-rows", "deleted")
        yield rule, f"rows of {change.table or 'a table'} are {verb}"


def _altered(change: c.AlterColumn, known: Known) -> Iterator[Case]:
    before = known.column(change.table, change.was.name)
    shown = f"{change.table}.{change.was.name}"
    if change.to is not None and change.to.lower() != change.was.name.lower():
        yield "rename-column", f"column {shown} is renamed to {change.to}"
    # The revision may say it wrongly, and an earlier one may have changed it in a way that is not read: both count.
    nullable = {change.was.nullable, before.nullable if before else None} - {None}
    if change.nullable is False and nullable != {False}:
        yield "set-not-null", f"column {shown} becomes NOT NULL"
    if change.nullable is True and nullable != {True}:
        yield "set-nullable", f"column {shown} becomes nullable"
    if change.default != "unchanged":
        filled = {change.filled_before, before.filled if before else None} - {None}
        if filled != {False}:
            yield "change-default", f"the server default of {shown} is {_DEFAULTS[change.default]}"
    if change.type is not None:
        types = dict.fromkeys(each for each in (before.type if before else None, change.was.type) if each is not None)
        cases = [_retyped(shown, each, change.type, known) for each in types or [None]]
        yield from dict.fromkeys(case for each in cases for case in each)
    yield from _counting(shown, change, before, known)
    if known.dialect == "mysql" and change.anew:
        yield from _lost(shown, change, before)


def _counting(shown: str, change: c.AlterColumn, before: c.Column | None, known: Known) -> Iterator[Case]:
    """Whether a column that counted by itself does so still; the running release's INSERTs leave it out."""
    counted = before is not None and before.counts
    if known.dialect == "sqlite":  # there it is the type INTEGER that counts
        lost = change.type is not None and change.type.upper() != "INTEGER"
    else:
        lost = not change.counts and (change.anew or change.type is not None)
    if (counted and lost) or (change.counts is False and (counted or before is None)):
        yield "change-primary-key", f"column {shown} no longer counts by itself: autoincrement=True is not given"
    elif change.counts and before is not None and not counted:
        yield "change-primary-key", f"column {shown} begins to count by itself"


def _made_strict(change: c.AlterColumn, known: Known) -> Iterator[Case]:
    """The running release does not know the column: its INSERTs leave it out, and must still be taken."""
    shown = f"{change.table}.{change.to or change.was.name}"
    after = known.altered(change)
    if after.nullable is False and not after.filled:
        yield "add-not-null", f"column {shown} becomes NOT NULL and has no server default"
    if after.filled:
        for columns in known.unique_with(change.table, change.was.name):
            if not known.stays_empty(change.table, tuple(each for each in columns if each != change.was.name.lower())):
                yield "add-unique", f"column {shown} of UNIQUE ({', '.join(columns)}) gets a server default"


def _lost(shown: str, change: c.AlterColumn, before: c.Column | None) -> Iterator[Case]:
    """What MySQL forgets of a column that is given anew."""
    if change.filled_before is None and change.default == "unchanged":
        if before is None:
            yield "restates-column", f"column {shown} is given anew, and its default is not told"
        elif before.filled:
            yield "change-default", f"the server default of {shown} is lost: existing_server_default= is not given"
    if change.was.nullable is None and change.nullable is None:
        if before is None:
            yield "restates-column", f"column {shown} is given anew, and whether it is NOT NULL is not told"
        elif before.nullable is False:
            yield "set-nullable", f"column {shown} becomes nullable: existing_nullable= is not given"


_DEFAULTS = {"dropped": "dropped", "set": "changed"}


def _retyped(shown: str, before: str | None, after: str, known: Known) -> Iterator[Case]:
    if before is None:
        yield "unknown-type", f"column {shown} becomes {after}"
        return
    if _read(before) == _read(after):
        return
    what = f"column {shown} becomes {after}, from {before}"
    yield ("widen-type" if widens(before, after, known.dialect) else "change-type"), what
    if known.dialect == "mysql":
        yield "copies-table", what


def widens(before: str, after: str, dialect: str) -> bool:
    """Whether every value of the type ``before`` is one of ``after``, and reads the same there."""
    (one, sizes, rest), (other, others, rest_after) = _read(before), _read(after)
    if rest != rest_after or one in _PADDED:
        return False
    if one == other == "DECIMAL":
        (digits, scale), (digits_after, scale_after) = _decimal(sizes), _decimal(others)
        return scale_after >= scale and digits_after - scale_after >= digits - scale
    if one == other == "ENUM":  # one more at the end; what is stored is its place
        return others[: len(sizes)] == sizes
    if one == other:
        return one in _SIZED and 0 < _size(sizes) <= _size(others)
    if one in _SIZED and other in {"TEXT", "BLOB"} and dialect != "sqlite":
        # A VARCHAR counts characters of at most four bytes, a TEXT of MySQL bytes.
        return 0 < _size(sizes) * 4 <= _BYTES_OF_TEXT
    return any(one in row and other in row and row.index(one) < row.index(other) for row in _WIDER)


def _read(written: str) -> tuple[str, tuple[str, ...], str]:
    found = _TYPE.fullmatch(written)
    if found is None:
        return written, (), ""
    name = _SAME.get(found[1].upper(), found[1].upper())
    sizes = tuple(part.strip() for part in found[2].split(",")) if found[2] else ()
    if name.endswith("INT") or name == "INTEGER":
        sizes = ()  # how wide it is shown, not what it holds
    return name, sizes, " ".join(found[3].upper().split())


def _size(sizes: tuple[str, ...]) -> int:
    return int(sizes[0]) if sizes and sizes[0].isdecimal() else 0


def _decimal(sizes: tuple[str, ...]) -> tuple[int, int]:
    numbers = [int(size) for size in sizes if size.isdecimal()]
    return (numbers[0] if numbers else 10), (numbers[1] if len(numbers) > 1 else 0)
