"""Supervised processes, and the command that starts them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._codec import encode
from postrmagic_core._ids import uuid7
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.jobs.process import load
from postrmagic_core.jobs.supervisor import Supervisor, restart_delay
from postrmagic_core.testing import spawn

Until = Callable[..., None]

# Appends its pid to a file, then sleeps; SIGTERM ends it with 0.
PROCESS = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(3600)
"""

APP = """
from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobQueue, task
from sqlalchemy import text

@task(name="write")
def write(ctx, value: str) -> None:
    with ctx.write() as tx:
        tx.execute(text("INSERT INTO effects (value) VALUES (:value)"), {"value": value})

class Application:
    def __init__(self, url):
        self.db = DatabaseManager(url)
        self.jobs = JobQueue(url, database=self.db)
        self.jobs.include(write)
    def relay(self):
        return self.db.relay({"jobs": self.jobs.deliver})
    def worker(self, *, threads=None):
        return self.jobs.worker(threads or 2)
    def __enter__(self):
        self.db.open()
        self.jobs.open()
        return self
    def __exit__(self, *error):
        self.jobs.close()
        self.db.close()
"""


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@pytest.fixture
def supervisor(pids: Path) -> Iterator[Supervisor]:
    made = Supervisor([sys.executable, "-S", "-c", PROCESS, str(pids)], 2)
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.stop()
    thread.join(10)
    assert not thread.is_alive()


def started(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().splitlines()] if pids.exists() else []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.fault
def test_a_process_that_dies_stops_no_sibling_and_is_started_again(
    supervisor: Supervisor, pids: Path, sqlite_rig: Any
) -> None:
    """kill -9 one of two: the other keeps its pid, a third process appears."""
    sqlite_rig.until(lambda: len(started(pids)) == 2)
    victim, sibling = started(pids)
    os.kill(victim, signal.SIGKILL)
    sqlite_rig.until(lambda: len(started(pids)) == 3)
    assert alive(sibling)


def test_stopping_ends_every_process(pids: Path, sqlite_rig: Any) -> None:
    """SIGTERM, waited for."""
    supervisor = Supervisor([sys.executable, "-S", "-c", PROCESS, str(pids)], 2)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    sqlite_rig.until(lambda: len(started(pids)) == 2)
    supervisor.stop()
    thread.join(10)
    assert not any(alive(pid) for pid in started(pids))


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(pids: Path, sqlite_rig: Any) -> None:
    """A stop ends, whatever a job does."""
    deaf = PROCESS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    supervisor = Supervisor([sys.executable, "-S", "-c", deaf, str(pids)], 1, grace=0.2)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    sqlite_rig.until(lambda: len(started(pids)) == 1)
    supervisor.stop()
    thread.join(10)
    assert not alive(started(pids)[0])


def test_restarts_slow_down() -> None:
    """From 0.2 s to 10 s: a process that cannot start must not take the machine."""
    assert [restart_delay(n) for n in (1, 2, 3, 100)] == [0.2, 0.4, 0.8, 10.0]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nonsense", "module:name"),
        ("no_such_module:stack", "no_such_module"),
        ("os:nothing", "nothing"),
        ("os:sep", "str"),
    ],
)
def test_an_application_that_cannot_be_loaded_is_named(target: str, says: str) -> None:
    """Before any process is started."""
    with pytest.raises(ConfigurationError, match=says):
        load(target)


def command(directory: str) -> None:
    """``postrmagic worker`` as a process."""
    import typer

    from postrmagic_core.cli.worker import worker

    os.chdir(directory)
    application = typer.Typer()
    application.command()(worker)
    application(["--app", "shop:stack", "--threads", "1"], standalone_mode=False)


@pytest.mark.fault
def test_the_command_runs_jobs_and_ends_on_sigterm(sqlite_rig: Any, tmp_path: Path) -> None:
    """A job enqueued here is run by the supervised process there; what was staged is relayed by it."""
    (tmp_path / "shop.py").write_text(f"{APP}\nstack = Application({sqlite_rig.place.database_url!r})\n")
    from postrmagic_core.jobs import task

    @task(name="write")
    def write(ctx: Any, value: str) -> None: ...

    job = sqlite_rig.jobs.enqueue(write.call("by the command"))
    with sqlite_rig.db.write() as tx:
        tx.stage("jobs", encode([str(uuid7()), "default", "write", 0, write.call("relayed").payload, 0]))
    with spawn(command, str(tmp_path)) as child:
        sqlite_rig.until(lambda: sorted(sqlite_rig.effects()) == ["by the command", "relayed"], timeout=40)
        assert sqlite_rig.ends(job.id) == "done"
        child.terminate()
        assert child.wait() == 0
