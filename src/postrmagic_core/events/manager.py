"""The event manager: emit with the transaction; the log of durable events and their replay."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._bridge import Bridge
from .._clock import Clock, SystemClock, to_us
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from ..errors import ResultTimeout, UsageError
from . import journal
from .background import Background, ListenerLimits
from .broadcast import Broadcast
from .calling import Caller
from .channel import Channel, open_channel
from .dispatch import Dispatch
from .durable import Durable, JobLike
from .emitting import Emitter
from .interface import Event, EventContext, EventRecord, type_name
from .listener import Listener
from .recording import Recording

if TYPE_CHECKING:
    from .._protocols import JobSink, StagedRow, UnitLike, Units
    from .aio import AsyncEventManager

LISTENERS = "postrmagic_core.listeners"
_LOOK = 0.02
_GRACE = 5.0


class EventManager(Lifecycle):
    """Events of one application.

    ``database`` is needed for durable events and for before-commit listeners outside a unit. ``jobs`` runs durable
    deliveries: include :meth:`run_delivery` there as the task ``postrmagic.events.deliver``. ``services`` become
    attributes of a listener's context. ``carry``, an attribute to be set, tells what the jobs of durable deliveries
    carry from where the event is emitted: request id, trace, user. ``limits`` bounds the async listeners that run after
    a commit. ``channel`` carries broadcast events to other processes (:func:`open_channel`); without one they stay in
    this process.
    """

    metrics: Metrics

    def __init__(
        self,
        *,
        database: Units | None = None,
        jobs: JobSink | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        services: Mapping[str, object] | None = None,
        limits: ListenerLimits | None = None,
        channel: Channel | None = None,
    ) -> None:
        super().__init__()
        self.metrics = metrics or Metrics()
        clock = clock or SystemClock()
        self._background = Background(limits or ListenerLimits(), self.metrics.counter("events_dropped_total").add)
        self._caller = Caller(self._background, self.metrics)
        self._dispatch = Dispatch({} if services is None else services, clock, self.metrics)
        self._durable = Durable(self._dispatch, self._caller, database, jobs, clock)
        self.carry: Callable[[], Mapping[str, str]] = dict
        channel = open_channel("memory://") if channel is None else channel
        self._broadcast = Broadcast(channel, self._dispatch, self._caller, self.metrics)
        told: dict[str, Any] = {"broadcast": self._broadcast, "carry": lambda: self.carry()}
        self._emitter = Emitter(self._dispatch, self._caller, self._durable, self._background, **told)
        self._bridge = Bridge(name="postrmagic-events")

    @property
    def aio(self) -> AsyncEventManager:
        """The same events for asyncio."""
        from .aio import AsyncEventManager

        return AsyncEventManager(self, self._emitter, self._bridge)

    @property
    def listeners(self) -> Mapping[str, Listener[Any]]:
        """The listeners included here, by name."""
        return self._dispatch.listeners

    def include(self, *sources: ModuleType | str | Listener[Any]) -> None:
        """Make listeners known: listeners themselves, or modules (or their dotted names) with every one in them.

        Include the same ones in every process: an event is stored only where a durable listener of it is known.
        """
        self._dispatch.include(sources)
        if self.is_open:
            self._broadcast.listen()

    def include_installed(self) -> None:
        """:meth:`include` what installed packages offer among the entry points ``postrmagic_core.listeners``.

        Each names a module, or one listener: ``mailer = "my_mailer.listeners"``.
        """
        for entry in sorted(entry_points(group=LISTENERS), key=lambda entry: entry.name):
            self.include(entry.load())

    def emit(self, event: Event, *, tx: UnitLike | None = None, detached: bool = False) -> EventContext:
        """Have every listener of ``event`` hear it in its phase; returns what was noted of it, its ``event_id`` too.

        With ``tx`` it happens if and only if the unit commits. Inside an open unit ``tx=`` is needed, else
        :class:`OutsideUnit`; ``detached=True`` means it: the event is emitted when the unit has ended either way.
        Without a unit, one is opened where a listener needs it.
        """
        self.ensure_open()
        return self._emitter.emit(event, tx, detached)

    def recording(self) -> AbstractContextManager[Recording]:
        """``with events.recording() as seen``: what is emitted meanwhile, for tests."""
        return self._emitter.recordings.recording()

    def drain(self, timeout: float = 10.0) -> None:
        """Wait until every listener has heard what was emitted: async ones, and durable ones to their end.

        For tests, and before a process ends. Durable deliveries need a relay and a worker somewhere; dead ones count as
        heard. Raises :class:`ResultTimeout`, which says what is left, after ``timeout`` seconds.
        """
        self.ensure_open()
        end = time.monotonic() + timeout
        if not self._background.drain(timeout):
            raise ResultTimeout(f"async listeners still ran after {timeout:g} s")
        while (left := self._durable.pending()) and time.monotonic() < end:
            time.sleep(_LOOK)
        if left:
            raise ResultTimeout(f"after {timeout:g} s there were still {left}: does a relay and a worker run?")

    def deliver(self, tx: UnitLike, row: StagedRow) -> None:
        """The outbox's route for topic ``events``: log the event and enqueue one job for each durable listener.

        Raises :class:`ConfigurationError` for an event type that is not included here, so that the row waits.
        """
        self.ensure_open()
        self._durable.fan_out(tx, row.payload)

    def run_delivery(self, ctx: JobLike, event_id: str, listener: str) -> None:
        """The task ``postrmagic.events.deliver``: call one durable listener, and note that it is done."""
        self.ensure_open()
        self._durable.run(ctx, event_id, listener)

    def find(
        self,
        event_type: type[Event] | str | None = None,
        *,
        since: datetime | None = None,
        dead: bool = False,
        limit: int = 100,
    ) -> list[EventRecord]:
        """The newest durable events, of one class exactly (or of its stored name) or of all, with their deliveries.

        ``dead``: only those of which a delivery is, as it was tried in vain as often as it may be, or cancelled.
        """
        self.ensure_open()
        where = _where(None, event_type, since)
        if dead:
            where.append(journal.with_dead())
        with self._durable.database.read() as tx:
            return journal.listed(tx, *where, limit=limit)

    def record(self, event_id: str) -> EventRecord | None:
        """One durable event with its deliveries; ``None`` for an unknown id, or while the relay has not seen it."""
        self.ensure_open()
        with self._durable.database.read() as tx:
            return next(iter(journal.listed(tx, *_where(event_id, None, None))), None)

    def chain(self, event_id: str) -> list[EventRecord]:
        """Every durable event that has the first cause of this one, the oldest first; empty for an unknown id."""
        self.ensure_open()
        with self._durable.database.read() as tx:
            return journal.chain(tx, event_id)

    def fields(self, event_id: str) -> Mapping[str, object] | None:
        """What a durable event says, as it is stored; it may be confidential. ``None`` for an unknown id."""
        self.ensure_open()
        with self._durable.database.read() as tx:
            return journal.fields(tx, event_id)

    def replay(
        self,
        event_id: str | None = None,
        *,
        event_type: type[Event] | str | None = None,
        since: datetime | None = None,
        listener: str | None = None,
        dead: bool = False,
    ) -> int:
        """Deliver logged events again, to every durable listener known here or to one; returns how many deliveries.

        Choose one event by its id, or those of a class (exactly) and since an instant; ``dead``: only the deliveries
        that are. Effects happen again: each replay is a new job, and runs at once, whatever its key. Deliveries are
        enqueued 100 events a unit; an error leaves those before it enqueued.
        """
        self.ensure_open()
        if event_id is None and event_type is None and since is None and not dead:
            raise UsageError("replay what? give an event's id, event_type=, since= or dead=True")
        return self._durable.replay(_where(event_id, event_type, since), listener, dead=dead)

    def sweep(self) -> None:
        """Note as dead the deliveries whose jobs were cancelled or killed for good, and let those behind them go on.

        Each worker of the queue does it every few seconds where the queue's ``upkeep`` has it.
        """
        self.ensure_open()
        self._durable.sweep()

    def purge(self, before: datetime) -> int:
        """Delete events that occurred before an instant and are done everywhere; returns how many."""
        self.ensure_open()
        count = 0
        while deleted := self._durable.in_unit(lambda tx: journal.forget(tx, to_us(before))):
            count += deleted
        return count

    def _open(self) -> None:
        self._background.open()
        self._broadcast.open()

    def _close(self) -> None:
        self._broadcast.close()
        self._bridge.close()
        self._background.close(_GRACE)


def _where(event_id: str | None, event_type: type[Event] | str | None, since: datetime | None) -> list[Any]:
    where: list[Any] = [] if event_id is None else [journal.e.id == event_id]
    if event_type is not None:
        name = event_type if isinstance(event_type, str) else type_name(event_type)
        where.append(journal.e.type == name)
    if since is not None:
        where.append(journal.e.occurred_us >= to_us(since))
    return where
