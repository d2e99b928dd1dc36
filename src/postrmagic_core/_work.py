"""What is being worked on: the request or job on whose behalf the code beneath runs, so that it can be named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

logger = logging.getLogger("postrmagic_core.work")


class Work:
    """One request or job. ``label`` may be any object: its ``str()`` is asked for only when it is shown.

    ``kept`` is for the components beneath: what one of them counts while the work lasts, under a key of its own.
    Threads and tasks that the work starts see the same object.
    """

    __slots__ = ("_at_end", "kept", "label")

    def __init__(self, label: object) -> None:
        self.label = label
        self.kept: dict[object, Any] = {}
        self._at_end: list[Callable[[Work], None]] = []

    def __str__(self) -> str:
        return str(self.label)

    def at_end(self, call: Callable[[Work], None]) -> None:
        """Call ``call(work)`` when the work is over; an error in it is logged."""
        self._at_end.append(call)

    def end(self) -> None:
        """Call what :meth:`at_end` was given, once."""
        calls, self._at_end = self._at_end, []
        for call in calls:
            try:
                call(self)
            except Exception:
                logger.exception("what was to be done at the end of %s failed", self)


_current: ContextVar[Work | None] = ContextVar("postrmagic_work", default=None)


current_work: Callable[[], Work | None] = _current.get
"""The request or job this code runs for; ``None`` outside of any."""


@contextmanager
def working(label: object) -> Iterator[Work]:
    """Name what the block does: what it starts sees the name too. Inside other work it stands for itself."""
    before, work = _current.get(), Work(label)
    _current.set(work)
    try:
        yield work
    finally:
        # Not reset(token): a generator's block may end in another context than it began in.
        _current.set(before)
        work.end()
