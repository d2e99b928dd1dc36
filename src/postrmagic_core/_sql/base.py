"""What the SQL backends share: engines made once, errors translated at one place, an empty pool after fork."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event, exc

from .._lifecycle import after_fork
from ..errors import BackendReadOnly, IntegrityViolation, PostrMagicError
from .interface import PoolLimits, Role, Timeouts
from .pool import BoundedPool, note_birth

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

# The table a failed Core or ORM statement wrote to, for the names that a driver's error leaves out.
Target = Any
# A driver's refusal, by Python's own errors, of an integer beyond 64 bits and of half a surrogate pair.
_UNFIT = (OverflowError, UnicodeEncodeError)


class SqlBackend:
    """Base of the adapters: they supply ``_build`` (an engine), ``_translate`` (an error) and the names."""

    def __init__(self, pool: PoolLimits, timeouts: Timeouts) -> None:
        self.pool = pool
        self.timeouts = timeouts
        self._engines: dict[Role, Engine] = {}
        self._connected: set[Role] = set()
        self._abandoned: list[Any] = []
        self._lock = threading.Lock()
        after_fork(self._forget)

    def engine(self, role: Role) -> Engine:
        """The engine for ``role``, made once."""
        with self._lock:
            engine = self._engines.get(role)
            if engine is None:
                engine = self._engines[role] = self._build(role)
                event.listen(engine, "handle_error", self._handle)
                event.listen(engine, "reset", self._reset)
                event.listen(engine, "connect", note_birth)
                event.listen(engine, "connect", lambda *_: self._connected.add(role))
            return engine

    def map_error(self, error: BaseException) -> PostrMagicError | None:
        """This package's error for a driver's or SQLAlchemy's."""
        if isinstance(error, PostrMagicError):
            return error
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        return None if original is None else self._translate(original, None)

    def dispose(self) -> None:
        """Close the pooled connections."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()

    def _build(self, role: Role) -> Engine:
        raise NotImplementedError

    def _translate(self, error: BaseException, context: ExceptionContext | None) -> PostrMagicError | None:
        raise NotImplementedError

    def _in_transaction(self, connection: Any) -> bool:
        raise NotImplementedError

    def _pool_options(self) -> dict[str, Any]:
        return {
            "poolclass": BoundedPool,
            "pool_size": self.pool.size,
            "max_overflow": self.pool.overflow,
            "pool_timeout": self.pool.timeout,
            "pool_use_lifo": True,
            "pool_reset_on_return": None,
            "hide_parameters": True,
        }

    def _handle(self, context: ExceptionContext) -> PostrMagicError | None:
        execution = context.execution_context
        if execution is not None and execution.execution_options.get("skip_user_error_events"):
            return None  # SQLAlchemy asks whether a table exists and expects the driver's own refusal
        if isinstance(context.original_exception, _UNFIT):
            return IntegrityViolation("a value does not fit its column")
        ours = self._translate(context.original_exception, context)
        if self._evicts(ours):
            context.is_disconnect = True
        return ours

    def _evicts(self, error: PostrMagicError | None) -> bool:
        """Whether the pool's connections go too: a demoted server goes on answering, its successor is elsewhere."""
        return isinstance(error, BackendReadOnly)

    def _reset(self, connection: Any, record: object, state: object) -> None:
        # A ROLLBACK costs a round trip, and most connections come back without a transaction.
        if self._in_transaction(connection):
            connection.rollback()

    def _forget(self) -> None:
        """In a forked child: leave the parent's connections alone, neither used nor closed.

        An engine that has not connected yet is made anew: another thread may have been at it, and would hold its locks
        here for ever.
        """
        self._lock = threading.Lock()
        for role, engine in list(self._engines.items()):
            self._abandoned.append(engine.pool)
            engine.dispose(close=False)
            if role not in self._connected:
                del self._engines[role]


def written_table(context: ExceptionContext | None) -> Target:
    """The table object of the failed insert, update or delete; ``None`` for textual SQL."""
    execution: Any = context.execution_context if context is not None else None
    compiled = getattr(execution, "compiled", None)
    statement = getattr(compiled, "statement", None)
    return getattr(statement, "table", None) if getattr(statement, "is_dml", False) else None
