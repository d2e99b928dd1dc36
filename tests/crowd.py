"""Several processes of one function, at the price of one: it is imported once, and forked."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from postrmagic_core.testing import Child, spawn
from postrmagic_core.testing._children import die_with_parent
from postrmagic_core.testing._targets import load


def crowd(target: Callable[..., object], *calls: Sequence[object], env: Mapping[str, str] | None = None) -> Child:
    """A process that forks one for each of ``calls``, which are what ``target`` is called with, and ends after them.

    What they print comes line by line, in any order; its exit status is the worst of theirs. Forks of one process share
    what it has imported, and its seed of hashes: who needs a process of its own kind spawns it. ``env`` is added to the
    environment.
    """
    return spawn(_fork, f"{inspect.getfile(target)}:{target.__qualname__}", calls, env=env)


def _fork(target: str, calls: Sequence[Sequence[object]]) -> None:
    function, parent = load(target), os.getpid()
    forked = []
    for call in calls:
        pid = os.fork()
        if pid == 0:
            die_with_parent(parent)
            os._exit(_run(function, call))
        forked.append(pid)
    worst = max(abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) for pid in forked)
    sys.exit(worst)


def _run(function: Callable[..., object], call: Sequence[object]) -> int:
    # A line at a time, as one system call: those of others may come between two.
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    try:
        function(*call)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0
