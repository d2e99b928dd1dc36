"""Could these overlapping operations have happened one after another, each at one instant within its duration?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from .history import Op, Result

MAX_OPS = 200
Step = Callable[[Any, str, Any], tuple[bool, Hashable]]


@dataclass(frozen=True, slots=True)
class _Call:
    """An operation from the line where it began to the one where it ended; ``end`` is infinite when unknown."""

    begin: int
    end: float
    f: str
    value: Any


def register(state: Any, f: str, value: Any) -> tuple[bool, Hashable]:
    """The model of one cell: ``read`` of the value, ``write`` of it, ``cas`` of ``(expected, new)``.

    Returns whether the operation is possible in ``state``, and the state after it.
    """
    if f == "read":
        return state == value, state
    if f == "write":
        return True, value
    if f == "cas":
        return state == value[0], value[1]
    raise ValueError(f"a register knows read, write and cas, not {f!r}")


def linearizable(history: Iterable[Op], initial: Hashable = None, model: Step = register) -> Result:
    """Search an order of at most 200 operations that respects real time and the ``model``.

    Failed operations are left out (a ``cas`` that answered "no" is recorded as ``fail``), unknown ones may have
    happened at any time since they began, or never; reads of unknown outcome say nothing. ``stuck_at`` shows the
    operations that could not follow the longest order found. Source: Wing and Gong 1993; Lowe 2017.
    """
    calls = _calls(history)
    if len(calls) > MAX_OPS:
        raise ValueError(f"{len(calls)} operations: more than {MAX_OPS} are not searched, split the history by key")
    return _search(calls, initial, model)


def _search(calls: list[_Call], initial: Hashable, model: Step) -> Result:
    sure = sum(1 << n for n, call in enumerate(calls) if call.end != float("inf"))
    stack: list[tuple[int, Hashable]] = [(0, initial)]
    seen = {(0, initial)}
    best, stuck = -1, list[_Call]()
    while stack:
        done, state = stack.pop()
        if done & sure == sure:
            return Result(True, {"stuck_at": []})
        possible = _next(calls, done)
        if done.bit_count() > best:
            best, stuck = done.bit_count(), [calls[n] for n in possible]
        for n in possible:
            fits, after = model(state, calls[n].f, calls[n].value)
            step = (done | 1 << n, after)
            if fits and step not in seen:
                seen.add(step)
                stack.append(step)
    return Result(False, {"stuck_at": [(call.f, call.value) for call in stuck]})


def _next(calls: list[_Call], done: int) -> list[int]:
    """Operations not yet placed that began before every other unplaced one ended."""
    left = [n for n in range(len(calls)) if not done >> n & 1]
    first_end = min(calls[n].end for n in left)
    return [n for n in left if calls[n].begin < first_end]


def _calls(history: Iterable[Op]) -> list[_Call]:
    open_calls: dict[int, tuple[int, Op]] = {}
    calls = []
    for line, op in enumerate(history):
        if op.type == "invoke":
            open_calls[op.process] = (line, op)
            continue
        begin, invoked = open_calls.pop(op.process)
        if op.type == "ok":
            calls.append(_Call(begin, line, op.f, op.value))
        elif op.type == "info":
            open_calls[-1 - line] = (begin, invoked)
    unknown = [(begin, op) for begin, op in open_calls.values() if op.f != "read"]
    calls.extend(_Call(begin, float("inf"), op.f, op.value) for begin, op in unknown)
    return sorted(calls, key=lambda call: call.begin)
