"""Histories of what clients did, and pure checkers that say whether a correct system could have produced them.

The checkers follow Jepsen's (jepsen/checker.clj: total-queue, set-full, counter, unique-ids; jepsen.tests.bank);
:func:`linearizable` is the search of Wing and Gong with Lowe's memory ("Testing for linearizability", 2017).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

LineType = Literal["invoke", "ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Op:
    """One line of a history: ``invoke`` opens an operation of ``process``, its next line closes it.

    ``ok`` happened, ``fail`` surely did not, ``info`` is unknown. ``t`` is in monotonic seconds.
    """

    t: float
    process: int
    type: LineType
    f: str
    value: Any = None


@dataclass(frozen=True)
class Result:
    """``valid``, and by name the values that break it (or are worth knowing though they do not)."""

    valid: bool
    found: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.valid


class History:
    """A thread-safe recorder: ``history.run(process, "add", 7, lambda: cache.add(7))``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ops: list[Op] = []

    @property
    def ops(self) -> list[Op]:
        """The lines so far, in order."""
        with self._lock:
            return list(self._ops)

    def add(self, process: int, line: LineType, f: str, value: Any = None) -> None:
        """Write one line, now."""
        with self._lock:
            self._ops.append(Op(self._clock(), process, line, f, value))

    def run(
        self,
        process: int,
        f: str,
        value: Any,
        work: Callable[[], Any],
        *,
        surely_not: tuple[type[BaseException], ...] = (),
    ) -> Any:
        """Do ``work`` as one operation; what it returns closes it as ok (``None`` means: the value itself).

        An error in ``surely_not`` closes it as ``fail``, any other :class:`Exception` as ``info``; neither is raised.
        """
        self.add(process, "invoke", f, value)
        try:
            got = work()
        except surely_not:
            self.add(process, "fail", f, value)
        except Exception:  # what happened is unknown, and that is what the line says
            self.add(process, "info", f, value)
        else:
            self.add(process, "ok", f, value if got is None else got)
            return got
        return None


def total_queue(history: Iterable[Op], *, puts: str = "enqueue", takes: str = "dequeue") -> Result:
    """What goes in comes out: valid if no acknowledged put is ``lost`` and nothing ``unexpected`` came out.

    ``duplicated`` (came out more often than it was attempted) and ``recovered`` (unknown puts that came out) are told.
    For a history of recorded effects, where duplicates are forbidden, ask :func:`unique_ids` too.
    """
    ops = list(history)
    attempted, acknowledged = _count(ops, "invoke", puts), _count(ops, "ok", puts)
    unknown, taken = _count(ops, "info", puts), _count(ops, "ok", takes)
    lost = acknowledged - taken
    unexpected = Counter({value: n for value, n in taken.items() if value not in attempted})
    duplicated = taken - attempted - unexpected
    recovered = (taken & (acknowledged + unknown)) - acknowledged
    found = {"lost": lost, "unexpected": unexpected, "duplicated": duplicated, "recovered": recovered}
    return Result(not lost and not unexpected, {name: dict(counted) for name, counted in found.items()})


def set_full(history: Iterable[Op], *, adds: str = "add", reads: str = "read") -> Result:
    """Every element acknowledged before a read began is in that read.

    Missing in the last read it is ``lost``, only in an earlier one ``stale``; both are invalid. A read's value is a
    collection of elements; ``unexpected`` ones were never attempted. Read once more after all adds have ended.
    """
    attempted: set[Any] = set()
    acknowledged: set[Any] = set()
    known_at_start: dict[int, frozenset[Any]] = {}
    missing: set[Any] = set()
    lost: set[Any] | None = None
    unexpected: set[Any] = set()
    for op in history:
        if op.f == adds and op.type == "invoke":
            attempted.add(op.value)
        elif op.f == adds and op.type == "ok":
            acknowledged.add(op.value)
        elif op.f == reads and op.type == "invoke":
            known_at_start[op.process] = frozenset(acknowledged)
        elif op.f == reads and op.type == "ok":
            lost = set(known_at_start[op.process] - set(op.value))
            missing |= lost
            unexpected |= set(op.value) - attempted
    if lost is None:
        return Result(False, {"unread": True})
    return Result(not (missing or unexpected), {"lost": lost, "stale": missing - lost, "unexpected": unexpected})


def counter(history: Iterable[Op], *, adds: str = "add", reads: str = "read") -> Result:
    """Each read lies between what was acknowledged when it began and what was attempted when it ended.

    ``errors`` lists ``(lower, read, upper)``. Adds are >= 0; a failed add counts for neither side once it failed.
    """
    lower, upper = 0, 0
    began: dict[int, int] = {}
    errors = []
    for op in history:
        if op.f == adds:
            lower += op.value if op.type == "ok" else 0
            upper += {"invoke": op.value, "fail": -op.value}.get(op.type, 0)
        elif op.f == reads and op.type == "invoke":
            began[op.process] = lower
        elif op.f == reads and op.type == "ok" and not began[op.process] <= op.value <= upper:
            errors.append((began[op.process], op.value, upper))
    return Result(not errors, {"errors": errors})


def unique_ids(history: Iterable[Op], *, f: str = "generate") -> Result:
    """No acknowledged value occurs twice; ``duplicated`` counts those that do."""
    seen = _count(list(history), "ok", f)
    duplicated = {value: n for value, n in seen.items() if n > 1}
    return Result(not duplicated, {"duplicated": duplicated})


def bank(history: Iterable[Op], total: int, *, reads: str = "read", overdraft: bool = False) -> Result:
    """Every read, a mapping account -> balance, sums to ``total``; no balance is negative unless ``overdraft``.

    ``wrong_total`` and ``negative`` list the offending reads.
    """
    balances = [op.value for op in history if op.f == reads and op.type == "ok"]
    wrong = [read for read in balances if sum(read.values()) != total]
    negative = [] if overdraft else [read for read in balances if min(read.values(), default=0) < 0]
    if not balances:
        return Result(False, {"unread": True})
    return Result(not (wrong or negative), {"wrong_total": wrong, "negative": negative})


def _count(ops: Sequence[Op], type_: str, f: str) -> Counter[Any]:
    return Counter(op.value for op in ops if op.type == type_ and op.f == f)
