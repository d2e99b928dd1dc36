"""A worker: dramatiq's threads over our brokers, in whatever process opens it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

import dramatiq
from dramatiq import Actor

from .._ids import uuid7
from .._lifecycle import Lifecycle
from ..errors import UsageError
from .held import HeldClaims
from .keeper import Duty, Keeper
from .limits import Deadlines
from .runner import Around, Runner
from .wake import HEARTBEAT, Doorbell

if TYPE_CHECKING:
    from .manager import JobQueue

logger = logging.getLogger("postrmagic_core.jobs")

# Milliseconds after which dramatiq's threads look whether they should stop; waiting for work costs no polling.
_TURN_MS = 100
_STRIKE = 0.2


class Worker(Lifecycle):
    """Runs the included tasks' jobs in ``threads`` threads while open.

    ``queues``: only these; left out, every queue of an included task. Closing stops claiming, waits ``grace`` seconds
    for what runs and hands back what was not started; what still runs then is delivered again when its lease ends.
    """

    def __init__(
        self,
        jobs: JobQueue,
        *,
        threads: int = 4,
        queues: Collection[str] | None = None,
        grace: float = 30.0,
        around: Around | None = None,
    ) -> None:
        super().__init__()
        if threads < 1:
            raise ValueError(f"a worker needs at least 1 thread, got {threads}")
        self._jobs = jobs
        self._threads = threads
        self._queues = None if queues is None else set(queues)
        self._grace = grace
        self._around = around
        self._keeper: Keeper | None = None
        self._doorbell: Doorbell | None = None
        self._worker: dramatiq.Worker | None = None

    def _open(self) -> None:
        jobs = self._jobs
        jobs.ensure_open()
        if not jobs.tasks:
            raise UsageError("a worker has nothing to run: jobs.include() the modules that declare tasks first")
        held, deadlines = HeldClaims(str(uuid7()), self._threads), Deadlines()
        self._doorbell = Doorbell(jobs.ledger, jobs.adapter.wake).open()
        self._keeper = Keeper(self._duties(held, deadlines, self._doorbell))
        self._keeper.start()
        broker = jobs.adapter.broker(jobs.ledger, held)
        runner = Runner(jobs, held, deadlines, self._around)
        for task in jobs.tasks.values():
            Actor(runner, broker=broker, actor_name=task.name, queue_name=task.queue, priority=0, options={})
        self._worker = dramatiq.Worker(
            broker, queues=self._queues, worker_threads=self._threads, worker_timeout=_TURN_MS
        )
        self._worker.start()

    def _duties(self, held: HeldClaims, deadlines: Deadlines, doorbell: Doorbell) -> list[Duty]:
        ledger, send = self._jobs.ledger, self._jobs.adapter.send
        third = ledger.lease / 3
        duties = [
            Duty(deadlines.strike, _STRIKE),
            Duty(lambda: ledger.renew(held.owner, held.ids()), third),
            Duty(doorbell.beat, HEARTBEAT),
        ]
        return [*duties, Duty(lambda: ledger.reap(send), third)] if ledger.sends else duties

    def _close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop(timeout=round(self._grace * 1000))
        doorbell, self._doorbell = self._doorbell, None
        if doorbell is not None:
            doorbell.close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
