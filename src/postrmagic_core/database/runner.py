"""How a unit lives: begun, committed or rolled back, given back, settled. Both faces run their units here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Engine

from .._clock import Clock
from .._lifecycle import after_fork
from .._metrics import Metrics
from .._protocols import TagCapture
from .._sql import Backend, Role
from .._unit import enter, leave
from ..errors import BackendError, UsageError
from .analysis.log import QueryLog
from .interface import Isolation
from .listeners import listen
from .transaction import Transaction
from .unit import Unit

_PLAIN: Mapping[str, object] = {}


class UnitRunner:
    """Makes the units of one database.

    ``connected`` is called after each new connection, ``delivered`` after a commit that left rows for a relay;
    ``comments`` is asked whether a server is told whom each statement is for.
    """

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        metrics: Metrics,
        connected: Callable[[], None],
        delivered: Callable[[], None],
        queries: QueryLog | None = None,
        comments: Callable[[], bool] = bool,
    ) -> None:
        self.database_id = backend.database_id()
        self._backend = backend
        self._clock = clock
        self._connected = connected
        self._delivered = delivered
        self._queries = queries
        self._comments = comments
        # Called in each unit that wrote, just before it commits.
        self.on_write: list[Callable[[Unit], object]] = []
        self._captures: TagCapture | None = None
        self._heard: dict[Role, Engine] = {}
        self._hearing = threading.Lock()
        self._hook_errors = metrics.counter("db_hook_errors_total")
        after_fork(self._forget)

    def new(self, role: Role, *, snapshot: bool = False, isolation: Isolation = "default") -> Transaction:
        """A unit that has not begun."""
        engine = self._heard.get(role) or self._hear(role)
        options: Mapping[str, object] = _PLAIN
        if snapshot:
            options = {"pm_snapshot": True}
        elif isolation != "default":
            options = {"pm_isolation": isolation}
        return Transaction(engine, self.database_id, self._clock, options, writes=role == "write")

    def use_tags(self, tags: TagCapture) -> None:
        """Let :meth:`capture` ask ``tags``."""
        self._captures = tags

    def capture(self, unit: Transaction, tags: Collection[str]) -> None:
        """Note the tags' generations in ``unit``, which has not begun.

        Those of a store that is away are 0, which never was one: what is stored under them is never served.
        """
        if self._captures is None:
            raise UsageError("db.read(tags=…) needs a cache: db.use_tags(cache); a Stack does it")
        try:
            unit.tags = self._captures.capture(tags)
        except BackendError:
            unit.tags = dict.fromkeys(tags, 0)

    def _hear(self, role: Role) -> Engine:
        # Nobody connects by an engine that is still being listened to: SQLAlchemy's list of listeners must not grow
        # while a connection walks it.
        with self._hearing:
            if (heard := self._heard.get(role)) is not None:
                return heard
            engine = self._backend.engine(role)
            listen(engine, role, self._connected)
            if self._queries is not None:
                self._queries.listen(engine)
            dialect: Any = engine.dialect
            if self._comments() and getattr(dialect, "bears_remarks", False):
                from .._sql.comments import commented

                dialect.remark = commented
            self._heard[role] = engine
            return engine

    def _forget(self) -> None:
        # A forked child may have engines of its own.
        self._hearing = threading.Lock()
        self._heard = {}

    def finish(self, unit: Transaction, *, failed: bool) -> None:
        """Commit ``unit``, or roll it back if it ``failed`` or cannot commit; give its connection back."""
        try:
            if failed:
                unit.roll_back()
            else:
                unit.commit(self.on_write)
        except BaseException:
            unit.roll_back()
            raise
        finally:
            unit.release()

    def settle(self, unit: Transaction) -> None:
        """When the unit is no longer current: call its hooks and wake the relays."""
        failed = unit.settle()
        if failed:
            self._hook_errors.add(failed)
        if unit.delivers:
            self._delivered()


class Reading:
    """The block of a reading unit; ``before`` is called before it begins."""

    __slots__ = ("_before", "_unit")

    def __init__(self, unit: Transaction, before: Callable[[], None] | None = None) -> None:
        self._unit = unit
        self._before = before

    def __enter__(self) -> Unit:
        if self._before is not None:
            self._before()
        self._unit.begin()
        return self._unit

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        self._unit.release()


class Writing:
    """The block of a writing unit: current while it is open; then committed or rolled back, given back, settled."""

    __slots__ = ("_runner", "_unit")

    def __init__(self, runner: UnitRunner, unit: Transaction) -> None:
        self._runner = runner
        self._unit = unit

    def __enter__(self) -> Unit:
        enter(self._unit)
        try:
            self._unit.begin()
        except BaseException:
            self._close(failed=True)
            raise
        return self._unit

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: object) -> None:
        self._close(failed=kind is not None)

    def _close(self, *, failed: bool) -> None:
        try:
            self._runner.finish(self._unit, failed=failed)
        finally:
            leave(self._unit)
            self._runner.settle(self._unit)
