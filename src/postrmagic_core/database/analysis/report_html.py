"""The report as one page: no script, no request, every text escaped, charts drawn as SVG bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from .advise import Candidate
from .report import Analysed, Report, quantile
from .rewrites import Rewrite
from .verify import Effect, Tried, alembic_line
from .wording import duration, printable, size, times


def as_html(report: Report) -> str:
    """The whole page; statements come from a log, and are untrusted."""
    style = files("postrmagic_core.database.analysis").joinpath("report.css").read_text(encoding="utf-8")
    parts = [
        _head(report),
        _section("Indexes to add", "proposals", map(_proposal, report.proposals), _no_proposal(report)),
        _section("Indexes nobody has tried", "candidates", map(_candidate, report.candidates)),
        _section("Other ways to ask", "rewrites", map(_rewrite, report.rewrites)),
        _section("Where the time goes", "statements", [_chart(report.statements), _table(report.statements)]),
        _section("Tried, does not help", "rejected", map(_rejected, report.rejected)),
        _section(
            "Remarks",
            "remarks",
            [f"<ul>{''.join(f'<li>{_text(one)}' for one in report.remarks)}</ul>"] * bool(report.remarks),
        ),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Query analysis</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(report: Report) -> str:
    total = sum(one.query.seconds for one in report.statements)
    calls = sum(one.query.count for one in report.statements)
    figures = [
        (str(len(report.statements)), "statements"),
        (f"{calls:,}", "calls"),
        (duration(total), "in the database"),
        (str(len(report.proposals)), "indexes proposed"),
        (str(len(report.rewrites)), "other advice"),
    ]
    notes = [f"On {report.dialect}."]
    notes.append("Times before and after are medians on a scratch copy." if report.verified else "Nothing was tried.")
    if report.omitted:
        notes.append(f"{report.omitted} statements that took less time are left out.")
    notes += [f"The copy of {name} holds {rows:,} rows only." for name, rows in report.sampled.items()]
    tiles = "".join(f"<div><dd>{_text(value)}</dd><dt>{_text(name)}</dt></div>" for value, name in figures)
    return f'<header><h1>Query analysis</h1><p>{_text(" ".join(notes))}</p><dl class="tiles">{tiles}</dl></header>'


def _section(title: str, name: str, parts: Iterable[str], otherwise: str = "") -> str:
    body = "".join(parts) or otherwise
    return f'<section id="{name}"><h2>{title}</h2>{body}</section>' if body else ""


def _no_proposal(report: Report) -> str:
    return "<p>None: no index that was tried made a statement clearly faster.</p>" if report.verified else ""


def _proposal(one: Tried) -> str:
    helped = [effect for effect in one.effects if effect.helps]
    effects = "".join(map(_effect, helped))
    cost = f"Built in {duration(one.seconds)}; takes {size(one.size)}, and a little of every change to the table."
    return (
        f"<article><h3>{_text(one.candidate.name)}</h3><p>{_text(_sentence(one.candidate.reason))}.</p>"
        f"<pre>{_text(one.ddl)}</pre><pre>{_text(alembic_line(one.candidate))}</pre>{effects}<p>{_text(cost)}</p></article>"
    )


def _effect(one: Effect) -> str:
    longest = max(one.before.frequent, one.after.frequent, one.before.rare, one.after.rare)
    pairs = [
        ("many rows match", one.before.frequent, one.after.frequent),
        ("few match", one.before.rare, one.after.rare),
    ]
    if one.before.rare == one.before.frequent:
        pairs = [("", one.before.frequent, one.after.frequent)]
    rows = (
        _bar("before", before, longest, note) + _bar("after", after, longest, note) for note, before, after in pairs
    )
    plans = f"{_plan('before', one.before.plan.lines)}{_plan('after', one.after.plan.lines)}"
    return (
        f'<h4><a href="#q-{_text(one.fingerprint)}">{_text(one.fingerprint)}</a>: {times(one.speedup)} as fast</h4>'
        f'<div class="bars">{"".join(rows)}</div><div class="plans">{plans}</div>'
    )


def _plan(title: str, lines: Sequence[str]) -> str:
    return f"<figure><figcaption>{title}</figcaption><pre>{_text(chr(10).join(lines))}</pre></figure>"


def _bar(kind: str, value: float, longest: float, note: str = "") -> str:
    shape = kind if kind in ("before", "after") else "total"
    width = 0.0 if longest <= 0 else max(0.4, 100 * value / longest)
    said = f"<span>{_text(kind)}{f' <small>{_text(note)}</small>' if note else ''}</span>"
    box = 'viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"'
    drawn = f'<svg {box}><rect width="{width:.2f}" height="10"/></svg>'
    return f'<div class="bar {shape}">{said}{drawn}<b>{duration(value)}</b></div>'


def _candidate(one: Candidate) -> str:
    helped = ", ".join(f'<a href="#q-{_text(name)}">{_text(name)}</a>' for name in one.fingerprints)
    reason = f"{_text(_sentence(one.reason))}: {helped}."
    return f"<article><h3>{_text(one.name)}</h3><p>{reason}</p><pre>{_text(alembic_line(one))}</pre></article>"


def _rewrite(one: Rewrite) -> str:
    bars = ""
    if one.measured is not None:
        before, after = one.measured
        longest = max(one.measured)
        bars = f'<div class="bars">{_bar("before", before, longest)}{_bar("after", after, longest)}</div>'
    return (
        f'<article><h3><a href="#q-{_text(one.fingerprint)}">{_text(one.fingerprint)}</a>: {_text(one.rule)}</h3>'
        f"<p>{_text(_sentence(one.reason))}.</p>{bars}<p>Instead:</p><pre>{_text(one.instead)}</pre></article>"
    )


def _rejected(one: Tried) -> str:
    best = max((effect.speedup for effect in one.effects), default=1.0)
    why = (
        f"slows {', '.join(effect.fingerprint for effect in one.harmed)}"
        if one.harmed
        else f"at best {times(best)} as fast"
    )
    return f"<p><code>{_text(one.ddl)}</code><br>{_text(_sentence(one.candidate.reason))}; {_text(why)}.</p>"


def _chart(statements: Sequence[Analysed]) -> str:
    longest = max((one.query.seconds for one in statements), default=0.0)
    rows = "".join(_bar(one.query.fingerprint, one.query.seconds, longest) for one in statements)
    label = "Seconds in the database by statement; the table holds the figures"
    return f'<div class="bars" role="img" aria-label="{label}">{rows}</div>'


_COLUMNS = ("calls", "total", "95th percentile", "rows", "plan", "caller")


def _table(statements: Sequence[Analysed]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("statement", *_COLUMNS))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, statements))}</tbody></table>"


def _row(one: Analysed) -> str:
    query = one.query
    caller = query.callers[0].line if query.callers else ""
    cells = (
        f"{query.count:,}",
        duration(query.seconds),
        duration(quantile(query, 0.95)),
        f"{query.rows:,}",
        one.verdict,
        caller,
    )
    lines = (
        ""
        if one.plan is None
        else f"<details><summary>plan</summary><pre>{_text(chr(10).join(one.plan.lines))}</pre></details>"
    )
    shown = "".join(f'<td data-name="{name}">{_text(cell)}</td>' for name, cell in zip(_COLUMNS, cells, strict=True))
    return (
        f'<tr id="q-{_text(query.fingerprint)}"><th scope="row"><b>{_text(query.fingerprint)}</b>'
        f"<code>{_text(query.sql)}</code>{lines}</th>{shown}</tr>"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(text: str) -> str:
    """Escaped; line breaks stay, other control characters show themselves."""
    return escape("\n".join(printable(line) for line in text.splitlines()))
