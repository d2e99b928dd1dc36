"""How fast one worker works off what waits, each side in its turn; and how fast jobs are enqueued."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from postrmagic_core.jobs import JobQueue

from ._harness import Bench, Case
from ._jobs_counter import Counter
from ._jobs_ours import Place, call
from ._jobs_peers import Dramatiq, Side
from ._jobs_worker import side, working
from ._stats import Comparison, Sample

_MANY = 100


@dataclass(frozen=True)
class Runner:
    """A side in this process, and how another process makes the same."""

    given: Sequence[str]
    side: Side

    @classmethod
    def of(cls, *given: str) -> Runner:
        """``given`` as for :func:`side`; :class:`ImportError` where it is not installed."""
        return cls(given, side(*given))

    @property
    def label(self) -> str:
        """What the table calls it."""
        return self.side.label


def in_turns(
    bench: Bench, title: str, runners: Sequence[Runner], folder: Path, *, number: int, rounds: int
) -> Comparison:
    """Jobs per second, in the order of the seed.

    In each turn ``number`` jobs are enqueued, then a worker is started; the rate is that from the first job's beginning
    to the last one's, so that nobody's imports and connections count.
    """
    samples = {runner.label: Sample(runner.label) for runner in runners}
    order = random.Random(bench.options.seed)
    for turn in range(rounds):
        for runner in order.sample(list(runners), len(runners)):
            rate = _rate(runner, Counter(folder / f"{turn} {runner.label.replace('/', ' ')}"), number)
            sample = samples[runner.label]
            sample.rates.append(rate)
            sample.rounds.append(1 / rate)
            sample.times.append(1 / rate)
    comparison = Comparison(title, samples)
    bench.comparisons.append(comparison)
    return comparison


def _rate(runner: Runner, counter: Counter, number: int) -> float:
    runner.side.enqueue(number)
    with working(counter, *runner.given) as worker:
        worker.wait(counter, number)
    return (number - 1) / (counter.last - counter.first)


def enqueueing(bench: Bench, places: Mapping[str, Place], dramatiq: Dramatiq) -> None:
    """``enqueue_rate.*`` one by one, ``enqueue_many_rate.*`` by the hundred, in jobs; ``_tx``: in a unit of its own."""
    for name, place in places.items():
        with place.queue() as jobs:
            _enqueueing(bench, name, jobs, dramatiq)


def _enqueueing(bench: Bench, name: str, jobs: JobQueue, dramatiq: Dramatiq) -> None:
    one = [
        Case("enqueue", lambda: jobs.enqueue(call())),
        Case("enqueue, tx", lambda: _in_unit(jobs, 1)),
        Case("dramatiq on Redis: send", dramatiq.actor.send),
    ]
    rounds = bench.repeats(12, 3)
    found = bench.pair(f"enqueue one job, {name}", one, rounds=rounds, calls=bench.repeats(100, 20))
    bench.figure(f"enqueue_rate.{name}", found["enqueue"].rate)
    bench.figure(f"enqueue_rate.{name}_tx", found["enqueue, tx"].rate)
    many = [
        Case("enqueue_many", lambda: jobs.enqueue_many([call() for _ in range(_MANY)])),
        Case("enqueue_many, tx", lambda: _in_unit(jobs, _MANY)),
    ]
    found = bench.pair(f"enqueue {_MANY} jobs, {name}", many, rounds=rounds, calls=bench.repeats(5, 1))
    bench.figure(f"enqueue_many_rate.{name}", found["enqueue_many"].rate * _MANY)
    bench.figure(f"enqueue_many_rate.{name}_tx", found["enqueue_many, tx"].rate * _MANY)


def _in_unit(jobs: JobQueue, number: int) -> None:
    with jobs.database.write() as tx:
        if number == 1:
            jobs.enqueue(call(), tx=tx)
        else:
            jobs.enqueue_many([call() for _ in range(number)], tx=tx)


def runners(bench: Bench, names: Mapping[str, str]) -> list[Runner]:
    """A runner for each peer of ``names`` (to its server's URL) that is installed."""
    made = {name: bench.peer(name, partial(Runner.of, name, url)) for name, url in names.items()}
    return [runner for runner in made.values() if runner is not None]
