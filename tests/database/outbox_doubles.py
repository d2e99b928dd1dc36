"""What the outbox would do without its guards."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete


def without_lock(statement: Any, table: Any) -> Any:
    """Claim without locking."""
    return statement


def delete_in(connection: Connection, column: Any, values: Any) -> int:
    """Delete as one would: a server may read, and lock, the table whole."""
    return connection.execute(delete(column.table).where(column.in_(values))).rowcount if values else 0


def settled_apart(batch: Any, connection: Connection) -> None:
    """Commit the effects, and forget to delete the rows."""
