"""A column of a server as SQLite has it, and how its values correspond. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..forms.back import base_of
from ..interface import ColumnPlan, ServerKind, Severity
from .catalogue import ServerColumn
from .expressions import Family, Untranslatable, default_of, literal, translated, unescaped

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT"})
_TEXTS = frozenset({"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"})
_BYTES = frozenset({"BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"})
_SHAPE = re.compile(r"(\w+)\s*(?:\((.*)\))?\s*(.*)", re.DOTALL)
_WORD = re.compile(r"'((?:[^']|'')*)'")
# Decimals of so many digits come back the same from a double; whole ones of so many are SQLite's integers.
_EXACT_DIGITS = 15
_EXACT_WHOLE = 18
_SIGNED_BITS = 63
# Collations that tell accented letters apart, as NOCASE does.
_ACCENTS = re.compile(r"_as_ci$")
_EXACT = re.compile(r"_bin$|_cs$|^binary$")

_DECLARED: dict[str, tuple[str, Family]] = {
    "FLOAT": ("REAL", "number"),
    "DOUBLE": ("REAL", "number"),
    "YEAR": ("INTEGER", "integer"),
    "BIT": ("INTEGER", "integer"),
    "DATE": ("DATE", "text"),
    "DATETIME": ("DATETIME", "text"),
    "TIMESTAMP": ("DATETIME", "text"),
    **dict.fromkeys(_INTEGERS, ("INTEGER", "integer")),
    **dict.fromkeys(_BYTES, ("BLOB", "bytes")),
    **dict.fromkeys(("TIME", "JSON", "UUID", "INET4", "INET6", "ENUM", "SET"), ("TEXT", "text")),
}
_REASONS = {
    "FLOAT": "the double that is the 32 bits of a FLOAT exactly",
    "TIMESTAMP": "a TIMESTAMP is an instant: its text is in UTC",
    "JSON": "SQLite keeps JSON as text, here as the server writes it",
    "BIT": "the bits as a whole number",
    "SET": "the words of a SET, with commas between",
}


@dataclass(frozen=True, slots=True)
class BackColumn:
    """A column in the file: ``plan`` says how its values correspond, the rest is how CREATE TABLE has it.

    ``told`` is what a person should know of it.
    """

    plan: ColumnPlan
    family: Family
    default: str = ""
    collate: str = ""
    check: str = ""
    generated: str = ""
    told: tuple[tuple[Severity, str], ...] = ()


def family_of(kind: str) -> Family | None:
    """What a column of the type holds; None: nothing that SQLite could keep."""
    base, arguments, _ = shape_of(kind)
    if base in _TEXTS:
        return "text"
    if base == "DECIMAL":
        digits, scale = _digits(arguments)
        return "number" if _is_exact(digits, scale) else "text"
    return _DECLARED[base][1] if base in _DECLARED else None


def shape_of(kind: str) -> tuple[str, str, str]:
    """The word in capitals, what stands in parentheses, and what behind them, of a type."""
    found = _SHAPE.fullmatch(kind.strip())
    return (found[1].upper(), found[2] or "", found[3].lower()) if found else ("", "", "")


def planned_type(kind: str) -> str:
    """A type as a plan writes it: in capitals, without the width at which integers were once shown."""
    base, arguments, rest = shape_of(kind)
    if base in _INTEGERS and (base, arguments) != ("TINYINT", "1"):
        arguments = ""
    rest = rest.replace("zerofill", "").strip().upper()
    return base + (f"({arguments})" if arguments else "") + (f" {rest}" if rest else "")


def back_column(column: ServerColumn, server: ServerKind, families: dict[str, Family]) -> BackColumn:
    """``column`` of a table whose columns are of ``families``; it must be of one itself."""
    family = families[column.name]
    declared, reason = _declared(column.type)
    told: list[tuple[Severity, str]] = [("note", reason)] if reason else []
    collate, difference = _collation(column.collation) if family == "text" else ("", "")
    if difference:
        told.append(("note", difference))
    if "on update" in column.extra:
        told.append(("decide", "SQLite does not write the time of an update by itself"))
    default = generated = ""
    try:
        default = "" if column.generated else default_of(column.default, column.extra, server, family)
        base, size, _ = shape_of(column.type)
        if base == "BINARY" and default:
            default = f"X'{default[2:-1].ljust(2 * int(size or 1), '0')}'"
        if default == "CURRENT_TIMESTAMP" and "utc" not in (column.default or "").lower():
            told.append(("note", "the time by default is UTC, on the server it is that of the session's zone"))
    except Untranslatable:
        told.append(("decide", f"the default is not translated: {column.default}"))
    if column.generated:
        try:
            generated = translated(column.generated, server, families)
        except Untranslatable:
            told.append(("decide", f"no generated column but a plain one with its values: {column.generated}"))
    plan = ColumnPlan(
        name=column.name,
        target=column.name,
        type=planned_type(column.type),
        nullable=column.nullable,
        collation=column.collation,
        default=default,
        generated=generated,
        stored=column.stored,
        auto_increment=column.auto_increment,
        declared=declared,
        reason=reason,
    )
    return BackColumn(plan, family, default, collate, _check(column), generated, tuple(told))


def _declared(kind: str) -> tuple[str, str]:
    """The type in SQLite, and the reason where it is not obvious."""
    base, arguments, rest = shape_of(kind)
    if base == "TINYINT" and arguments == "1" and "unsigned" not in rest:
        return "BOOLEAN", ""
    if base == "DECIMAL":
        digits, scale = _digits(arguments)
        if _is_exact(digits, scale):
            return f"DECIMAL({digits},{scale})", ""
        return "TEXT", f"SQLite's numbers do not hold {digits} decimal digits: kept as text"
    if base in _TEXTS:
        return f"{base}({arguments})" if arguments else base, ""
    if base == "BIGINT" and "unsigned" in rest:
        return "INTEGER", f"SQLite's integers end at 2**{_SIGNED_BITS} - 1; a greater one is refused"
    return _DECLARED[base][0], _REASONS.get(base, "")


def _digits(arguments: str) -> tuple[int, int]:
    digits, _, scale = arguments.partition(",")
    return int(digits or 10), int(scale or 0)


def _is_exact(digits: int, scale: int) -> bool:
    return digits <= _EXACT_DIGITS or (scale == 0 and digits <= _EXACT_WHOLE)


def _collation(name: str) -> tuple[str, str]:
    """The COLLATE in SQLite, and how it compares otherwise than on the server."""
    if not name or _EXACT.search(name):
        return "", ""
    accents = "" if _ACCENTS.search(name) else ", and tells accented letters from plain ones"
    return "NOCASE", f"{name} becomes NOCASE, which ignores the case of A to Z alone{accents}"


def _check(column: ServerColumn) -> str:
    """An ENUM's words."""
    if base_of(column.type) != "ENUM":
        return ""
    words = [literal(unescaped(found[1])) for found in _WORD.finditer(shape_of(column.type)[1])]
    name = '"' + column.name.replace('"', '""') + '"'
    return f"{name} IN ({', '.join(words)})"
