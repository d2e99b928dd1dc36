"""Who holds which connection since when: kept by each pool, told when a pool is exhausted or a holder overstays."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, ParamSpec, TypeAlias, TypeVar

from .._lifecycle import after_fork
from .._metrics import Histogram, Metrics
from .._work import Work, current_work

P = ParamSpec("P")
R = TypeVar("R")
# Code and line: turned into text only when somebody reads it.
Line: TypeAlias = tuple[CodeType, int]

_INFRASTRUCTURE = ("postrmagic_core.", "sqlalchemy.", "contextlib", "functools", "threading", "concurrent.", "asyncio.")
# Whether a function is the application's: asked for at each checkout, and the answer never changes.
_known: dict[CodeType, bool] = {}
_KNOWN = 10_000


class _Asking(threading.local):
    """For which lines this thread takes connections, where its own frames do not tell, or were looked at already."""

    line: Line | None = None
    behalf: Line | None = None


_asking = _Asking()
_TOLD = 3


def application_line(frame: FrameType | None) -> Line | None:
    """The innermost line, from ``frame`` outwards, that is neither ours nor a library's beneath us."""
    while frame is not None:
        code = frame.f_code
        known = _known.get(code)
        if known or (known is None and _learnt(frame)):
            return code, frame.f_lineno
        frame = frame.f_back
    return None


def _learnt(frame: FrameType) -> bool:
    if len(_known) >= _KNOWN:  # of functions made while running there is no end
        _known.clear()
    ours = str(frame.f_globals.get("__name__", "")).startswith(_INFRASTRUCTURE)
    _known[frame.f_code] = not ours
    return not ours


def calling_line(frame: FrameType) -> Line | None:
    """:func:`application_line`, or where there is none in this thread the line on whose behalf it works."""
    return application_line(frame) or _asking.behalf


def shown_line(line: Line) -> str:
    """``file:line (function)``."""
    code, number = line
    return f"{code.co_filename}:{number} ({code.co_qualname})"


def connect_for(line: Line | None, connect: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """``connect(…)``, whose connection is taken for ``line``: known beforehand, or of another thread."""
    _asking.line = line
    try:
        return connect(*args, **kwargs)
    except BaseException:
        _asking.line = None  # otherwise :meth:`Ledger.take` has done so
        raise


def on_behalf_of(line: Line | None, call: Callable[[], R]) -> R:
    """``call()`` in this thread, but for ``line`` of another one: see :func:`calling_line`."""
    _asking.behalf = line
    try:
        return call()
    finally:
        _asking.behalf = None


# One connection out of the pool: since when, for which line and work, by which thread.
_Holding: TypeAlias = tuple[float, Line | None, Work | None, int]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a connection: request or job, line of the application, thread, and for how many seconds by now.

    ``work`` and ``line`` are empty where there is none.
    """

    work: str
    line: str
    thread: str
    seconds: float

    def __str__(self) -> str:
        place = f" at {self.line}" if self.line else ""
        return f"{self.work or self.thread}{place} for {self.seconds:.1f} s"


class Ledger:
    """The entries of one pool, and how long was waited for connections, how long they were held, took to open."""

    def __init__(self, role: str, metrics: Metrics) -> None:
        self.role = role
        self.waits: Histogram = metrics.histogram("db_pool_wait_seconds", pool=role)
        self.holds: Histogram = metrics.histogram("db_pool_hold_seconds", pool=role)
        self.connects: Histogram = metrics.histogram("db_pool_connect_seconds", pool=role)
        self.exhausted = metrics.counter("db_pool_exhausted_total", pool=role)
        self._held: dict[Any, _Holding] = {}
        self._overstayed: dict[Any, float] = {}
        self._waiting: dict[int, float] = {}
        self._opening = threading.local()
        after_fork(self._forget)

    def begin_wait(self) -> None:
        """This thread wants a connection and there is none at hand."""
        self._waiting[threading.get_ident()] = time.monotonic()

    def end_wait(self) -> float:
        """It has one, or has given up: after so many seconds, without those it took to open one."""
        now = time.monotonic()
        return now - self._waiting.pop(threading.get_ident(), now)

    def begin_connect(self) -> None:
        """This thread opens a connection."""
        self._opening.since = time.monotonic()

    def end_connect(self) -> None:
        """It is open, and its session set up."""
        now, thread = time.monotonic(), threading.get_ident()
        seconds = now - getattr(self._opening, "since", now)
        self.connects.observe(seconds)
        if thread in self._waiting:
            self._waiting[thread] += seconds

    def take(self, entry: Any, now: float, waited: float) -> None:
        """``entry`` of the pool now belongs to the caller, who has waited for it."""
        if waited:
            self.waits.observe(waited)
        else:
            self.waits.counts[0] += 1
        line, _asking.line = _asking.line, None
        self._held[entry] = (now, line or calling_line(sys._getframe(2)), current_work(), threading.get_ident())

    def give_back(self, entry: Any) -> float:
        """``entry`` is the pool's again; returns the time."""
        now = time.monotonic()
        holding = self._held.pop(entry, None)
        if holding is not None:
            self.holds.observe(now - holding[0])
        return now

    @property
    def waiting(self) -> int:
        """How many threads wait for a connection."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """How many connections are out."""
        return len(self._held)

    def held_by(self, thread: int) -> int:
        """How many of them this thread took."""
        return sum(taken_by == thread for *_, taken_by in list(self._held.values()))

    def holders(self) -> list[Holder]:
        """Who holds a connection, the longest first."""
        now = time.monotonic()
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return [_shown(each, now, names) for each in sorted(self._held.values(), key=lambda each: each[0])]

    def told(self) -> str:
        """The longest holders, for an error's text; empty when nobody holds anything."""
        return "; ".join(str(holder) for holder in self.holders()[:_TOLD])

    def tell_exhausted(self, seconds: float, in_use: int) -> str:
        """The text of an error: nothing became free."""
        self.exhausted.add()
        return (
            f"no database connection became free within {seconds:g} s: all {in_use} are in use ({self.told()}); keep "
            "units short and slow work out of them, or raise the pool's size"
        )

    def overstaying(self, budget: float) -> Iterator[tuple[Holder, str]]:
        """Each holder past ``budget`` seconds, once, with the stack its thread has now."""
        now = time.monotonic()
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        held = dict(self._held)
        self._overstayed = {entry: since for entry, since in self._overstayed.items() if entry in held}
        for entry, holding in held.items():
            since, _, _, thread = holding
            if now - since > budget and self._overstayed.get(entry) != since:
                self._overstayed[entry] = since
                frame = sys._current_frames().get(thread)
                yield _shown(holding, now, names), "".join(traceback.format_stack(frame)) if frame else ""

    def _forget(self) -> None:
        self._held = {}
        self._overstayed = {}
        self._waiting = {}


def _shown(holding: _Holding, now: float, names: dict[int | None, str]) -> Holder:
    since, line, work, thread = holding
    told = "" if line is None else shown_line(line), "" if work is None else str(work)
    return Holder(told[1], told[0], names.get(thread, "a thread that ended"), now - since)
