"""Where the parts of security write: in the unit that they are given, or in one of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .._bridge import Bridge
from .._protocols import AwaitableUnitLike, UnitLike, Units
from .._unit import in_own_unit
from ..errors import Conflict, OutsideUnit

R = TypeVar("R")


def in_unit(database: Units, tx: UnitLike | None, work: Callable[[UnitLike], R]) -> R:
    """What ``work`` returns: in ``tx``, else in a unit of its own, done again after a conflict.

    After no other error: a request waits for it, and what a database that is away costs is one time-out.
    """
    if tx is not None:
        return work(tx)
    refuse_open_unit(database)
    return in_own_unit(database, work, after=Conflict)


async def lifted(bridge: Bridge, database: Units, tx: AwaitableUnitLike | None, call: Callable[[Any], R]) -> R:
    """What ``call`` returns, given the sync unit of ``tx`` or ``None``: the async face of what ends in :func:`in_unit`.

    An open unit is refused here, as the thread in which a unit of its own is opened does not see it.
    """
    if tx is not None:
        return await tx.run(call)
    refuse_open_unit(database)
    return await bridge.lift(partial(call, None))


def refuse_open_unit(database: Units) -> None:
    """Raise :class:`OutsideUnit` where a unit is open: it was forgotten to pass it."""
    if database.current() is not None:
        raise OutsideUnit("a unit of this database is open here: pass tx= to do it in that unit")
