"""A job that kills its worker each time it runs, and one whose worker is killed in the middle of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from postrmagic_core.testing.servers import RedisServer

from .._harness import Bench
from . import workers
from .workers import SIDES, Worker

_PATIENCE = 90.0
_PAUSE = 0.05
# Longer than a lease or a heartbeat of one second, and the start of a worker.
_QUIET = 8.0


@dataclass
class Place:
    """Where a side has its jobs, and how a worker of it is started."""

    name: str
    folder: Path
    given: tuple[str, ...]
    side: Any

    def worker(self) -> Worker:
        """One more."""
        return Worker(self.name, self.folder, *self.given)


def places(bench: Bench, server: RedisServer, folder: Path, *more: str) -> list[Place]:
    """A place for each side that is installed; ``more`` is for ours and for dramatiq."""
    found = []
    for name, make in SIDES.items():
        mine = folder / name
        mine.mkdir()
        given = [server.create_database()]
        if name == "ours":
            given.append(f"sqlite:///{mine / 'jobs.db'}")
        if name in {"ours", "dramatiq"}:
            given += more
        side = bench.peer(name, partial(make, *given))
        if side is not None:
            found.append(Place(name, mine, tuple(given), side))
    return found


def poisoned(bench: Bench, server: RedisServer) -> None:
    """``poison_runs``: how often a job runs that kills its process, with two retries allowed; counted up to eight.

    A worker that died is started anew. A silent worker's job is given to another after one second, here and with
    dramatiq (whose default is a minute, looked after in one of a thousand commands). Ours is dead then, and is told so.
    """
    enough = bench.scaled(8, 5)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        made = places(bench, server, Path(folder), "1")
        ids = {place.name: place.side.enqueue("kill") for place in made}
        for place, count in zip(made, pool.map(partial(_run_out, enough), made), strict=True):
            bench.figure(_named("poison_runs", place), count)
            if place.name == "ours" and (state := place.side.ending(ids["ours"])) != "dead":
                raise AssertionError(f"the job is {state} and not dead after {count} runs")


def _named(figure: str, place: Place) -> str:
    return figure if place.name == "ours" else f"{figure}_peer.{place.name}"


def _run_out(enough: int, place: Place) -> int:
    """Start workers until the job has been run often enough, or not again for a while."""
    worker, seen, since = place.worker(), 0, time.monotonic()
    began = since
    try:
        while seen < enough and time.monotonic() < since + (_QUIET if seen else _PATIENCE):
            if not worker.alive:
                worker.end()
                worker = place.worker()
            if workers.runs(place.folder) > seen:
                seen, since = workers.runs(place.folder), time.monotonic()
            time.sleep(_PAUSE)
    finally:
        worker.end()
    if not seen:
        raise TimeoutError(f"{place.name} had not begun the job after {time.monotonic() - began:.0f} s")
    return seen


class Recoveries:
    """Jobs whose workers are dead, while others are there; told at the end."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.killed: dict[str, tuple[Place, float]] = {}

    def report(self, bench: Bench) -> None:
        """``recovery_s``: from the kill until the job is run again; waits for it."""
        for place, killed in self.killed.values():
            found = workers.again(place.folder)
            while found is None and time.monotonic() < killed + self._patience:
                time.sleep(_PAUSE)
                found = workers.again(place.folder)
            figure = _named("recovery_s", place)
            if found is not None:
                bench.figure(figure, found - killed)
            elif place.name == "ours":
                raise TimeoutError(f"our job was not run again within {self._patience:g} s")
            else:
                bench.missing[figure] = f"not run again within {self._patience:g} s"


@contextmanager
def recovering(bench: Bench, server: RedisServer) -> Iterator[Recoveries]:
    """Kill a worker of each side in the middle of a job, everything at its default; others are there for the block."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        recoveries = Recoveries(bench.repeats(150, 30))
        made = places(bench, server, Path(folder))
        with ThreadPoolExecutor(2) as pool:
            for place, killed in zip(made, pool.map(partial(_killed, opened), made), strict=True):
                recoveries.killed[place.name] = place, killed
        yield recoveries


def _killed(opened: ExitStack, place: Place) -> float:
    place.side.enqueue("survive")
    worker = place.worker()
    try:
        _until(partial(workers.begun, place.folder), f"{place.name} did not begin the job", worker)
        opened.callback(place.worker().end)
    finally:
        now = time.monotonic()
        worker.end()
    return now


def _until(there: Callable[[], bool], told: str, worker: Worker) -> None:
    until = time.monotonic() + _PATIENCE
    while not there():
        if time.monotonic() > until or not worker.alive:
            worker.said.seek(0)
            raise TimeoutError(f"{told}: {worker.said.read()[-2000:].decode(errors='replace')}")
        time.sleep(_PAUSE)
