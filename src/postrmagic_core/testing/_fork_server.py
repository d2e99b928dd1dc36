"""A program that loads once what the tests of many runs import, and forks a process for each: see :mod:`.guards`.

Unless it is told to, it loads nothing of the packages whose guards are taken away: each fork imports them after the
double is in its place, as a new process does. So this file itself imports the standard library alone, and pytest when
it runs. Linux only.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypedDict

_PR_SET_PDEATHSIG = 1
_QUIET = ("-q", "-p", "no:cacheprovider")


class Run(TypedDict):
    """One run of pytest: the ``environment`` names a guard of ``package``; ``tests`` are among the ``arguments``."""

    package: str
    tests: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str]


class Order(TypedDict):
    """What the program reads: ``jobs`` is how many runs go on at once, ``timeout`` how many seconds each may take.

    ``loaded``: with the packages themselves loaded. It is faster, but a double does not reach who has kept the guard
    under another name: only that something fails shows something.
    """

    runs: Sequence[Run]
    jobs: int
    timeout: float
    loaded: bool


class Answer(TypedDict):
    """What it writes for each run when that has ended, as one line; ``number`` counts the order's runs from 0.

    ``code`` is the process's exit code, negative for a signal; ``late``: it had to be ended.
    """

    number: int
    code: int
    late: bool
    seconds: float
    output: str


@dataclass(slots=True)
class _Fork:
    """A run that goes on; ``output`` is a file in memory."""

    number: int
    pid: int
    output: int
    began: float
    late: bool = False


def main(parent: int) -> int:
    """Carry out the order that the standard input holds; returns in each fork too, with pytest's exit code."""
    _die_with(parent)
    sys.path.insert(0, str(Path.cwd()))  # as `python -m pytest` has it
    order: Order = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    loaded = load(scout(order))
    gc.collect()
    gc.freeze()  # what no collection touches stays shared
    with answers:
        return _serve(order, loaded, answers)


def scout(order: Order) -> list[str]:
    """The modules of others that the tests' files import, found by collecting them in a fork."""
    import pytest

    files = {test.partition("::")[0] for run in order["runs"] for test in run["tests"]}
    packages = {run["package"] for run in order["runs"]}
    found, telling = os.pipe()
    pid = os.fork()
    if not pid:
        signal.alarm(1 + int(order["timeout"]))
        os.dup2(1, 2)
        try:
            pytest.main([*_QUIET, "--collect-only", *sorted(file for file in files if Path(file).exists())])
        finally:  # what cannot be collected is told by its own run
            with os.fdopen(telling, "w") as out:
                json.dump([*of_others(packages), *(of(packages) if order["loaded"] else [])], out)
            os._exit(0)
    os.close(telling)
    with os.fdopen(found) as names:
        told = names.read()
    os.waitpid(pid, 0)
    return list(json.loads(told or "[]"))


def of_others(packages: Collection[str]) -> list[str]:
    """What is loaded of the standard library and of installed packages, in order, but nothing of ``packages``.

    Nor of pytest's own plugins: those are loaded by the configuration that asks for them.
    """
    places = tuple(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
    names = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if origin.startswith(places) and name.partition(".")[0] not in {"_pytest", *packages}:
            names.append(name)
    return names


def of(packages: Collection[str]) -> list[str]:
    """What is loaded of ``packages``, in order; of the standard library's nothing, which pytest itself uses."""
    return [name for name in list(sys.modules) if name.partition(".")[0] in set(packages) - sys.stdlib_module_names]


def load(names: Sequence[str]) -> set[str]:
    """Import ``names`` while pytest is configured: packages with plugins want to be loaded by its import hook.

    Returns the packages of which something was loaded beyond what pytest's plugins load in each run.
    """
    import pytest

    loaded: set[str] = set()

    class Loader:
        @pytest.hookimpl(tryfirst=True)
        def pytest_cmdline_main(self) -> int:
            before = set(sys.modules)
            for name in names:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
            loaded.update(name.partition(".")[0] for name in set(sys.modules) - before)
            return 0

    pytest.main([*_QUIET, "--noconftest"], plugins=[Loader()])
    return loaded


def may_fork(package: str, loaded: Collection[str]) -> bool:
    """Whether nobody has imported a guard of ``package`` by name yet, so that its double reaches everybody.

    And no thread runs, which would be missing in a fork.
    """
    return (
        package not in loaded
        and package not in sys.stdlib_module_names
        and sum(1 for _ in Path("/proc/self/task").iterdir()) == 1
    )


def _serve(order: Order, loaded: Collection[str], answers: TextIO) -> int:
    waiting, server = deque(enumerate(order["runs"])), os.getpid()
    forks: dict[int, _Fork] = {}
    with selectors.DefaultSelector() as ends:
        while waiting or forks:
            while waiting and len(forks) < order["jobs"]:
                number, run = waiting.popleft()
                forked = may_fork(run["package"], set() if order["loaded"] else loaded)
                output = os.memfd_create("output")
                pid = os.fork()
                if not pid:
                    ends.close()
                    answers.close()
                    _become(run, output, server)
                    return _pytest(run["arguments"], forked=forked)
                ended = os.pidfd_open(pid)
                forks[ended] = _Fork(number, pid, output, time.monotonic())
                ends.register(ended, selectors.EVENT_READ)
            for key, _ in ends.select(_end_late(forks.values(), order["timeout"])):
                ends.unregister(key.fd)
                os.close(key.fd)
                answers.write(json.dumps(_answer(forks.pop(key.fd))) + "\n")
                answers.flush()
    return 0


def _become(run: Run, output: int, server: int) -> None:
    """Make this fork a process like one that a shell starts in a session of its own; it dies with the server."""
    _die_with(server)
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(run["environment"])


def _pytest(arguments: Sequence[str], *, forked: bool) -> int:
    if not forked:
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606 - no shell is wanted
    import pytest

    sys.argv[1:] = arguments
    return int(pytest.main(list(arguments)))


def _end_late(forks: Collection[_Fork], timeout: float) -> float | None:
    """End those that have had their time; the seconds until the next will have had it."""
    now, left = time.monotonic(), []
    for fork in forks:
        if not fork.late and now - fork.began >= timeout:
            fork.late = True
            _kill(fork.pid)
        elif not fork.late:
            left.append(fork.began + timeout - now)
    return min(left, default=None)


def _answer(fork: _Fork) -> Answer:
    _kill(fork.pid)  # what it left running; until it is waited for, nobody else has its number
    _, status = os.waitpid(fork.pid, 0)
    seconds = time.monotonic() - fork.began
    with os.fdopen(fork.output, "rb") as file:
        file.seek(0)
        output = file.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    return {"number": fork.number, "code": code, "late": fork.late, "seconds": seconds, "output": output}


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        os.killpg(pid, signal.SIGKILL)


def _die_with(parent: int) -> None:
    """See :func:`._children.die_with_parent`, which belongs to a package that is not loaded here."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _leave(ending: Mapping[str, int]) -> None:
    """Leave without the unloading of every module, which takes longer than many a test."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(ending["code"])


if __name__ == "__main__":
    ending = {"code": 1}
    atexit.register(_leave, ending)  # before all that pytest and the tests register, so it is called last
    ending["code"] = main(int(sys.argv[1]))
