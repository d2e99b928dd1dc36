"""Where the parts of security write: in the unit that they are given, or in one of their own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from .._bridge import Bridge
from .._protocols import AwaitableUnitLike, UnitLike, Units
from .._retry import RetryPolicy
from ..errors import Conflict, OutsideUnit

R = TypeVar("R")

# Ten who write the same row at once need at most ten tries.
_TRIES = RetryPolicy(attempts=10, base=0.005, cap=0.2)


def in_unit(database: Units, tx: UnitLike | None, work: Callable[[UnitLike], R]) -> R:
    """What ``work`` returns: in ``tx``, else in a unit of its own, done again after a conflict.

    After no other error: a request waits for it, and what a database that is away costs is one time-out.
    """
    if tx is not None:
        return work(tx)
    refuse_open_unit(database)
    failures = 0
    while True:
        try:
            with database.write() as unit:
                return work(unit)
        except Conflict:
            failures += 1
            pause = _TRIES.delay(failures, random.random())  # noqa: S311 - jitter, no secret
            if pause is None:
                raise
            time.sleep(pause)


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
