"""What is being worked on: the request or job on whose behalf the code beneath runs, so that it can be named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

logger = logging.getLogger("postrmagic_core.work")


class Work:
    """One request or job; its ``str()`` is asked for only when it is shown.

    Threads and tasks that the work starts see the same object.
    """

    # Every request is one: what few need is made when it is needed, by whichever thread comes first.
    _ends: list[Callable[[Work], None]] | None = None

    def at_end(self, call: Callable[[Work], None]) -> None:
        """Call ``call(work)`` when the work is over; an error in it is logged. Never, where it is over already."""
        ends = self.__dict__.setdefault("_ends", [])
        if ends is not None:
            ends.append(call)


def begin_work(work: Work) -> Work | None:
    """From now on ``work`` is the current work; what was it before, for :func:`end_work`."""
    before = _current.get()
    _current.set(work)
    return before


def end_work(work: Work, before: Work | None) -> None:
    """It is over: what was current before is so again, and what ``at_end`` was given is called, once."""
    # Not by a token: the end may come in another context than the beginning did.
    _current.set(before)
    calls, work._ends = work._ends, None
    for call in calls or ():
        try:
            call(work)
        except Exception:
            logger.exception("what was to be done at the end of %s failed", work)


def kept(work: Work) -> dict[object, Any]:
    """What the components beneath keep while the work lasts, each under a key of its own."""
    found: dict[object, Any] = work.__dict__.setdefault("_kept", {})
    return found


class _Named(Work):
    def __init__(self, label: object) -> None:
        self._label = label

    def __str__(self) -> str:
        return str(self._label)


_current: ContextVar[Work | None] = ContextVar("postrmagic_work", default=None)


current_work: Callable[[], Work | None] = _current.get
"""The request or job this code runs for; ``None`` outside of any."""


@contextmanager
def working(label: object) -> Iterator[Work]:
    """Name what the block does: what it starts sees the name too. Inside other work it stands for itself."""
    work = _Named(label)
    before = begin_work(work)
    try:
        yield work
    finally:
        end_work(work, before)
