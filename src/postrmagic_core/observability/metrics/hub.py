"""The metrics of all processes of an application: each tells the others through a store, and any of them tells all."""

from __future__ import annotations

import contextvars
import logging
import random
import sys
import threading
import weakref
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

from ..._clock import Clock, SystemClock
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ...errors import BackendError
from ...stores.interface import Store
from .board import Board
from .exposition import Exposition, exposed
from .own import Own
from .policy import Snapshot, Totals, added, put_gauge, silence
from .reading import Reader
from .shared import Shared

logger = logging.getLogger("postrmagic_core.observability")

# One of its own: who draws from the shared one in a thread changes what others draw.
_DICE = random.SystemRandom()
# Processes added to the ended in one look: after a power cut there may be a thousand.
_FOLDS = 20


class MetricsHub(Lifecycle):
    """Publishes the figures in ``metrics`` each ``every`` seconds while open, and tells those of all processes.

    ``store`` and ``namespace``: where the processes of one application meet. ``service`` and ``release`` are told.
    ``kind``, an attribute to be set before the first figures are told, says what this process is: ``web``, ``worker``.
    In a forked child it begins anew from zero: what was counted before is the parent's. Unasked the child tells nothing
    before it has counted something. A child of :mod:`multiprocessing` closes it when it ends.

    Of several in one process the first that is open tells what the process itself costs, and that it is there.

    A counter that :meth:`render` told never goes back. A process that was killed is missed after three publications
    (15 seconds at least); what it published last is kept among the ended for good.
    """

    kind: str = "web"
    _lock: threading.Lock
    _stopping: threading.Event
    _thread: threading.Thread | None
    _known: _Known
    _processes: int
    _away: bool
    _crowded: bool
    _is_new: bool
    _forget_end: Callable[[], object] | None

    def __init__(
        self,
        metrics: Metrics,
        store: Store,
        *,
        namespace: str,
        service: str,
        release: str = "",
        every: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        if not every > 0:
            raise ValueError(f"every= is a positive number of seconds, got {every}")
        self._board = Board(store, namespace, metrics)
        self._reader = Reader(metrics)
        self._own = Own(self._reader, self.kind)
        self._shared = Shared(metrics, every, clock or SystemClock())
        self._service = service
        self._release = release
        self._version = version("postrmagic-core")
        self._every = every
        self._failures = metrics.counter("metrics_publish_failures_total")
        self._forget()
        self._is_fork = False
        after_fork(self._forked)

    def render(self, accept: str = "") -> Exposition:
        """The figures of all processes, and their media type; ``accept`` may ask for OpenMetrics.

        What it tells of this process it publishes first, so that no other will ever tell less. While the store is away
        it tells of this process now, of the others what was known last, and ``metrics_store_up`` 0. Raises
        :class:`MissingExtra` without prometheus-client.
        """
        self.ensure_open()
        with self._lock:
            try:
                own, _ = self._tell()
                known = self._look(self._own.name)
            except BackendError as error:
                self._failed(error)
                own, known = self._snapshot(), None
            everything = self._merged(own, known)
        return exposed(everything, accept)

    def everybody(self) -> Totals:
        """The figures that are published, as one; for who does not publish itself, and has not opened it."""
        known = self._look(b"")
        return self._together(known.living, known.ended)

    def publish(self) -> bool:
        """Tell the others now; whether they know."""
        with self._lock:
            try:
                return self._tell()[1]
            except BackendError as error:
                self._failed(error)
                return False

    def _tell(self) -> tuple[Snapshot, bool]:
        self._own.kind = self.kind
        if self._is_new:
            self._is_new = False
            self._forget_end = _at_end(self)
        snapshot, told = self._own.tell(self._board, self._release, self._version, self._every)
        if told.stored:
            self._crowded = False
        elif not self._crowded:
            self._crowded = True
            logger.warning("%d processes tell their figures: those of this one are told by none else", told.processes)
        if self._away:
            self._away = False
            logger.info("the metrics' store is back")
        self._processes = told.processes
        return snapshot, told.stored

    def _snapshot(self) -> Snapshot:
        return Snapshot(self.kind, self._release, self._version, self._every, self._own.reading())

    def _look(self, own: bytes) -> _Known:
        """All but ``own``, and those that ended; whoever fell silent is added to these, and tells no gauges more.

        In what is returned it is where it was when everything was read.
        """
        seen, folds = self._board.look(), 0
        living, silent = [], []
        for row in seen.rows:
            if row.name == own:
                continue
            limit = silence(self._every if row.snapshot is None else row.snapshot.every)
            if row.silent <= limit and row.snapshot is not None:
                living.append(row.snapshot)
            elif row.silent > limit:
                silent.extend([] if row.snapshot is None else [row.snapshot.totals.counted()])
                if folds < _FOLDS:
                    folds += self._board.fold(row.name, limit)
        return _Known(living, added([seen.ended, *silent]))

    def _merged(self, own: Snapshot, known: _Known | None) -> Totals:
        if known is not None:
            self._known = known
            found = self._together([own, *known.living], known.ended)
        else:  # what the others counted, as it was known last; gauges are about now
            others = [each.totals.counted() for each in self._known.living]
            found = self._together([own], added([self._known.ended, *others]))
        put_gauge(found, ("metrics_store_up", ()), known is not None)
        self._reader.gauges_into(found, self._shared.read())
        return found

    def _together(self, living: list[Snapshot], ended: Totals) -> Totals:
        found = added([*(each.totals for each in living), ended])
        for each in living:
            for name in ("processes_ended_total", "processes_lost_total"):
                # What begins at 1 has not increased, to Prometheus.
                found.counters.setdefault((name, (("kind", each.kind),)), 0)
            if each.of_process:
                put_gauge(found, ("processes", (("kind", each.kind),)), 1)
            labels = (("release", each.release), ("service", self._service), ("version", each.version))
            put_gauge(found, ("build_info", labels), 1)
        return found

    def _open(self) -> None:
        self._is_fork = False
        self._is_new = True
        self._reader.enter()
        self._shared.open()
        self._start()

    def _close(self) -> None:
        self._shared.close()
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        try:
            if self.publish():
                self._board.fold(self._own.name, 0)
        except BackendError as error:
            self._failed(error)
        except Exception:
            logger.exception("the last figures could not be published")
        self._own.ended()
        forget_end, self._forget_end = self._forget_end, None
        if forget_end is not None:
            forget_end()

    def _start(self) -> None:
        # A context of its own: the caller's unit, work and log fields are not the thread's.
        run, stopping = contextvars.Context().run, threading.Event()
        self._stopping = stopping
        self._thread = threading.Thread(target=run, args=(self._loop, stopping), name="postrmagic-metrics", daemon=True)
        self._thread.start()

    def _loop(self, stopping: threading.Event) -> None:
        # The first one soon, so that a process that dies young is seen; not at once, since in a forked child others
        # have not yet dropped what they inherited.
        pause = min(1.0, self._every)
        while not stopping.wait(pause):
            pause = self._every
            try:
                if self._is_fork and self._is_new and self._own.is_idle:
                    continue  # it may end by os._exit, as many a child does, and who told nothing is not missed
                self.publish()
                # One look a period by all of them together: where nobody scrapes the dead must go too.
                if self._crowded or _DICE.random() * max(1, self._processes) < 1:
                    self._sweep()
            except Exception:
                logger.exception("the figures could not be published")

    def _sweep(self) -> None:
        with self._lock:
            try:
                self._known = self._look(self._own.name)
            except BackendError as error:
                self._failed(error)

    def _failed(self, error: BackendError) -> None:
        self._failures.add()
        if not self._away:
            self._away = True
            logger.warning("the metrics' store is away (%s): figures are told by each process alone", error.code)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = None
        self._known = _Known([], Totals())
        self._processes = 1
        self._away = False
        self._crowded = False
        self._is_new = True
        self._forget_end = None

    def _forked(self) -> None:
        """In a child, whose hot path asks for nothing here: its thread is started now, and waits before it does
        anything."""
        self._forget()
        self._is_fork = True
        self._own.forked()
        if self.is_open:
            self._start()


class _Known(NamedTuple):
    """The other processes, as they were seen last, and the sums of those that ended."""

    living: list[Snapshot]
    ended: Totals


def _at_end(hub: MetricsHub) -> Callable[[], object] | None:
    """In a child of multiprocessing, which ends without :mod:`atexit`, have its substitute close ``hub``; what undoes
    this."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None or multiprocessing.parent_process() is None:
        return None
    from multiprocessing.util import Finalize

    # Not before it tells: a child forgets what was registered before its own work begins. 10: before the log's last.
    return Finalize(hub, _end, args=(weakref.ref(hub),), exitpriority=10).cancel


def _end(found: Callable[[], MetricsHub | None]) -> None:
    hub = found()
    if hub is not None:
        hub.close()
