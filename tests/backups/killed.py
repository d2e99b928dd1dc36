"""A process whose children take or restore a backup, and are killed at a step: a line ``ROOT\tWHAT\tSTEP`` for each.

Their steps are what they do to files, as Python's audit events tell, and their reports. Step 0 never comes. For each a
line is printed: how it ended, as a shell would say, and the number of steps of one that was not killed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import postrmagic_core.backups.manager
import postrmagic_core.backups.restoring
import postrmagic_core.backups.taking  # noqa: F401 - loaded once for all children
from tests.backups.site import Site

_EVENTS = {
    "open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.chmod", "os.truncate", "os.chown",
    "sqlite3.connect", "sqlite3.connect/handle", "fcntl.flock",
}  # fmt: skip


class _Steps:
    def __init__(self, last: int) -> None:
        self._last = last
        self.done = 0

    def step(self) -> None:
        self.done += 1
        if self.done == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def _child(root: str, what: str, last: int) -> int:
    site = Site(Path(root))
    steps = _Steps(last)
    with site.backups() as backups:
        plan = backups.plan_restore() if what == "restore" else None
        sys.addaudithook(lambda event, _: steps.step() if event in _EVENTS else None)
        if plan is None:
            backups.take(lambda *_: steps.step())
        else:
            backups.restore(plan, lambda *_: steps.step())
    return steps.done


def main() -> None:
    """Do what the lines say."""
    for line in sys.stdin:
        root, what, last = line.split("\t")
        there, here = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os.write(here, str(_child(root, what, int(last))).encode())
            os._exit(0)
        os.close(here)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with os.fdopen(there) as told:
            sys.stdout.write(f"{code} {told.read()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
