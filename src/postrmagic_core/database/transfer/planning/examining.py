"""What of a table's rows is in the way, or will be different: asked of the source, and of the server's collations."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping

from ..interface import ColumnPlan, Example, Report, Server, TablePlan
from ..names import why
from ..source.collisions import Collision, UniqueKey, Weigh, collisions, conflicts, is_plain
from ..source.offenders import Offenders, damages, key_text, orphans, where
from ..source.schema import SourceIndex, SourceIndexPart
from .choices import Doubt
from .drafting import Draft, Remark
from .existing import column_doubts, table_problems
from .findings import Findings
from .lengths import spoken
from .links import Link

_TWICE = "another has the name but for its capitals or accents"
_FOLDS = {
    "capitals": "are one to a collation that ignores capitals",
    "accents": "are one to a collation that ignores accents",
    "spaces at the end": "are one to a collation that ignores spaces at the end",
}


def examine_file(connection: sqlite3.Connection, findings: Findings, report: Report) -> None:
    """Whether the file is whole: what SQLite cannot read by its indexes would be missing without a word."""
    report("checking the file", 0, None)
    lines = damages(connection)
    if lines:
        text = "SQLite finds the file damaged; make a new one of it: sqlite3 FILE .recover | sqlite3 NEW"
        findings.add("", Doubt("damaged", "stop", text), examples=tuple(Example("", line) for line in lines[:5]))


def examine_values(connection: sqlite3.Connection, draft: Draft, findings: Findings) -> None:
    """What no column could hold, what the table's own rules forbid, and the doubts about each column's type."""
    table, stats = draft.table, draft.stats
    for column in table.columns:
        here = stats.columns[column.name]
        for doubt in draft.choices[column.name].doubts:
            findings.remark(Remark(table.name, doubt, column.name))
        if here.misfits:
            examples = tuple(Example(key_text(key), what) for key, what in here.misfit_keys)
            kinds = sorted({what for _, what in here.misfit_keys})
            found = Offenders(here.misfits, examples, "")
            text = f"values that are {' or '.join(kinds)}: no column of the target holds them"
            findings.add(table.name, Doubt("misfit", "stop", text), column=column.name, rows=found)
        in_key = column.name in table.primary_key and table.without_rowid
        if here.nulls and (not column.nullable or in_key) and column.name != table.rowid_alias:
            text = "NULL in a column that is NOT NULL"
            findings.remark(Remark(table.name, Doubt("null", "stop", text, "typeof({column}) = 'null'"), column.name))
    if stats.zero_keys:
        text = (
            "the id 0 moves as it is; in the target an INSERT of 0 gives a new id, unless NO_AUTO_VALUE_ON_ZERO is set"
        )
        findings.remark(Remark(table.name, Doubt("zero-key", "note", text, "{column} = 0"), table.rowid_alias))
    for number, check in enumerate(table.checks, 1):
        _examine_check(connection, draft, check, number, findings)
    for long in draft.too_long:
        _remark_long(draft, long.key, long.column, findings)
    for remark in draft.remarks:
        findings.remark(remark)


def examine_names(draft: Draft, reserved: Collection[str], findings: Findings) -> None:
    """What is called otherwise in the target, or is a ``reserved`` word there and can only be named in backticks."""
    table = draft.table
    renamed = [(name, target) for name, target in draft.names.items() if name != target and draft.existing is None]
    if draft.target != table.name and draft.existing is None:
        text = f"the table is called {draft.target}: {why(table.name) or _TWICE}"
        findings.add(table.name, Doubt("renamed", "note", text))
    for name, target in renamed:
        text = f"the column is called {target}: {why(name) or _TWICE}"
        findings.add(table.name, Doubt("renamed", "note", text), column=name)
    quoted = sorted(name for name in (draft.target, *draft.names.values()) if name in reserved)
    if quoted:
        text = f"reserved words of the target, to be written in backticks there: {', '.join(quoted)}"
        findings.add(table.name, Doubt("reserved", "note", text))


def examine_links(
    connection: sqlite3.Connection, links: Collection[Link], drafts: dict[str, Draft], findings: Findings
) -> None:
    """The rows whose foreign keys lead nowhere."""
    for link in links:
        if link.missing:
            continue
        found = orphans(connection, drafts[link.table].table, link.key)
        if found.rows:
            columns = ", ".join(link.key.columns)
            there = f"{link.key.parent} ({', '.join(link.key.parent_columns)})"
            text = f"rows whose ({columns}) is not in {there}"
            name = f"{columns}>{link.key.parent}"
            column = columns if len(link.key.columns) == 1 else ""
            findings.add(link.table, Doubt("orphans", "stop", text), column=column, name=name, rows=found)


def examine_standing(draft: Draft, plan: TablePlan, unlike: str, findings: Findings) -> None:
    """Whether the table that stands in the target can take the rows; ``unlike`` says why it is not as it should be."""
    if draft.existing is None:
        return
    if plan.kept:
        text = f"the table is in the target already with the same {plan.rows:,} row(s): none is moved"
        findings.add(draft.table.name, Doubt("kept", "note", text))
        return
    if unlike:
        findings.add(draft.table.name, Doubt("existing", "stop", f"{unlike}: empty it there, or drop it"))
    for text in table_problems(draft.table, draft.existing, draft.names):
        findings.add(draft.table.name, Doubt("existing", "stop", text))
    planned: dict[str, ColumnPlan] = {column.name: column for column in plan.columns if not column.hidden}
    for column in draft.table.columns:
        there = draft.there(column.name)
        if there is not None:
            stats = draft.stats.columns[column.name]
            for doubt in column_doubts(planned[column.name], there, stats, column.affinity):
                findings.remark(Remark(draft.table.name, doubt, column.name))


def examine_keys(
    connection: sqlite3.Connection, draft: Draft, server: Server, findings: Findings, weigh: Weigh, report: Report
) -> None:
    """Unique keys that are apart in the source, and would be one under another collation, or are under the target's."""
    for key, loose, alike in unique_keys(draft, server):
        if any(draft.stats.columns[name].misfits for name in key.columns):
            continue  # not text: that is told of the column
        if loose:
            # SQLite has compared it just so already.
            if _counts_characters(draft, loose) or (alike and is_plain(connection, draft.table, loose)):
                continue
            report(f"comparing keys of {draft.table.name}", 0, None)
            _remark_conflict(connection, draft, key, loose, weigh, findings)
            continue
        for collision in collisions(connection, draft.table, key, draft.stats, report):
            _remark_collision(draft, collision, server, findings)
    for key, loose in standing_keys(draft):
        if not any(draft.stats.columns[name].misfits for name in key.columns):
            report(f"comparing keys of {draft.table.name}", 0, None)
            _remark_conflict(connection, draft, key, loose, weigh, findings)


