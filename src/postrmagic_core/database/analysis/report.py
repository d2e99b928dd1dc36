"""The analysis as plain data, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..._metrics import LATENCY_BOUNDS
from .interface import QueryStats
from .plans import Plan

if TYPE_CHECKING:
    from .advise import Candidate
    from .rewrites import Rewrite
    from .verify import Effect, Measure, Tried

# Of the JSON document; grows when a field changes its meaning or goes.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Analysed:
    """A statement of the log: its plan now, what it takes before and after the proposals, or a note why not."""

    query: QueryStats
    plan: Plan | None = None
    before: Measure | None = None
    after: Measure | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Its plan in a few words, or why there is none."""
        return self.note or ("" if self.plan is None else self.plan.verdict)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``verified``: whether indexes were tried on a copy; if not, ``candidates`` are guesses.

    ``sampled``: tables of which the copy holds only so many rows. ``omitted``: statements of the log beyond the top.
    """

    dialect: str
    verified: bool
    statements: tuple[Analysed, ...]
    omitted: int = 0
    proposals: tuple[Tried, ...] = ()
    rejected: tuple[Tried, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    remarks: tuple[str, ...] = ()
    sampled: Mapping[str, int] = field(default_factory=dict)


def quantile(query: QueryStats, share: float) -> float:
    """Seconds within which ``share`` of the calls ended, as far as the buckets tell; at most the slowest call."""
    wanted = share * sum(query.buckets)
    seen = 0.0
    for (low, high), count in zip(pairwise((0.0, *LATENCY_BOUNDS, query.slowest)), query.buckets, strict=True):
        if count and seen + count >= wanted:
            return min(query.slowest, low + (max(low, high) - low) * (wanted - seen) / count)
        seen += count
    return query.slowest


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON values; seconds, bytes; no value of the data is in it."""
    from .verify import alembic_line

    return {
        "version": VERSION,
        "dialect": report.dialect,
        "verified": report.verified,
        "omitted": report.omitted,
        "sampled_rows": dict(report.sampled),
        "statements": [_statement(one) for one in report.statements],
        "proposals": [_tried(one) | {"alembic": alembic_line(one.candidate)} for one in report.proposals],
        "rejected": [_tried(one) for one in report.rejected],
        "candidates": [_candidate(one) for one in report.candidates],
        "rewrites": [
            {
                "rule": one.rule,
                "fingerprint": one.fingerprint,
                "reason": one.reason,
                "instead": one.instead,
                "measured_seconds": None if one.measured is None else list(one.measured),
            }
            for one in report.rewrites
        ],
        "remarks": list(report.remarks),
    }


def _statement(one: Analysed) -> dict[str, Any]:
    query = one.query
    return {
        "fingerprint": query.fingerprint,
        "sql": query.sql,
        "calls": query.count,
        "errors": query.errors,
        "seconds": query.seconds,
        "p95_seconds": quantile(query, 0.95),
        "slowest_seconds": query.slowest,
        "rows": query.rows,
        "callers": [{"line": caller.line, "count": caller.count} for caller in query.callers],
        "plan": None if one.plan is None else list(one.plan.lines),
        "verdict": one.verdict,
        "before": _measure(one.before),
        "after": _measure(one.after),
    }


def _measure(one: Measure | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "frequent_seconds": one.frequent,
        "rare_seconds": one.rare,
        "plan": list(one.plan.lines),
        "rare_plan": list(one.rare_plan.lines),
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "name": one.name,
        "table": one.table,
        "columns": list(one.columns),
        "fingerprints": list(one.fingerprints),
        "reason": one.reason,
    }


def _tried(one: Tried) -> dict[str, Any]:
    return _candidate(one.candidate) | {
        "ddl": one.ddl,
        "build_seconds": one.seconds,
        "bytes": one.size,
        "effects": [_effect(effect) for effect in one.effects],
        "harmed": [effect.fingerprint for effect in one.harmed],
    }


def _effect(one: Effect) -> dict[str, Any]:
    return {
        "fingerprint": one.fingerprint,
        "speedup": one.speedup,
        "helps": one.helps,
        "before": _measure(one.before),
        "after": _measure(one.after),
    }
