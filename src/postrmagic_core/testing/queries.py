"""How many statements a block of a test may send to a database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._clock import SystemClock
from ..database.analysis.log import QueryLog
from ..database.analysis.options import QueryLogOptions

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..database.analysis.fingerprint import Statement

# A log of its own for the block warns of nothing.
_NEVER = 10**9


@dataclass(frozen=True, slots=True)
class SeenQuery:
    """One execution: the statement without its values, and ``file:line (function)`` of the application."""

    fingerprint: str
    sql: str
    line: str


class SeenQueries:
    """What ran in the block, of every thread and task, in order; grows while it runs."""

    def __init__(self) -> None:
        self.queries: list[SeenQuery] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.queries)

    def __iter__(self) -> Iterator[SeenQuery]:
        return iter(list(self.queries))

    def note(self, statement: Statement, seconds: float, line: str) -> None:
        """Add one execution."""
        with self._lock:
            self.queries.append(SeenQuery(statement.fingerprint, statement.sql, line))

    def told(self) -> str:
        """The statements, the most frequent first, with how often each ran and from which lines."""
        texts: dict[str, str] = {}
        lines: dict[str, Counter[str]] = {}
        for query in self:
            texts[query.fingerprint] = query.sql
            lines.setdefault(query.fingerprint, Counter())[query.line or "(the package itself)"] += 1
        counted = sorted(lines.items(), key=lambda item: -item[1].total())
        return "\n".join(
            f"{seen.total():>5} x {texts[fingerprint]}"
            + "".join(f"\n{count:>11} at {line}" for line, count in seen.items())
            for fingerprint, seen in counted
        )

    @property
    def most_repeated(self) -> int:
        """How often the most frequent statement ran."""
        return max(Counter(query.fingerprint for query in self).values(), default=0)


@contextmanager
def assert_queries(
    database: DatabaseManager, *, max: int | None = None, exactly: int | None = None, repeated: int | None = None
) -> Iterator[SeenQueries]:
    """Fail when the block sends more statements than ``max``, not ``exactly`` so many, or one ``repeated`` times.

    Statements of every thread and task count, transactions' own (BEGIN, SAVEPOINT, …) do not. Raises
    :class:`AssertionError` with what ran and from where; an error of the block goes first.
    """
    if max is exactly is repeated is None:
        raise ValueError("expected max=, exactly= or repeated=: what shall hold of the block?")
    seen = SeenQueries()
    with _observed(database, seen):
        yield seen
    count = len(seen)
    if exactly is not None and count != exactly:
        raise AssertionError(f"expected exactly {exactly} statements, {count} ran:\n{seen.told()}")
    if max is not None and count > max:
        raise AssertionError(f"expected at most {max} statements, {count} ran:\n{seen.told()}")
    if repeated is not None and seen.most_repeated >= repeated:
        raise AssertionError(f"a statement ran {seen.most_repeated} times, {repeated} are too often:\n{seen.told()}")


@contextmanager
def _observed(database: DatabaseManager, seen: SeenQueries) -> Iterator[None]:
    log = database.queries
    engines = [database.backend.engine("read"), database.backend.engine("write")]
    if log is None:
        options = QueryLogOptions(slow=_NEVER, repeated=_NEVER)
        log = QueryLog(options, database_id=database.database_id, clock=SystemClock())
        for engine in engines:
            log.listen(engine)
    log.observe(seen.note)
    try:
        yield
    finally:
        log.unobserve(seen.note)
        if database.queries is None:
            for engine in engines:
                log.leave(engine)
