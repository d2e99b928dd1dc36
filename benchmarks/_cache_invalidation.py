"""Two processes: from the call of ``invalidate`` in one until the reads of the other serve the old value no more."""

from __future__ import annotations

import multiprocessing
import random
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store

_TIMEOUT = 10.0


class Run(NamedTuple):
    """Reads in a row that returned the same ``value``: when the first ended and the last began (monotonic seconds)."""

    value: int
    first_ended: float
    last_began: float


class Told(NamedTuple):
    """An invalidation: the value that was true from then on, when it was called and when it had returned."""

    value: int
    called: float
    returned: float


@dataclass(frozen=True)
class Invalidations:
    """``median_ms``: from the call until the first read with the new value had ended, its computation included.

    ``older_after_ack``: runs of reads one of which began after an invalidation had returned, and answered an older
    value.
    """

    median_ms: float
    older_after_ack: int


def measure(url: str, times: int, seed: int) -> Invalidations:
    """Invalidate ``times`` times while the other process reads without a pause."""
    context = multiprocessing.get_context("spawn")
    truth, stop, (here, there) = context.Value("q", 0), context.Event(), context.Pipe()
    namespace = secrets.token_hex(8)  # in which nothing is left from an earlier run
    reader = context.Process(target=_read, args=[url, namespace, truth, stop, there])
    reader.start()
    if here.recv() != "warm":
        raise RuntimeError("the reader did not begin")
    told, pauses = [], random.Random(seed)
    with closing(open_store(url, timeout=_TIMEOUT)) as store, CacheManager(store, namespace=namespace) as cache:
        for value in range(1, times + 1):
            time.sleep(pauses.uniform(0.005, 0.02))
            truth.value = value
            called = time.monotonic()
            cache.invalidate("truth")
            told.append(Told(value, called, time.monotonic()))
        time.sleep(0.2)
        stop.set()
        runs = here.recv()
    reader.join()
    return judged(told, runs)


def judged(told: list[Told], runs: list[Run]) -> Invalidations:
    """What the invalidations and the reads say together; raises :class:`RuntimeError` where one was never seen."""
    took = []
    for each in told:
        seen = min((run.first_ended for run in runs if run.value >= each.value), default=None)
        if seen is None:
            raise RuntimeError(f"the reader never saw value {each.value}")
        took.append(seen - each.called)
    older = sum(any(each.value > run.value and each.returned < run.last_began for each in told) for run in runs)
    return Invalidations(median(took) * 1e3, older)


def _read(url: str, namespace: str, truth: Any, stop: Any, there: Any) -> None:
    """Read until told to stop; what is kept are runs of equal answers."""
    runs: list[Run] = []
    clock = time.monotonic
    with closing(open_store(url, timeout=_TIMEOUT)) as store, CacheManager(store, namespace=namespace) as cache:

        def load() -> int:
            return int(truth.value)

        value = cache.get_or_set("truth", load, fresh=600, tags=["truth"])
        first_ended = last_began = clock()
        there.send("warm")
        while not stop.is_set():
            # Asking the event costs more than a read from memory.
            for _ in range(50):
                began = clock()
                got = cache.get_or_set("truth", load, fresh=600, tags=["truth"])
                if got != value:
                    runs.append(Run(value, first_ended, last_began))
                    value, first_ended = got, clock()
                last_began = began
        runs.append(Run(value, first_ended, last_began))
    there.send(runs)
