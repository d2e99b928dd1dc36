"""The two schemas side by side as one page: no script, no request, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from ..interface import Finding, ObjectPlan, Plan, TablePlan
from .diagram import as_svg
from .differences import (
    SEVERITIES,
    Row,
    behaviours,
    columns,
    counted,
    figures,
    parts,
    place,
    server_name,
    standing,
    visible,
)
from .edits import blocking_first


def as_html(plan: Plan) -> str:
    """The whole page; names and texts come from a database, and are untrusted."""
    style = files("postrmagic_core.database.transfer.planfile").joinpath("differences.css").read_text(encoding="utf-8")
    body = [
        _head(plan),
        _section("Findings", map(_finding, blocking_first(plan.findings)), "<p>None.</p>"),
        _section("Tables and foreign keys", [f'<div class="drawing">{as_svg(plan)}</div>']),
        _section("Tables", map(_table, plan.tables)),
        _section("What behaves otherwise", [f"<ul>{''.join(f'<li>{_text(one)}' for one in behaviours(plan))}</ul>"]),
        _section("What stays behind", map(_object, plan.objects), "<p>Nothing.</p>"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>From SQLite to '
        f"{_text(server_name(plan))}</title>"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _head(plan: Plan) -> str:
    tiles = "".join(f"<div><dd>{_text(value)}</dd><dt>{_text(name)}</dt></div>" for value, name in figures(plan))
    return (
        f"<header><h1>From SQLite to {_text(server_name(plan))}</h1>"
        f"<p><code>{_text(plan.source)}</code> to <code>{_text(plan.target)}</code></p>"
        f'<dl class="tiles">{tiles}</dl></header>'
    )


def _section(title: str, blocks: Iterable[str], otherwise: str = "") -> str:
    return f"<section><h2>{title}</h2>{''.join(blocks) or otherwise}</section>"


def _finding(finding: Finding) -> str:
    decided = finding.accepted and finding.severity == "decide"
    kind, label = ("note", "decided") if decided else (finding.severity, SEVERITIES[finding.severity])
    rows = f", {counted(finding.rows)}" if finding.rows else ""
    examples = "".join(
        f"<li>row <code>{_text(one.key)}</code>: <code>{_text(one.value)}</code>" for one in finding.examples
    )
    query = f"<pre>{_text(finding.query)}</pre>" if finding.query else ""
    return (
        f'<article class="{kind}"><h3><b>{label}</b> <code>{_text(place(finding))}</code>{rows}</h3>'
        f"<p>{_text(finding.text)}</p>{f'<ul>{examples}</ul>' if examples else ''}{query}</article>"
    )


def _table(table: TablePlan) -> str:
    called = "" if table.name == table.target else f", called <code>{_text(table.target)}</code> there"
    return (
        f"<article><h3><code>{_text(table.name)}</code></h3><p>{counted(table.rows)}{called}{standing(table)}.</p>"
        f"{_grid('column', columns(table))}{_grid('part', parts(table))}"
        f"<details><summary>as SQLite made it</summary><pre>{_text(table.sql)}</pre></details></article>"
    )


def _grid(first: str, rows: Iterable[Row]) -> str:
    cells = "".join(
        f'<tr><th scope="row"><code>{_text(row.name)}</code></th><td><code>{_text(row.source)}</code></td>'
        f"<td><code>{_text(row.target)}</code></td><td>{_text(row.why)}</td></tr>"
        for row in rows
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in (first, "SQLite", "target", "why"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>" if cells else ""


def _object(one: ObjectPlan) -> str:
    suggestion = f"<p>How it might be written:</p><pre>{_text(one.suggestion)}</pre>" if one.suggestion else ""
    of = f" of <code>{_text(one.table)}</code>" if one.table else ""
    return (
        f"<article><h3>{_text(one.kind)} <code>{_text(one.name)}</code>{of}</h3><pre>{_text(one.sql)}</pre>"
        f"{suggestion}</article>"
    )


def _text(text: str) -> str:
    """Escaped; line breaks stay, other control characters show themselves."""
    return escape("\n".join(visible(line.expandtabs(4)) for line in text.split("\n")))
