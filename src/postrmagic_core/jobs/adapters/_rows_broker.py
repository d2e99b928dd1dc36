"""What every adapter does whose jobs are rows, however workers hear of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ..._lifecycle import after_fork
from ..._unit import in_own_unit
from .. import policy
from ..interface import (
    Beat,
    BrokerOptions,
    Change,
    Counts,
    JobRecord,
    NewJob,
    Renewal,
    Selection,
    Settlement,
    Taker,
    Turn,
    Want,
)
from . import _rows, _rows_told
from ._handover import Handover

if TYPE_CHECKING:
    from ..._protocols import UnitLike, Units

R = TypeVar("R")


# Of many jobs that wait anew at once, so many are announced: more than a host has workers.
_TOLD = 64


class RowsBroker(ABC):
    """Rows of ``pm_jobs`` in ``database``."""

    def __init__(self, database: Units, options: BrokerOptions) -> None:
        self._database = database
        self._options = options
        self._takers: list[Taker] = []
        after_fork(self._forget)

    @property
    def database_id(self) -> str:
        """The database of the rows."""
        return self._database.database_id

    def put(self, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See :meth:`Deliveries.put`."""
        return self._unit(lambda tx: self.put_in(tx, jobs)) if jobs else {}

    def put_in(self, tx: UnitLike, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See :meth:`SupportsUnits.put_in`; workers hear of the jobs after the commit, or one is given the only one."""
        if len(jobs) == 1 and self._handed_over(tx, jobs[0]):
            return {}
        holders = _rows.put(tx, jobs)
        named = [(job.queue, job.id) for job in jobs if job.id not in holders]
        if named:
            tx.after_commit(lambda: self._announce(named))
        return holders

    def _handed_over(self, tx: UnitLike, job: NewJob) -> bool:
        """Let a worker of this process that rests hold the job from the first: nobody has to look for it."""
        if job.due_us or job.unique is not None:
            return False
        for taker in list(self._takers):
            worker = taker.offer(job.queue)
            claim = None if worker is None else _rows.put_running(tx, job, worker, self._options.lease)
            if claim is not None:
                Handover(tx, taker, claim, self._announce)
                return True
        return False

    @contextmanager
    def serve(self, taker: Taker) -> Iterator[None]:
        """See :meth:`SupportsHandover.serve`."""
        self._takers.append(taker)
        try:
            yield
        finally:
            self._takers.remove(taker)

    def turn(self, settlements: Sequence[Settlement], want: Want | None) -> Turn:
        """See :meth:`Deliveries.turn`; other workers hear of what was handed back."""
        ids: Sequence[str] = ()
        left = None
        if want is not None and want.free > 0 and want.queues:
            with self._database.read() as tx:  # an idle look takes no lock
                ids = _rows.due(tx, want)
                left = None if ids else _rows.next_due(tx, want.queues)
        if not settlements and not ids:
            return Turn(next_due=left)

        def work(tx: UnitLike) -> Turn:
            owned = _rows.settle(tx, settlements)
            claims = _rows.claim(tx, ids, want, self._options.lease) if want is not None else []
            return Turn(owned, claims, policy.earliest(left, settlements) if not claims else None)

        turn = self._unit(work)
        back = [(claim.queue, claim.id) for claim, outcome in settlements if outcome.state == "queued"]
        if back:
            self._announce(back)
        return turn

    @abstractmethod
    def _announce(self, named: Sequence[tuple[str, str]]) -> None:
        """Tell workers of jobs that wait now, by queue and id; it may be lost, then they sweep."""

    def renew(self, beats: Sequence[Beat]) -> Renewal:
        """See :meth:`Deliveries.renew`."""
        return self._unit(lambda tx: _rows.renew(tx, beats, self._options.lease)) if beats else Renewal()

    def records(self, selection: Selection) -> Sequence[JobRecord]:
        """See :meth:`Inspection.records`."""
        with self._database.read() as tx:
            return _rows_told.records(tx, selection)

    def alter(self, change: Change, selection: Selection) -> Sequence[str]:
        """See :meth:`Inspection.alter`; workers hear of what waits anew."""
        changed = _rows_told.alter(change, selection, self._unit)
        if changed and change == "replay":
            known = self.records(Selection(changed[:_TOLD]))
            self._announce([(record.status.queue, record.status.id) for record in known])
        return changed

    def counts(self) -> Mapping[str, Counts]:
        """See :meth:`Inspection.counts`."""
        with self._database.read() as tx:
            return _rows_told.counts(tx)

    def sweep(self) -> None:
        """See :meth:`SupportsUpkeep.sweep`: forget what was kept long enough."""
        with self._database.read() as tx:
            old = _rows_told.expired(tx)
        if old:
            self._unit(lambda tx: _rows_told.forget(tx, old))

    def _forget(self) -> None:
        self._takers.clear()  # a child has the parent's memory, and none of its threads

    def _unit(self, work: Callable[[UnitLike], R]) -> R:
        return in_own_unit(self._database, work, self._options.random)
