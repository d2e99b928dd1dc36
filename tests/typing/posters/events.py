# pyright: strict
"""What happens, and who hears it: in the transaction, after it, and on either face."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type

from postrmagic_core.events import Event, EventContext, Listener, on
from postrmagic_core.jobs import JobContext


class PosterUploaded(Event):
    """A poster is there."""

    event_type = "poster.uploaded"
    event_key = "poster_id"

    poster_id: int
    title: str
    price: Decimal | None = None


@on(PosterUploaded, phase="before_commit")
def check(event: PosterUploaded, context: EventContext) -> None:
    """Refuse a poster without a title."""
    assert_type(event.price, Decimal | None)
    if not event.title:
        raise ValueError(f"poster {event.poster_id} of event {context.event_id} has no title")


@on(PosterUploaded, phase="durable", name="announce", time_limit=5)
async def announce(event: PosterUploaded, context: JobContext) -> None:
    """Tell of it, by a job."""
    assert_type(event, PosterUploaded)
    assert_type(context.attempt, int)


@on("poster.*")
def note(event: Event, context: EventContext) -> None:
    """Hear of all that concerns posters."""


assert_type(check, Listener[PosterUploaded])
assert_type(note, Listener[Event])
LISTENERS = (check, announce, note)
