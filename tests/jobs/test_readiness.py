"""Whether every supervised process works, as its supervisor is told."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from postrmagic_core.jobs.process import run
from postrmagic_core.jobs.readiness import Hearing, Telling
from postrmagic_core.jobs.supervisor import Supervisor
from postrmagic_core.testing import spawn, until

# Works once its gate is there; fails at once where there is a wall. SIGTERM: says that it ends, and does after a while.
PROCESS = """
import os, pathlib, signal, sys, time
folder, fd = pathlib.Path(sys.argv[1]), int(sys.argv[2])
if (folder / "wall").exists():
    sys.exit(3)
ends = []
signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
(folder / f"pid-{os.getpid()}").touch()
while not (folder / "gate").exists() and not ends:
    time.sleep(0.01)
os.write(fd, b"+")
while not ends:
    time.sleep(0.01)
os.write(fd, b"-")
while not (folder / "end").exists():
    time.sleep(0.01)
"""


class Watched:
    """A supervisor of two such processes, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[bool] = []
        self.supervisor = Supervisor([sys.executable, "-S", "-c", PROCESS, str(folder)], 2, ready=self.told.append)
        self._thread = threading.Thread(target=self.supervisor.run)
        self._thread.start()

    def pids(self) -> set[int]:
        """The processes that have begun so far."""
        return {int(path.name.removeprefix("pid-")) for path in self.folder.glob("pid-*")}

    def put(self, name: str) -> None:
        """Something that they look at."""
        (self.folder / name).touch()

    def stop(self) -> None:
        """End them."""
        self.supervisor.stop()
        self.put("end")
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_it_is_ready_while_every_process_works(tmp_path: Path) -> None:
    """Not before the last one does, not while one is missing, not from when one begins to end."""
    watched = Watched(tmp_path)
    try:
        until(lambda: len(watched.pids()) == 2)
        assert watched.told == []
        watched.put("gate")
        until(lambda: watched.told == [True])
        first = watched.pids()
        os.kill(min(first), signal.SIGKILL)
        until(lambda: watched.told == [True, False, True])
        assert len(watched.pids() - first) == 1
        os.kill(max(first), signal.SIGTERM)
        until(lambda: watched.told == [True, False, True, False])
        os.kill(max(first), 0)  # it still ends what it does
    finally:
        watched.stop()
    assert watched.told[-1:] == [False]


def test_it_is_not_ready_once_it_is_stopped(tmp_path: Path) -> None:
    """Before the processes have ended."""
    watched = Watched(tmp_path)
    try:
        watched.put("gate")
        until(lambda: watched.told == [True])
        watched.supervisor.stop()
        until(lambda: watched.told == [True, False])
        for pid in watched.pids():
            os.kill(pid, 0)
    finally:
        watched.stop()
    assert watched.told == [True, False]


def test_processes_that_fail_at_their_start_are_never_ready(tmp_path: Path) -> None:
    """As those of a release that cannot run; whoever waits for it sees that."""
    (tmp_path / "wall").touch()
    watched = Watched(tmp_path)
    try:
        threading.Event().wait(0.8)  # two starts of each, or more
    finally:
        watched.stop()
    assert watched.told == []


def test_a_word_is_of_one_process() -> None:
    """What the one before said counts for nothing; many words are one state; a gone supervisor is no error."""
    hearing = Hearing()
    first = hearing.begin()
    seen = [hearing.works]
    with Telling(first) as telling:
        seen.append(hearing.works)
        telling.works()
        seen += [hearing.works, hearing.works]
    assert [*seen, hearing.works] == [False, False, True, True, False]
    telling.works()
    second = hearing.begin()
    seen = [hearing.works]
    with Telling(second) as telling:
        for _ in range(40):
            telling.works()
        seen.append(hearing.works)
        hearing.close()
        telling.works()
    assert [*seen, hearing.works] == [False, True, False]
    for descriptor in (first, second):
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
    with Telling(None) as telling:
        telling.works()


APPLICATION = """
import os, time
from postrmagic_core.stack import Stack

class Slow(Stack):
    def _open(self):
        os.write(1, b"opening\\n")
        super()._open()

stack = Slow.from_env()
"""


def work(folder: str) -> None:
    """A worker process, which says what its supervisor would hear."""
    sys.path.insert(0, folder)
    hears, told = os.pipe()

    def hear() -> None:
        while word := os.read(hears, 1):
            os.write(1, word + b"\n")

    threading.Thread(target=hear, daemon=True).start()
    status = run("ready_app:stack", 1, "all", ready=told)
    os.write(1, f"{status}\n".encode())


def test_a_process_works_once_everything_is_open(tmp_path: Path) -> None:
    """And no more once it is told to end, before it has closed anything."""
    (tmp_path / "ready_app.py").write_text(APPLICATION)
    settings = {"POSTRMAGIC_STACK__DATA_DIR": str(tmp_path / "var"), "POSTRMAGIC_STACK__ENVIRONMENT": "test"}
    with spawn(work, str(tmp_path), env=settings) as child:
        assert [child.line(), child.line()] == ["opening", "+"]
        child.terminate()
        assert [child.line(), child.line()] == ["-", "0"]
