"""The two schemas side by side, as a page of Markdown: what becomes of each part, why, and what behaves otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..interface import ColumnPlan, Finding, IndexPlan, Plan, TablePlan
from .edits import blocking_first

SEVERITIES = {"stop": "cannot move", "decide": "to decide", "note": "differs"}
_SERVERS = {"mysql": "MySQL", "mariadb": "MariaDB"}


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a table: as SQLite has it, as the target will, and the reason."""

    name: str
    source: str
    target: str
    why: str


def server_name(plan: Plan) -> str:
    """``MySQL 9.7.0``, ``MariaDB 10.11.6-MariaDB``."""
    return f"{_SERVERS[plan.server.kind]} {plan.server.version}"


def figures(plan: Plan) -> list[tuple[str, str]]:
    """What the move is, in numbers, each with its name."""
    found = Counter("accepted" if one.accepted and one.severity == "decide" else one.severity for one in plan.findings)
    return [
        (f"{len(plan.tables):,}", "tables"),
        (f"{sum(table.rows for table in plan.tables):,}", "rows"),
        (f"{found['stop']:,}", "findings that stop it"),
        (f"{found['decide']:,}", "to decide"),
        (f"{found['accepted']:,}", "decided"),
        (f"{found['note']:,}", "notes"),
        (f"{len(plan.objects):,}", "objects that stay behind"),
    ]


def columns(table: TablePlan) -> Iterator[Row]:
    """Each column."""
    for column in table.columns:
        why = [column.reason, column.seen and f"seen: {column.seen}"]
        yield Row(column.name, _source(column), _target(column), "; ".join(filter(None, why)))


def parts(table: TablePlan) -> Iterator[Row]:
    """Keys, indexes and constraints."""
    if table.primary_key:
        yield Row("primary key", _listed(table.key), _listed(table.primary_key), "")
    for index in table.indexes:
        kind = "unique" if index.unique else "index"
        yield Row(kind, index.name or "(of the table)", f"{index.target} {_parts(index)}", index.reason)
    for link in table.foreign_keys:
        actions = [
            f"ON {event} {action}"
            for event, action in (("DELETE", link.on_delete), ("UPDATE", link.on_update))
            if action != "NO ACTION"
        ]
        to = f"{link.target} {_listed(link.columns)} to {link.parent} {_listed(link.parent_columns)}"
        yield Row(
            "foreign key", _listed(link.columns), " ".join([to, *actions]), "checked for all rows when they have moved"
        )
    for check in table.checks:
        yield Row("check", " ".join(check.source.split()), f"{check.target} {check.expression}", "")


def behaviours(plan: Plan) -> Iterator[str]:
    """What the target does otherwise with the same schema and rows; only what concerns this plan."""
    moved = [column for table in plan.tables for column in table.columns]
    texts = {column.collation for column in moved} - {""}
    if plan.server.exact in texts:
        yield f"Text is compared by its characters ({plan.server.exact}), as in SQLite: 'abc' and 'ABC' are two values."
    if plan.server.nocase in texts:
        yield (
            f"NOCASE becomes {plan.server.nocase}: SQLite takes a and A for the same, but not ä and Ä; the target "
            "takes these for the same too."
        )
    if "utf8mb4_bin" in texts:
        yield "RTRIM becomes utf8mb4_bin: spaces at the end do not count, as before."
    if any(column.auto_increment for column in moved):
        yield (
            "AUTO_INCREMENT counts on from the greatest id. That of a failed INSERT is not given again, and 0 is an id "
            "only in sessions with NO_AUTO_VALUE_ON_ZERO."
        )
    if any(column.hidden and not column.generated for column in moved):
        yield "Tables without a primary key have a column pm_rowid that SELECT * does not show: SQLite's rowid."
    if any("UTC_TIMESTAMP" in column.default.upper() for column in moved):
        yield (
            "CURRENT_TIMESTAMP is UTC in SQLite, and in the target by the session's time zone: defaults there say "
            "UTC_TIMESTAMP."
        )
    if any(column.grammar for column in moved):
        yield (
            "Dates are values, no longer text: they are compared as instants, read as datetime, and refused when they "
            "are none."
        )
    if any(column.type == "TINYINT(1)" for column in moved):
        yield "Booleans are TINYINT(1): TRUE and FALSE still mean 1 and 0."
    if any("json" in f"{column.declared} {column.reason}".lower() for column in moved):
        yield "JSON stays text, character for character: the target's JSON type orders keys anew and drops spaces."
    yield "A value that does not fit its column is refused; SQLite stores it as it is, but for STRICT tables."


