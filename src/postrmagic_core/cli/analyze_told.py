"""The analysis on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..database.analysis.report import Analysed, Report, quantile
from ..database.analysis.rewrites import Rewrite
from ..database.analysis.verify import Tried, alembic_line
from ..database.analysis.wording import duration, printable, size, times

_COLUMNS = ("calls", "total", "p95", "rows", "plan", "caller")
_SHORT = 160


def show(console: Console, report: Report) -> None:
    """Print the statements, then what was found; statements come from a log, and are printed as plain text."""
    _statements(console, report)
    texts = {one.query.fingerprint: _short(one.query.sql) for one in report.statements}
    for one in report.proposals:
        _proposal(console, one, texts)
    for one in report.rejected:
        best = max((effect.speedup for effect in one.effects), default=1.0)
        why = "it slows another statement" if one.harmed else f"at best {times(best)} as fast"
        _line(console, f"tried, does not help: {one.ddl} ({why})", "dim")
    for candidate in report.candidates:
        helped = ", ".join(candidate.fingerprints)
        _line(console, f"not tried: {alembic_line(candidate)}: {candidate.reason} ({helped})")
    for rewrite in report.rewrites:
        _rewrite(console, rewrite, texts)
    for name, rows in report.sampled.items():
        _line(console, f"sampled: the copy of {name} holds {rows:,} rows", "yellow")
    for remark in report.remarks:
        _line(console, f"remark: {remark}", "dim")
    if report.verified and not report.proposals:
        _line(console, "no index that was tried made a statement clearly faster", "bold")


def _statements(console: Console, report: Report) -> None:
    table = Table(Column("fingerprint", no_wrap=True, min_width=16), *_COLUMNS, title="Where the time goes")
    for one in report.statements:
        table.add_row(*(Text(printable(cell)) for cell in _cells(one)))
    console.print(table)
    if report.omitted:
        _line(console, f"{report.omitted} more statements took less time: --top shows them", "dim")


def _cells(one: Analysed) -> tuple[str, ...]:
    query = one.query
    return (
        query.fingerprint,
        f"{query.count:,}",
        duration(query.seconds),
        duration(quantile(query, 0.95)),
        f"{query.rows:,}",
        one.verdict,
        query.callers[0].line if query.callers else "",
    )


def _proposal(console: Console, one: Tried, texts: Mapping[str, str]) -> None:
    _line(console, f"\nadd: {one.ddl}", "bold green")
    _line(console, f"     {alembic_line(one.candidate)}")
    _line(console, f"     {one.candidate.reason}; built in {duration(one.seconds)}, {size(one.size)}")
    for effect in one.effects:
        if effect.helps:
            before, after = effect.before, effect.after
            _line(console, f"     {effect.fingerprint}: {times(effect.speedup)} as fast")
            _line(console, f"       {texts[effect.fingerprint]}", "dim")
            _line(console, f"       before {_timed(before.frequent, before.rare)}: {'; '.join(before.plan.lines)}")
            _line(console, f"       after  {_timed(after.frequent, after.rare)}: {'; '.join(after.plan.lines)}")


def _timed(frequent: float, rare: float) -> str:
    return duration(frequent) if frequent == rare else f"{duration(frequent)} (few rows: {duration(rare)})"


def _rewrite(console: Console, one: Rewrite, texts: Mapping[str, str]) -> None:
    measured = "" if one.measured is None else f" ({duration(one.measured[0])} against {duration(one.measured[1])})"
    _line(console, f"\nask otherwise, {one.fingerprint}: {one.reason}{measured}", "bold cyan")
    _line(console, f"     {texts[one.fingerprint]}", "dim")
    _line(console, f"     instead: {one.instead}")


def _short(sql: str) -> str:
    return sql if len(sql) <= _SHORT else f"{sql[:_SHORT]} …"


def _line(console: Console, text: str, style: str = "") -> None:
    lead = text[: len(text) - len(text.lstrip())]
    console.print(Text(lead + printable(text), style=style), soft_wrap=True)
