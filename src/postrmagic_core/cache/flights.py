"""Single-flight within a process: one table for threads and event loops alike.

Whoever finds no flight for an entry (by its name in the store) leads one; the others wait for its outcome, threads by
``Future.result``, tasks by ``asyncio.wrap_future``. Every flight ends, whatever ends its leader.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Landed:
    """The flight brought a value: its bytes, so that every waiter decodes an object of its own."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The computation raised; waiters raise the same."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Lost:
    """The leader was cancelled or gave up: waiters elect another."""


Outcome: TypeAlias = Landed | Failed | Lost

# The present numbers of an entry's tags, in their order; ``None`` where there is none.
Generations: TypeAlias = tuple[int | None, ...]


class Caller(NamedTuple):
    """Who asks: on which event loop, if any; since when (monotonic seconds), and what it saw of its tags then."""

    loop: asyncio.AbstractEventLoop | None
    since: float
    seen: Generations = ()


class Flight:
    """One computation under way; ``loop`` is the event loop its leader runs on, if any.

    What it brings is as old as ``as_of`` (monotonic seconds; ``None``: not begun), when its tags had ``generations``.
    """

    __slots__ = ("_known", "future", "loop", "name", "table")

    def __init__(self, table: Flights, name: bytes, loop: asyncio.AbstractEventLoop | None) -> None:
        self.table = table
        self.name = name
        self.loop = loop
        self._known: tuple[float, Generations | None] | None = None
        self.future: Future[Outcome] = Future()
        # A running future cannot be cancelled: a waiter that goes away takes nobody with it.
        self.future.set_running_or_notify_cancel()

    def brings(self, as_of: float | None, generations: Generations | None = None) -> None:
        """Say from when what the leader has in hand is: before it reads, before it computes. ``None``: nothing."""
        self._known = None if as_of is None else (as_of, generations)

    def serves(self, since: float, seen: Generations) -> bool:
        """Whether what it brings is new enough for a caller who began at ``since`` and then read ``seen``.

        Otherwise an invalidation may lie between, and the caller would get what was computed before it.
        """
        known = self._known
        return known is None or known[0] >= since or known[1] == seen

    def would_deadlock(self) -> bool:
        """Whether waiting here would stop the very loop that leads the flight."""
        return self.loop is not None and self.loop is _running_loop()

    def leave(self, outcome: Outcome) -> None:
        """End the flight, once: a second outcome changes nothing."""
        self.table.remove(self)
        if not self.future.done():
            self.future.set_result(outcome)


class Flights:
    """The computations under way in one cache."""

    def __init__(self) -> None:
        self.forget()

    def join(self, name: bytes, caller: Caller) -> tuple[Flight, bool]:
        """The flight for ``name`` that serves this caller (:meth:`Flight.serves`), and whether the caller leads it.

        One that does not serve it ends without the table: those who wait for it are told.
        """
        with self._lock:
            flight = self._flying.get(name)
            if flight is not None and flight.serves(caller.since, caller.seen):
                return flight, False
            flight = self._flying[name] = Flight(self, name, caller.loop)
            return flight, True

    def remove(self, flight: Flight) -> None:
        """Take ``flight`` from the table, if it is still there."""
        with self._lock:
            if self._flying.get(flight.name) is flight:
                del self._flying[flight.name]

    def computing(self, name: bytes) -> bool:
        """Whether the calling code runs inside the computation of ``name``."""
        flights = _computing.get()
        return bool(flights) and any(
            flight.table is self and flight.name == name and not flight.future.done() for flight in flights
        )

    def forget(self) -> None:
        """Start empty: in a forked child no leader lives on."""
        self._lock = threading.Lock()
        self._flying: dict[bytes, Flight] = {}


# The flights whose computations the running code is inside of, outermost first.
_computing: ContextVar[tuple[Flight, ...]] = ContextVar("postrmagic_cache_computing", default=())


@contextmanager
def inside(flight: Flight) -> Iterator[None]:
    """Mark the block as part of ``flight``'s computation."""
    token = _computing.set((*_computing.get(), flight))
    try:
        yield
    finally:
        _computing.reset(token)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
