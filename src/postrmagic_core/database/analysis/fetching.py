"""What fetching costs on SQLite, which looks for the second row only when it is asked for it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from sqlalchemy.engine.cursor import _DEFAULT_FETCH, CursorFetchStrategy

# Called once, when the result is closed: seconds spent in fetching, and rows.
Fetched = Callable[[float, int], None]


class TimedFetch(CursorFetchStrategy):
    """SQLAlchemy's plain way to fetch, timed for one result."""

    __slots__ = ("_busy", "_fetched", "_rows", "_seconds")

    def __init__(self, fetched: Fetched) -> None:
        self._fetched: Fetched | None = fetched
        self._seconds = 0.0
        self._rows = 0
        self._busy = False

    def fetchone(self, result: Any, dbapi_cursor: Any, hard_close: bool = False) -> Any:
        """One row."""
        row = self._timed(super().fetchone, result, dbapi_cursor, hard_close)
        self._count(result, 0 if row is None else 1)
        return row

    def fetchmany(self, result: Any, dbapi_cursor: Any, size: int | None = None) -> Any:
        """Some rows."""
        rows = self._timed(super().fetchmany, result, dbapi_cursor, size)
        self._count(result, len(rows))
        return rows

    def fetchall(self, result: Any, dbapi_cursor: Any) -> Any:
        """All rows."""
        rows = self._timed(super().fetchall, result, dbapi_cursor)
        self._count(result, len(rows))
        return rows

    def soft_close(self, result: Any, dbapi_cursor: Any) -> None:
        """No more rows are wanted."""
        super().soft_close(result, dbapi_cursor)
        self._end()

    def hard_close(self, result: Any, dbapi_cursor: Any) -> None:
        """Nor is the result."""
        super().hard_close(result, dbapi_cursor)
        self._end()

    def _timed(self, fetch: Callable[..., Any], *args: Any) -> Any:
        self._busy, began = True, perf_counter()
        try:
            return fetch(*args)
        finally:
            self._seconds += perf_counter() - began
            self._busy = False

    def _count(self, result: Any, rows: int) -> None:
        self._rows += rows
        if result.cursor_strategy is not self:
            self._end()

    def _end(self) -> None:
        if not self._busy and self._fetched is not None:
            fetched, self._fetched = self._fetched, None
            fetched(self._seconds, self._rows)


def time_fetching(context: Any, fetched: Fetched) -> None:
    """Let the result of this execution tell what fetching it took; one that is fetched in a way of its own does not."""
    if context.cursor_fetch_strategy is _DEFAULT_FETCH:
        context.cursor_fetch_strategy = TimedFetch(fetched)
