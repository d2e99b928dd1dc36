"""What is counted of jobs: how many ended and how, for how long they ran and waited, and what runs now."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from .._metrics import Histogram, Metrics, Told
from .interface import Counts

if TYPE_CHECKING:
    from .held import Delivery, Held
    from .interface import Outcome

# Seconds. Jobs run and wait longer than requests do.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)


class JobTally:
    """Counts deliveries in ``metrics``; a task that is none of ``tasks`` counts as ``unknown``: names are bounded."""

    def __init__(self, metrics: Metrics, tasks: Container[str]) -> None:
        self._metrics = metrics
        self._tasks = tasks
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._waits: dict[str, Histogram] = {}

    def began(self, delivery: Delivery) -> None:
        """A thread has taken it up."""
        if delivery.waited is not None:
            queue = delivery.claim.queue
            waits = self._waits.get(queue)
            if waits is None:
                waits = self._waits[queue] = self._metrics.histogram("jobs_wait_seconds", BOUNDS, queue=queue)
            waits.observe(delivery.waited)

    def ended(self, delivery: Delivery, outcome: Outcome) -> None:
        """And this is how it ended: as ``outcome`` says, or lost to another worker."""
        claim, seconds = delivery.claim, time.monotonic() - delivery.began
        task = claim.task if claim.task in self._tasks else "unknown"
        key = task, claim.queue
        durations = self._durations.get(key)
        if durations is None:
            durations = self._metrics.histogram("jobs_duration_seconds", BOUNDS, task=task, queue=claim.queue)
            self._durations[key] = durations
        durations.observe(seconds)
        ended = "lost" if delivery.lost else outcome.state
        self._metrics.counter("jobs_processed_total", task=task, queue=claim.queue, outcome=ended).add()


def of_worker(held: Held) -> Iterator[Told]:
    """How busy a worker is."""
    yield "jobs_in_flight", {}, held.running
    yield "jobs_threads", {}, held.threads


def of_queues(counts: Mapping[str, Counts], known: Iterable[str]) -> Iterator[Told]:
    """How much waits in each queue, ``known`` or not, and for how long the first of it has."""
    for queue in {*counts, *known}:
        of = counts.get(queue) or Counts()
        for state, number in (("queued", of.queued), ("later", of.later), ("running", of.running), ("dead", of.dead)):
            yield "jobs_queue_depth", {"queue": queue, "state": state}, number
        yield "jobs_oldest_due_seconds", {"queue": queue}, of.oldest
