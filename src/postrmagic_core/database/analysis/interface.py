"""What the query log knows of a statement; the log writes it, the analysis reads it. It never holds a bound value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A line of the application from which the statement came, and how many of the sampled calls came from there."""

    line: str
    count: int


@dataclass(frozen=True, slots=True)
class QueryStats:
    """Every execution of one statement, whatever its values.

    ``fingerprint``: 16 hexadecimal digits, the same in every process. ``sql``: its text with ``?`` for each value and
    lists of values collapsed to one. ``seconds`` is the sum, ``slowest`` the longest, ``buckets`` count executions by
    :data:`postrmagic_core._metrics.LATENCY_BOUNDS` (one more for what is longer). ``rows``: read or changed, where the
    driver tells. ``plan``: the lines of EXPLAIN captured when it was slow; empty if it never was.
    """

    fingerprint: str
    sql: str
    count: int
    errors: int
    seconds: float
    slowest: float
    buckets: tuple[int, ...]
    rows: int
    callers: tuple[Caller, ...] = ()
    plan: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryLogFile:
    """What one process has logged: instants in microseconds since the epoch."""

    dialect: str
    database_id: str
    pid: int
    since_us: int
    until_us: int
    queries: tuple[QueryStats, ...]
