"""Stores on a SQL database: one table, ``pm_kv``, which makes itself."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from postrmagic_core._clock import Clock
from postrmagic_core._metrics import Metrics
from postrmagic_core._retry import RetryPolicy
from postrmagic_core._sql import Backend, Link, PoolLimits, Role, Timeouts, links_of, open_backend
from postrmagic_core.errors import BackendTimeout, BackendUnavailable, Conflict, OutcomeUnknown
from postrmagic_core.stores.adapters._sweeper import Sweeper
from postrmagic_core.stores.checks import check_keys, check_prefix, check_ttl, check_values, script_args
from postrmagic_core.stores.interface import Script, Usage
from postrmagic_core.stores.locked import LockedStore

R = TypeVar("R")

# Rows one statement deletes: short enough that nobody waits for its locks.
_BATCH = 500
# Rows one statement counts.
_LOOK = 10_000
# Seconds from a store's first use on in which its table may be made. That is no operation, though one waits for it: on
# a busy machine, or a slow disk, it may take longer than an operation is given.
_MAKING = 5.0


class Held:
    """A connection: in a transaction that ``locks`` what it loads, or reading alone; ``until``: its time-out ends.

    A block gives the connection back at its end. ``now``: the server's time in microseconds, once it is known.
    """

    __slots__ = ("link", "locks", "now", "until")

    def __init__(self, link: Link, until: float, *, locks: bool) -> None:
        self.link = link
        self.until = until
        self.locks = locks
        self.now: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.link.__exit__(kind, error, tb)


class SqlStore(LockedStore[Held]):
    """What both dialects share.

    ``timeout``: seconds an operation may take; a conflict is tried again within it. The first one may take up to five
    seconds where it has to make the table. Expired rows are invisible at once and deleted by a thread of its own every
    ``sweep_every`` seconds, from the first write on.
    """

    binds: ClassVar[str]  # the driver's placeholder
    live: ClassVar[str]  # SQL: the row can still be read

    def __init__(
        self, backend: Backend, *, timeout: float = 0.5, clock: Clock | None = None, sweep_every: float = 60.0
    ) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout is a positive number of seconds, got {timeout}")
        self._backend = backend
        self._link = links_of(backend)
        self._timeout = timeout
        self._retry = RetryPolicy(attempts=10_000, base=0.002, cap=0.05)
        self._sweeper = Sweeper(self.sweep, sweep_every)
        self._quiet: dict[str, bool] = {}
        self._prepared = False
        self._making_until: float | None = None

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 0.5, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> Self:
        """``sqlite:///kv.db`` or ``mysql://user:password@host/name`` (``mariadb://``); no I/O yet."""
        limits = Timeouts(connect=timeout, statement=timeout, lock=timeout)
        backend = open_backend(url, pool=PoolLimits(timeout=timeout), timeouts=limits)
        return cls(backend, timeout=timeout, clock=clock)

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`: one statement without a transaction."""
        check_keys(keys)
        if not keys:
            return []
        statement = f"SELECT k, v FROM pm_kv WHERE k IN ({self.marks(keys)}) AND {self.live}"  # noqa: S608 - marks only
        with self._reading() as held:
            found = dict(self.rows(held, statement, (*keys, *self.moment())))
        return [found.get(key) for key in keys]

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        check_keys(items)
        check_values(items.values())
        check_ttl(ttl_ms)
        if items:
            self._writing(lambda held: self.put(held, items, ttl_ms))
            self._sweeper.start()

    def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        check_keys(keys)
        if not keys:
            return 0
        statement = f"DELETE FROM pm_kv WHERE k IN ({self.marks(keys)}) AND {self.live}"  # noqa: S608 - marks only
        return self._writing(lambda held: self.change(held, statement, (*keys, *self.moment())))

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        check_keys(keys)
        check_ttl(ttl_ms)
        if not keys:
            return 0
        ends, values = self.ending(ttl_ms)
        statement = f"UPDATE pm_kv SET e = {ends} WHERE k IN ({self.marks(keys)}) AND {self.live}"  # noqa: S608 - marks
        return self._writing(lambda held: self.change(held, statement, (*values, *keys, *self.moment())))

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`.

        A Script that wrote nothing last time is first tried on one read: a pure body that changes nothing there is as
        good as if it had run locked at that moment. One that does change something runs again, locked.
        """
        check_keys(keys)
        texts = script_args(args)
        if script.read_only or self._quiet.get(script.name, False):
            with self._reading() as held:
                result, changes = self.play(held, script, keys, texts, now_us)
            if not changes:
                return result

        def execute(held: Held) -> R:
            result, changes = self.play(held, script, keys, texts, now_us)
            if changes:
                self.save(held, changes)
            self._quiet[script.name] = not changes
            return result

        result = self.attempt(keys, execute)
        self._sweeper.start()
        return result

    def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`; in batches, each within the time-out."""
        within, bounds = self._within(prefix)
        self._prepare()
        cleared = self._in_batches(f"{within} AND {self.live}", (*bounds, *self.moment()))
        self._in_batches(within, bounds)
        return cleared

    def usage(self, prefix: bytes) -> Usage:
        """See :meth:`SupportsUsage.usage`; in batches, each within the time-out. Nothing is ever evicted."""
        within, bounds = self._within(prefix)
        statement = (
            f"SELECT k, LENGTH(v) FROM pm_kv WHERE k > {self.binds} AND {within} AND {self.live} "  # noqa: S608 - marks
            f"ORDER BY k LIMIT {_LOOK}"
        )
        entries, size, last, more = 0, 0, b"", True
        while more:
            with self._reading() as held:
                found = self.rows(held, statement, (last, *bounds, *self.moment()))
            entries += len(found)
            size += sum(len(key) + length for key, length in found)
            more = len(found) == _LOOK
            last = found[-1][0] if more else last
        return Usage(entries, size, evicted=0)

    def sweep(self, limit: int = 10_000) -> int:
        """Delete at most about ``limit`` expired rows, in small batches; returns how many."""
        self._prepare()
        return self._in_batches(f"NOT ({self.live})", self.moment(), limit)

    def close(self) -> None:
        """End the sweeping thread and close the connections."""
        self._sweeper.stop()
        self._backend.dispose()

    @contextmanager
    def locked(self, keys: Sequence[bytes]) -> Iterator[Held]:
        """A write transaction that holds the rows of ``keys``."""
        with self._held("write") as held:
            self.bound(held)
            held.link.begin()
            self.lock(held, keys)
            yield held
            self.bound(held)
            try:
                held.link.commit()
            except (BackendUnavailable, BackendTimeout) as error:
                raise OutcomeUnknown("the answer to a commit was lost; it was not tried again") from error

    def attempt(self, keys: Sequence[bytes], work: Callable[[Held], R]) -> R:
        """Do ``work`` locked, again after each conflict while the time-out lasts."""

        def once() -> R:
            with self.locked(keys) as held:
                return work(held)

        self._prepare()
        return self._again(once, time.monotonic() + self._timeout)

    def rows(self, held: Held, statement: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a query."""
        self.bound(held)
        return held.link.rows(statement, values)

    def change(self, held: Held, statement: str, values: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        self.bound(held)
        return held.link.change(statement, values)

    @abstractmethod
    def create(self, held: Held) -> None:
        """Make the table where it is missing; :class:`SchemaMismatch` where it is another."""

    @abstractmethod
    def lock(self, held: Held, keys: Sequence[bytes]) -> None:
        """Hold the rows of ``keys``, those that do not exist included."""

    @abstractmethod
    def bound(self, held: Held) -> None:
        """Let the next statement end with ``held.until``; raise :class:`BackendTimeout` when that has passed."""

    @abstractmethod
    def moment(self) -> tuple[int, ...]:
        """The values :attr:`live` binds: the time in milliseconds, unless the server knows it."""

    @abstractmethod
    def ending(self, ttl_ms: int | None) -> tuple[str, tuple[int | None, ...]]:
        """SQL of when a row written now ends, and the values it binds."""

    @abstractmethod
    def put(self, held: Held, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Store the items."""

    @abstractmethod
    def remove(self, held: Held, condition: str, values: Sequence[Any], limit: int) -> int:
        """Delete at most ``limit`` rows that fulfil ``condition``; returns how many."""

    def marks(self, keys: Sequence[bytes]) -> str:
        """A placeholder for each key."""
        return ",".join([self.binds] * len(keys))

    def _within(self, prefix: bytes) -> tuple[str, tuple[bytes, ...]]:
        """The condition for keys that begin with ``prefix``, and what it binds."""
        check_prefix(prefix)
        if (after := _successor(prefix)) is None:
            return f"k >= {self.binds}", (prefix,)
        return f"k >= {self.binds} AND k < {self.binds}", (prefix, after)

    def _writing(self, work: Callable[[Held], R]) -> R:
        return self.attempt((), work)

    def _reading(self) -> Held:
        self._prepare()
        return self._held("read")

    def _held(self, role: Role, until: float | None = None) -> Held:
        link = self._link(role)
        return Held(link, time.monotonic() + self._timeout if until is None else until, locks=role == "write")

    def _again(self, work: Callable[[], R], until: float) -> R:
        """Do ``work``, again after each conflict, until then."""
        failures = 0
        while True:
            try:
                return work()
            except Conflict:
                failures += 1
                pause = self._retry.delay(failures, random.random())  # noqa: S311 - jitter, no secret
                if pause is None or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)

    def _in_batches(self, condition: str, values: Sequence[Any], limit: int | None = None) -> int:
        total = 0
        while limit is None or total < limit:
            removed = self._writing(lambda held: self.remove(held, condition, values, _BATCH))
            total += removed
            if removed < _BATCH:
                break
        return total

    def _prepare(self) -> None:
        """Make the table unless that is done; every thread that comes meanwhile does, and none waits for another."""
        if self._prepared:
            return
        now = time.monotonic()
        if self._making_until is None:
            self._making_until = now + _MAKING
        until = max(self._making_until, now + self._timeout)

        def once() -> None:
            with self._held("write", until) as held:
                self.create(held)

        self._again(once, until)
        self._prepared = True


def _successor(prefix: bytes) -> bytes | None:
    """The least key after all keys that begin with ``prefix``; ``None`` if there is no such bound."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
