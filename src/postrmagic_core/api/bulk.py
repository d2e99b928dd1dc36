"""Bulk requests: many items in one request, each carried out by itself, each with its own result.

::

    class Removals(Input):
        ids: Annotated[list[int], Field(max_length=100)]

    @post("/media/removals", BulkAnswer[Medium], access="media:delete:own")
    def remove_media(self, body: Removals) -> Reply:
        return bulk(body.ids, self.library.delete, refusals=self.problems.for_error).reply()

The answer as a whole is 200, whatever the items say: the request to try each of them was carried out. 207 is WebDAV's
(RFC 4918), whose body is XML; a client that does not know a status takes it for the first of its class, 200 (RFC 9110,
section 15).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Generic, TypeVar

from pydantic import Field

from .._clock import Clock, SystemClock
from .._problem import Problem
from .._unit import any_unit
from ..errors import (
    BackendReadOnly,
    BackendTimeout,
    BackendUnavailable,
    NestedUnit,
    OutcomeUnknown,
    Overloaded,
    PoolExhausted,
    TooManyItems,
    UsageError,
)
from ..log.tracebacks import fingerprint
from ..validation.responses import Output
from .interface import FileReply, Refusal, Reply
from .problem_types import TITLES

T = TypeVar("T")
_log = logging.getLogger("postrmagic_core.api")
_CLOCK = SystemClock()
_STATUSES = frozenset(int(status) for status in HTTPStatus if status >= 400)
_INTERNAL = Problem(500, "internal", TITLES["internal"])
_NOT_TRIED = Problem(503, "bulk.not_tried", TITLES["bulk.not_tried"])
# After one of these the next item would only wait for the same end, and add to what is too much already.
_AWAY = (BackendUnavailable, BackendTimeout, BackendReadOnly, PoolExhausted, OutcomeUnknown, Overloaded)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: ``data`` with a status of 200 to 299, or a ``problem`` with the problem's own."""

    index: int
    status: int
    data: object = field(default=None, repr=False)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of the items, in their order."""

    outcomes: Sequence[Outcome]

    @property
    def succeeded(self) -> int:
        """How many were carried out."""
        return len(self.outcomes) - self.failed

    @property
    def failed(self) -> int:
        """How many were not."""
        return sum(each.problem is not None for each in self.outcomes)

    def reply(self, types: str | None = None) -> Reply:
        """The answer, as :class:`BulkAnswer` declares it; problems have their types beneath ``types``."""
        told = []
        for each in self.outcomes:
            said = {"data": each.data} if each.problem is None else {"problem": each.problem.to_dict(types)}
            told.append({"index": each.index, "status": each.status, **said})
        return Reply(told, meta={"succeeded": self.succeeded, "failed": self.failed}, status=200)


def bulk(
    items: Iterable[T],
    each: Callable[[T], object],
    *,
    max_items: int = 100,
    refusals: Callable[[Exception], Problem],
    time_limit: float | None = None,
    clock: Clock = _CLOCK,
) -> BulkResult:
    """Call ``each`` with one item after another, and tell of every one what became of it.

    ``each`` begins a unit of its own, so that an item that fails neither stops nor undoes another. It returns the
    item's data (200), ``None`` (204), a :class:`.Reply` for another status, of which headers, ``next`` and ``meta``
    are not told, or a :class:`.Refusal`. What it raises becomes the problem that ``refusals`` makes of it; of one with
    status 500 and above the client gets status, code and title, and the log the exception. Cancellation, and whatever
    else is no :class:`Exception`, ends it all at once.

    Once a backend is away or overloaded, and from ``time_limit`` seconds on, the rest is not tried: 503
    ``bulk.not_tried``. An item that was begun is never cut short.

    Raises :class:`TooManyItems`, :class:`NestedUnit` inside an open unit, and :class:`UsageError` for an ``each`` that
    is async.
    """
    run = _Run(items, refusals, max_items=max_items, time_limit=time_limit, clock=clock)
    for index, item in enumerate(run.items):
        if run.is_over():
            run.skip(index)
            continue
        try:
            told = each(item)
        except Exception as error:
            run.failed(index, error)
        else:
            run.done(index, _not_awaited(told))
    return run.result()


async def bulk_async(
    items: Iterable[T],
    each: Callable[[T], Awaitable[object]],
    *,
    max_items: int = 100,
    refusals: Callable[[Exception], Problem],
    time_limit: float | None = None,
    clock: Clock = _CLOCK,
) -> BulkResult:
    """:func:`bulk` for an ``each`` that is awaited, one item after another."""
    run = _Run(items, refusals, max_items=max_items, time_limit=time_limit, clock=clock)
    for index, item in enumerate(run.items):
        if run.is_over():
            run.skip(index)
            continue
        try:
            told = await each(item)
        except Exception as error:
            run.failed(index, error)
        else:
            run.done(index, told)
    return run.result()


class _Run(Generic[T]):
    """The items of one request and what became of those that were tried so far."""

    def __init__(
        self,
        items: Iterable[T],
        refusals: Callable[[Exception], Problem],
        *,
        max_items: int,
        time_limit: float | None,
        clock: Clock,
    ) -> None:
        if max_items < 1 or not (time_limit is None or time_limit > 0):
            raise UsageError(f"expected max_items and time_limit above 0, got {max_items} and {time_limit}")
        if any_unit() is not None:
            raise NestedUnit(
                "each item of bulk() is a unit of its own, so call it outside of one; for all items or none, write a "
                "loop inside one unit"
            )
        self.items = list(islice(items, max_items + 1))
        if len(self.items) > max_items:
            message = f"has more than {max_items} items: send them in several requests"
            raise TooManyItems([{"pointer": "", "code": TooManyItems.code, "message": message}])
        self._refusals = refusals
        self._clock = clock
        self._ends = None if time_limit is None else clock.monotonic() + time_limit
        self._away = False
        self._logged: set[str] = set()
        self._outcomes: list[Outcome] = []

    def is_over(self) -> bool:
        """Whether what follows is not tried."""
        return self._away or (self._ends is not None and self._clock.monotonic() >= self._ends)

    def skip(self, index: int) -> None:
        """The item was not tried."""
        self._refused(index, _NOT_TRIED)

    def done(self, index: int, told: object) -> None:
        """``each`` returned ``told`` for the item."""
        if isinstance(told, Refusal):
            self._refused(index, _sayable(told.problem))
            return
        reply = told if isinstance(told, Reply) else Reply(told)
        status = reply.status or (204 if reply.data is None else 200)
        if isinstance(told, FileReply) or not 200 <= status <= 299 or (status == 204 and reply.data is not None):
            self.failed(index, UsageError("an item's answer is data with a status of 200 to 299, none of it with 204"))
            return
        self._outcomes.append(Outcome(index, status, reply.data))

    def failed(self, index: int, error: Exception) -> None:
        """``each`` raised ``error`` for the item."""
        self._away = self._away or isinstance(error, _AWAY)
        problem = _INTERNAL
        try:
            problem = _sayable(self._refusals(error))
        except Exception as failure:  # who cannot tell what it is does not stop the other items
            self._log(index, failure)
        if problem.status >= 500:
            self._log(index, error)
        self._refused(index, problem)

    def result(self) -> BulkResult:
        """What became of all of them."""
        codes = Counter(each.problem.code for each in self._outcomes if each.problem is not None)
        if codes:
            # Their statuses are in no access log: that says 200.
            told = ", ".join(f"{code} ({number})" for code, number in sorted(codes.items()))
            _log.info("bulk: %d of %d items failed: %s", codes.total(), len(self._outcomes), told)
        return BulkResult(tuple(self._outcomes))

    def _refused(self, index: int, problem: Problem) -> None:
        self._outcomes.append(Outcome(index, problem.status, problem=problem))

    def _log(self, index: int, error: Exception) -> None:
        """With a traceback where it is the first such error of the request: a hundred of the same tell no more."""
        name = fingerprint(error)
        _log.error("bulk: item %d failed (%s)", index, name, exc_info=None if name in self._logged else error)
        self._logged.add(name)


def _sayable(problem: Problem) -> Problem:
    """``problem`` as an item may tell it: of what is no fault of the client, status, code and the type's title."""
    if problem.status not in _STATUSES:
        return _INTERNAL
    return problem if problem.status < 500 else Problem(problem.status, problem.code, problem.title)


