"""The worker's own thread: it renews leases, strikes at time limits and looks after what other workers lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger("postrmagic_core.jobs")

_TICK = 0.1


@dataclass
class Duty:
    """Something to do every ``every`` seconds."""

    work: Callable[[], object]
    every: float
    next: float = field(default_factory=time.monotonic)


class Keeper:
    """Runs its duties until stopped; one that fails is logged and tried again at its next turn."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postrmagic-jobs-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the duty under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_TICK):
            for duty in self._duties:
                if time.monotonic() >= duty.next:
                    self._do(duty)

    def _do(self, duty: Duty) -> None:
        try:
            duty.work()
        except Exception as error:
            logger.warning("a worker's upkeep failed and is tried again: %s", error, exc_info=error)
        duty.next = time.monotonic() + duty.every
