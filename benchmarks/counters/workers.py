"""A worker as a process of its own: ``python -m benchmarks.counters.workers SIDE FOLDER URL…``.

Two jobs: one that kills the process which runs it, each time, and one that hangs until its worker is killed, and ends
when it is run again. They tell of it in the folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobQueue, task

Job: TypeAlias = Literal["kill", "survive"]
RETRIES = 2
"""How often a job may be tried again, on every side that can be told so."""

_VARIABLE = "BENCHMARK_COUNTERS_FOLDER"
_BEGUN, _AGAIN, _RUNS = "begun", "again", "runs"


def kill() -> None:
    """Count the run, and kill this process."""
    with (Path(os.environ[_VARIABLE]) / _RUNS).open("ab") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
    os.kill(os.getpid(), signal.SIGKILL)


def survive() -> None:
    """Hang at the first run, note the time at the next."""
    folder = Path(os.environ[_VARIABLE])
    try:
        (folder / _BEGUN).touch(exist_ok=False)
    except FileExistsError:
        (folder / _AGAIN).write_text(str(time.monotonic()), encoding="utf-8")
    else:
        time.sleep(3600)


JOBS: dict[Job, Callable[[], None]] = {"kill": kill, "survive": survive}


@task(name="kill", retries=RETRIES)
def ours_kill(_: Any) -> None:
    """See :func:`kill`."""
    kill()


@task(name="survive", retries=RETRIES)
def ours_survive(_: Any) -> None:
    """See :func:`survive`."""
    survive()


class Side(Protocol):
    """Whoever has these jobs, made in the process that enqueues and in the one that works."""

    def enqueue(self, job: Job) -> object:
        """Have one wait."""
        ...

    def work(self) -> None:
        """Run jobs in this process until it is killed."""
        ...


class Ours:
    """A worker of our own. ``lease``: seconds after which a silent worker's job is another's; empty: the default."""

    def __init__(self, broker: str, database: str, lease: str = "") -> None:
        self._given = broker, database, lease

    @contextmanager
    def _queue(self) -> Iterator[JobQueue]:
        broker, where, lease = self._given
        given: dict[str, Any] = {"lease": float(lease)} if lease else {}
        with (
            DatabaseManager(where) as database,
            JobQueue(broker, database=database, namespace="counters", **given) as jobs,
        ):
            jobs.include(ours_kill, ours_survive)
            yield jobs

    def enqueue(self, job: Job) -> str:
        """See :meth:`Side.enqueue`; the id."""
        with DatabaseManager(self._given[1]) as database:
            database.upgrade()
        with self._queue() as jobs:
            return str(jobs.enqueue((ours_kill if job == "kill" else ours_survive).call()).id)

    def ending(self, job_id: str) -> str:
        """The job's state."""
        with self._queue() as jobs:
            status = jobs.status(job_id)
            return status.state if status else "gone"

    def work(self) -> None:
        """See :meth:`Side.work`."""
        with self._queue() as jobs, jobs.worker(threads=1):
            threading.Event().wait()


class Dramatiq:
    """dramatiq on Redis. ``soon``: a worker's silence counts after a second, and is looked for at each command."""

    def __init__(self, url: str, soon: str = "") -> None:
        dramatiq = import_module("dramatiq")
        given = {"heartbeat_timeout": 1000, "maintenance_chance": 1_000_000} if soon else {}
        self.broker = import_module("dramatiq.brokers.redis").RedisBroker(url=url, **given)
        self.actors = {
            name: dramatiq.actor(function, broker=self.broker, actor_name=name, max_retries=RETRIES)
            for name, function in JOBS.items()
        }

    def enqueue(self, job: Job) -> None:
        """See :meth:`Side.enqueue`."""
        self.actors[job].send()

    def work(self) -> None:
        """See :meth:`Side.work`."""
        import_module("dramatiq").Worker(self.broker, worker_threads=1).start()
        threading.Event().wait()


class Celery:
    """Celery on Redis, set up to lose nothing: acknowledged late, and rejected when the worker's child is lost."""

    def __init__(self, url: str) -> None:
        self.app = import_module("celery").Celery("counters", broker=url)
        self.app.conf.update(
            task_ignore_result=True,
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            broker_connection_retry_on_startup=True,
        )
        self.tasks = {name: self.app.task(function, name=name, max_retries=RETRIES) for name, function in JOBS.items()}

    def enqueue(self, job: Job) -> None:
        """See :meth:`Side.enqueue`."""
        self.tasks[job].delay()

    def work(self) -> None:
        """See :meth:`Side.work`."""
        self.app.worker_main(["worker", "--loglevel=ERROR", "--concurrency=1"])


class Rq:
    """RQ with its default worker, which forks for each job."""

    def __init__(self, url: str) -> None:
        self.rq = import_module("rq")
        self.connection = import_module("redis").Redis.from_url(url)
        self.queue = self.rq.Queue("counters", connection=self.connection)

    def enqueue(self, job: Job) -> None:
        """See :meth:`Side.enqueue`."""
        self.queue.enqueue(f"{__name__ if __name__ != '__main__' else _NAME}.{job}", retry=self.rq.Retry(max=RETRIES))

    def work(self) -> None:
        """See :meth:`Side.work`."""
        self.rq.Worker([self.queue], connection=self.connection).work(logging_level="ERROR")


class Huey:
    """Huey on Redis; a job is gone from the queue before it runs."""

    def __init__(self, url: str) -> None:
        self.huey = import_module("huey").RedisHuey("counters", url=url, results=False)
        self.tasks = {name: self.huey.task(name=name, retries=RETRIES)(function) for name, function in JOBS.items()}

    def enqueue(self, job: Job) -> None:
        """See :meth:`Side.enqueue`."""
        self.tasks[job]()

    def work(self) -> None:
        """See :meth:`Side.work`."""
        self.huey.create_consumer(workers=1, worker_type="thread").run()


SIDES: dict[str, Callable[..., Side]] = {
    "ours": Ours,
    "dramatiq": Dramatiq,
    "celery": Celery,
    "rq": Rq,
    "huey": Huey,
}
_NAME = "benchmarks.counters.workers"


class Worker:
    """Such a process, which ends with this one, and until :meth:`end` with all that it started."""

    def __init__(self, name: str, folder: Path, *given: str) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115  # end() closes it
        self.process = subprocess.Popen(
            [sys.executable, "-m", _NAME, name, str(folder), *given],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=self.said,
            stderr=self.said,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def end(self) -> None:
        """SIGKILL to it and to everything of its session: a child may have a process group of its own."""
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(ProcessLookupError):
                if os.getsid(int(path.name)) == self.process.pid:
                    os.kill(int(path.name), signal.SIGKILL)
        self.process.wait()
        self.said.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


def runs(folder: Path) -> int:
    """How often the job that kills was begun."""
    path = folder / _RUNS
    return path.stat().st_size if path.exists() else 0


def begun(folder: Path) -> bool:
    """Whether the other one hangs."""
    return (folder / _BEGUN).exists()


def again(folder: Path) -> float | None:
    """When it was run again, by the monotonic clock."""
    path = folder / _AGAIN
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return float(text) if text else None


def _end_with_parent() -> None:
    # Not through sys.stdin: a forked child would wait for its lock.
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ[_VARIABLE] = sys.argv[2]
    # By its name: what a job is called must be the same here as where it was enqueued.
    import_module(_NAME).SIDES[sys.argv[1]](*sys.argv[3:]).work()