def _not_awaited(told: object) -> object:
    if isinstance(told, Awaitable):
        if isinstance(told, Coroutine):
            told.close()
        raise UsageError("bulk() calls a plain function: with an async one, await bulk_async()")
    return told


class FieldProblem(Output):
    """One field at fault: its place in the item (RFC 6901), a stable code, and words for people."""

    pointer: str
    code: str
    message: str


def _is_none(value: object) -> bool:
    return value is None


class ItemProblem(Output):
    """Why one item failed: a problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    detail: str | None = Field(default=None, exclude_if=_is_none)
    errors: list[FieldProblem] | None = Field(default=None, exclude_if=_is_none)


class ItemDone(Output, Generic[T]):
    """An item that was carried out; with status 204 its data is ``null``."""

    index: int = Field(ge=0)
    status: int = Field(ge=200, le=299)
    data: T | None


class ItemFailed(Output):
    """An item that was not carried out."""

    index: int = Field(ge=0)
    status: int = Field(ge=400, le=599)
    problem: ItemProblem


class BulkCounts(Output):
    """How many items were carried out, and how many were not."""

    succeeded: int = Field(ge=0)
    failed: int = Field(ge=0)


class BulkAnswer(Output, Generic[T]):
    """The envelope of a bulk request: of every item, in order, its data or its problem."""

    data: list[ItemDone[T] | ItemFailed]
    meta: BulkCounts
