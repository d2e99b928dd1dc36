"""spawn(): functions in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from postrmagic_core.testing import spawn
from postrmagic_core.testing._children import thread_states


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
