"""`postrmagic worker`: real processes that are told to stop, killed, replaced and outgrown."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core._ids import uuid7
from postrmagic_core.cli.worker import _beginning, _ReadyFile
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.jobs import staged
from postrmagic_core.jobs.interface import NewJob
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from tests.cli.conftest import Command, Shop, grow, hold, quick, send, until

LEASE = 2.0


@pytest.mark.fault
def test_the_job_of_a_killed_process_runs_again_while_its_sibling_goes_on(make_shop: Callable[..., Shop]) -> None:
    """Within the lease and ten seconds; the sibling's own job is neither interrupted nor repeated."""
    shop = make_shop(lease=LEASE)
    queue, gate = shop.stack.jobs, shop.directory / "gate"
    with shop.start("--processes", "2", "--threads", "2") as worker:
        until(lambda: len(queue.workers()) == 2)
        held = [queue.enqueue(hold.call(str(gate))) for _ in range(2)]
        while len({pid for _, pid in shop.marks("began")}) < 2:
            # One process was quick and took both: the other one gets a further job.
            until(lambda: len(shop.marks("began")) == len(held))
            if len({pid for _, pid in shop.marks("began")}) < 2:
                held.append(queue.enqueue(hold.call(str(gate))))
        (victims, victim), (others, sibling) = by_process(shop)
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        lost = victims[0]
        until(lambda: len(shop.pids("began", lost)) == 2)
        assert time.monotonic() - killed < LEASE + 10
        assert sibling in worker.children()
        gate.touch()
        ended = [handle.wait(60) for handle in held]
        until(lambda: len(worker.children()) == 2)
    assert {status.state for status in ended} == {"succeeded"}
    assert {status.id: status.attempts for status in ended} == {
        **dict.fromkeys(victims, 2),
        **dict.fromkeys(others, 1),
    }
    assert [shop.pids("ended", job_id) for job_id in others] == [[sibling]] * len(others)
    assert f"worker process {victim} was ended by SIGKILL" in worker.said


def by_process(shop: Shop) -> list[tuple[list[str], int]]:
    """Which jobs each process began, the one with the fewest first."""
    began = shop.marks("began")
    found = [([job_id for job_id, at in began if at == pid], pid) for pid in {pid for _, pid in began}]
    return sorted(found, key=lambda one: len(one[0]))


@pytest.fixture
def lossy_redis_url(redis_url: str) -> str:
    """A Redis that nobody kills may forget."""
    return f"{redis_url}?durability=none"


class Load:
    """Enqueues quick jobs as long as it is open, so that workers always find some."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ids: list[str] = []

    def _run(self) -> None:
        queue = self._shop.stack.jobs
        while not self._stopped.wait(0.05):
            if len(self.ids) - len(self._shop.marks("ended")) < 60:
                self.ids += [handle.id for handle in queue.enqueue_many([quick.call()] * 20)]

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()


@pytest.mark.fault
@pytest.mark.parametrize(
    "place",
    [
        pytest.param({}, id="sqlite"),
        pytest.param({"database": "mariadb_url"}, id="mariadb", marks=[pytest.mark.mysql, pytest.mark.soak]),
        pytest.param({"broker": "lossy_redis_url"}, id="redis", marks=[pytest.mark.redis, pytest.mark.soak]),
    ],
)
def test_a_rolling_restart_under_load_loses_and_repeats_nothing(
    make_shop: Callable[..., Shop], place: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Commands and single processes are replaced while jobs come in: each is delivered once, and runs once."""
    shop = make_shop(**{name: request.getfixturevalue(url) for name, url in place.items()})

    def works(pids: set[int]) -> bool:
        return bool(pids & {pid for _, pid in shop.marks("ended")})

    def begin() -> Command:
        worker = shop.start("--processes", "2", "--threads", "2")
        until(lambda: works(worker.children()))
        return worker

    with Load(shop) as load, begin() as first, begin() as second:
        first.terminate()
        assert first.wait() == 0
        before = second.children()
        os.kill(min(before), signal.SIGTERM)
        until(lambda: works(second.children() - before))
        until(lambda: len(shop.stack.jobs.workers()) == 2)
        load.__exit__()
        until(lambda: len(shop.marks("ended")) >= len(load.ids))
        second.terminate()
        assert second.wait() == 0
    assert len({pid for _, pid in shop.marks("ended")}) >= 4
    for word in ("began", "ended"):
        assert Counter(job_id for job_id, _ in shop.marks(word)) == Counter(load.ids)
    found = shop.stack.jobs.find({"succeeded"}, limit=len(load.ids) + 1)
    assert {(status.state, status.attempts) for status in found} == {("succeeded", 1)}
    assert len(found) == len(load.ids)
    assert "has drained and ended" in second.said
    assert "nothing is left" in second.said


