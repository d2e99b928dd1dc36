"""CacheManager: the sync face, and what both faces share."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from .._bridge import Bridge
from .._clock import Clock, SystemClock
from .._lifecycle import Lifecycle, after_fork
from .._metrics import Metrics
from .._protocols import Units
from .._spans import NO_SPAN, spans
from .._steps import Steps, drive
from ..errors import BackendError, Unsupported
from ..stores.checks import check_atomic
from ..stores.interface import Store, SupportsPeek, SupportsScan
from ..stores.lease import Lease, acquire
from . import policy
from .access import Access, Answer, Tags
from .cached import Decorator, Keeping, Recipe
from .filling import Filling
from .flights import Caller, Outcome
from .interface import CacheStats, Committing, Delivery, Unavailable
from .keeper import Keeper
from .names import CacheKeys
from .near import MISSING, Near
from .outage import Outage
from .policy import Freshness
from .tally import Tally
from .traced import hit, operating
from .warming import Port as WarmPort
from .warming import Report, W, Warming, WarmReport, quiet

if TYPE_CHECKING:
    from .aio import AsyncCacheManager

T = TypeVar("T")

# Threads that compute stale entries anew for the sync face.
_REFRESHERS = 2


class CacheManager(Lifecycle):
    """Values by key, computed once however many ask, never served past an invalidation of their tags.

    ``store`` is borrowed: who opened it closes it; its Scripts must be atomic over several keys. ``unavailable`` says
    what happens while it is away: see :class:`~postrmagic_core.cache.outage.Outage`. The cache keeps out of
    open write units of ``database``; left out, of any. ``lease`` is how long (seconds) the death of a process that
    computes can hold up the others, ``wait`` how long a caller waits for a computation elsewhere at most.
    """

    def __init__(
        self,
        store: Store,
        *,
        namespace: str = "app",
        unavailable: Unavailable = "open",
        database: Units | None = None,
        lease: float = 5.0,
        wait: float = 30.0,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        check_atomic(store, "a cache")
        if not 0 < lease < wait:
            raise ValueError(f"expected 0 < lease < wait (seconds), got lease={lease} wait={wait}")
        self.namespace = namespace
        self.store = store
        self.lease = lease
        self.clock: Clock = clock or SystemClock()
        self._tally = Tally(metrics or Metrics(), namespace)
        self._keeper = Keeper(store)
        outage = Outage(unavailable, self._tally.errors, self.clock)
        self._near: Near | None = None
        if isinstance(store, SupportsPeek):
            self._near = Near(store, self.clock.monotonic, self._tally.hits, self._tally.saved_us)
        self.access = Access(CacheKeys(namespace), outage, self._tally, self.clock, self._near)
        self.filling = Filling(self.access, self._keeper, database, wait)
        self.bridge = Bridge(name="postrmagic-cache")
        # Computations that block must not hold up the store's operations, which end other computations.
        self.computing = Bridge(name="postrmagic-cache-compute")
        self.warming = Warming(self)
        self._port = _Port(self)
        after_fork(self.filling.flights.forget)

    @cached_property
    def aio(self) -> AsyncCacheManager:
        """The same cache for asyncio, with the same names."""
        from .aio import AsyncCacheManager

        return AsyncCacheManager(self)

    def get(self, key: str, default: Any = None, *, kind: Any = None) -> Any:
        """The fresh value of ``key``, or ``default``; a stored ``None`` is a value.

        ``kind`` is the type given to ``set`` or ``get_or_set``: an entry of another type is a miss.
        """
        if self._state != "open":
            self.ensure_open()
        if self._near is not None:
            value = self._near.value(key, kind)
            if value is not MISSING:
                return value
        if spans.recorder is None:
            return self._get(key, default, kind)
        with operating("get", self.store, key) as trip:
            value = self._get(key, MISSING, kind)
            trip.tell(hit(value is not MISSING))
            return default if value is MISSING else value

    def _get(self, key: str, default: Any, kind: Any) -> Any:
        tags, names = self.access.asked(key)
        try:
            answer: Answer = self.store.get(names)
        except BackendError as error:
            answer = error
        value = self.access.plain(answer, kind, tags)
        if value is not MISSING:
            return value
        return self._run(self.access.get(key, kind, default, tags, answer))

    def get_many(self, keys: Iterable[str], *, kind: Any = None) -> dict[str, Any]:
        """The fresh values among ``keys``, by key, in at most two trips to the store."""
        with operating("get_many", self.store):
            return self._run(self.access.get_many(keys, kind))

    def set(self, key: str, value: Any, ttl: float, *, tags: Tags = (), kind: Any = None) -> None:
        """Store ``value`` for ``ttl`` seconds.

        ``tags`` are names, whose generations are captured now: after the value was computed. Where an invalidation may
        have come between, pass what :meth:`capture` answered before, or use :meth:`get_or_set`.
        Raises :class:`EncodeError` for a value without a lossless encoding; ``kind`` (a type) helps.
        """
        with operating("set", self.store, key):
            self._run(self.access.set(key, value, ttl, tags, kind))

    def delete(self, *keys: str) -> int:
        """Delete entries, at once; returns how many were there. Raises :class:`BackendError` under every policy."""
        with operating("delete", self.store, count=len(keys)):
            return self._run(self.access.delete(keys))

    def clear(self) -> int:
        """Delete this namespace's entries and nothing else; :class:`Unsupported` where the store cannot scan."""
        if not isinstance(self.store, SupportsScan):
            raise Unsupported(f"{type(self.store).__name__} cannot find keys by prefix: it has no clear()")
        with operating("clear", self.store):
            return self._run(self.access.clear())

    def get_or_set(
        self,
        key: str,
        fn: Callable[[], T],
        *,
        fresh: float,
        stale: float = 0,
        tags: Tags = (),
        kind: Any = None,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
    ) -> T:
        """The value of ``key``; where there is none, what ``fn()`` returns, stored for the next.

        For ``fresh`` seconds (less up to a tenth, by chance) it is served as it is; for ``stale`` seconds more it is
        served while one caller's ``fn`` runs again in a background thread, which begins in the last tenth of the fresh
        time already. ``fn`` runs once however many callers, threads and processes ask at a time; its exception is
        theirs too, and is not stored, unless it is one of ``errors``. ``None`` is a value. ``negative``: the seconds
        for which ``None`` and ``errors`` are stored (0: ``None`` is not); a stored error comes back as the type named,
        with its text.
        Inside a write unit ``fn`` is called and nothing read or stored. Inside a snapshot (``db.read(snapshot=True)``)
        give as ``tags`` what :meth:`capture` answered before it began: what the snapshot shows may be older than an
        invalidation since. Raises :class:`RecursiveCompute` for one's own key within ``fn``, :class:`EncodeError` for
        a value without a lossless encoding, and under ``closed`` the store's errors, or :class:`BackendTimeout` after
        ``wait`` seconds.
        """
        self.ensure_open()
        value = self.filling.nearby(key, kind, tags)
        if value is not MISSING:
            return value  # type: ignore[no-any-return]  # stored values are Any
        with NO_SPAN if spans.recorder is None else operating("get_or_set", self.store, key):
            answer: Answer | None = None
            since = self.clock.monotonic()
            if not self.filling.in_unit():
                asked, names = self.access.named(key, tags)
                try:
                    answer = self.store.get(names)
                except BackendError as error:
                    answer = error
                value = self.access.plain(answer, kind, asked)
                if value is not MISSING:
                    return value  # type: ignore[no-any-return]  # as above
            fill = self.filling.fill(key, fn, Freshness(fresh, stale), tags, kind, negative, errors)
            return self._run(self.filling.get_or_set(fill, Caller(None, since), answer))  # type: ignore[no-any-return]  # as above

    def cached(
        self,
        template: str,
        *,
        fresh: float,
        stale: float = 0,
        tags: Iterable[str] = (),
        kind: Any = ...,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
        ignore: Collection[str] = (),
    ) -> Decorator:
        """Decorate a function, coroutine function or method so that its answers are kept as by :meth:`get_or_set`.

        ``template`` names every parameter that the answer depends on: ``"poster:{media_id}:{self.id}"``; those that it
        does not depend on are in ``ignore``. ``tags`` are templates too, filled as an f-string would. ``kind``: the
        type of the answers, by default what the return annotation says; ``None`` for plain values. A function so
        decorated has ``key(…)``, ``tags(…)``, ``forget(…)`` and ``compute``. The cache need not be open for it. Raises
        :class:`ConfigurationError` where template and signature do not fit.
        """
        keeping = Keeping(fresh=fresh, stale=stale, negative=negative, errors=errors)
        return Decorator(partial(Recipe, self, template, tags, ignore, kind, keeping))

    def warmer(self, name: str, *, after: Iterable[str] = ()) -> Callable[[W], W]:
        """Register ``fn(cache)``, plain or a coroutine function, for :meth:`warm`; ``after``: what it needs."""
        return self.warming.register(name, after)

    def warm(
        self, names: Iterable[str] | None = None, *, time_limit: float | None = None, report: Report = quiet
    ) -> WarmReport:
        """Run warmers, one after the other: ``names`` and those they need, or all.

        Once ``time_limit`` seconds are over no other begins; the one under way ends. One that raises does not stop
        those that do not need it. ``report(name, done, total)`` is called before each, and with an empty name at the
        end. Raises :class:`ConfigurationError` for unknown names and circles, and :class:`OutsideUnit` inside a write
        unit.
        """
        self.ensure_open()
        with WarmPort(self) as port:
            return drive(self.warming.run(names, time_limit, report), port)

    def capture(self, tags: Iterable[str]) -> dict[str, int]:
        """The present generation of each tag: take it before reading what a later :meth:`set` stores."""
        with operating("capture", self.store):
            return self._run(self.access.capture(tags))

    def invalidate(self, *tags: str, tx: Committing | None = None, detached: bool = False) -> None:
        """Make every entry stored under any of ``tags`` a miss, in every process.

        With ``tx`` it happens if and only if the unit commits: at once in this process, and through the outbox should
        the process die before. Without, inside an open unit, :class:`OutsideUnit` is raised unless ``detached`` says
        that now is meant. Raises :class:`BackendError` under every policy: an invalidation is never dropped silently.
        """
        if tx is not None:
            policy.tag_names(tags)
            tx.stage("cache", policy.invalidation(self.namespace, tags))
            tx.after_commit(lambda: self._invalidate(tags))
            return
        self.filling.check_outside(detached)
        self._invalidate(tags)

    def _invalidate(self, tags: Sequence[str]) -> None:
        """:meth:`invalidate` without regard to units."""
        with operating("invalidate", self.store, count=len(tags)):
            self._run(self.access.invalidate(tags))

    def deliver(self, tx: Committing, row: Delivery) -> None:
        """The outbox route of topic ``cache``: invalidate what a committed unit staged. Doing it again does no harm."""
        namespace, tags = policy.read_invalidation(row.payload)
        self._run(self.access.invalidate(tags, CacheKeys(namespace)))

    def stats(self) -> CacheStats:
        """What this namespace did in this process."""
        return self._tally.stats()

    def _run(self, steps: Steps[T]) -> T:
        self.ensure_open()
        return drive(steps, self._port)

    def _open(self) -> None:
        self._port.open()

    def _close(self) -> None:
        self._port.close()
        self._keeper.close()
        self.computing.close()
        self.bridge.close()


