"""The event manager: emit with the transaction; the log of durable events and their replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from .. import _codec
from .._bridge import Bridge
from .._clock import Clock, SystemClock, to_us
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._unit import any_unit, when_ended
from ..errors import OutsideUnit, UsageError
from . import journal
from .dispatch import Dispatch
from .durable import TOPIC, Durable, JobLike
from .interface import Envelope, Event, EventRecord, type_name
from .listener import Listener

if TYPE_CHECKING:
    from .._protocols import JobSink, UnitLike, Units
    from .aio import AsyncEventManager


class Staged(Protocol):
    """A row of the outbox, as far as events need it."""

    @property
    def payload(self) -> bytes:
        """What was staged."""
        ...


class EventManager(Lifecycle):
    """Events of one application.

    ``units`` is the database, needed for durable events and for before-commit listeners outside a unit. ``jobs`` runs
    durable deliveries: include :meth:`run_delivery` there as the task ``postrmagic.events.deliver``. ``services``
    become attributes of a listener's context. ``carry``, an attribute to be set, tells what the jobs of durable
    deliveries carry from where the event is emitted: request id, trace, user.
    """

    def __init__(
        self,
        *,
        units: Units | None = None,
        jobs: JobSink | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        services: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        self.metrics = metrics or Metrics()
        self.carry: Callable[[], Mapping[str, str]] = dict
        clock = clock or SystemClock()
        self._dispatch = Dispatch({} if services is None else services, clock, self.metrics)
        self._durable = Durable(self._dispatch, units, jobs, clock)
        self._bridge = Bridge(name="postrmagic-events")

    @property
    def aio(self) -> AsyncEventManager:
        """The same events for asyncio."""
        from .aio import AsyncEventManager

        return AsyncEventManager(self, self._bridge)

    def include(self, *sources: ModuleType | str | Listener[Any]) -> None:
        """Make listeners known: listeners themselves, or modules (or their dotted names) with every one in them.

        Include the same ones in every process: an event is stored only where a durable listener of it is known.
        """
        self._dispatch.include(sources)

    def emit(self, event: Event, *, tx: UnitLike | None = None, detached: bool = False) -> str:
        """Have every listener of ``event`` hear it in its phase; returns the event's id (UUIDv7).

        With ``tx`` it happens if and only if the unit commits. Inside an open unit ``tx=`` is needed, else
        :class:`OutsideUnit`; ``detached=True`` means it: the event is emitted when the unit has ended either way.
        Without a unit, one is opened where a listener needs it.
        """
        self.ensure_open()
        envelope = self._dispatch.envelope(event)
        unit = any_unit() if tx is None else None
        if tx is not None:
            self._emit(envelope, tx)
        elif unit is None:
            self._alone(envelope)
        elif detached:
            when_ended(unit, partial(self._alone, envelope))
        else:
            raise OutsideUnit(
                f"{type_name(type(event))} was emitted inside an open unit without tx=: pass tx=tx, so that it happens "
                "if and only if the unit commits, or detached=True to emit it whatever becomes of the unit"
            )
        return envelope.id

    def deliver(self, tx: UnitLike, row: Staged) -> None:
        """The outbox's route for topic ``events``: log the event and enqueue one job for each durable listener.

        Raises :class:`ConfigurationError` for an event type that is not included here, so that the row waits.
        """
        self.ensure_open()
        self._durable.fan_out(tx, row.payload)

    def run_delivery(self, ctx: JobLike, event_id: str, listener: str) -> None:
        """The task ``postrmagic.events.deliver``: call one durable listener, and note that it is done."""
        self.ensure_open()
        self._durable.run(ctx, event_id, listener)

    def log(
        self, event_type: type[Event] | None = None, since: datetime | None = None, limit: int = 100
    ) -> list[EventRecord]:
        """The newest durable events, of one class exactly or of all, with their deliveries."""
        self.ensure_open()
        with self._durable.units.read() as tx:
            return journal.listed(tx, *_where(None, event_type, since), limit=limit)

    def record(self, event_id: str) -> EventRecord | None:
        """One durable event with its deliveries; ``None`` for an unknown id, or while the relay has not seen it."""
        self.ensure_open()
        with self._durable.units.read() as tx:
            return next(iter(journal.listed(tx, *_where(event_id, None, None))), None)

    def replay(
        self,
        event_id: str | None = None,
        *,
        event_type: type[Event] | None = None,
        since: datetime | None = None,
        listener: str | None = None,
    ) -> int:
        """Deliver logged events again, to every durable listener known here or to one; returns how many deliveries.

        Choose one event by its id, or those of a class (exactly) and since an instant. Effects happen again: each
        replay is a new job. Deliveries are enqueued 100 events a unit; an error leaves those before it enqueued.
        """
        self.ensure_open()
        if event_id is None and event_type is None and since is None:
            raise UsageError("replay what? give an event's id, event_type= or since=")
        return self._durable.replay(_where(event_id, event_type, since), listener)

    def purge(self, before: datetime) -> int:
        """Delete events that occurred before an instant and are done everywhere; returns how many."""
        self.ensure_open()
        count = 0
        while deleted := self._durable.in_unit(lambda tx: journal.forget(tx, to_us(before))):
            count += deleted
        return count

    def _alone(self, envelope: Envelope) -> None:
        kind = type(envelope.event)
        if self._dispatch.heard(kind, "before_commit") or self._dispatch.heard(kind, "durable"):
            self._durable.in_unit(lambda tx: self._emit(envelope, tx))
        else:
            for hook in self._dispatch.after(envelope):
                hook()
            self._count(kind)

    def _emit(self, envelope: Envelope, tx: UnitLike) -> None:
        kind = type(envelope.event)
        for hook in self._dispatch.before(envelope, tx):
            tx.before_commit(hook)
        if self._dispatch.heard(kind, "durable"):
            tx.stage(TOPIC, _codec.encode([type_name(kind), envelope.encode(), dict(self.carry())]))
        for hook in self._dispatch.after(envelope):
            tx.after_commit(hook)
        self._count(kind)

    def _count(self, kind: type[Event]) -> None:
        self.metrics.counter("events_emitted_total", type=type_name(kind)).add()

    def _open(self) -> None:
        """Nothing is acquired before it is used."""

    def _close(self) -> None:
        self._bridge.close()


def _where(event_id: str | None, event_type: type[Event] | None, since: datetime | None) -> list[Any]:
    where: list[Any] = [] if event_id is None else [journal.e.id == event_id]
    if event_type is not None:
        where.append(journal.e.type == type_name(event_type))
    if since is not None:
        where.append(journal.e.occurred_us >= to_us(since))
    return where