def test_a_stop_lets_what_runs_end_and_hands_back_what_does_not(make_shop: Callable[..., Shop]) -> None:
    """Within the grace; what has not begun is as if it had never been delivered."""
    shop = make_shop()
    queue, gate = shop.stack.jobs, shop.directory / "gate"
    first = queue.enqueue(hold.call(str(gate)))
    with shop.start("--threads", "1", "--grace", "100", "--only", "worker") as worker:
        until(lambda: shop.marks("began"))
        waiting = queue.enqueue_many([quick.call()] * 5)
        worker.terminate()
        until(lambda: "takes no more jobs; 1 still run" in worker.said)
        until(lambda: all(_of(shop, handle.id) == ("queued", 0) for handle in waiting))
        gate.touch()
        assert worker.wait() == 0
    assert _of(shop, first.id) == ("succeeded", 1)
    assert {_of(shop, handle.id) for handle in waiting} == {("queued", 0)}
    assert "default, mail (5 tasks) from sqlite://" in worker.said
    assert "1 process of 1 thread, without the relay, 100 s grace" in worker.said
    assert "left: default 5 due, 0 later, 0 running" in worker.said


def _of(shop: Shop, job_id: str) -> tuple[str, int]:
    status = shop.stack.jobs.status(job_id)
    assert status is not None
    return status.state, status.attempts


@pytest.mark.parametrize("grace", ["0.5", "600"])
def test_a_job_that_does_not_end_holds_no_stop_for_longer_than_its_grace(
    make_shop: Callable[..., Shop], grace: str
) -> None:
    """Nor for longer than somebody's patience, who asks twice; the job is delivered again when its lease ends."""
    shop = make_shop(lease=LEASE)
    queue, gate = shop.stack.jobs, shop.directory / "gate"
    job = queue.enqueue(hold.call(str(gate)))
    with shop.start("--threads", "1", "--grace", grace, "--only", "worker") as worker:
        until(lambda: shop.marks("began"))
        worker.terminate()
        if grace == "600":
            time.sleep(1)
            assert worker.alive
            worker.terminate()
        assert worker.wait() == 0
        assert _of(shop, job.id) == ("running", 1)
        assert ("the stop was asked for twice" in worker.said) == (grace == "600")
        assert "default 0 due, 0 later, 1 running" in worker.said
    with shop.stack.worker(threads=1):
        assert job.wait(60).attempts == 2


def test_a_process_beyond_its_memory_is_replaced_at_once(make_shop: Callable[..., Shop]) -> None:
    """It drains first; other queues than those named are left alone."""
    shop = make_shop()
    queue = shop.stack.jobs
    with shop.start("--threads", "1", "--max-memory-mib", "400", "--queues", "default") as worker:
        other = queue.enqueue(send.call("me"))
        queue.enqueue(grow.call(1)).wait(100)
        queue.enqueue(grow.call(500)).wait(100)
        until(lambda: "another is started now" in worker.said)
        queue.enqueue(grow.call(1)).wait(100)
        assert _of(shop, other.id) == ("queued", 0)
        pids = [pid for _, pid in shop.marks("ended")]
        assert pids[0] == pids[1] != pids[2]
    assert "its memory had grown beyond its ceiling" in worker.said
    assert "default (4 tasks)" in worker.said
    assert "400 MiB each" in worker.said


def test_less_than_a_mebibyte_is_a_usage_error(make_shop: Callable[..., Shop]) -> None:
    """No process could be so small."""
    with make_shop().start("--max-memory-mib", "0") as worker:
        assert worker.wait() == 2
    assert "--max-memory-mib" in worker.said


