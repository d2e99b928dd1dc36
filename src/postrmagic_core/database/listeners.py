"""What units learn from the engine: the tables they write, and errors after which they cannot go on.

Core statements and ORM flushes both pass here; the unit travels with its connection as an execution option.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from .._sql import Role
from ..errors import BackendError
from . import policy
from .written import reads_only, tables_changed

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

    from .transaction import Transaction


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
    if reads_only(context.compiled):
        return
    unit: Transaction | None = context.execution_options.get("pm_unit")
    if unit is not None:
        unit.note_written(tables_changed(context), context.statement)


def _note_error(context: ExceptionContext) -> None:
    error = getattr(context, "chained_exception", None)  # unset when the backend left the driver's own error
    if context.connection is not None and isinstance(error, BackendError) and policy.ends_unit(error):
        unit: Transaction | None = context.connection.get_execution_options().get("pm_unit")
        if unit is not None:
            unit.fail(error)
