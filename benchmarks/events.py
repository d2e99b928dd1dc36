"""What emitting costs beside blinker, how fast durable events are delivered, broadcasts heard and ticks fired.

The listeners do nothing. A durable event is emitted in a unit of its own, goes through the outbox to one listener, and
is delivered by the relay and a worker of eight threads in the same process. The broadcast is heard in another process.
A tick is late by the time from its instant to the first line of its task, one scheduler and one worker being there.
"""

from __future__ import annotations

import importlib
import queue
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from postrmagic_core.database import DatabaseManager
from postrmagic_core.events import Event, EventManager, on
from postrmagic_core.jobs import JobContext, JobQueue, every, task
from postrmagic_core.testing.servers import MariaDBServer, RedisServer

from ._events_broadcast import broadcast_latencies, idle_per_second
from ._harness import Bench, Case

TAKES: frozenset[str] = frozenset()


class Happened(Event):
    """What is emitted."""

    event_type: ClassVar[str] = "benchmark.happened"
    number: int


def run(bench: Bench) -> None:
    """Report every figure."""
    for listeners in (1, 10):
        emitted(bench, listeners)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        mariadb, redis = opened.enter_context(MariaDBServer()), opened.enter_context(RedisServer())
        durable(bench, {"sqlite": f"sqlite:///{folder / 'events.db'}", "mariadb": mariadb.create_database()})
        ticks(bench, {"sqlite": f"sqlite:///{folder / 'ticks.db'}", "mariadb": mariadb.create_database()})
        url = redis.create_database()
        found = broadcast_latencies(bench, url, bench.repeats(500, 40))
        bench.figure("broadcast_ms", found["Redis"].median * 1e3)
        bench.figure("broadcast_idle_queries_per_s", idle_per_second(url, bench.repeats(20, 3)))


def emitted(bench: Bench, listeners: int) -> None:
    """``emit_1_time_ratio``, ``emit_10_time_ratio``: over blinker's ``send`` to as many receivers."""
    with EventManager() as events:
        events.include(*(on(Happened, name=f"listener {number}")(_listen) for number in range(listeners)))
        cases = [Case("emit()", partial(events.emit, Happened(number=1)))]
        send = bench.peer("blinker", partial(_blinker, listeners))
        if send is not None:
            cases.append(Case("blinker", send))
        title = f"an event to {listeners} listener{'s' if listeners > 1 else ''}"
        found = bench.pair(title, cases, rounds=bench.repeats(60, 12), calls=20, batch=500)
        if send is not None:
            bench.figure(f"emit_{listeners}_time_ratio", found.time_ratio("emit()", "blinker"))


def _listen(event: Happened, ctx: Any) -> None:
    pass


def _blinker(receivers: int) -> Any:
    signal, event = importlib.import_module("blinker").Signal(), Happened(number=1)
    held = [partial(_receive, number) for number in range(receivers)]
    for receiver in held:
        signal.connect(receiver, weak=False)
    return lambda: signal.send(None, event=event)


def _receive(number: int, sender: Any, event: Happened) -> None:
    pass


def durable(bench: Bench, urls: dict[str, str]) -> None:
    """``durable_rate.<database>``, and the slower one as ``durable_rate``: events a second, emitted and delivered."""
    number, rates = bench.scaled(2000, 200), {}
    for name, url in urls.items():
        with ExitStack() as opened:
            database = opened.enter_context(DatabaseManager(url))
            database.upgrade()
            jobs = opened.enter_context(JobQueue(url, database=database))
            events = opened.enter_context(EventManager(database=database, jobs=jobs))
            events.include(on(Happened, phase="durable", name="listener")(_listen))
            jobs.include(task(name="postrmagic.events.deliver")(events.run_delivery))
            opened.enter_context(database.relay({"events": events.deliver}))
            opened.enter_context(jobs.worker(threads=8))
            _deliver(events, 20)
            rates[name] = number / _deliver(events, number)
        bench.figure(f"durable_rate.{name}", rates[name])
    bench.figure("durable_rate", min(rates.values()))


def _deliver(events: EventManager, number: int) -> float:
    """Seconds from the first emission to the end of the last delivery."""
    began = time.monotonic()
    for index in range(number):
        events.emit(Happened(number=index))
    events.drain(600)
    return time.monotonic() - began


def ticks(bench: Bench, urls: dict[str, str]) -> None:
    """``tick_late_ms.<database>``: the median over the ticks of a schedule that has four a second."""
    for name, url in urls.items():
        late = _late(url, bench.repeats(100, 12))
        bench.figure(f"tick_late_ms.{name}", median(late[2:]) * 1e3)


def _late(url: str, number: int) -> list[float]:
    """By how many seconds each of the first ticks was late."""
    late: queue.SimpleQueue[float] = queue.SimpleQueue()

    @task(name="benchmark.tick")
    def tick(ctx: JobContext) -> None:
        if ctx.scheduled_for is not None:
            late.put((datetime.now(UTC) - ctx.scheduled_for).total_seconds())

    with ExitStack() as opened:
        database = opened.enter_context(DatabaseManager(url))
        database.upgrade()
        jobs = opened.enter_context(JobQueue(url, database=database))
        jobs.include(tick, every(0.25, tick.call()))
        opened.enter_context(jobs.worker(threads=1))
        opened.enter_context(jobs.scheduler())
        return [late.get(timeout=60) for _ in range(number)]


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "events", *sys.argv[1:]]))