def unique_keys(draft: Draft, server: Server) -> Iterator[tuple[UniqueKey, dict[str, str], bool]]:
    """The keys with text in them, but those over expressions.

    Each with the columns that the target compares loosely, by which collation, and whether all of these are NOCASE on
    both sides.
    """
    table = draft.table
    known = {"BINARY": server.exact, "NOCASE": server.nocase}
    primary = tuple(SourceIndexPart(name, collation=table.column(name).collation) for name in table.primary_key)
    keys = [SourceIndex("the primary key", True, primary), *(index for index in table.indexes if index.unique)]
    for key in keys:
        if any(part.expression or part.column not in draft.choices for part in key.parts):
            continue
        texts = tuple(part.column for part in key.parts if draft.choices[part.column].kind == "text")
        loose: dict[str, str] = {}
        alike = True
        for part in key.parts:
            own = part.collation == table.column(part.column).collation
            collation = draft.choices[part.column].collation if own else known.get(part.collation, "")
            if part.column in texts and collation not in ("", server.exact):
                loose[part.column] = collation
                alike = alike and (part.collation, collation) == ("NOCASE", server.nocase)
        if texts:
            columns = tuple(part.column for part in key.parts)
            yield UniqueKey(spoken(key), columns, texts, key.predicate), loose, alike


def _counts_characters(draft: Draft, loose: Mapping[str, str]) -> bool:
    """Whether texts are the same to these collations only where each character is: no space stands at an end."""
    spaces = any(draft.stats.columns[name].trailing_spaces for name in loose)
    return not spaces and all(collation.endswith("_bin") for collation in loose.values())


def standing_keys(draft: Draft) -> Iterator[tuple[UniqueKey, dict[str, str]]]:
    """The unique keys that only the table in the target has, each with the collations of its texts."""
    if draft.existing is None:
        return
    named = {target.lower(): name for name, target in draft.names.items()}
    own = [index for index in draft.table.indexes if index.unique and not index.predicate]
    known = [frozenset(draft.table.primary_key), *(frozenset(part.column for part in index.parts) for index in own)]
    for key in draft.existing.unique_keys:
        columns = tuple(named.get(name.lower(), "") for name in key)
        if "" in columns or frozenset(columns) in known:
            continue
        texts = tuple(name for name in columns if draft.choices[name].kind == "text")
        name = f"the target's unique key ({', '.join(key)})"
        yield UniqueKey(name, columns, texts), {text: draft.choices[text].collation for text in texts}


def _remark_conflict(
    connection: sqlite3.Connection,
    draft: Draft,
    key: UniqueKey,
    collations: Mapping[str, str],
    weigh: Weigh,
    findings: Findings,
) -> None:
    found = conflicts(connection, draft.table, key, collations, weigh)
    if found:
        ours = Offenders(found.groups, found.examples, "")
        names = f" to {', '.join(sorted(set(collations.values())))}" if collations else ""
        text = f"keys of {key.name} that are one{names}"
        findings.add(draft.table.name, Doubt("conflict", "stop", text), name=key.name, rows=ours)


def _examine_check(connection: sqlite3.Connection, draft: Draft, check: str, number: int, findings: Findings) -> None:
    try:
        found = where(connection, draft.table, f"NOT ({check})")
    except sqlite3.Error:
        return  # over functions that only the application has: it is no CHECK of the target's, which is told
    if found.rows:
        text = f"rows that break the table's own CHECK ({check})"
        findings.add(draft.table.name, Doubt("check-broken", "stop", text), name=f"check {number}", rows=found)


def _remark_long(draft: Draft, key: str, column: str, findings: Findings) -> None:
    stats = draft.stats.columns[column]
    text = (
        f"{key} is over values of up to {stats.characters or stats.bytes:,} "
        f"{'characters' if stats.texts else 'bytes'}; a unique key has room for 3,072 bytes"
    )
    longest = f"length(CAST({{column}} AS BLOB)) >= {stats.bytes}"
    findings.remark(Remark(draft.table.name, Doubt("too-long", "stop", text, longest), column))


def _remark_collision(draft: Draft, collision: Collision, server: Server, findings: Findings) -> None:
    text = f"keys of {collision.key.name} that {_FOLDS[collision.fold]}: kept apart by {server.exact}"
    kind = f"same-but-{collision.fold.replace(' ', '-')}"
    rows = Offenders(collision.groups, collision.examples, "")
    findings.add(draft.table.name, Doubt(kind, "note", text), name=collision.key.name, rows=rows)
