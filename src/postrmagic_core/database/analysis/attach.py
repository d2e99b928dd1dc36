"""How the query log hears of statements: by one call of our own dialects, or by the events of any other engine."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

    from ..._sql.dialect import Watcher


class _Events:
    """The listeners of one engine whose dialect tells nobody: SQLAlchemy's own dispatch, at twice the cost."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        # An execution that fails before it began, or without a context, has nothing to be found by.
        self._began: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def before(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if context is not None:
            self._began[context] = perf_counter()

    def after(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        self._tell(cursor, statement, parameters, context, None)

    def failed(self, error: ExceptionContext) -> None:
        context: Any = error.execution_context
        if context is not None and error.statement is not None:
            self._tell(context.cursor, error.statement, error.parameters, context, error.original_exception)

    def _tell(self, cursor: Any, statement: str, parameters: Any, context: Any, error: BaseException | None) -> None:
        began = self._began.pop(context, None) if context is not None else None
        if began is not None:
            self._watcher(cursor, statement, parameters, context, perf_counter() - began, error)


_listening: WeakKeyDictionary[Engine, tuple[Watcher, _Events]] = WeakKeyDictionary()


def attach(engine: Engine, watcher: Watcher) -> None:
    """Let ``watcher`` hear of each statement of ``engine``; of watchers there is one."""
    dialect: Any = engine.dialect
    if hasattr(dialect, "watched"):
        dialect.watched = watcher
    elif engine not in _listening:
        listeners = _Events(watcher)
        _listening[engine] = (watcher, listeners)
        event.listen(engine, "before_cursor_execute", listeners.before)
        event.listen(engine, "after_cursor_execute", listeners.after)
        event.listen(engine, "handle_error", listeners.failed)


def detach(engine: Engine) -> None:
    """Let nobody hear any longer."""
    dialect: Any = engine.dialect
    if hasattr(dialect, "watched"):
        dialect.watched = None
    elif engine in _listening:
        _, listeners = _listening.pop(engine)
        event.remove(engine, "before_cursor_execute", listeners.before)
        event.remove(engine, "after_cursor_execute", listeners.after)
        event.remove(engine, "handle_error", listeners.failed)
