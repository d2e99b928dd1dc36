"""What the worker loads: ``postrmagic worker --app media_library.worker:stack``."""

from __future__ import annotations

from postrmagic_core._lifecycle import Lifecycle
from postrmagic_core.jobs import JobQueue
from postrmagic_core.log import get_logger
from postrmagic_core.stack import Stack

from .application import assemble
from .library import Library
from .tasks import extract_missing

log = get_logger("media_library.worker")


class Upkeep(Lifecycle):
    """Removes what a crash left behind, and asks for what an earlier version did not make: at each worker's start."""

    def __init__(self, library: Library, jobs: JobQueue) -> None:
        super().__init__()
        self._library = library
        self._jobs = jobs

    def _open(self) -> None:
        if removed := self._library.sweep():
            log.info("abandoned files removed", files=removed)
        with self._library.database.read() as unit:
            behind = self._library.without_details(unit, "", 1)
        if behind:
            self._jobs.enqueue(extract_missing.call())

    def _close(self) -> None:
        """Nothing is held."""


application = assemble(Stack.from_env())
stack = application.stack
stack.add(Upkeep(application.library, stack.jobs))