class _Port:
    """The operations of the sync face: each returns when it is done."""

    def __init__(self, manager: CacheManager) -> None:
        self.store = manager.store
        self._manager = manager
        self._refreshers: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        after_fork(self._forget)

    def call(self, fn: Callable[[], T]) -> T:
        return fn()

    def wait(self, future: Future[Outcome], seconds: float) -> Outcome:
        return future.result(seconds)

    def sleep(self, seconds: float) -> None:
        self._manager.clock.sleep(seconds)

    def acquire(self, key: bytes) -> Lease | None:
        return acquire(self.store, key, ttl=self._manager.lease, clock=self._manager.clock)

    def release(self, lease: Lease) -> None:
        lease.release()

    def background(self, steps: Steps[None], ended: Callable[[], None]) -> None:
        with self._lock:
            if self._refreshers is None:
                self._refreshers = ThreadPoolExecutor(_REFRESHERS, thread_name_prefix="postrmagic-cache-refresh")
            task = self._refreshers.submit(contextvars.copy_context().run, drive, steps, self)
        task.add_done_callback(lambda _: ended())

    def open(self) -> None:
        self._forget()

    def close(self) -> None:
        with self._lock:
            refreshers, self._refreshers = self._refreshers, None
        if refreshers is not None:
            refreshers.shutdown(wait=True, cancel_futures=True)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._refreshers = None
