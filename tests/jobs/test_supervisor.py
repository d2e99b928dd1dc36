"""Supervised processes: started again, replaced, ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.jobs.process import load, main
from postrmagic_core.jobs.supervisor import SPENT, Supervisor, ending, restart_delay
from postrmagic_core.testing import until

# Appends its pid to a file, then sleeps; SIGTERM ends it with 0. In short naps: a signal that comes just before a sleep
# begins does not end it, and Python calls the handler afterwards.
PROCESS = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
while True:
    time.sleep(0.05)
"""
# Ends at once, with a status of its own.
BRIEF = """
import os, sys
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
sys.exit(int(sys.argv[2]))
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
def test_a_process_that_dies_stops_no_sibling_and_is_started_again(supervisor: Supervisor, pids: Path) -> None:
    """kill -9 one of two: the other keeps its pid, a third process appears."""
    until(lambda: len(started(pids)) == 2)
    victim, sibling = started(pids)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(started(pids)) == 3)
    assert alive(sibling)


def test_stopping_ends_every_process(pids: Path) -> None:
    """SIGTERM, waited for."""
    supervisor = Supervisor([sys.executable, "-S", "-c", PROCESS, str(pids)], 2)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until(lambda: len(started(pids)) == 2)
    supervisor.stop()
    thread.join(10)
    assert not any(alive(pid) for pid in started(pids))


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(pids: Path) -> None:
    """A stop ends, whatever a job does."""
    deaf = PROCESS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    supervisor = Supervisor([sys.executable, "-S", "-c", deaf, str(pids)], 1, grace=0.2)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until(lambda: len(started(pids)) == 1)
    supervisor.stop()
    thread.join(10)
    assert not alive(started(pids)[0])


def test_asked_twice_it_ends_at_once(pids: Path) -> None:
    """Whatever the grace; two signals of one Ctrl-C are one wish."""
    deaf = PROCESS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
    supervisor = Supervisor([sys.executable, "-S", "-c", deaf, str(pids)], 1, grace=600)
    killed: list[int] = []
    thread = threading.Thread(target=lambda: killed.append(supervisor.run()))
    thread.start()
    until(lambda: len(started(pids)) == 1)
    supervisor.stop()
    supervisor.stop()
    thread.join(1)
    assert alive(started(pids)[0])
    supervisor.stop()
    thread.join(10)
    assert killed == [1]
    assert not alive(started(pids)[0])


def brief(pids: Path, status: int, starts: int) -> None:
    """Supervise a process that ends with ``status`` until it was started so often."""
    supervisor = Supervisor([sys.executable, "-S", "-c", BRIEF, str(pids), str(status)], 1)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until(lambda: len(started(pids)) >= starts)
    supervisor.stop()
    thread.join(10)


@pytest.mark.parametrize("status", [0, SPENT])
def test_a_process_that_drained_is_replaced_at_once(pids: Path, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """But not again and again: then there is something wrong with its ceiling."""
    brief(pids, status, 4)
    told = [record.getMessage() for record in caplog.records]
    assert told[0].endswith("has drained and ended, " + ending(status).partition(", ")[2] + "; another is started now")
    assert "in 0.2 s" in told[1]
    assert "in 0.4 s (3 in a row ended within 10 s of their start)" in told[2]


def test_a_crash_loop_backs_off_and_says_why(pids: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As far as a status tells; the process itself said more."""
    brief(pids, 3, 3)
    told = [record.getMessage() for record in caplog.records]
    assert "failed with status 3: what it said last is why; another is started in 0.2 s" in told[0]
    assert "in 0.4 s" in told[1]


def test_how_a_process_ended_is_told_in_words() -> None:
    """A signal by its name, if it has one."""
    assert ending(-9) == "was ended by SIGKILL, perhaps for want of memory"
    assert ending(-11) == "was ended by SIGSEGV"
    assert ending(-250) == "was ended by signal 250"


def test_restarts_slow_down() -> None:
    """From 0.2 s to 10 s: a process that cannot start must not take the machine."""
    assert [restart_delay(n) for n in (0, 1, 2, 3, 100)] == [0.0, 0.2, 0.4, 0.8, 10.0]


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


def test_a_process_says_in_one_sentence_why_it_cannot_run(capsys: pytest.CaptureFixture[str]) -> None:
    """With status 1; a part that there is not is a usage error."""
    assert main("no_such_module:stack", "all", "{}") == 1
    assert "there is no module no_such_module" in capsys.readouterr().err
    assert main("no_such_module:stack", "everything", "{}") == 2
    assert "expected all, worker or relay" in capsys.readouterr().err


def test_an_application_that_fails_on_import_fails_as_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own AttributeError is not taken for a missing Stack."""
    (tmp_path / "failing_application.py").write_text("import os\nos.no_such_thing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(AttributeError, match="no_such_thing"):
        load("failing_application:stack")
