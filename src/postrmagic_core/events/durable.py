"""Durable events: fanned out by the relay, delivered by jobs, in order where they have a key, replayed from the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from .. import _codec
from .._clock import Clock
from .._unit import in_own_unit
from ..errors import AlreadyDone, ConfigurationError, DecodeError, JobCancelled, PostrMagicError, Unsupported
from . import journal, policy
from .calling import Caller
from .dispatch import Dispatch
from .interface import Event, EventContext, stream_of

if TYPE_CHECKING:
    from .._protocols import JobSink, UnitLike, Units

R = TypeVar("R")

TOPIC = "events"
DELIVERY_TASK = "postrmagic.events.deliver"
_SWEPT = 100

logger = logging.getLogger("postrmagic_core.events")


class JobLike(Protocol):
    """A job's context, as far as a delivery needs it."""

    job_id: str

    @property
    def last_try(self) -> bool:
        """Whether the job is not tried again after an error."""
        ...


@runtime_checkable
class TellsOutbox(Protocol):
    """A database that counts what waits in its outbox."""

    def outbox_counts(self) -> Mapping[str, Any]:
        """By topic; each has ``waiting``."""
        ...


class Durable:
    """Deliveries of durable events, one row and one job for each listener."""

    def __init__(
        self, dispatch: Dispatch, caller: Caller, database: Units | None, jobs: JobSink | None, clock: Clock
    ) -> None:
        self._dispatch = dispatch
        self._caller = caller
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._swept = ""

    @property
    def database(self) -> Units:
        """The database; :class:`Unsupported` without one."""
        if self._database is None:
            raise Unsupported("this needs a database: give EventManager(database=…)")
        return self._database

    @property
    def jobs(self) -> JobSink:
        """Where deliveries are run; :class:`Unsupported` without."""
        if self._jobs is None:
            raise Unsupported("durable listeners need a job queue: give EventManager(jobs=…)")
        return self._jobs

    def fan_out(self, tx: UnitLike, staged: bytes) -> None:
        """Log a staged event and enqueue its deliveries, all in the relay's transaction."""
        fields = _codec.decode(staged)
        # Two fields were staged before events carried anything: such rows may still wait when a new version starts.
        if not isinstance(fields, list) or len(fields) not in (2, 3):
            raise DecodeError("a staged event has 3 fields: its type, its envelope and what it carries")
        name, payload = fields[:2]
        carried = fields[2] if len(fields) == 3 else {}
        event_type = self._dispatch.known(name)
        noted = EventContext.decode(payload, event_type)
        times = {"id": noted.event_id, "occurred_us": noted.occurred_us}
        causes = {"correlation_id": noted.correlation_id, "causation_id": noted.causation_id}
        journal.record(tx, name, payload, {**times, **causes})
        stream = order_of(noted.event)
        for listener in self._dispatch.heard(event_type).durable:
            at = journal.place(tx, listener.name, stream)
            job_id = self._enqueue(tx, noted.event_id, listener.name, carried) if at.first else ""
            journal.deliver(tx, noted.event_id, listener.name, job_id, at)

    def run(self, ctx: JobLike, event_id: str, listener: str) -> None:
        """Deliver one event to one listener, and note how it ended; the first time counts."""
        with self.database.read() as tx:
            row, ended = journal.stored(tx, event_id, listener, ctx.job_id)
        found = self._dispatch.listeners.get(listener)
        if row is None or found is None:
            missing = f"listener {listener}" if found is None else f"event {event_id}"
            raise ConfigurationError(f"{missing} is not known here: was its module included, or its event purged?")
        if ended:
            return
        try:
            noted = EventContext.decode(row.payload, self._dispatch.known(row.type))
            self._caller.deliver(found, noted, ctx)
        except AlreadyDone:
            logger.info("event %s was already done by %s", event_id, listener)
        except JobCancelled:  # perhaps by another worker's taking it over: what became of it, the job says
            raise
        except Exception as error:
            if found.on_error == "retry" and not ctx.last_try:
                raise
            self._end(event_id, listener, ctx.job_id, _code(error))
            if found.on_error == "retry":
                raise
            self._caller.failed(found, event_id, error)
            return
        self._end(event_id, listener, ctx.job_id, None)

    def sweep(self) -> None:
        """Note as dead, and let others go on, what nobody will end: the jobs that were cancelled or killed for good."""
        with self.database.read() as tx:
            found = journal.left(tx, self._swept, _SWEPT)
        whole, self._swept = policy.whole_events(found, _SWEPT)
        rows = {row.job_id: row for row in whole}
        for job_id, why in self.jobs.given_up(list(rows)).items() if rows else ():
            self._end(rows[job_id].event_id, rows[job_id].listener, job_id, why)

    def pending(self) -> str:
        """What durable listeners have still to hear, in words; empty where nothing is left."""
        if self._database is None:
            return ""
        staged = 0
        if isinstance(self._database, TellsOutbox):
            count = self._database.outbox_counts().get(TOPIC)
            staged = count.waiting if count is not None else 0
        with self._database.read() as tx:  # after the outbox: what leaves it is here
            undone = journal.count_left(tx)
        return f"{staged} events in the outbox and {undone} deliveries" if staged or undone else ""

    def replay(self, where: list[Any], listener: str | None, *, dead: bool) -> int:
        """Enqueue deliveries again, 100 events a unit; returns how many."""
        if dead:
            where = [*where, journal.with_dead(listener)]
        after, count = "", 0
        while True:
            ids, sent = self.in_unit(partial(self._replay, where, after, listener, dead))
            count += sent
            if not ids:
                return count
            after = ids[-1]

    def _replay(
        self, where: list[Any], after: str, listener: str | None, dead: bool, tx: UnitLike
    ) -> tuple[list[str], int]:
        rows, sent = journal.chosen(tx, *where, after=after), 0
        only = journal.dead_of(tx, [row.id for row in rows]) if dead else None
        for row in rows:
            for each in self._dispatch.heard(self._dispatch.known(row.type)).durable:
                if listener in (None, each.name) and (only is None or (row.id, each.name) in only):
                    journal.deliver(tx, row.id, each.name, self._enqueue(tx, row.id, each.name))
                    sent += 1
        return [row.id for row in rows], sent

    def _enqueue(self, tx: UnitLike, event_id: str, listener: str, carried: Mapping[str, str] | None = None) -> str:
        arguments = {"event_id": event_id, "listener": listener}
        return self.jobs.enqueue_raw(DELIVERY_TASK, arguments, tx=tx, carried=carried)

    def _end(self, event_id: str, listener: str, job_id: str, error: str | None) -> None:
        now_us = self._clock.now_us()
        ended = {"done_us": now_us} if error is None else {"dead_us": now_us, "error": error[:200]}

        def work(tx: UnitLike) -> None:
            following = journal.end(tx, event_id, listener, job_id, ended)
            if following is not None:
                journal.deliver(tx, following, listener, self._enqueue(tx, following, listener))

        self.in_unit(work)

    def in_unit(self, work: Callable[[UnitLike], R]) -> R:
        """``work`` in a write unit of its own, again after a conflict."""
        return in_own_unit(self.database, work)


def order_of(event: Event) -> str | None:
    """The stream of the event's deliveries, as rows name it."""
    stream = stream_of(event)
    return None if stream is None else policy.stream_name(stream)


def _code(error: Exception) -> str:
    return error.code if isinstance(error, PostrMagicError) else f"{type(error).__module__}.{type(error).__qualname__}"
