"""What units learn from the engine: the tables they write, and errors after which they cannot go on.

Core statements and ORM flushes both pass here; the unit travels with its connection as an execution option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.sql import visitors

from ..errors import BackendError
from . import policy

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

    from .unit import Unit


def listen(engine: Engine) -> None:
    """Listen on ``engine``, once."""
    if not event.contains(engine, "before_execute", _note_tables):
        event.listen(engine, "before_execute", _note_tables)
        event.listen(engine, "handle_error", _note_error)


def _note_tables(connection: Connection, statement: Any, multi: Any, parameters: Any, options: Any) -> None:
    if getattr(statement, "is_dml", False):
        unit: Unit | None = connection.get_execution_options().get("pm_unit")
        if unit is not None:
            found = visitors.iterate(statement.table)
            unit.note_tables({element.name for element in found if isinstance(element, Table)})


def _note_error(context: ExceptionContext) -> None:
    error = getattr(context, "chained_exception", None)  # unset when the backend left the driver's own error
    if context.connection is not None and isinstance(error, BackendError) and policy.ends_unit(error):
        unit: Unit | None = context.connection.get_execution_options().get("pm_unit")
        if unit is not None:
            unit.fail(error)
