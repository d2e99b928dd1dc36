"""Whether a table that stands in the target already can hold what is in the source. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ....errors import PlanRefused
from ..forms.form import form_of
from ..forms.texts import BYTE_LIMITS, TEXT_LIMITS
from ..interface import ColumnPlan
from ..server import ExistingColumn, ExistingTable
from ..source.schema import ColumnStats, SourceTable
from .choices import Doubt

_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?(.*)")
_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "INTEGER": 32, "BIGINT": 64}
_EXACT = 2**53
_NUMERIC = ("integer", "numeric", "real")


def table_problems(table: SourceTable, there: ExistingTable, names: Mapping[str, str]) -> Iterator[str]:
    """What of the whole table is in the way of rows; ``names`` are the columns' in the target."""
    if there.triggers:
        yield "a trigger of the target acts on each row: drop it, and make it again when the rows have moved"
    if there.engine and there.engine.lower() != "innodb":
        yield f"the table in the target is kept by {there.engine}, which has no transactions"
    own = {name.lower() for name in names.values()}
    present = {column.name.lower() for column in there.columns}
    for column in table.columns:
        if names[column.name].lower() not in present:
            yield f"the table in the target has no column {column.name}"
    for standing in there.columns:
        given = standing.nullable or standing.generated or standing.auto_increment or standing.default is not None
        if not given and standing.name.lower() not in own:
            yield f"the target's column {standing.name} must have a value, and the source has no such column"


def column_doubts(plan: ColumnPlan, there: ExistingColumn, stats: ColumnStats, affinity: str) -> Iterator[Doubt]:
    """What cannot be written into the target's column, or not so that it comes back the same."""
    if there.generated:
        return
    try:
        form_of(plan)
    except PlanRefused as error:
        # Without a value there is nothing that it could lose.
        if stats.integers or stats.reals or stats.texts or stats.blobs:
            yield _stop(f"the target's {plan.type} is no type to move into: {str(error).partition(': ')[2]}", "")
        return
    kind, size, scale, rest = _parts(there.type)
    if stats.nulls and not there.nullable:
        yield _stop(f"{stats.nulls:,} NULLs, and the target's column is NOT NULL", "typeof({column}) = 'null'")
    yield from _classes(kind, stats, affinity)
    if kind in _BITS:
        yield from _integers(_BITS[kind], stats, unsigned="unsigned" in rest)
    elif kind in ("DECIMAL", "NUMERIC"):
        yield from _decimals(size or 10, scale, stats)
    elif kind == "DOUBLE" and max(-stats.least, stats.greatest) > _EXACT:
        yield _stop("integers beyond 2**53, and the target's column is DOUBLE", "abs({column}) > 9007199254740992")
    elif kind in ("DATETIME", "DATE") and "%f" in plan.grammar and stats.grammar_digits != size:
        yield _stop(f"{stats.grammar_digits} digits of a second, where the target's {there.type} has {size}", "")
    elif kind in TEXT_LIMITS or kind in BYTE_LIMITS:
        yield from _sizes(kind, size or 1, stats)


def _stop(text: str, where: str) -> Doubt:
    return Doubt("existing", "stop", text, where)


def _parts(kind: str) -> tuple[str, int, int, str]:
    found = _TYPE.match(kind)
    if found is None:
        return kind.upper(), 0, 0, ""
    return found[1].upper(), int(found[2] or 0), int(found[3] or 0), found[4].lower()


def _classes(kind: str, stats: ColumnStats, affinity: str) -> Iterator[Doubt]:
    """Classes of values that the type has no place for."""
    text, binary = kind in TEXT_LIMITS, kind in BYTE_LIMITS
    numeric = not (text or binary or kind in ("DATE", "DATETIME", "TIME"))
    whole = kind in _BITS
    mixing = affinity in _NUMERIC
    refused = [
        ("text", stats.texts, numeric or (binary and affinity != "text")),
        ("blob", stats.blobs, not binary or affinity == "text"),
        ("integer", stats.integers, not numeric and not (text and mixing)),
        ("real", stats.reals, whole or (not numeric and not (text and mixing))),
    ]
    for name, count, wrong in refused:
        if count and wrong:
            yield _stop(
                f"{count:,} values are {name}, which the target's {kind} cannot hold", f"typeof({{column}}) = '{name}'"
            )
    if text and mixing and stats.texts and (stats.integers or stats.reals):
        yield Doubt("mixed", "decide", "text and numbers: all become text", "typeof({column}) = 'text'")


def _integers(bits: int, stats: ColumnStats, *, unsigned: bool) -> Iterator[Doubt]:
    least, greatest = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if stats.integers and (stats.least < least or stats.greatest > greatest):
        text = f"integers from {stats.least} to {stats.greatest}; the target's column takes {least} to {greatest}"
        yield _stop(text, f"{{column}} NOT BETWEEN {least} AND {min(greatest, 2**63 - 1)}")


def _decimals(size: int, scale: int, stats: ColumnStats) -> Iterator[Doubt]:
    if stats.whole_digits > size - scale or stats.fraction_digits > scale:
        yield _stop(
            f"numbers of {stats.whole_digits} digits before and {stats.fraction_digits} after the point; "
            f"the target's column has {size - scale} and {scale}",
            f"abs({{column}}) >= 1e{size - scale} OR round({{column}}, {min(scale, 30)}) <> {{column}}",
        )


def _sizes(kind: str, size: int, stats: ColumnStats) -> Iterator[Doubt]:
    if kind in TEXT_LIMITS:
        limit = TEXT_LIMITS[kind]
        if limit is None and stats.characters > size:
            text = f"texts of {stats.characters:,} characters; the target's column takes {size:,}"
            yield _stop(text, f"length({{column}}) > {size}")
        if kind == "CHAR" and stats.trailing_spaces:
            yield _stop("spaces at the end, which the target's CHAR loses", "substr({column}, -1) = ' '")
    else:
        limit = BYTE_LIMITS[kind] if BYTE_LIMITS[kind] is not None else size
        if kind == "BINARY" and stats.fewest_bytes != size and (stats.blobs or stats.texts):
            text = f"values of {stats.fewest_bytes:,} bytes, which the target's BINARY({size}) fills up with zeros"
            yield _stop(text, f"length(CAST({{column}} AS BLOB)) <> {size}")
    if limit is not None and stats.bytes > limit:
        text = f"values of {stats.bytes:,} bytes; the target's column takes {limit:,}"
        yield _stop(text, f"length(CAST({{column}} AS BLOB)) > {limit}")
