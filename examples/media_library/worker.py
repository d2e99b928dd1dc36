"""What the worker loads: ``postrmagic worker --app media_library.worker:stack``."""

from __future__ import annotations

from postrmagic_core._lifecycle import Lifecycle
from postrmagic_core.log import get_logger
from postrmagic_core.stack import Stack

from .application import assemble
from .library import Library

log = get_logger("media_library.worker")


class Sweep(Lifecycle):
    """Removes what a crash left behind, each time a worker process starts."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    def _open(self) -> None:
        if removed := self._library.sweep():
            log.info("abandoned files removed", files=removed)

    def _close(self) -> None:
        """Nothing is held."""


application = assemble(Stack.from_env())
stack = application.stack
stack.add(Sweep(application.library))
