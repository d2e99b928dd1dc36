"""Our side of the jobs benchmark, by what the package offers to everybody: status on, the default lease."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.relay import Relay
from postrmagic_core.jobs import Call, JobQueue, task

from ._jobs_counter import tick
from ._jobs_peers import THREADS

_AT_ONCE = 1000
_KINDS = {"redis": "Redis", "sqlite": "SQLite", "mysql": "MariaDB", "amqp": "RabbitMQ"}


@task(name="tick")
def counted(_: Any) -> None:
    """The no-op of every side."""
    tick()


@task(name="survive")
def survive(_: Any, path: str) -> None:
    """Hangs at its first delivery, when it makes ``path``, and counts at the second."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        tick()
    else:
        time.sleep(3600)


def call() -> Call:
    """A job that counts."""
    return counted.call()


def fill(jobs: JobQueue, number: int) -> None:
    """Enqueue ``number`` jobs that count, a thousand at a time."""
    for first in range(0, number, _AT_ONCE):
        jobs.enqueue_many([call() for _ in range(min(_AT_ONCE, number - first))])


@dataclass(frozen=True)
class Place:
    """Where jobs are kept, the database that tasks write to, and whose they are."""

    broker: str
    database: str
    namespace: str = "benchmark"

    @property
    def given(self) -> tuple[str, ...]:
        """What another process makes the same side of."""
        return "ours", self.broker, self.database, self.namespace

    @property
    def kind(self) -> str:
        """What the broker is called."""
        return _KINDS[urlsplit(self.broker).scheme]

    @contextmanager
    def queue(self) -> Iterator[JobQueue]:
        """The application's queue, open."""
        with DatabaseManager(self.database) as database, self._queue(database) as jobs:
            jobs.include(counted, survive)
            yield jobs

    @contextmanager
    def relay(self) -> Iterator[Relay]:
        """What tells the broker of committed jobs; it runs while it is open."""
        with DatabaseManager(self.database) as database, self._queue(database) as jobs:
            yield database.relay({"jobs": jobs.deliver})

    def prepare(self) -> None:
        """Make the package's tables."""
        with DatabaseManager(self.database) as database:
            database.upgrade()

    def _queue(self, database: DatabaseManager) -> JobQueue:
        return JobQueue(self.broker, database=database, namespace=self.namespace)


class Ours:
    """One worker of eight threads."""

    def __init__(self, place: Place) -> None:
        self.label = f"ours on {place.kind}, {THREADS} threads, status on"
        self.place = place

    def enqueue(self, number: int) -> None:
        """Many at once; what the relay has to tell the broker is told before anybody works."""
        with self.place.queue() as jobs:
            fill(jobs, number)
        if self.place.kind == "RabbitMQ":
            with self.place.relay() as relay:
                while relay.run_once():
                    pass

    def work(self) -> None:
        """The worker, while this thread waits."""
        with self.place.queue() as jobs, jobs.worker(threads=THREADS):
            threading.Event().wait()
