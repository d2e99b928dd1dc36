"""What was emitted while somebody looked, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from .interface import Event, EventContext

E = TypeVar("E", bound=Event)


class Recording:
    """The events that have happened since, in order: those of a unit once it has committed.

    ``contexts`` tell their ids, times and causes.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.contexts: list[EventContext] = []

    def of(self, event_type: type[E]) -> list[E]:
        """Those of a class and its subclasses."""
        return [event for event in self.events if isinstance(event, event_type)]

    def one(self, event_type: type[E]) -> E:
        """The only one of a class; :class:`AssertionError` that tells what there was instead."""
        found = self.of(event_type)
        assert len(found) == 1, f"expected one {event_type.__qualname__}, got {found} among {self.events}"  # noqa: S101 - asserting is what it is for
        return found[0]


class Recordings:
    """The recordings under way."""

    def __init__(self) -> None:
        self.open: tuple[Recording, ...] = ()

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """A recording until the block ends."""
        made = Recording()
        self.open += (made,)
        try:
            yield made
        finally:
            self.open = tuple(each for each in self.open if each is not made)

    def note(self, ctx: EventContext) -> None:
        """It has happened."""
        for each in self.open:
            each.events.append(ctx.event)
            each.contexts.append(ctx)
