"""The database for asyncio: a unit owns one thread, its lane, from begin to end; no wait blocks another's COMMIT.

``await db.aio.transact(fn, …)`` runs a whole sync unit in one hop, ``await db.aio.rows(statement)`` one that reads: the
cheapest ways, and those to prefer.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Result, Row
from sqlalchemy.sql import Executable

from .._bridge import Lane, Lanes
from .._sql import PoolState
from .._sql.ledger import application_line, on_behalf_of
from .._unit import entered
from ..errors import NestedUnit
from . import policy
from .interface import Deliver, Isolation, OutboxCount
from .runner import UnitRunner
from .traced import unit_span
from .transaction import Transaction
from .unit import Unit

if TYPE_CHECKING:
    from .manager import DatabaseManager
    from .relay import Relay

P = ParamSpec("P")
R = TypeVar("R")


class AwaitableUnit:
    """A :class:`Unit` whose statements run on its lane; results arrive complete."""

    def __init__(self, unit: Unit, lane: Lane) -> None:
        self._unit = unit
        self._lane = lane
        self.database_id = unit.database_id
        self.stage = unit.stage
        self.before_commit = unit.before_commit
        self.after_commit = unit.after_commit
        self.on_rollback = unit.on_rollback
        self.side_effect = unit.side_effect
        self.wrote = unit.wrote

    @property
    def tables_written(self) -> frozenset[str]:
        """See :attr:`Unit.tables_written`."""
        return self._unit.tables_written

    @property
    def tags(self) -> Mapping[str, int]:
        """The generations captured by ``read(tags=…)``."""
        return self._unit.tags

    @property
    def tables_unknown(self) -> bool:
        """See :attr:`Unit.tables_unknown`."""
        return self._unit.tables_unknown

    @property
    def now_us(self) -> int:
        """Wall time in microseconds since the epoch."""
        return self._unit.now_us

    async def run(self, fn: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``fn(tx, …)`` on the lane with the sync unit: for the ORM, or for several statements in one hop."""
        line = application_line(sys._getframe(1))
        return await self._lane.run(partial(on_behalf_of, line, partial(fn, self._unit, *args, **kwargs)))

    async def execute(self, statement: Executable, parameters: Any = None) -> Result[Any]:
        """Run a Core statement; all rows are fetched."""
        return await self.run(_execute, statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        """The first column of the first row, or ``None``."""
        return await self.run(Unit.scalar, statement, parameters)

    async def scalars(self, statement: Executable, parameters: Any = None) -> Sequence[Any]:
        """The first column of every row."""
        return await self.run(lambda tx: tx.scalars(statement, parameters).all())

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[AwaitableUnit]:
        """A part that may fail alone: on an exception it is undone and what it staged is dropped."""
        part = self._unit.savepoint()
        await self._lane.run(part.__enter__, undo=lambda _: _leave(part, asyncio.CancelledError()))
        try:
            yield self
        except BaseException as error:
            await self._lane.run(partial(_leave, part, error))
            raise
        await self._lane.run(partial(part.__exit__, None, None, None))


class AsyncDatabaseManager:
    """:class:`DatabaseManager` for asyncio: ``db.aio``. It opens and closes with ``db``."""

    def __init__(self, manager: DatabaseManager, units: UnitRunner) -> None:
        self._manager = manager
        self._units = units
        self._lanes: dict[str, Lanes] = {}
        self._faces: WeakKeyDictionary[Unit, AwaitableUnit] = WeakKeyDictionary()

    @property
    def database_id(self) -> str:
        """Names the database."""
        return self._manager.database_id

    @property
    def dialect(self) -> str:
        """``sqlite``, ``mysql`` or ``mariadb``; a server is asked at the first use."""
        return self._manager.dialect

    @asynccontextmanager
    async def read(
        self, *, snapshot: bool = False, tags: Collection[str] | None = None
    ) -> AsyncIterator[AwaitableUnit]:
        """:meth:`DatabaseManager.read`; inside a write unit of this database and task it is that unit."""
        self._manager.ensure_open()
        current = self._manager.current()
        if current is not None:
            yield self._face_of(current)
            return
        is_snapshot = snapshot or tags is not None
        unit = self._units.new("read", snapshot=is_snapshot)
        line = application_line(sys._getframe(1))
        async with AsyncExitStack() as held:
            if is_snapshot:
                held.enter_context(unit_span("read"))
            lane = await held.enter_async_context(self._lanes_for("read").hold())
            if tags is not None:
                await lane.run(partial(self._units.capture, unit, tags))
            await lane.run(partial(unit.begin, line), undo=lambda _: unit.release())
            try:
                yield AwaitableUnit(unit, lane)
            finally:
                await lane.run(unit.release)

    async def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """:meth:`DatabaseManager.rows`, in one hop to a lane, where :meth:`read` takes one for each step."""
        self._manager.ensure_open()
        current = self._manager.current()
        if current is not None:
            return await self._face_of(current).run(_rows, statement, parameters)
        line = application_line(sys._getframe(1))
        call = partial(self._manager.rows, statement, parameters)
        async with self._lanes_for("read").hold() as lane:
            return await lane.run(partial(on_behalf_of, line, call))

    @asynccontextmanager
    async def write(self, *, isolation: Isolation = "default") -> AsyncIterator[AwaitableUnit]:
        """A unit that writes; errors as in :meth:`DatabaseManager.write`.

        Cancelled, the statement under way runs to its end or time-out, then the unit is rolled back.
        """
        self._manager.ensure_open()
        unit = self._units.new("write", isolation=isolation)
        line = application_line(sys._getframe(1))
        with unit_span("write"):
            outside = contextvars.copy_context()
            commit = partial(outside.run, partial(self._end, unit, failed=False))
            undo = partial(outside.run, partial(self._end, unit, failed=True))
            with entered(unit):
                async with self._lanes_for("write").hold() as lane:
                    await lane.run(partial(unit.begin, line), undo=lambda _: undo())
                    self._faces[unit] = AwaitableUnit(unit, lane)
                    try:
                        yield self._faces[unit]
                    except BaseException:
                        await lane.run(undo)
                        raise
                    await lane.run(commit)

    def transactional(
        self, *, retries: int = 3
    ) -> Callable[[Callable[Concatenate[Unit, P], R]], Callable[P, Awaitable[R]]]:
        """Decorate a sync ``fn(tx, …)``: awaited, it runs as one unit on a lane, with retries; it never joins."""

        def decorate(function: Callable[Concatenate[Unit, P], R]) -> Callable[P, Awaitable[R]]:
            whole = self._manager.transactional(retries=retries)(function)

            @wraps(function)
            async def run(*args: P.args, **kwargs: P.kwargs) -> R:
                return await self._in_one_hop(partial(whole, *args, **kwargs))

            return run

        return decorate

    async def transact(self, fn: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the sync ``fn(tx, …)`` as one unit on a lane, with up to 3 retries on conflict."""
        return await self._in_one_hop(lambda: self._manager.transact(fn, *args, **kwargs))

    def current(self) -> Unit | None:
        """The write unit this task has open, if any."""
        return self._manager.current()

    def on_write(self, call: Callable[[Unit], object]) -> None:
        """:meth:`DatabaseManager.on_write`: ``call`` gets the sync unit, on its lane."""
        self._manager.on_write(call)

    def pools(self) -> list[PoolState]:
        """The pools of connections now, and who holds them."""
        return self._manager.pools()

    async def upgrade(self) -> None:
        """Create or migrate the package's own tables."""
        await self._in_one_hop(self._manager.upgrade)

    async def schema_current(self) -> bool:
        """Whether the package's own tables are those that this version needs."""
        return await self._in_one_hop(self._manager.schema_current)

    def relay(self, routes: Mapping[str, Deliver], *, batch: int = 100) -> Relay:
        """:meth:`DatabaseManager.relay`: it runs in a thread of its own."""
        return self._manager.relay(routes, batch=batch)

    async def outbox_counts(self) -> dict[str, OutboxCount]:
        """Waiting and dead outbox rows by topic."""
        return await self._in_one_hop(self._manager.outbox_counts)

    async def _in_one_hop(self, call: Callable[[], R]) -> R:
        self._manager.ensure_open()
        if self._manager.current() is not None:
            # It would wait for the lane that this very task holds.
            raise NestedUnit("this task has a unit of the database open: use tx.run(fn, …) to join it")
        line = application_line(sys._getframe(1))
        async with self._lanes_for("write").hold() as lane:
            return await lane.run(partial(on_behalf_of, line, call))

    def _end(self, unit: Transaction, *, failed: bool) -> None:
        """On the lane, in the context the task had before the unit: hooks find it current here, then gone."""
        try:
            with entered(unit):
                self._units.finish(unit, failed=failed)
        finally:
            self._units.settle(unit)

    def _face_of(self, unit: Unit) -> AwaitableUnit:
        face = self._faces.get(unit)
        if face is None:
            raise NestedUnit("this task has a sync unit of the database open: pass its tx on")
        return face

    def _lanes_for(self, role: str) -> Lanes:
        """As many lanes as pooled connections; SQLite has one writer."""
        lanes = self._lanes.get(role)
        if lanes is None:
            size = 1 if role == "write" and policy.single_writer(self.database_id) else self._manager.pool.size
            lanes = self._lanes[role] = Lanes(size, f"postrmagic-db-{role}")
        return lanes

    def _shut(self) -> None:
        lanes, self._lanes = self._lanes, {}
        for each in lanes.values():
            each.close()


def _execute(unit: Unit, statement: Executable, parameters: Any) -> Result[Any]:
    result = unit.execute(statement, parameters)
    # Rows are fetched here, on the lane: the loop's thread must not wait for the server.
    return result.freeze()() if result.returns_rows else result


def _rows(unit: Unit, statement: Executable, parameters: Any) -> Sequence[Row[Any]]:
    return unit.execute(statement, parameters).all()


def _leave(part: AbstractContextManager[Unit], error: BaseException) -> None:
    part.__exit__(type(error), error, error.__traceback__)
