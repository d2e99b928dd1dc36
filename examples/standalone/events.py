"""Events alone: heard inside the transaction, and after it; a rolled-back unit's are heard by nobody."""

from contextlib import suppress

from postrmagic_core.database import DatabaseManager
from postrmagic_core.events import Event, EventContext, EventManager, on


class PosterUploaded(Event):
    name: str


@on(PosterUploaded, phase="before_commit")
def check(event: PosterUploaded, ctx: EventContext) -> None:
    assert event.name, "a poster needs a name"  # an error here rolls the unit back


tell = on(PosterUploaded, name="tell")(lambda event, ctx: print(f"{event.name} is there"))

with DatabaseManager("sqlite:///app.db") as db, EventManager(database=db) as events:
    events.include(check, tell)
    for name in ("Gala", "", "Fair"):
        with suppress(AssertionError), db.write() as tx:
            events.emit(PosterUploaded(name=name), tx=tx)
