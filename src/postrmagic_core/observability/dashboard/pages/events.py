"""Events: what has happened, who has still to hear it, and what waits in the outbox; one event where it is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ....database import undelivered
from ..interface import Ask, Page, Shown
from ..reading_deliveries import Backlogs, DeadDelivery, backlogs, dead_ones
from ..reading_figures import Figures, figures
from ..reading_series import Drawn, charts_of

if TYPE_CHECKING:
    from ....database.interface import OutboxEntry
    from ....events import EventRecord

_SHOWN = 25
_MOST = 200
_CHART = Drawn("outbox", "Outbox rows that wait", [("outbox_waiting", "waiting", "")])


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of event in all processes since they began: ``rate`` a second."""

    name: str
    emitted: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Hearing:
    """A listener that this process knows; ``failures`` of all processes."""

    name: str
    event_type: str
    phase: str
    is_async: bool
    failures: int


@dataclass(frozen=True, slots=True)
class Topic:
    """Rows of one topic in the outbox: when the ``oldest`` that waits was staged; ``delivered`` since the start."""

    name: str
    waiting: int
    dead: int
    oldest: datetime | None
    delivered: int
    failed: int


KIND_SORTS: dict[str, Any] = {
    "name": lambda one: one.name,
    "emitted": lambda one: one.emitted,
    "rate": lambda one: one.rate,
}


def view(ask: Ask) -> Shown:
    """Types, deliveries, listeners, outbox and the newest events; one event's chain where the query names it."""
    named = ask.text("id", 36)
    if named:
        return _one(ask, named)
    told = figures(ask.stack, ask.clock.monotonic)
    kinds = [
        Kind(name, told.total("events_emitted_total", type=name), told.rate("events_emitted_total", type=name))
        for name in told.values("events_emitted_total", "type")
    ]
    wanted, limit = ask.text("type"), ask.number("limit", _SHOWN, least=1, most=_MOST)
    topics = ask.part("the outbox", lambda: _topics(ask.stack.database, told))
    dead_rows = sum(topic.dead for topic in topics.value or ())
    return Shown(
        "events.html",
        {
            "charts": charts_of(ask, _CHART),
            "window": ask.window,
            "everybody": told.everybody,
            "kinds": ask.sorted(kinds, KIND_SORTS, "-emitted"),
            "backlogs": ask.part("the deliveries", lambda: _backlogs(ask.stack.database)),
            "dead": ask.part("the dead deliveries", lambda: _dead_ones(ask.stack.database)),
            "listeners": _listeners(ask.stack.events, told),
            "topics": topics,
            # Without one the whole outbox would be looked through for nothing.
            "dead_rows": ask.part("the dead rows", lambda: _dead_rows(ask.stack.database) if dead_rows else []),
            "wanted": wanted,
            "newest": ask.part("the newest events", lambda: ask.stack.events.find(wanted or None, limit=limit)),
            "limit": limit,
            "more": min(_MOST, limit + 50) if limit < _MOST else None,
            "dropped": told.total("events_dropped_total"),
            "missed": told.total("events_broadcast_missed_total"),
        },
    )


def _one(ask: Ask, event_id: str) -> Shown:
    chain = ask.stack.events.chain(event_id)
    event = next((each for each in chain if each.id == event_id), None)
    if event is None:
        return Shown("event.html", {"named": event_id, "event": None}, "Event", 404)
    return Shown("event.html", {"named": event_id, "event": event, "chain": _indented(chain)}, event.type)


def _indented(chain: Sequence[EventRecord]) -> list[tuple[int, EventRecord]]:
    """Each event with how many are above it, below its cause."""
    below: dict[str | None, list[EventRecord]] = {}
    known = {each.id for each in chain}
    for each in chain:
        below.setdefault(each.causation_id if each.causation_id in known else None, []).append(each)
    found: list[tuple[int, EventRecord]] = []
    left = [(0, each) for each in reversed(below.pop(None, []))]
    while left:
        depth, each = left.pop()
        found.append((depth, each))
        left += [(depth + 1, caused) for caused in reversed(below.pop(each.id, []))]
    return found


def _backlogs(database: Any) -> Backlogs:
    with database.read() as tx:
        return backlogs(tx)


def _dead_ones(database: Any) -> list[DeadDelivery]:
    with database.read() as tx:
        return dead_ones(tx, _SHOWN)


def _dead_rows(database: Any) -> list[OutboxEntry]:
    with database.read() as tx:
        return undelivered.entries(tx, state="dead", limit=_SHOWN)


def _listeners(events: Any, told: Figures) -> list[Hearing]:
    return [
        Hearing(
            name,
            listener.pattern or listener.event_type.__qualname__,
            listener.phase,
            listener.is_async,
            told.total("events_listener_failures_total", listener=name),
        )
        for name, listener in sorted(events.listeners.items())
    ]


def _topics(database: Any, told: Figures) -> list[Topic]:
    counts = database.outbox_counts()
    found = []
    for name in sorted({*counts, *told.values("outbox_delivered_total", "topic")}):
        of = counts.get(name)
        delivered, failed = (told.total(f"outbox_{what}_total", topic=name) for what in ("delivered", "failed"))
        waiting, dead, oldest = (0, 0, None) if of is None else (of.waiting, of.dead, of.oldest_at)
        found.append(Topic(name, waiting, dead, oldest, delivered, failed))
    return found


def replay(ask: Ask, form: Mapping[str, str]) -> str:
    """Deliver an event again: to the listener named, or to all whose delivery is dead."""
    event_id, listener = form.get("id", ""), form.get("listener") or None
    if not event_id:
        raise ValueError("expected the id of an event")
    number = ask.stack.events.replay(event_id, listener=listener, dead=True)
    if not number:
        raise ValueError("nothing is delivered again: no delivery of that event is dead")
    return "1 delivery is made again." if number == 1 else f"{number} deliveries are made again."


def retry(ask: Ask, form: Mapping[str, str]) -> str:
    """Let dead rows of the outbox wait again."""
    ids = [int(word) for word in form.get("ids", "").split() if word.isascii() and word.isdigit() and len(word) < 19]
    if not ids:
        raise ValueError("expected the numbers of dead rows")
    number = ask.stack.database.transact(undelivered.retry, ids=ids)
    if not number:
        raise ValueError("nothing was changed: only dead rows wait again")
    return f"{number} {'row waits' if number == 1 else 'rows wait'} again, for the next relay that looks."


PAGE = Page("events", "Events", "Work", view, {"replay": replay, "retry": retry}, key="v")
