"""Applications for the commands that take ``--app``, and the command as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from postrmagic_core import testing
from postrmagic_core.jobs import task
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing._children import launch_server
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.faults import VARIABLE

ROOT = Path(__file__).parents[2]
# A busy machine may need long; a test whose guard is taken away is to fail anyway.
PATIENCE = 30.0 if VARIABLE in os.environ else 120.0

SHOP = """
import os, sys, time
from pathlib import Path

from postrmagic_core.jobs import task
from postrmagic_core.stack import Stack
from postrmagic_core.testing.faults import apply_from_environment

apply_from_environment()
stack = Stack.from_env()
kept = []


def mark(ctx, word):
    with open("marks", "a") as file:
        file.write(f"{word} {ctx.job_id} {os.getpid()}\\n")


@task(name="hold")
def hold(ctx, until: str):
    mark(ctx, "began")
    while not Path(until).exists():
        time.sleep(0.02)
    mark(ctx, "ended")


@task(name="quick")
def quick(ctx):
    mark(ctx, "began")
    time.sleep(0.02)
    mark(ctx, "ended")


@task(name="grow")
def grow(ctx, mebibytes: int):
    kept.append(b"x" * (mebibytes * 2**20))
    mark(ctx, "ended")


@task(name="send", queue="mail")
def send(ctx, to: str):
    mark(ctx, "ended")


stack.include(sys.modules[__name__])
"""


@task(name="hold")
def hold(ctx: Any, until: str) -> None:
    """What the application there calls so."""


@task(name="quick")
def quick(ctx: Any) -> None:
    """What the application there calls so."""


@task(name="grow")
def grow(ctx: Any, mebibytes: int) -> None:
    """What the application there calls so."""


@task(name="send", queue="mail")
def send(ctx: Any, to: str) -> None:
    """What the application there calls so."""


def until(holds: Callable[[], object]) -> None:
    """Wait until ``holds()``; fail when nobody would wait longer."""
    testing.until(holds, timeout=PATIENCE)


class Command:
    """``postrmagic worker`` as a process; what it still runs is killed in the end. ``said`` is its standard error."""

    def __init__(self, directory: Path, environment: dict[str, str], *arguments: str) -> None:
        self._log = directory / f"worker-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "postrmagic_core.cli", "worker", "--app", "shop:stack", *arguments]
        self._process = launch_server(command, self._log, cwd=directory, env=environment, start_new_session=True)

    @property
    def said(self) -> str:
        """Everything that it and its children said."""
        return self._log.read_text()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """SIGTERM to the command alone."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status."""
        return self._process.wait(PATIENCE)

    def children(self) -> set[int]:
        """The worker processes."""
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return {int(pid) for pid in found.read_text().split()} if self.alive else set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Shop:
    """An application in a directory: its queue is open here, its workers are started as commands."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.stack = Stack(settings, configure_logging=False)
        self.stack.include(sys.modules[__name__])
        (directory / "shop.py").write_text(SHOP)
        self._environment = os.environ | {
            "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}",
            "POSTRMAGIC_DATABASE__URL": settings.database_url(),
            "POSTRMAGIC_JOBS__URL": settings.broker_url(),
            "POSTRMAGIC_STACK__DATA_DIR": str(settings.stack.data_dir),
            "POSTRMAGIC_JOBS__LEASE": str(settings.jobs.lease),
        }

    def start(self, *arguments: str) -> Command:
        """``postrmagic worker`` for it."""
        return Command(self.directory, self._environment, *arguments)

    def marks(self, word: str) -> list[tuple[str, int]]:
        """Which jobs began or ended, each with its process, in order."""
        path = self.directory / "marks"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(job_id, int(pid)) for what, job_id, pid in lines if what == word]

    def pids(self, word: str, job_id: str) -> list[int]:
        """The processes in which a job began or ended."""
        return [pid for marked, pid in self.marks(word) if marked == job_id]


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """A factory: ``make_shop(database, broker)``, URLs both; the queue is closed after the test."""
    opened: list[Shop] = []

    def make(database: str | None = None, broker: str | None = None, **jobs: Any) -> Shop:
        settings = embedded_settings(tmp_path / "var")
        url = database or settings.database_url()
        shop = Shop(tmp_path, settings.replace(database={"url": url}, jobs={"url": broker or url, **jobs}))
        shop.stack.open()
        opened.append(shop)
        return shop

    yield make
    for shop in opened:
        shop.stack.close()
