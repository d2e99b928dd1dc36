"""What units learn from the engine: the tables they write, and errors after which they cannot go on.

Core statements and ORM flushes both pass here; the unit travels with its connection as an execution option.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Table, event
from sqlalchemy.sql import visitors

from .._sql import Role
from ..errors import BackendError
from . import policy

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

    from .unit import Unit

_NONE: frozenset[str] = frozenset()
_written: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


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
    compiled = context.compiled
    if compiled is not None and getattr(compiled.statement, "is_select", False):
        return
    unit: Unit | None = context.execution_options.get("pm_unit")
    if unit is not None:
        unit.note_written(_tables_of(compiled), context.statement)


def _tables_of(compiled: Any) -> frozenset[str]:
    """The tables that a Core statement or a flush changes: found once, since SQLAlchemy keeps what it compiled."""
    if compiled is None:
        return _NONE
    found = _written.get(compiled)
    if found is None:
        statement, found = compiled.statement, _NONE
        if getattr(statement, "is_dml", False):
            elements = visitors.iterate(statement.table)
            found = frozenset(element.name for element in elements if isinstance(element, Table))
        _written[compiled] = found
    return found


def _note_error(context: ExceptionContext) -> None:
    error = getattr(context, "chained_exception", None)  # unset when the backend left the driver's own error
    if context.connection is not None and isinstance(error, BackendError) and policy.ends_unit(error):
        unit: Unit | None = context.connection.get_execution_options().get("pm_unit")
        if unit is not None:
            unit.fail(error)
