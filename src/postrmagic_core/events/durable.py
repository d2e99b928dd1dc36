"""Durable events: fanned out by the relay, delivered by jobs, replayed from the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .. import _codec
from .._clock import Clock
from .._unit import in_own_unit
from ..errors import AlreadyDone, ConfigurationError, DecodeError, Unsupported
from . import journal
from .dispatch import Dispatch
from .interface import Envelope

if TYPE_CHECKING:
    from .._protocols import JobSink, UnitLike, Units

R = TypeVar("R")

TOPIC = "events"
DELIVERY_TASK = "postrmagic.events.deliver"

logger = logging.getLogger("postrmagic_core.events")


class JobLike(Protocol):
    """A job's context, as far as a delivery needs it."""

    job_id: str


class Durable:
    """Deliveries of durable events, one row and one job for each listener."""

    def __init__(self, dispatch: Dispatch, units: Units | None, jobs: JobSink | None, clock: Clock) -> None:
        self._dispatch = dispatch
        self._units = units
        self._jobs = jobs
        self._clock = clock

    @property
    def units(self) -> Units:
        """The database; :class:`Unsupported` without one."""
        if self._units is None:
            raise Unsupported("this needs a database: give EventManager(units=…)")
        return self._units

    def fan_out(self, tx: UnitLike, staged: bytes) -> None:
        """Log a staged event and enqueue its deliveries, all in the relay's transaction."""
        fields = _codec.decode(staged)
        # Two fields were staged before events carried anything: such rows may still wait when a new version starts.
        if not isinstance(fields, list) or len(fields) not in (2, 3):
            raise DecodeError("a staged event has 3 fields: its type, its envelope and what it carries")
        name, payload = fields[:2]
        carried = fields[2] if len(fields) == 3 else {}
        event_type = self._dispatch.known(name)
        envelope = Envelope.decode(payload, event_type)
        noted = {"id": envelope.id, "occurred_us": envelope.occurred_us}
        causes = {"correlation_id": envelope.correlation_id, "causation_id": envelope.causation_id}
        journal.record(tx, name, payload, {**noted, **causes})
        for listener in self._dispatch.heard(event_type, "durable"):
            self._send(tx, envelope.id, listener.name, carried)

    def run(self, ctx: JobLike, event_id: str, listener: str) -> None:
        """Deliver one event to one listener, and note that it is done; the first time counts."""
        with self.units.read() as tx:
            row = journal.stored(tx, event_id)
        found = self._dispatch.listeners.get(listener)
        if row is None or found is None:
            missing = f"listener {listener}" if found is None else f"event {event_id}"
            raise ConfigurationError(f"{missing} is not known here: was its module included, or its event purged?")
        envelope = Envelope.decode(row.payload, self._dispatch.known(row.type))
        try:
            self._dispatch.call(found, envelope, ctx)
        except AlreadyDone:
            logger.info("event %s was already done by %s", event_id, listener)
        self.in_unit(lambda tx: journal.done(tx, event_id, listener, ctx.job_id, self._clock.now_us()))

    def replay(self, where: list[Any], listener: str | None) -> int:
        """Enqueue deliveries again, 100 events a unit; returns how many."""
        after, count = "", 0
        while True:
            ids, sent = self.in_unit(partial(self._replay, where, after, listener))
            count += sent
            if not ids:
                return count
            after = ids[-1]

    def _replay(self, where: list[Any], after: str, listener: str | None, tx: UnitLike) -> tuple[list[str], int]:
        rows, sent = journal.chosen(tx, *where, after=after), 0
        for row in rows:
            for each in self._dispatch.heard(self._dispatch.known(row.type), "durable"):
                if listener in (None, each.name):
                    self._send(tx, row.id, each.name)
                    sent += 1
        return [row.id for row in rows], sent

    def _send(self, tx: UnitLike, event_id: str, listener: str, carried: Mapping[str, str] | None = None) -> None:
        if self._jobs is None:
            raise Unsupported("durable listeners need a job queue: give EventManager(jobs=…)")
        arguments = {"event_id": event_id, "listener": listener}
        job_id = self._jobs.enqueue_raw(DELIVERY_TASK, arguments, tx=tx, carried=carried)
        journal.deliver(tx, event_id, listener, job_id)

    def in_unit(self, work: Callable[[UnitLike], R]) -> R:
        """``work`` in a write unit of its own, again after a conflict."""
        return in_own_unit(self.units, work)
