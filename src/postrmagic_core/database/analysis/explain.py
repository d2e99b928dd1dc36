"""Asking a database how it would run a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from .plans import Plan, mysql_plan, sqlite_plan
from .sqltext import bound
from .statements import Statement


def explain(connection: Connection, dialect: str, statement: Statement, values: Sequence[Any]) -> Plan:
    """The plan with these values for its placeholders; raises :class:`BackendError` as the statement itself would."""
    sql, parameters = bound(statement.sql, statement.positions, values, dialect)
    if dialect == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return sqlite_plan([row[3] for row in rows])
    return mysql_plan([dict(row) for row in connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).mappings()])
