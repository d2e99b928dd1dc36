"""The peers of the jobs benchmark: each enqueues the same no-op and works it off, set up as its documentation says.

Each is one worker with settings that its documentation offers for speed, of which none tried was clearly faster; none
keeps a result or a state. RQ and Huey pickle; what they unpickle here is what they pickled here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

import dramatiq

from ._jobs_counter import tick

THREADS = 8


class Side(Protocol):
    """Whoever has jobs that count, and a worker for them; made in the process that enqueues and in the one that works.

    ``label``: what tables call it, with the settings its worker has.
    """

    @property
    def label(self) -> str:
        """See above."""
        ...

    def enqueue(self, number: int) -> None:
        """Have ``number`` jobs wait."""
        ...

    def work(self) -> None:
        """Run jobs in this process until it is killed."""
        ...


async def tick_awaited(*_: object) -> None:
    """The job of those who await it."""
    tick()


class Dramatiq:
    """dramatiq's own brokers, with its default middleware."""

    def __init__(self, url: str) -> None:
        rabbitmq = urlsplit(url).scheme == "amqp"
        name = "rabbitmq" if rabbitmq else "redis"
        self.label = f"dramatiq on {'RabbitMQ' if rabbitmq else 'Redis'}, {THREADS} threads"
        broker = getattr(import_module(f"dramatiq.brokers.{name}"), f"{name.capitalize()}Broker")
        self.broker: dramatiq.Broker = broker(url=url)
        self.actor = dramatiq.actor(broker=self.broker, actor_name="tick")(tick)

    def enqueue(self, number: int) -> None:
        """One after the other: there is no other way."""
        for _ in range(number):
            self.actor.send()

    def worker(self) -> dramatiq.Worker:
        """Its threads, to be started and stopped."""
        return dramatiq.Worker(self.broker, worker_threads=THREADS)

    def work(self) -> None:
        """Start the threads, and wait."""
        self.worker().start()
        threading.Event().wait()


class Celery:
    """Results ignored, and nothing told to other workers; acknowledged early, as by default."""

    label = f"Celery, {THREADS} threads, prefetch 64 each"

    def __init__(self, url: str) -> None:
        self.app = import_module("celery").Celery("benchmark", broker=url)
        self.app.conf.update(
            task_ignore_result=True,
            worker_prefetch_multiplier=64,
            worker_enable_remote_control=False,
            broker_connection_retry_on_startup=True,
        )
        self.task = self.app.task(tick, name="tick")

    def enqueue(self, number: int) -> None:
        """Through one producer."""
        with self.app.producer_or_acquire() as producer:
            for _ in range(number):
                self.task.apply_async(producer=producer)

    def work(self) -> None:
        """``celery worker``."""
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.app.worker_main(["worker", "--loglevel=ERROR", "--pool=threads", f"--concurrency={THREADS}", *alone])


class Rq:
    """The worker that forks no process for each job."""

    label = "RQ, SimpleWorker, one job at a time"

    def __init__(self, url: str) -> None:
        self.connection = import_module("redis").Redis.from_url(url)
        self.rq = import_module("rq")
        self.queue = self.rq.Queue("benchmark", connection=self.connection)

    def enqueue(self, number: int) -> None:
        """In one round trip."""
        self.queue.enqueue_many([self.rq.Queue.prepare_data(tick, result_ttl=0) for _ in range(number)])

    def work(self) -> None:
        """The worker, in this thread."""
        self.rq.SimpleWorker([self.queue], connection=self.connection).work(logging_level="ERROR")


class Arq:
    """Polls without its usual pause of half a second, and reads more ahead: by default it runs 200 jobs a second."""

    label = f"arq, {THREADS} tasks, poll_delay 0.01, reads 1,000"

    def __init__(self, url: str) -> None:
        self.arq = import_module("arq")
        self.worker = import_module("arq.worker")
        self.settings = import_module("arq.connections").RedisSettings.from_dsn(url)

    def enqueue(self, number: int) -> None:
        """One after the other."""
        asyncio.run(self._enqueue(number))

    async def _enqueue(self, number: int) -> None:
        pool = await self.arq.create_pool(self.settings)
        for _ in range(number):
            await pool.enqueue_job("tick")
        await pool.aclose()

    def work(self) -> None:
        """The worker on this thread's loop."""
        asyncio.set_event_loop(asyncio.new_event_loop())
        given: dict[str, Any] = {"max_jobs": THREADS, "poll_delay": 0.01, "queue_read_limit": 1000, "keep_result": 0}
        functions = [self.worker.func(tick_awaited, name="tick")]
        self.worker.Worker(functions, redis_settings=self.settings, log_results=False, **given).run()


class Taskiq:
    """A Redis stream, acknowledged when a job is done, as by default."""

    label = "taskiq, a Redis stream, 100 tasks"

    def __init__(self, url: str) -> None:
        self.broker = import_module("taskiq_redis").RedisStreamBroker(url)
        self.task = self.broker.task(task_name="tick")(_plainly_awaited)

    def enqueue(self, number: int) -> None:
        """One after the other."""
        asyncio.run(self._enqueue(number))

    async def _enqueue(self, number: int) -> None:
        await self.broker.startup()
        for _ in range(number):
            await self.task.kiq()
        await self.broker.shutdown()

    def work(self) -> None:
        """The receiver on a loop of its own, without the process that watches over it."""
        asyncio.run(self._work())

    async def _work(self) -> None:
        self.broker.is_worker_process = True
        await self.broker.startup()
        await import_module("taskiq.api").run_receiver_task(self.broker, max_async_tasks=100)


async def _plainly_awaited() -> None:
    # taskiq reads the signature to inject what it asks for.
    tick()


class Huey:
    """Without results; a job is gone from the queue before it runs."""

    label = f"Huey, {THREADS} threads"

    def __init__(self, url: str) -> None:
        self.huey = import_module("huey").RedisHuey("benchmark", url=url, results=False)
        self.task = self.huey.task(name="tick")(tick)

    def enqueue(self, number: int) -> None:
        """One after the other."""
        for _ in range(number):
            self.task()

    def work(self) -> None:
        """The consumer, in this process."""
        self.huey.create_consumer(workers=THREADS, worker_type="thread").run()


OTHERS: dict[str, Callable[[str], Side]] = {"celery": Celery, "rq": Rq, "arq": Arq, "taskiq": Taskiq, "huey": Huey}
"""Those beside dramatiq, by a name for the command line."""
