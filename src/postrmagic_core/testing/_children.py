"""Child processes that die with their parent, and seeing for sure that one listens or is stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Protocol

_PR_SET_PDEATHSIG = 1
_launcher: ThreadPoolExecutor | None = None

# Runs in the child before the real program: a preexec_fn would run Python in a fork of a threaded process.
_TRAMPOLINE = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def die_with_parent(parent: int) -> None:
    """Have the kernel send SIGKILL to this process when ``parent`` (a pid) ends; Linux only, elsewhere without effect.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def launch_server(argv: Sequence[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the program ``argv`` (absolute path first), appending its output to ``log``; it dies with this process.

    ``options`` are further ones of :func:`launch`.
    """
    wrapped = [sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid()), *argv]
    with log.open("ab") as output:
        return launch(wrapped, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **options)


def launch(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | None = None,
    cwd: Path | None = None,
    start_new_session: bool = False,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """:class:`subprocess.Popen` from a thread that lives as long as this process.

    The kernel's death signal follows the *thread* that forked: a server restarted by a short-lived thread of a test
    would die with that thread.
    """
    global _launcher  # noqa: PLW0603 - one thread a process, made on first use
    if _launcher is None:
        _launcher = ThreadPoolExecutor(1, thread_name_prefix="postrmagic-launcher")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(argv),
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=start_new_session,
            pass_fds=pass_fds,
        )

    return _launcher.submit(start).result()


def until_listening(process: subprocess.Popen[bytes], port: int, log: Path, timeout: float = 60.0) -> None:
    """Return once ``port`` of this machine takes connections; :class:`RuntimeError` with the log if it never does."""
    deadline = time.monotonic() + timeout
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Stoppable(Protocol):
    """A process that signals can be sent to."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """Send it the signal."""
        ...


def stop(process: Stoppable) -> None:
    """SIGSTOP, and return when every thread of the process is seen stopped in /proc."""
    process.send_signal(signal.SIGSTOP)
    _await_state(process.pid, stopped=True)


def resume(process: Stoppable) -> None:
    """SIGCONT, and return when no thread of the process is stopped any more."""
    process.send_signal(signal.SIGCONT)
    _await_state(process.pid, stopped=False)


def thread_states(pid: int) -> set[str]:
    """The one-letter states of a process's threads (proc(5), field 3 of stat); ``T`` is stopped."""
    states = set()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            states.add(stat.read_text().rpartition(")")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):  # the thread ended between the listing and the read
            continue
    return states


def _await_state(pid: int, *, stopped: bool, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while True:
        states = thread_states(pid)
        if (states == {"T"}) if stopped else ("T" not in states):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} is in states {sorted(states)} after {timeout} s, wanted {stopped=}")
        time.sleep(0.001)


def _forget_launcher() -> None:
    global _launcher  # noqa: PLW0603 - its thread did not come along
    _launcher = None


os.register_at_fork(after_in_child=_forget_launcher)
