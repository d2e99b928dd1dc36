"""The figures that every process would tell alike, asked for when somebody looks: of queues and of tables."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TypeAlias

from ..._clock import Clock
from ..._errand import Errand
from ..._lifecycle import after_fork
from ..._metrics import Labels, Metrics

logger = logging.getLogger("postrmagic_core.observability")

Told: TypeAlias = tuple[str, Labels, float]

# Seconds. Prometheus gives a scrape ten.
_PATIENCE = 1.0
_TOO_OLD = 60.0


class Shared:
    """Reads ``metrics.shared()`` in a thread of its own, at most once each ``every`` seconds.

    A database that is away may take long to say so: after a second :meth:`read` goes without, and what comes later is
    for the next. Nor does :meth:`close` wait longer: what still looks then ends by itself.
    """

    _closed = True
    _changed: threading.Condition
    _found: Sequence[Told]
    _at: float | None
    _looks: int
    _looking: bool

    def __init__(self, metrics: Metrics, every: float, clock: Clock) -> None:
        self._metrics = metrics
        self._every = every
        self._clock = clock
        self._errand = Errand("postrmagic-metrics-shared", self._look, logger)
        self._forget()
        after_fork(self._forget)

    def open(self) -> None:
        """Let it be read."""
        with self._changed:
            self._closed = False
            self._errand.open()

    def close(self) -> None:
        """End the thread; for a database that is away it waits a second at most."""
        with self._changed:
            self._closed = True
            ended = self._changed.wait_for(lambda: not self._looking, _PATIENCE)
        if ended:
            self._errand.close(finish=False)

    def read(self) -> Sequence[Told]:
        """What was found within the last ``every`` seconds; or now, if that takes no longer than a second."""
        with self._changed:
            if self._age() > self._every:
                wanted = self._looks + 1
                self._errand.ask()
                self._changed.wait_for(lambda: self._looks >= wanted, _PATIENCE)
            return self._found if self._age() <= max(_TOO_OLD, self._every) else ()

    def _age(self) -> float:
        return float("inf") if self._at is None else self._clock.monotonic() - self._at

    def _look(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._looking = True
        try:
            found = list(self._metrics.shared())
        finally:
            self._looked()
        with self._changed:
            self._found, self._at = found, self._clock.monotonic()
            self._looks += 1
            self._changed.notify_all()

    def _looked(self) -> None:
        with self._changed:
            self._looking = False
            self._changed.notify_all()
            if self._closed:
                self._errand.close(finish=False)  # which joins no thread in this one

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._found = ()
        self._at = None
        self._looks = 0
        self._looking = False
