"""What this thread is doing about errors, for all trackers of the process together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class _Here(threading.local):
    writing = False
    event: Mapping[str, Any] | None = None

    def __init__(self) -> None:
        self.noting: dict[str, object] = {}


_here = _Here()


def is_writing() -> bool:
    """Whether a tracker, whichever, is writing in this thread."""
    return _here.writing


@contextmanager
def writing() -> Iterator[None]:
    """In this thread a tracker writes for the block."""
    before = _here.writing
    _here.writing = True
    try:
        yield
    finally:
        _here.writing = before


def claimed(event: Mapping[str, Any], database_id: str, who: object) -> bool:
    """Whether ``who`` is the first for the database to be told of ``event``, or is told again.

    The log hands one event to one tap after the other, in the thread that logs it: the last one is all to remember.
    """
    if _here.event is not event:
        _here.event, _here.noting = event, {database_id: who}
        return True
    return _here.noting.setdefault(database_id, who) is who


def forget() -> None:
    """In a forked child: what the parent's thread was doing it does not do."""
    _here.__dict__.clear()
    _here.noting = {}
