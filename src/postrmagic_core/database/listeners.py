"""What units learn from the engine: the tables they write, and errors after which they cannot go on.

Core statements and ORM flushes both pass here; the unit travels with its connection as an execution option.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Table, event
from sqlalchemy.sql import visitors

from .._sql import Role
from ..errors import BackendError
from . import policy

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

    from .unit import Unit


def listen(engine: Engine, role: Role, connected: Callable[[], None]) -> None:
    """Listen on ``engine``, once; ``connected`` is called now and after each new connection, also of a forked child."""
    if not event.contains(engine, "handle_error", _note_error):
        event.listen(engine, "handle_error", _note_error)
        event.listen(engine, "connect", lambda *_: connected())
        connected()
        if role == "write":
            dialect: Any = engine.dialect
            dialect.noted = _note_written


def _note_written(context: Any) -> None:
    unit: Unit | None = context.execution_options.get("pm_unit")
    statement: Any = context.compiled.statement if context.compiled is not None else None
    if unit is None or getattr(statement, "is_select", False):
        return
    tables: set[str] = set()
    if getattr(statement, "is_dml", False):
        tables = {element.name for element in visitors.iterate(statement.table) if isinstance(element, Table)}
    unit.note_written(tables, context.statement)


def _note_error(context: ExceptionContext) -> None:
    error = getattr(context, "chained_exception", None)  # unset when the backend left the driver's own error
    if context.connection is not None and isinstance(error, BackendError) and policy.ends_unit(error):
        unit: Unit | None = context.connection.get_execution_options().get("pm_unit")
        if unit is not None:
            unit.fail(error)
