"""A statement that was slow is told with its plan."""

from __future__ import annotations

import logging
from typing import Any

from ..._clock import Clock
from ..._work import current_work
from .execution import Execution
from .throttle import Throttle, kind_of

logger = logging.getLogger("postrmagic_core.database")


class SlowLog:
    """Warnings, for each statement at most one a minute."""

    def __init__(self, threshold: float, clock: Clock) -> None:
        self.threshold = threshold
        self._clock = clock
        self._throttle = Throttle()

    def tell(self, execution: Execution, dialect: str) -> None:
        """Log it, and ask for its plan unless it failed; nothing is raised."""
        statement, line = execution.entry.statement, execution.line
        if not self._throttle.allows(statement.fingerprint, "", self._clock.monotonic()):
            return
        work = current_work()
        label = "" if work is None else kind_of(str(work))
        plan = plan_of(execution, dialect)
        execution.entry.plan = plan or execution.entry.plan
        logger.warning(
            "a statement %s %.3f s%s%s: %s%s",
            *("failed after" if execution.failed else "took", execution.seconds),
            *(f" at {line}" if line else "", f" for {label}" if label else "", statement.sql),
            "".join(f"\n  {step}" for step in plan),
            extra={
                "fingerprint": statement.fingerprint,
                "sql": statement.sql,
                "seconds": execution.seconds,
                "line": line,
                "work": label,
                "plan": plan,
            },
        )


def plan_of(execution: Execution, dialect: str) -> tuple[str, ...]:
    """EXPLAIN on the statement's own connection, through a cursor of its own; empty where it cannot be asked.

    It only reads the schema (SQLite) or takes locks that the statement has taken (MySQL), and changes neither what the
    statement answered nor ``LAST_INSERT_ID()``; on MySQL ``ROW_COUNT()``, ``FOUND_ROWS()`` and ``SHOW WARNINGS`` then
    speak of the EXPLAIN. The server's time-out for statements holds.
    """
    if execution.failed or not _can_be_explained(execution):
        return ()
    try:
        with_cursor = execution.connection.cursor()
        try:
            return _asked(with_cursor, execution, dialect)
        finally:
            with_cursor.close()
    except Exception as error:
        logger.debug("EXPLAIN failed (%s)", type(error).__name__)
        return ()


def _can_be_explained(execution: Execution) -> bool:
    context, sql = execution.context(), execution.entry.statement.sql
    if execution.entry.statement.kind != "data":
        return False
    if sql[:7].upper() in {"INSERT ", "REPLACE"} and "SELECT" not in sql.upper():
        return False  # there is nothing to look for
    if context is None:
        return True
    # A result that the server still sends would be cut off; a connection given back may be another's.
    options = context.execution_options
    return not (options.get("stream_results") or options.get("yield_per") or context.root_connection.closed)


def _asked(cursor: Any, execution: Execution, dialect: str) -> tuple[str, ...]:
    context, parameters = execution.context(), execution.parameters
    if context is not None and context.executemany:
        parameters = parameters[0]
    text = ("EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN FORMAT=TRADITIONAL ") + execution.text
    if not parameters and (context is None or context.no_parameters):
        cursor.execute(text)
    else:
        cursor.execute(text, parameters)
    if dialect == "sqlite":
        # What a virtual table says of its index is its own text, and may be made of values.
        return tuple(str(row[3]).partition(" VIRTUAL TABLE INDEX ")[0] for row in cursor.fetchall())
    from .plans import mysql_plan

    names = [column[0] for column in cursor.description]
    return mysql_plan([dict(zip(names, row, strict=True)) for row in cursor.fetchall()]).lines