def as_markdown(plan: Plan) -> str:
    """The whole page; names and texts come from a database, and are shown as they are, never as Markdown."""
    blocks = [
        f"# From SQLite to {_plain(server_name(plan))}",
        f"Source: {_code(plan.source)}. Target: {_code(plan.target)}.",
        _grid(("", ""), ([_plain(name), value] for value, name in figures(plan))),
        "## Findings",
        *(_finding(one) for one in blocking_first(plan.findings)),
        *([] if plan.findings else ["None."]),
        "## Tables",
        *(block for table in plan.tables for block in _table(table)),
        "## What behaves otherwise",
        "\n".join(f"- {_plain(one)}" for one in behaviours(plan)),
        *(["## What stays behind"] if plan.objects else []),
    ]
    for one in plan.objects:
        blocks += [f"### {one.kind.capitalize()} {_code(one.name)} of {_code(one.table)}", _fenced(one.sql)]
        blocks += ["How it might be written, to be read and corrected first:", _fenced(one.suggestion)] * bool(
            one.suggestion
        )
    return "\n\n".join(blocks) + "\n"


def standing(table: TablePlan) -> str:
    """What is said of a table that the target has already; empty of any other."""
    if table.kept:
        return "; the table is in the target already with the same rows, and none moves"
    return "; the table is in the target already, and only rows move" if table.existing else ""


def counted(rows: int) -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def visible(text: str) -> str:
    """``text`` with each character that cannot be seen, or turns the writing round, as its escape sequence."""
    return "".join(one if one == " " or one.isprintable() else ascii(one)[1:-1] for one in text)


def place(finding: Finding) -> str:
    """``table.column``, or what of it there is."""
    return ".".join(filter(None, (finding.table, finding.column)))


def _finding(finding: Finding) -> str:
    kind = "decided" if finding.accepted and finding.severity == "decide" else SEVERITIES[finding.severity]
    rows = f" ({counted(finding.rows)})" if finding.rows else ""
    lines = [f"- **{kind}**: {_code(place(finding))}{rows}: {_plain(finding.text)}"]
    lines += [f"  - row {_code(one.key)}: {_code(one.value)}" for one in finding.examples]
    lines += [f"  - found by {_code(finding.query)}"] * bool(finding.query)
    return "\n".join(lines)


def _table(table: TablePlan) -> Iterator[str]:
    called = "" if table.name == table.target else f", called {_code(table.target)} there"
    yield f"### {_code(table.name)}"
    yield f"{counted(table.rows)}{called}{standing(table)}."
    yield _grid(("column", "SQLite", "target", "why"), map(_cells, columns(table)))
    found = list(parts(table))
    if found:
        yield _grid(("part", "SQLite", "target", "why"), map(_cells, found))


def _cells(row: Row) -> Sequence[str]:
    return _code(row.name), _code(row.source), _code(row.target), _plain(row.why)


def _source(column: ColumnPlan) -> str:
    if column.hidden:
        return "" if column.generated else "rowid"
    return column.declared or "no type"


def _target(column: ColumnPlan) -> str:
    """The column's definition, in the order in which it would be written."""
    words = [
        *([] if column.hidden or column.name == column.target else [column.target]),
        column.type,
        column.collation,
        *([f"AS ({column.generated}) {'STORED' if column.stored else 'VIRTUAL'}"] if column.generated else []),
        "" if column.nullable else "NOT NULL",
        "INVISIBLE" if column.hidden else "",
        "AUTO_INCREMENT" if column.auto_increment else "",
        f"DEFAULT {column.default}" if column.default else "",
    ]
    return " ".join(filter(None, words))


def _listed(names: Iterable[str]) -> str:
    return f"({', '.join(names)})"


def _parts(index: IndexPlan) -> str:
    return _listed(
        f"{one.column}{'' if one.length is None else f'({one.length})'}{' DESC' if one.descending else ''}"
        for one in index.parts
    )


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """``text`` on one line, with nothing in it that Markdown or HTML would obey."""
    return re.sub(r"([\\`*{}\[\]<>#|~&]|(?<!\w)_|_(?!\w))", r"\\\1", visible(" ".join(text.split())))


def _code(text: str) -> str:
    """``text`` as code on one line; as HTML where a bar in it would end the table's cell."""
    shown = visible(text)
    if "|" not in shown:
        return _fence(shown) if shown else ""
    escaped = "".join(one if one.isalnum() or one == " " else f"&#{ord(one)};" for one in shown)
    return f"<code>{escaped}</code>"


def _fence(text: str) -> str:
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _longest_run(text: str) -> int:
    """Of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def _fenced(text: str) -> str:
    fence = "`" * max(3, _longest_run(text) + 1)
    shown = "\n".join(visible(line.expandtabs()) for line in text.splitlines())
    return f"{fence}sql\n{shown}\n{fence}"
