"""From ``enqueue`` to the job's first line while the worker is idle, and what an idle worker asks its servers for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pymysql

from ._cache_commands import watched
from ._harness import Bench
from ._jobs_counter import Counter, count_into
from ._jobs_ours import Place, call
from ._jobs_peers import THREADS, Dramatiq
from ._jobs_worker import WorkerProcess, working
from ._stats import Comparison, Sample

_PATIENCE = 60.0
# After its first job a worker is left alone for so long, and has slowed down to its idle pace.
_SETTLE = 2.0


@dataclass(frozen=True)
class Single:
    """An idle worker and a way to send it a job; ``worker`` is ``None`` where it is in this process."""

    label: str
    send: Callable[[], object]
    counter: Counter
    worker: WorkerProcess | None = None

    def took(self) -> float:
        """Seconds from sending a job to its first line."""
        number, began = len(self.counter) + 1, time.monotonic()
        self.send()
        if self.worker is not None:
            self.worker.wait(self.counter, number)
        else:
            self.counter.wait(number, _PATIENCE)
        return self.counter.last - began


def start_latencies(
    bench: Bench, places: Mapping[str, Place], dramatiq_urls: tuple[str, str], folder: Path, rounds: int
) -> Comparison:
    """Single jobs in turns with random pauses; the first of each is not kept.

    The cases are named as the ``places``, and ``dramatiq``; ``sqlite here``, ``dramatiq here``: in this process.
    """
    with ExitStack() as opened:
        singles = [_ours(opened, name, place, Counter(folder / f"latency {name}")) for name, place in places.items()]
        singles.append(_dramatiq(opened, dramatiq_urls[0], Counter(folder / "latency dramatiq")))
        for single in singles:
            single.took()
        found = _in_turns(bench, "enqueue to first line, idle, another process", singles, rounds)
    with ExitStack() as opened:
        counter = Counter(folder / "latency local")
        count_into(counter.path)
        singles = [_ours_here(opened, places["sqlite"], counter), _dramatiq_here(opened, dramatiq_urls[1], counter)]
        for single in singles:
            single.took()
        local = _in_turns(bench, "enqueue to first line, idle, this process", singles, rounds)
    return Comparison("", {**found.samples, **local.samples})


def _in_turns(bench: Bench, title: str, singles: list[Single], rounds: int) -> Comparison:
    samples = {single.label: Sample(single.label) for single in singles}
    drawn = random.Random(bench.options.seed)
    for _ in range(rounds):
        time.sleep(drawn.uniform(0.3, 0.7))
        for single in drawn.sample(singles, len(singles)):
            took = single.took()
            samples[single.label].times.append(took)
            samples[single.label].rounds.append(took)
    comparison = Comparison(title, samples)
    bench.comparisons.append(comparison)
    return comparison


def _ours(opened: ExitStack, name: str, place: Place, counter: Counter) -> Single:
    jobs = opened.enter_context(place.queue())
    worker = opened.enter_context(working(counter, *place.given))
    if place.kind == "RabbitMQ":
        opened.enter_context(opened.enter_context(place.relay()))
    return Single(name, lambda: jobs.enqueue(call()), counter, worker)


def _dramatiq(opened: ExitStack, url: str, counter: Counter) -> Single:
    worker = opened.enter_context(working(counter, "dramatiq", url))
    return Single("dramatiq", Dramatiq(url).actor.send, counter, worker)


def _ours_here(opened: ExitStack, place: Place, counter: Counter) -> Single:
    jobs = opened.enter_context(place.queue())
    opened.enter_context(jobs.worker(threads=THREADS))
    return Single("sqlite here", lambda: jobs.enqueue(call()), counter)


def _dramatiq_here(opened: ExitStack, url: str, counter: Counter) -> Single:
    theirs = Dramatiq(url)
    worker = theirs.worker()
    worker.start()
    opened.callback(worker.stop)
    return Single("dramatiq here", theirs.actor.send, counter)


def idle_per_second(place: Place, asked: Callable[[], int], folder: Path, seconds: float) -> float:
    """What ``asked`` counts per second while one worker of the place has nothing to do, once it has run a job."""
    counter = Counter(folder / f"idle {place.kind}")
    with working(counter, *place.given) as worker:
        with place.queue() as jobs:
            jobs.enqueue(call())
        worker.wait(counter, 1)
        time.sleep(_SETTLE)
        before, began = asked(), time.monotonic()
        time.sleep(seconds)
        return (asked() - before) / (time.monotonic() - began)


@contextmanager
def commands(url: str) -> Iterator[Callable[[], int]]:
    """How many commands a Redis server was sent by others; what a script does within it is none."""
    with watched(url) as seen:
        yield lambda: len(seen)


@contextmanager
def questions(url: str) -> Iterator[Callable[[], int]]:
    """How many statements a MariaDB server was sent by others."""
    parts, asks = urlsplit(url), 0
    connection = pymysql.connect(host=parts.hostname, port=parts.port or 3306, user=parts.username or "root")
    with connection, connection.cursor() as cursor:

        def count() -> int:
            nonlocal asks
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
            found = cursor.fetchall()
            asks += 1
            return int(found[0][1]) - asks

        yield count
