"""Which unit is open here: kept per database and per owner, so that two tasks never share a connection.

The owner is the running asyncio task, or the thread where none runs. A child task, a thread or a copied context
inherits the variable but is not the owner: it gets :class:`NestedUnit` instead of somebody else's connection.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from ._retry import RetryPolicy
from .errors import Conflict, NestedUnit, OutsideUnit, PostrMagicError

if TYPE_CHECKING:
    from ._protocols import UnitLike, Units

R = TypeVar("R")

# Ten who write the same row at once need at most ten tries.
_OWN_WRITES = RetryPolicy(attempts=10, base=0.005, cap=0.2)
# A server that is silent takes a whole time-out a try: after so many seconds nobody begins another.
_SILENCE = 2.0
_open: ContextVar[Mapping[str, tuple[object, UnitLike]]] = ContextVar("postrmagic_units", default=MappingProxyType({}))


def _owner() -> object:
    loop = asyncio._get_running_loop()  # asyncio.current_task() would raise where there is none
    task = None if loop is None else asyncio.current_task(loop)
    return threading.get_ident() if task is None else task


def current_unit(database_id: str) -> UnitLike | None:
    """The unit this task or thread has open on the database, or ``None``.

    Raises :class:`NestedUnit` when the unit was opened by another task or thread and merely inherited.
    """
    entry = _open.get().get(database_id)
    if entry is None:
        return None
    owner, unit = entry
    if owner != _owner():
        raise NestedUnit(
            "a unit opened by another task or thread was inherited here; a connection is never shared: do the database "
            "work in the task that opened the unit, or start this task before opening it"
        )
    return unit


def any_unit() -> UnitLike | None:
    """Some unit that this task or thread has open on whatever database, or ``None``."""
    units = _open.get()
    if not units:
        return None
    owner = _owner()
    return next((unit for holder, unit in units.values() if holder == owner), None)


def enter(unit: UnitLike) -> None:
    """Make ``unit`` the current one of its database until :func:`leave`; a second one raises :class:`NestedUnit`."""
    if current_unit(unit.database_id) is not None:
        raise NestedUnit(
            "a write unit of this database is already open here: pass its tx on, or use tx.savepoint() for a part that "
            "may fail alone"
        )
    _open.set({**_open.get(), unit.database_id: (_owner(), unit)})


def leave(unit: UnitLike) -> None:
    """``unit`` is no longer the current one."""
    # Not reset(token): a block may end in another context than it began in (an async generator's finaliser).
    remaining = dict(_open.get())
    remaining.pop(unit.database_id, None)
    _open.set(remaining)


@contextmanager
def entered(unit: UnitLike) -> Iterator[None]:
    """:func:`enter` for the block."""
    enter(unit)
    try:
        yield
    finally:
        leave(unit)


@runtime_checkable
class TellsRollback(Protocol):
    """A unit that also says when it was rolled back."""

    def on_rollback(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` once the unit, or the savepoint around this call, was rolled back."""
        ...


def when_ended(unit: UnitLike, work: Callable[[], None]) -> None:
    """Call ``work`` after ``unit`` has committed or was rolled back; not if this process dies before.

    What ``detached=True`` needs inside a unit of the same database, whose connection may be the only one that writes.
    Raises :class:`OutsideUnit` for a unit that cannot tell.
    """
    if not isinstance(unit, TellsRollback):
        raise OutsideUnit("this unit does not tell its rollback, so nothing can be detached: do it after the unit")

    def after_rollback() -> None:
        if current_unit(unit.database_id) is unit:  # only a savepoint was rolled back
            when_ended(unit, work)
        else:
            work()

    unit.after_commit(work)
    unit.on_rollback(after_rollback)


def in_own_unit(
    database: Units,
    work: Callable[[UnitLike], R],
    random: Callable[[], float] = random.random,
    *,
    after: type[PostrMagicError] = PostrMagicError,
) -> R:
    """What ``work`` returns, done in a write unit of its own, and as a whole again ``after`` an error that allows it.

    For a component's own writes, which somebody else's lock may hold up: at most ten tries, with about a second of
    pauses. After an error that is no :class:`Conflict` (the server is away, or silent) none begins later than two
    seconds after the first.
    """
    failures = 0
    began = time.monotonic()
    while True:
        try:
            with database.write() as tx:
                return work(tx)
        except after as error:
            failures += 1
            delay = _OWN_WRITES.delay(failures, random()) if error.retryable else None
            patience = math.inf if isinstance(error, Conflict) else began + _SILENCE - time.monotonic()
            if delay is None or delay > patience:
                raise
            time.sleep(delay)
