"""The jobs' benchmark counts every job once, whoever runs it, and leaves no worker behind."""

from __future__ import annotations

import multiprocessing
import re
import threading
import time
from pathlib import Path

import pytest

from benchmarks import _jobs_backlog, _jobs_latency, _jobs_peers, _jobs_rates
from benchmarks._harness import Bench
from benchmarks._jobs_counter import Counter, count_into, tick
from benchmarks._jobs_ours import Place, fill
from benchmarks._jobs_rates import Runner
from benchmarks._jobs_worker import working
from benchmarks._report import plot
from postrmagic_core.testing.servers import MariaDBServer

THREADS, TICKS = 6, 200


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A database file with the package's tables, where jobs are kept."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    place = Place(url, url)
    place.prepare()
    return place


def count_in_threads(path: Path) -> None:
    """Tick in several threads that all begin at once."""
    count_into(path)
    start = threading.Barrier(THREADS)

    def run() -> None:
        start.wait()
        for _ in range(TICKS):
            tick()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_tick_is_lost(tmp_path: Path) -> None:
    """However many threads of however many processes count at once."""
    counter = Counter(tmp_path / "counter")
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=count_in_threads, args=[counter.path]) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(counter) == 3 * THREADS * TICKS


def test_the_counter_knows_the_first_and_the_last(tmp_path: Path) -> None:
    """By the monotonic clock, which is every process's."""
    counter = Counter(tmp_path / "counter")
    count_into(counter.path)
    before = time.monotonic()
    tick()
    between = time.monotonic()
    tick()
    assert before <= counter.first <= between <= counter.last <= time.monotonic()
    assert len(counter) == 2


def test_who_waits_is_told_what_did_not_run(tmp_path: Path) -> None:
    """After the time-out, or at once when nobody is there to run it."""
    counter = Counter(tmp_path / "counter")
    with pytest.raises(TimeoutError, match="0 of 3 jobs"):
        counter.wait(3, 0.05)
    with pytest.raises(TimeoutError, match="0 of 3 jobs"):
        counter.wait(3, 600, alive=lambda: False)


def test_a_worker_runs_what_waits(place: Place, tmp_path: Path) -> None:
    """Each job once, in a process that ends with the block."""
    counter = Counter(tmp_path / "counter")
    with place.queue() as jobs:
        fill(jobs, 40)
        with working(counter, *place.given) as worker:
            worker.wait(counter, 40)
            process = worker.process
    assert process.poll() is not None
    assert len(counter) == 40


def test_a_worker_that_cannot_work_says_why(tmp_path: Path) -> None:
    """The run ends with what its process printed, and without waiting for the time-out."""
    counter = Counter(tmp_path / "counter")
    with working(counter, "nonesuch", "redis://") as worker, pytest.raises(RuntimeError, match="KeyError: 'nonesuch'"):
        worker.wait(counter, 1)


@pytest.mark.soak
@pytest.mark.redis
def test_sides_take_turns(place: Place, redis_url: str, tmp_path: Path) -> None:
    """Each with a rate for each round, so that a ratio is of neighbours."""
    ours, theirs = Runner.of(*place.given), Runner.of("dramatiq", redis_url)
    bench = Bench()
    found = _jobs_rates.in_turns(bench, "jobs", [theirs, ours], tmp_path, number=30, rounds=2)
    assert {label: len(sample.rates) for label, sample in found.samples.items()} == {
        "ours on SQLite, 8 threads, status on": 2,
        "dramatiq on Redis, 8 threads": 2,
    }
    assert found.rate_ratio(ours.label, theirs.label) > 0
    assert bench.comparisons == [found]


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are measured all the same."""

    def absent(url: str) -> _jobs_peers.Side:
        raise ModuleNotFoundError("No module named 'nonesuch'", name="nonesuch")

    monkeypatch.setitem(_jobs_peers.OTHERS, "nonesuch", absent)
    bench = Bench()
    found = _jobs_rates.runners(bench, {"nonesuch": "redis://", "dramatiq": "redis://127.0.0.1:1/0"})
    assert [runner.label for runner in found] == ["dramatiq on Redis, 8 threads"]
    assert bench.missing == {"nonesuch": "not measured: nonesuch is not installed"}


@pytest.mark.mysql
def test_what_asking_costs_mariadb_is_not_counted(mariadb_server: MariaDBServer) -> None:
    """What others send is."""
    with _jobs_latency.questions(mariadb_server.url) as asked, _jobs_latency.questions(mariadb_server.url) as other:
        before = asked()
        assert asked() == before
        other()
        assert asked() > before


def test_a_backlog_stays_as_long_as_it_is(place: Place) -> None:
    """For each job that is claimed another one waits, so that the size is what is compared."""
    found = _jobs_backlog.costs(place, [1, 30], 10)
    assert {size: len(times) for size, times in found.items()} == {1: 10, 30: 10}
    with place.queue() as jobs:
        assert jobs.counts()["default"].queued == 30


def test_the_picture_is_of_the_backlog() -> None:
    """Every broker's line, and what ``--plot`` writes."""
    bench = Bench()
    bench.picture = _jobs_backlog.picture({"SQLite": {1: [0.001], 1000: [0.002]}, "Redis": {1: [0.001], 1000: [0.001]}})
    assert plot("jobs", bench) == bench.picture
    assert {"SQLite", "Redis", "1", "1,000"} <= set(re.findall(r">([^<>]+)</text>", bench.picture))
