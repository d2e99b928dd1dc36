"""A worker: dramatiq's threads over our brokers, in whatever process opens it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import dramatiq
from dramatiq import Actor

from .._ids import uuid7
from .._lifecycle import Lifecycle
from ..errors import UsageError
from .consumer import QUEUE, Desk
from .deadlines import Deadlines
from .held import Held
from .interface import SupportsHandover, SupportsUpkeep
from .keeper import Duty, Keeper
from .loop import TaskLoop
from .runner import Around, Runner
from .seats import Seats
from .tally import of_worker
from .wake import Bell
from .workers import Registration, memory_used

if TYPE_CHECKING:
    from .._metrics import Told
    from .manager import JobQueue

logger = logging.getLogger("postrmagic_core.jobs")

# Milliseconds after which dramatiq's threads look whether they should stop; waiting for work costs no polling.
_TURN_MS = 100
_STRIKE = 0.2
_TELL = 0.5
_PATIENCE = 1.0
_HEARTBEAT = 10.0
# Seconds after which a cancelled job knows at the latest, however long the lease is.
_HEED = 2.0


class Worker(Lifecycle):
    """Runs the included tasks' jobs in ``threads`` threads while open.

    ``queues``: only these; left out, every queue of an included task. Closing stops claiming, waits ``grace`` seconds
    for what runs and hands back what was not started; what still runs then is delivered again when its lease ends.
    ``max_memory_mib``: MiB of memory beyond which the worker asks to be replaced, see :attr:`spent`. ``around`` is
    called with a job's context, and what it returns is entered around the task.
    """

    id: str

    def __init__(
        self,
        jobs: JobQueue,
        *,
        threads: int = 4,
        queues: Collection[str] | None = None,
        grace: float = 30.0,
        max_memory_mib: int | None = None,
        around: Around | None = None,
    ) -> None:
        super().__init__()
        if threads < 1:
            raise ValueError(f"a worker needs at least 1 thread, got {threads}")
        if max_memory_mib is not None and max_memory_mib < 1:
            raise ValueError(f"max_memory_mib= is at least 1 MiB, or None for no bound, got {max_memory_mib}")
        self._jobs = jobs
        self._threads = threads
        self._queues = None if queues is None else set(queues)
        self._grace = grace
        self._max_memory_mib = max_memory_mib
        self._around = around
        self._opened = ExitStack()
        self._held: Held | None = None
        self.id = ""
        jobs.metrics.report(self._told)

    @property
    def spent(self) -> bool:
        """Whether the process has grown beyond ``max_memory_mib`` and should end; its supervisor starts another."""
        return self._max_memory_mib is not None and memory_used() > self._max_memory_mib * 2**20

    @property
    def queues(self) -> list[str]:
        """The queues that it takes jobs from; :class:`UsageError` where there is nothing to run."""
        known = {task.queue for task in self._jobs.tasks.values()}
        if not known:
            raise UsageError("a worker has nothing to run: jobs.include() the modules that declare tasks first")
        if self._queues is not None and not self._queues <= known:
            raise UsageError(
                f"no included task is of queue {', '.join(sorted(self._queues - known))}; there are: "
                f"{', '.join(sorted(known))}"
            )
        return sorted(known if self._queues is None else self._queues)

    def _open(self) -> None:
        jobs = self._jobs
        jobs.ensure_open()
        queues = self.queues
        bell, deadlines, loop = Bell(), Deadlines(), TaskLoop()
        self.id = str(uuid7())
        held = self._held = Held(self.id, self._threads, bell.ring)
        self._opened.callback(loop.close)
        listener = self._opened.enter_context(jobs.adapter.listen(queues, bell.ring))
        registration = self._opened.enter_context(
            Registration(
                jobs.database,
                self.id,
                queues=queues,
                threads=self._threads,
                port=getattr(listener, "port", None),
                running=lambda: held.running,
            )
        )
        keeper = Keeper(self._duties(held, deadlines, registration))
        keeper.start()
        self._opened.callback(keeper.stop)
        seats = Seats(held, bell, queues)
        desk = Desk(jobs.adapter, held, bell, seats, queues)
        runner = Runner(jobs, held, deadlines, loop, self._around)
        Actor(runner, broker=desk, actor_name=QUEUE, queue_name=QUEUE, priority=0, options={})
        worker = dramatiq.Worker(desk, worker_threads=self._threads, worker_timeout=_TURN_MS)
        worker.start()
        self._opened.callback(lambda: worker.stop(timeout=round(self._grace * 1000)))
        if isinstance(jobs.adapter, SupportsHandover):
            self._opened.enter_context(jobs.adapter.serve(seats))

    def _duties(self, held: Held, deadlines: Deadlines, registration: Registration) -> list[Duty]:
        adapter = self._jobs.adapter

        def renew(told_only: bool = False) -> None:
            beats = held.beats(told_only=told_only)
            for job_id in held.heed(beats, adapter.renew(beats)) if beats else ():
                logger.warning("the lease on job %s was lost to another worker (job.lease_lost)", job_id)

        duties = [
            Duty(deadlines.strike, _STRIKE),
            Duty(renew, min(self._jobs.lease / 3, _HEED)),
            Duty(lambda: renew(told_only=True), _TELL),
            Duty(lambda: held.hand_back(_PATIENCE), _PATIENCE / 2),
            Duty(registration.beat, _HEARTBEAT),
        ]
        upkeep = [*self._jobs.upkeep, *([adapter.sweep] if isinstance(adapter, SupportsUpkeep) else [])]
        return [*duties, *(Duty(call, _HEARTBEAT) for call in upkeep)]

    def _told(self) -> Iterable[Told]:
        return of_worker(self._held) if self.is_open and self._held is not None else ()

    def _close(self) -> None:
        if self._held is not None:
            self._held.drain()
            logger.info("worker %s takes no more jobs; %d still run", self.id, self._held.running)
        self._opened.close()
