"""What the SQL backends share: engines made once, errors translated at one place, an empty pool after fork."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event, exc

from .._lifecycle import after_fork
from .._metrics import Metrics
from ..errors import BackendReadOnly, IntegrityViolation, PostrMagicError
from .interface import PoolLimits, PoolState, Role, Timeouts
from .ledger import Ledger
from .overstay import unwatch, watch
from .pool import BoundedPool, note_birth

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

logger = logging.getLogger("postrmagic_core.database")

# The table a failed Core or ORM statement wrote to, for the names that a driver's error leaves out.
Target = Any
# A driver's refusal, by Python's own errors, of an integer beyond 64 bits and of half a surrogate pair.
_UNFIT = (OverflowError, UnicodeEncodeError)


class SqlBackend:
    """Base of the adapters: they supply ``_build`` (an engine with an :class:`Instrumented` dialect), ``_open`` (a
    driver's connection), ``_begin_read``, ``_begin_write``, ``_translate`` (an error) and the names.
    """

    limits: PoolLimits
    timeouts: Timeouts

    def __init__(self, limits: PoolLimits, timeouts: Timeouts, metrics: Metrics) -> None:
        self.limits = limits
        self.timeouts = timeouts
        self._metrics = metrics
        self._engines: dict[Role, Engine] = {}
        self._ledgers: dict[Role, Ledger] = {}
        self._connected: set[Role] = set()
        self._abandoned: list[Any] = []
        self._lock = threading.Lock()
        after_fork(self._forget)

    def engine(self, role: Role) -> Engine:
        """The engine for ``role``, made once."""
        engine = self._engines.get(role)
        if engine is None:
            with self._lock:
                engine = self._engines.get(role)
                if engine is None:
                    engine = self._engines[role] = self._equipped(self._build(role), role)
        return engine

    def map_error(self, error: BaseException) -> PostrMagicError | None:
        """This package's error for a driver's or SQLAlchemy's."""
        if isinstance(error, PostrMagicError):
            return error
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        return None if original is None else self._translate(original, None)

    def pools(self) -> list[PoolState]:
        """Its pools now, of those roles that were used."""
        return [self._state(role, engine.pool) for role, engine in list(self._engines.items())]

    def dispose(self, timeout: float = 0.0) -> None:
        """Close the pooled connections, those of other threads within ``timeout`` seconds or when they come back."""
        deadline = time.monotonic() + timeout
        mine = threading.get_ident()
        while any(ledger.held > ledger.held_by(mine) for ledger in self._ledgers.values()):
            if time.monotonic() > deadline:
                told = "; ".join(filter(None, (ledger.told() for ledger in self._ledgers.values())))
                logger.warning("the database is closed while connections are in use: %s", told)
                break
            time.sleep(0.01)
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()
        for ledger in self._ledgers.values():
            unwatch(ledger)

    def _build(self, role: Role) -> Engine:
        raise NotImplementedError

    def _open(self, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    def _begin_read(self, connection: Any) -> None:
        raise NotImplementedError

    def _begin_write(self, connection: Any) -> None:
        raise NotImplementedError

    def _translate(self, error: BaseException, context: ExceptionContext | None) -> PostrMagicError | None:
        raise NotImplementedError

    def _in_transaction(self, connection: Any) -> bool:
        raise NotImplementedError

    def _pool_options(self) -> dict[str, Any]:
        return {
            "poolclass": BoundedPool,
            "pool_size": self.limits.size,
            "max_overflow": self.limits.overflow,
            "pool_timeout": self.limits.timeout,
            "pool_use_lifo": True,
            "hide_parameters": True,
        }

    def _equipped(self, engine: Engine, role: Role) -> Engine:
        ledger = self._ledgers.setdefault(role, Ledger(role, self._metrics))
        dialect: Any = engine.dialect
        pool: Any = engine.pool
        pool.ledger, pool.max_age = ledger, self.limits.max_age
        dialect.equip(
            self._open,
            ledger.begin_connect,
            self._begin_read if role == "read" else self._begin_write,
            self._in_transaction,
        )
        event.listen(engine, "handle_error", self._handle)
        event.listen(engine, "connect", note_birth)
        event.listen(engine, "connect", lambda *_: self._came_up(role, ledger))
        return engine

    def _came_up(self, role: Role, ledger: Ledger) -> None:
        self._connected.add(role)
        ledger.end_connect()
        watch(ledger, self.limits.hold_budget)

    def _state(self, role: Role, pool: Any) -> PoolState:
        ledger = self._ledgers[role]
        holders = tuple(ledger.holders())
        return PoolState(
            role, self.limits.capacity, len(holders) + pool.checkedin(), len(holders), ledger.waiting, holders
        )

    def _handle(self, context: ExceptionContext) -> PostrMagicError | None:
        execution = context.execution_context
        if execution is not None and execution.execution_options.get("skip_user_error_events"):
            return None  # SQLAlchemy asks whether a table exists and expects the driver's own refusal
        error = context.original_exception
        ours = self._weighed(error, lambda: self._translate(error, context))
        if self._evicts(ours):
            context.is_disconnect = True
        return ours

    def _weighed(self, error: BaseException, translate: Callable[[], PostrMagicError | None]) -> PostrMagicError | None:
        """This package's error for what was raised, as far as it is one; it may cost all connections."""
        ours = IntegrityViolation("a value does not fit its column") if isinstance(error, _UNFIT) else translate()
        if self._evicts(ours):
            for engine in list(self._engines.values()):
                pool: Any = engine.pool
                pool.outdate()
        return ours

    def _evicts(self, error: PostrMagicError | None) -> bool:
        """Whether all connections go, the readers' too: a demoted server goes on answering, its successor is elsewhere.

        Readers that stayed would not see what is written from now on.
        """
        return isinstance(error, BackendReadOnly)

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
