"""What is counted of one statement while the process runs."""

from __future__ import annotations

from bisect import bisect_left

from ..._metrics import LATENCY_BOUNDS
from .execution import Execution
from .fingerprint import Statement
from .interface import Caller, QueryStats

# The histogram's first bucket, seconds: nearly every statement falls into it, and is counted without a search.
FAST = LATENCY_BOUNDS[0]
# The first executions are looked at closely, and then every 256th.
_FIRST = 3
_MASK = 255
_CALLERS = 20


class Entry:
    """Counted without a lock: of two threads at once one may, rarely, be missed (see ``_metrics``).

    ``fast`` counts executions within :data:`FAST`; one for which ``fast & mask`` is 0 is looked at closely.
    ``tells_rows``: the driver's cursor says how many rows it is about; SQLite's does not when they are read.
    """

    __slots__ = (
        "buckets",
        "callers",
        "errors",
        "fast",
        "fetched",
        "fetched_rows",
        "fetching",
        "mask",
        "plan",
        "rows",
        "seconds",
        "slowest",
        "statement",
        "tells_rows",
        "watched",
    )

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.fast = 0
        self.mask = 0
        self.seconds = 0.0
        self.slowest = 0.0
        self.buckets = [0] * (len(LATENCY_BOUNDS) + 1)
        self.errors = 0
        self.rows = 0
        self.callers: dict[str, int] = {}
        self.plan: tuple[str, ...] = ()
        self.watched = False
        self.tells_rows = True
        self.fetched = 0
        self.fetched_rows = 0
        self.fetching = 0.0

    @property
    def count(self) -> int:
        """How often it was executed."""
        return self.fast + sum(self.buckets)

    @property
    def main_line(self) -> str:
        """The line that most of the executions looked at came from; empty if none is known."""
        return max(self.callers.copy().items(), key=lambda item: item[1], default=("", 0))[0]

    def looked_at(self, execution: Execution) -> None:
        """Count an execution, with the line it came from."""
        if execution.seconds <= FAST:
            self.fast += 1
        else:
            self.buckets[bisect_left(LATENCY_BOUNDS, execution.seconds)] += 1
        self.errors += execution.failed
        line = execution.line
        if line and (line in self.callers or len(self.callers) < _CALLERS):
            self.callers[line] = self.callers.get(line, 0) + 1
        if not self.watched and self.fast >= _FIRST:
            self.mask = _MASK

    def fetched_in(self, seconds: float, executed: float, rows: int) -> None:
        """Add what fetching took to an execution of ``executed`` seconds that was counted already."""
        self.fetched += 1
        self.fetched_rows += rows
        self.seconds += seconds
        self.slowest = max(self.slowest, executed + seconds)
        if executed + seconds > FAST:
            if executed <= FAST:
                self.fast -= 1
            else:
                self.buckets[bisect_left(LATENCY_BOUNDS, executed)] -= 1
            self.buckets[bisect_left(LATENCY_BOUNDS, executed + seconds)] += 1
        self.fetching += seconds
        # On average, since one slow fetch may be the machine's: then each is timed, from now on and while it is so.
        self.watched = self.fetching > FAST * self.fetched
        self.mask = 0 if self.watched else self.mask

    def stats(self) -> QueryStats:
        """What is known by now; rows that SQLite read are reckoned from the fetches that were looked at."""
        count = self.count
        read = round(self.fetched_rows * max(1.0, (count - self.errors) / self.fetched)) if self.fetched else 0
        callers = sorted(self.callers.copy().items(), key=lambda item: -item[1])
        return QueryStats(
            fingerprint=self.statement.fingerprint,
            sql=self.statement.sql,
            count=count,
            errors=self.errors,
            seconds=self.seconds,
            slowest=self.slowest,
            buckets=(self.fast + self.buckets[0], *self.buckets[1:]),
            rows=self.rows + read,
            callers=tuple(Caller(line, seen) for line, seen in callers),
            plan=self.plan,
        )
