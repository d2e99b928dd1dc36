"""The workers there are: each tells of itself in a row of the application's database."""

from __future__ import annotations

import logging
import os
import resource
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from .._clock import from_us
from .._lifecycle import Lifecycle
from .._unit import in_own_unit
from ..errors import PostrMagicError
from .sqltime import now_us
from .tables import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._protocols import UnitLike, Units

logger = logging.getLogger("postrmagic_core.jobs")

w = workers.c

# For how long a worker that tells nothing is taken for alive.
_FRESH_US = 60_000_000


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process: ``running`` of ``threads`` jobs, ``rss`` bytes of memory, ``last_seen_at`` its last sign."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    threads: int
    running: int
    rss: int
    started_at: datetime
    last_seen_at: datetime


class Registration(Lifecycle):
    """This worker's row, from open until close. ``port``: where datagrams wake it."""

    def __init__(
        self,
        database: Units,
        worker_id: str,
        *,
        queues: Sequence[str],
        threads: int,
        port: int | None,
        running: Callable[[], int],
    ) -> None:
        super().__init__()
        self._database = database
        self._id = worker_id
        self._running = running
        self._fixed = {"host": socket.gethostname(), "pid": os.getpid(), "port": port, "threads": threads}
        self._queues = ",".join(queues)[:2000]

    def beat(self) -> None:
        """Say that the worker lives, and what it does."""
        in_own_unit(self._database, self._tell)

    def _open(self) -> None:
        gone = delete(workers).where(w.seen_us < now_us() - _FRESH_US)

        def tell(tx: UnitLike) -> None:
            tx.execute(gone)
            self._tell(tx)

        in_own_unit(self._database, tell)

    def _tell(self, tx: UnitLike) -> None:
        news = {"running": self._running(), "rss": memory_used(), "seen_us": now_us()}
        # The first time, and when another took it for gone: it was paused, or its database away.
        if not tx.execute(update(workers).where(w.id == self._id).values(news)).rowcount:
            row = {**self._fixed, **news, "id": self._id, "queues": self._queues, "started_us": now_us()}
            tx.execute(workers.insert().values(row))

    def _close(self) -> None:
        try:
            in_own_unit(self._database, lambda tx: tx.execute(delete(workers).where(w.id == self._id)))
        except PostrMagicError as error:
            logger.debug("the worker's row stays until it is stale: %s", error)


def alive(database: Units) -> list[WorkerInfo]:
    """The workers that have told of themselves within the last minute, the oldest first."""
    fresh = select(workers).where(w.seen_us > now_us() - _FRESH_US).order_by(w.started_us, w.id)
    with database.read() as tx:
        return [
            WorkerInfo(
                id=row.id,
                host=row.host,
                pid=row.pid,
                queues=tuple(row.queues.split(",")),
                threads=row.threads,
                running=row.running,
                rss=row.rss,
                started_at=from_us(row.started_us),
                last_seen_at=from_us(row.seen_us),
            )
            for row in tx.execute(fresh)
        ]


def ports(database: Units) -> list[int]:
    """Where datagrams wake the workers that live on this host."""
    here, fresh = w.host == socket.gethostname(), w.seen_us > now_us() - _FRESH_US
    with database.read() as tx:
        return list(tx.execute(select(w.port).where(here, fresh, w.port.is_not(None))).scalars())


def memory_used() -> int:
    """Bytes of memory that this process has in use; where the system does not tell, the most it ever had."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read every few seconds
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
