"""The database: read and write units, retries, the outbox's relay and the package's own schema."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Row
from sqlalchemy.sql import Executable

from .._clock import Clock, SystemClock
from .._lifecycle import Lifecycle, Living
from .._metrics import Metrics, Told
from .._protocols import TagCapture
from .._retry import RetryPolicy
from .._spans import spans
from .._sql import Backend, PoolLimits, PoolState, Timeouts, open_backend
from .._unit import current_unit
from ..errors import Conflict, NotRepeatable
from ..registry import Registry
from . import figures
from .analysis.log import QueryLog
from .analysis.options import QueryLogOptions
from .interface import Deliver, Isolation, OutboxCount
from .outbox import counted
from .runner import Reading, UnitRunner, Writing
from .traced import traced
from .unit import Unit
from .window import Window

if TYPE_CHECKING:
    from .aio import AsyncDatabaseManager
    from .migrating.interface import Migrations
    from .relay import Relay

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseManager(Lifecycle):
    """One database, through units.

    ``url`` is ``sqlite:///app.db``, ``mysql://user:password@host/name`` or ``mariadb://…``; constructing connects to
    nothing. ``migrations`` are the application's own; ``queries`` turns the query log on, then in ``db.queries``.
    ``comments``, an attribute to be set before the first unit, is whether MySQL and MariaDB are told by a comment in
    each statement which request or job it is for.
    Raises :class:`ConfigurationError` for a URL that cannot be used.
    """

    pool: PoolLimits
    migrations: Migrations | None
    metrics: Metrics
    queries: QueryLog | None
    comments: bool = True

    def __init__(
        self,
        url: str,
        *,
        migrations: Migrations | None = None,
        pool: PoolLimits = PoolLimits(),  # noqa: B008 - frozen value object
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen value object
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        registry: Registry | None = None,
        queries: QueryLogOptions | None = None,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.migrations = migrations
        self.metrics = metrics or Metrics()
        self.backend: Backend = open_backend(url, pool=pool, timeouts=timeouts, metrics=self.metrics, registry=registry)
        self._clock = clock or SystemClock()
        self._relays: Living[Relay] = Living()
        self._window = Window(self.backend.database_id(), self.pools, self.metrics)
        self.queries = None
        if queries is not None:
            self.queries = QueryLog(queries, database_id=self.backend.database_id(), clock=self._clock)
        how: dict[str, Any] = {"queries": self.queries, "comments": lambda: self.comments}
        self._units = UnitRunner(self.backend, self._clock, self.metrics, self._window.open, self._wake_relays, **how)
        self._aio: AsyncDatabaseManager | None = None
        self._conflicts = self.metrics.counter("db_conflicts_total")
        self.metrics.report(self._pools_told)
        self.metrics.report(self._outbox_told, shared=True)

    @property
    def database_id(self) -> str:
        """Names the database; free of credentials."""
        return self._units.database_id

    @property
    def dialect(self) -> str:
        """``sqlite``, ``mysql`` or ``mariadb``; a server is asked at the first use."""
        return self.backend.name

    @property
    def aio(self) -> AsyncDatabaseManager:
        """The same database for asyncio."""
        if self._aio is None:
            from .aio import AsyncDatabaseManager

            self._aio = AsyncDatabaseManager(self, self._units)
        return self._aio

    def read(self, *, snapshot: bool = False, tags: Collection[str] | None = None) -> AbstractContextManager[Unit]:
        """A unit that only reads: autocommit, or with ``snapshot`` everything as of one instant.

        ``tags`` makes it a snapshot, too, and captures their generations in the cache before it begins: in ``tx.tags``,
        for ``cache.get_or_set(…, tags=tx.tags)``. Inside a write unit of this database it is that unit, and sees what
        the unit has written.
        """
        current = self.current()
        if current is not None:
            return nullcontext(current)
        self.ensure_open()
        if tags is None:
            plain = Reading(self._units.new("read", snapshot=snapshot))
            return plain if spans.recorder is None or not snapshot else traced(plain, "read")
        unit = self._units.new("read", snapshot=True)
        reading = Reading(unit, partial(self._units.capture, unit, tags))
        return reading if spans.recorder is None else traced(reading, "read")

    def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """Every row of one statement, in a :meth:`read` of its own."""
        with self.read() as tx:
            return tx.execute(statement, parameters).all()

    def use_tags(self, tags: TagCapture) -> None:
        """Let ``read(tags=…)`` ask ``tags``, the cache, for their generations."""
        self._units.use_tags(tags)

    def write(self, *, isolation: Isolation = "default") -> AbstractContextManager[Unit]:
        """A unit that writes: all of it, or none; no update is lost.

        ``serializable`` also excludes write skew on MariaDB. Raises :class:`NestedUnit` inside another write unit of
        this database, retryable :class:`Conflict` when another transaction was in the way, :class:`OutcomeUnknown`
        when the answer to COMMIT was cut off.
        """
        self.ensure_open()
        writing = Writing(self._units, self._units.new("write", isolation=isolation))
        return writing if spans.recorder is None else traced(writing, "write")

    def transactional(self, *, retries: int = 3) -> Callable[[Callable[Concatenate[Unit, P], R]], Callable[P, R]]:
        """Decorate ``fn(tx, …)`` to run in a write unit of its own, or to join the one that is open.

        On a :class:`Conflict` the whole function runs again, at most ``retries`` times with growing random pauses, each
        time in a new unit; never after an :class:`OutcomeUnknown`, never when it joined, and not once it has told of a
        :meth:`Unit.side_effect`: then :class:`NotRepeatable` is raised.
        """

        def decorate(function: Callable[Concatenate[Unit, P], R]) -> Callable[P, R]:
            @wraps(function)
            def run(*args: P.args, **kwargs: P.kwargs) -> R:
                return self._run(lambda tx: function(tx, *args, **kwargs), RetryPolicy(attempts=retries + 1))

            return run

        return decorate

    def transact(self, fn: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``fn(tx, …)`` as :meth:`transactional` would, with up to 3 retries."""
        return self.transactional()(fn)(*args, **kwargs)

    def current(self) -> Unit | None:
        """The write unit this thread or task has open, if any.

        Raises :class:`NestedUnit` when it was opened by another task or thread and merely inherited.
        """
        return current_unit(self._units.database_id)  # type: ignore[return-value]  # units of this database are ours

    def on_write(self, call: Callable[[Unit], object]) -> None:
        """Call ``call(tx)`` inside each write unit that changed something, just before it commits.

        By then its session is flushed, so that ``tx.tables_written`` is complete unless ``tx.tables_unknown``. It may
        stage and add hooks; an error in it rolls the unit back.
        """
        self._units.on_write.append(call)

    def pools(self) -> list[PoolState]:
        """The pools of connections now, and who holds them; `postrmagic db pool` shows those of every process."""
        return self.backend.pools()

    def upgrade(self) -> None:
        """Create or migrate the package's own tables, then the application's if it has ``migrations``.

        Processes that do so together wait for each other. Raises :class:`SchemaMismatch` when the database is newer
        than this code, and :class:`BackendTimeout` when another migrates for more than a minute.
        """
        from .migrating.migrator import Migrator

        self.ensure_open()
        Migrator(self.backend, self.migrations).upgrade()

    def schema_current(self) -> bool:
        """Whether the package's own tables, and the application's ``migrations``, are where this code needs them."""
        from .schema import is_current

        self.ensure_open()
        return is_current(self.backend, self.migrations)

    def relay(self, routes: Mapping[str, Deliver], *, batch: int = 100) -> Relay:
        """What forwards committed outbox rows to ``routes[topic](tx, row)``; see :class:`Relay`."""
        from .relay import Relay

        relay = Relay(self, routes, batch=batch, clock=self._clock)
        self._relays.add(relay)
        return relay

    def outbox_counts(self) -> dict[str, OutboxCount]:
        """Waiting and dead outbox rows by topic, topics without a route included."""
        with self.read() as tx:
            return counted(tx.connection)

    def _run(self, call: Callable[[Unit], R], retry: RetryPolicy) -> R:
        current = self.current()
        if current is not None:
            return call(current)
        failures = 0
        while True:
            done: tuple[str, ...] = ()
            try:
                with self.write() as tx:
                    try:
                        return call(tx)
                    finally:
                        done = tx.side_effects
            except Conflict as conflict:
                if done:
                    raise NotRepeatable(
                        "a conflict rolled the unit back, which was not run again, since it had done this outside the "
                        f"database: {', '.join(done)}"
                    ) from conflict
                failures += 1
                self._conflicts.add()
                delay = retry.delay(failures, random.random())  # noqa: S311 - spreads load, guards nothing
                if delay is None:
                    raise
            self._clock.sleep(delay)

    def _wake_relays(self) -> None:
        for relay in self._relays:
            relay.wake()

    def _pools_told(self) -> Iterator[Told]:
        return figures.of_pools(self.pools())

    def _outbox_told(self) -> Iterator[Told]:
        return figures.of_outbox(self.outbox_counts(), self._clock.now_us())

    def _open(self) -> None:
        self.backend.engine("write")

    def _close(self) -> None:
        for relay in self._relays:
            relay.close()
        if self._aio is not None:
            self._aio._shut()
        self._window.close()
        if self.queries is not None:
            self.queries.close()
        self.backend.dispose(timeout=self.pool.timeout)