def test_an_unknown_queue_is_refused_before_anything_starts(make_shop: Callable[..., Shop]) -> None:
    """With those that there are."""
    with make_shop().start("--queues", "mail,post", "--queues", "letters") as worker:
        assert worker.wait() == 1
    assert "no included task is of queue letters, post; there are: default, mail" in worker.said
    assert "Traceback" not in worker.said


@pytest.mark.soak
def test_a_worker_forwards_the_outbox_too_and_is_quiet_when_asked(make_shop: Callable[..., Shop]) -> None:
    """What a unit staged reaches the broker, and is run."""
    shop = make_shop()
    job = NewJob(str(uuid7()), "default", "quick", 0, quick.call().payload)
    with shop.stack.database.write() as tx:
        tx.stage(staged.TOPIC, staged.packed(job))
    with shop.start("--quiet") as worker:
        until(lambda: shop.pids("ended", job.id))
        worker.terminate()
        assert worker.wait() == 0
    assert "postrmagic worker:" not in worker.said


def test_schedules_are_fired_where_the_relay_runs(make_shop: Callable[..., Shop]) -> None:
    """By workers and by the relay alone; workers without it leave them alone."""
    shop = make_shop()
    source = shop.directory / "shop.py"
    declared = (
        "from postrmagic_core.jobs import every\nticking = every(0.2, quick.call(), name='ticking')\nstack.include("
    )
    source.write_text(source.read_text().replace("stack.include(", declared))
    with shop.start("--only", "worker") as without:
        until(shop.stack.jobs.workers)
        with shop.start("--only", "relay") as relay:
            until(lambda: len(shop.marks("ended")) >= 2)
            relay.terminate()
            assert relay.wait() == 0
        assert re.search(r"the relay of .* to .* and 1 schedule, 1 process", relay.said)
        without.terminate()
        assert without.wait() == 0
    assert "without the relay, " in without.said


def test_the_line_at_the_start_shows_no_password() -> None:
    """It is what people paste."""
    settings = Settings(
        database={"url": "mysql://shop:hunter2@db.internal/shop"}, jobs={"url": "mysql://me:hunter2@broker:3307/jobs"}
    )
    stack = Stack(settings, configure_logging=False)
    options = {"threads": 3, "max_memory_mib": None, "grace": 30.0}
    assert _beginning(stack, ["default"], "all", 2, options) == (
        "postrmagic worker: default (1 task) from mysql://broker:3307/jobs, 2 processes of 3 threads, with the relay, "
        "30 s grace"
    )
    assert _beginning(stack, [], "relay", 1, options) == (
        "postrmagic worker: the relay of mysql://db.internal/shop to mysql://broker:3307/jobs, 1 process"
    )


@pytest.mark.soak
def test_the_ready_file_is_there_while_every_process_works(make_shop: Callable[..., Shop]) -> None:
    """Not one that was left there; gone while a process is replaced, and as soon as the command drains."""
    shop = make_shop(lease=LEASE)
    ready, gate = shop.directory / "ready", shop.directory / "gate"
    ready.touch()
    with shop.start("--ready-file", str(ready)) as worker:
        until(lambda: not ready.exists())
        until(ready.exists)
        assert len(shop.stack.jobs.workers()) == 1
        os.kill(min(worker.children()), signal.SIGKILL)
        until(lambda: not ready.exists())
        until(ready.exists)
        shop.stack.jobs.enqueue(hold.call(str(gate)))
        until(lambda: shop.marks("began"))
        worker.terminate()
        until(lambda: not ready.exists())
        assert worker.alive
        gate.touch()
        assert worker.wait() == 0
    assert shop.marks("ended")


@pytest.mark.parametrize("there", ["content", "directory", "nowhere"])
def test_a_ready_file_that_cannot_be_is_told_at_once(tmp_path: Path, there: str) -> None:
    """One with something in it is not removed: it is meant for something else."""
    path = tmp_path / "ready"
    if there == "content":
        path.write_text("mine")
    elif there == "directory":
        path.mkdir()
    else:
        path = path / "ready"
    with pytest.raises(ConfigurationError, match=r"--ready-file .*ready"):
        _ReadyFile(path)
    assert there == "nowhere" or path.exists()
