"""spawn(): functions in processes of their own."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from postrmagic_core.testing import _forks, spawn
from postrmagic_core.testing._children import thread_states
from postrmagic_core.testing.faults import VARIABLE


def add(left: int, right: int) -> None:
    """Child: print the sum and a variable of the environment."""
    print(left + right, os.environ.get("GREETING", "-"))  # noqa: T201 - the child's voice


def fail() -> None:
    """Child: end with code 3, silently."""
    sys.exit(3)


def count() -> None:
    """Child: print numbers until killed."""
    number = 0
    while True:
        print(number)  # noqa: T201 - the child's voice
        number += 1
        time.sleep(0.01)


def nested() -> None:
    """Child: start a child of its own, tell its pid, and die at once."""
    grandchild = spawn(count)
    print(grandchild.pid)  # noqa: T201 - the child's voice
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_function_runs_with_its_arguments_and_environment() -> None:
    """Arguments go through JSON, the environment is added, lines come back, the exit code is 0."""
    with spawn(add, 2, 3, env={"GREETING": "hello"}) as child:
        assert list(child.lines()) == ["5 hello"]
        assert child.wait() == 0


def tell(name: str) -> None:
    """Child: print whether it was forked, where it is, what it is told, and which files it has open."""
    forked = b"_forking" in Path("/proc/self/cmdline").read_bytes()
    files = sorted(int(file.name) for file in Path("/proc/self/fd").iterdir())
    print(json.dumps([forked, str(Path.cwd()), sys.path[:2], os.environ.get(name), files]))  # noqa: T201 - its voice


def test_a_forked_child_is_as_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the directory, the paths and the environment of this moment, and with no other's files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREETING", "hello")
    with spawn(count) as other, spawn(tell, "GREETING", env={"PYTHONPATH": "/elsewhere"}) as child:
        other.line()
        forked, directory, paths, greeting, files = json.loads(child.line())
    assert forked is (sys.platform == "linux")
    assert (directory, paths, greeting) == (str(tmp_path), [str(tmp_path), "/elsewhere"], "hello")
    assert files[:3] == [0, 1, 2]
    assert len(files) == 4, "and the directory that is being listed"


@pytest.mark.parametrize("variable", ["PYTHONHASHSEED", VARIABLE])
def test_what_an_interpreter_reads_when_it_starts_takes_a_new_one(variable: str) -> None:
    """So does a guard that is taken away: before anything is imported."""
    value = "7" if variable == "PYTHONHASHSEED" else '["operator:add", "postrmagic_core.testing.doubles:noop"]'
    with spawn(tell, variable, env={variable: value}) as child:
        forked, *_, told, _ = json.loads(child.line())
    assert (forked, told) == (False, value)


def test_children_leave_no_descriptor_behind() -> None:
    """In the process that spawned them."""

    def spawned() -> int:
        for _ in range(2):
            with spawn(add, 1, 1) as child:
                child.line()
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    assert spawned() == spawned()


@pytest.mark.skipif(sys.platform != "linux", reason="children are forked on Linux only")
def test_children_end_with_the_process_that_forked_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """And are told to have been killed; what cannot be forked any more is begun anew."""
    monkeypatch.setattr(_forks, "_server", None)
    with spawn(count) as child:
        child.line()
        server = _forks._server
        assert server is not None
        server._process.kill()
        assert child.wait() == -signal.SIGKILL
        with spawn(add, 1, 2) as another:
            assert another.line() == "3 -"
    server.close()


@pytest.mark.parametrize("target", [f"{__file__}:add", "operator:add"])
def test_a_target_is_named_by_file_or_module(target: str) -> None:
    """Both spellings find the function."""
    with spawn(target, 1, 1) as child:
        assert child.wait() == 0


def test_the_exit_code_is_told_where_a_line_was_awaited() -> None:
    """A child that ends instead of speaking is an error with its code, every time it is asked."""
    with spawn(fail) as child:
        for _ in range(2):
            with pytest.raises(EOFError, match="code 3"):
                child.line()


def test_silence_is_bounded() -> None:
    """Waiting for a line or an end that does not come ends with TimeoutError."""
    with spawn("time:sleep", 60) as child:
        with pytest.raises(TimeoutError):
            child.line(timeout=0.05)
        with pytest.raises(TimeoutError):
            child.wait(timeout=0.05)
        assert child.alive


def test_pause_bites_and_kill_ends() -> None:
    """A paused child is seen stopped and prints nothing more; resumed it goes on; killed it is gone."""
    with spawn(count) as child:
        child.line()
        child.pause()
        assert thread_states(child.pid) == {"T"}
        with pytest.raises(TimeoutError):
            list(child.lines(timeout=0.2))
        child.resume()
        child.line()
        child.kill()
        assert child.wait() == -signal.SIGKILL


def test_a_child_outlives_the_thread_that_spawned_it() -> None:
    """Only the end of the process ends its children."""
    made = []
    thread = threading.Thread(target=lambda: made.append(spawn(count)))
    thread.start()
    thread.join()
    with made[0] as child:
        child.line()
        assert child.alive


def test_a_child_dies_with_its_parent() -> None:
    """When the process that spawned it is killed, the kernel ends the child too."""
    with spawn(nested) as child:
        grandchild = int(child.line())
        child.wait()
    for _ in range(500):
        if not Path(f"/proc/{grandchild}/exe").exists():
            return
        threading.Event().wait(0.01)
    pytest.fail(f"process {grandchild} still runs")
