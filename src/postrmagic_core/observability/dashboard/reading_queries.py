"""The statements that all processes of this machine have logged, and an analysis of them that somebody asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._clock import from_us
from ...database.analysis.files import merged, read_logs
from ...database.analysis.report import quantile
from ...errors import PostrMagicError
from .reading_memory import Remembered

if TYPE_CHECKING:
    from ...database.analysis.interface import QueryStats
    from ...database.analysis.report import Report

# Seconds for which what was read is shown: each process writes its file every ten.
_KEPT = 10.0
# Beyond so many bytes of files only this process tells: reading them all would take longer than anybody waits.
_LARGEST = 32 * 2**20
_OWN = re.compile(r"\bpm_[a-z_]+\b").search


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, whatever its values: ``total``, ``mean``, ``p95`` and ``slowest`` in seconds.

    ``share`` of the time of all statements, 0 to 1; ``rows`` read or changed for each call.
    """

    fingerprint: str
    sql: str
    count: int
    errors: int
    total: float
    share: float
    mean: float
    p95: float
    slowest: float
    rows: float
    callers: Sequence[tuple[str, int]]
    plan: Sequence[str]


@dataclass(frozen=True, slots=True)
class Statements:
    """What was logged ``since`` by ``processes``; ``alone``: by this one only, the files being too large or off."""

    found: Sequence[Statement]
    since: datetime | None
    processes: int
    seconds: float
    alone: bool = False


SORTS: dict[str, Callable[[Statement], Any]] = {
    "total": lambda one: one.total,
    "mean": lambda one: one.mean,
    "p95": lambda one: one.p95,
    "slowest": lambda one: one.slowest,
    "count": lambda one: one.count,
    "rows": lambda one: one.rows,
}
"""What statements may be ordered by, the greatest first."""


WHOSE: Mapping[str, bool] = {"application": False, "package": True}
"""Whose statements may be asked for, and whether they name a table of this package's."""


def chosen(statements: Sequence[Statement], whose: str, search: str) -> list[Statement]:
    """Those of the application or of this package, or all, that have each word of ``search``."""
    wanted, words = WHOSE.get(whose), search.casefold().split()
    return [
        one
        for one in statements
        if wanted in (None, _OWN(one.sql) is not None) and all(word in one.sql.casefold() for word in words)
    ]


class Queries:
    """The query logs of one application."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: tuple[float, Statements] | None = None

    def read(self, database: Any, monotonic: Callable[[], float]) -> Statements:
        """The statements, the costliest first; read anew after ten seconds."""
        with self._lock:
            now = monotonic()
            if self._read is None or now - self._read[0] >= _KEPT:
                self._read = now, _statements(database)
            return self._read[1]


class Analysis:
    """An analysis of the costliest statements, in a thread that nothing waits for: it explains and guesses, and makes
    no copy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = False
        self.at: datetime | None = None
        self.report: Report | None = None
        self.error = ""

    def start(self, database: Any, url: str, now_us: Callable[[], int]) -> bool:
        """Begin one; ``False`` if one runs."""
        with self._lock:
            if self.running:
                return False
            self.running = True
        run = threading.Thread(
            target=self._run, args=(database, url, now_us), name="postrmagic-dashboard-analysis", daemon=True
        )
        run.start()
        return True

    def _run(self, database: Any, url: str, now_us: Callable[[], int]) -> None:
        from ...database.analysis.analyze import AnalysisOptions, analyze

        try:
            queries, _, _ = _logged(database)
            self.report, self.error = analyze(url, queries, AnalysisOptions(verify=False)), ""
        except PostrMagicError as error:
            self.error = str(error)
        except Exception as error:  # whatever an unknown database says: it is told in its place, as a type alone
            self.error = f"the analysis failed ({type(error).__name__})"
        finally:
            self.at, self.running = from_us(now_us()), False


_queries, _analyses = Remembered(Queries), Remembered(Analysis)


def of(stack: object) -> tuple[Queries, Analysis]:
    """Those of one application."""
    return _queries.of(stack), _analyses.of(stack)


def _statements(database: Any) -> Statements:
    queries, files, alone = _logged(database)
    seconds = sum(query.seconds for query in queries)
    since = min((file.since_us for file in files), default=None)
    found = [_statement(query, seconds) for query in queries]
    return Statements(found, None if since is None else from_us(since), len(files), seconds, alone)


def _logged(database: Any) -> tuple[Sequence[QueryStats], list[Any], bool]:
    """Statements, the files that they are from, and whether they are this process's alone."""
    log = database.queries
    if log is None:
        return (), [], True
    directory = log.options.directory
    if directory is None or _size(directory) > _LARGEST:
        return log.stats(), [], True
    files = [file for file in read_logs(directory) if file.database_id == database.database_id]
    return (merged(files), files, False) if files else (log.stats(), [], True)


def _size(directory: Path) -> int:
    size = 0
    for path in directory.glob("*.json"):
        with suppress(OSError):  # its process has just replaced or removed it
            size += path.stat().st_size
    return size


def _statement(query: QueryStats, seconds: float) -> Statement:
    return Statement(
        fingerprint=query.fingerprint,
        sql=query.sql,
        count=query.count,
        errors=query.errors,
        total=query.seconds,
        share=query.seconds / seconds if seconds else 0.0,
        mean=query.seconds / query.count if query.count else 0.0,
        p95=quantile(query, 0.95),
        slowest=query.slowest,
        rows=query.rows / query.count if query.count else 0.0,
        callers=[(caller.line, caller.count) for caller in query.callers],
        plan=query.plan,
    )
