"""Every decision about events: who hears what, in which order, and how deep events may cause events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import UsageError
from .interface import Event, Phase, type_name
from .listener import Listener

DEPTH = 16
_LONGEST = 200


def heard_by(listeners: Iterable[Listener[Any]], event_type: type[Event], phase: Phase) -> tuple[Listener[Any], ...]:
    """The listeners of ``phase`` that hear the class: by priority, then in the order of inclusion."""
    heard = [each for each in listeners if each.phase == phase and each.hears(event_type)]
    return tuple(sorted(heard, key=lambda each: -each.priority))


def checked_depth(depth: int, event: Event) -> int:
    """``depth``, or :class:`UsageError` once so many listeners are inside each other that they surely never end."""
    if depth > DEPTH:
        raise UsageError(f"{type_name(type(event))} was emitted {DEPTH} listeners deep: do they cause each other?")
    return depth


def stream_name(stream: str) -> str:
    """``stream`` where it is short enough to be a key, else its digest."""
    return stream if len(stream.encode()) <= _LONGEST else hashlib.sha256(stream.encode()).hexdigest()


def whole_events(rows: Sequence[Any], limit: int) -> tuple[Sequence[Any], str]:
    """Of ``limit`` rows at most, by event, those of events that are surely whole; and after which event to go on.

    Fewer rows are the last ones: from the beginning, then. An event of more rows than that is cut.
    """
    if len(rows) < limit:
        return rows, ""
    last = rows[-1].event_id
    whole = [row for row in rows if row.event_id != last]
    return (whole, whole[-1].event_id) if whole else (rows, last)


def find_type(roots: Iterable[type[Event]], name: str) -> type[Event] | None:
    """The class called ``name`` among ``roots`` and their subclasses."""
    return next((found for root in roots for found in _family(root) if type_name(found) == name), None)


def _family(root: type[Event]) -> Iterator[type[Event]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)
