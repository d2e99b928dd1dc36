"""Waking workers: at once within a process, by a datagram across the processes of a host; else they sweep."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import select

from .._lifecycle import Lifecycle, after_fork
from ..errors import PostrMagicError
from .sqltime import now_us
from .tables import workers

if TYPE_CHECKING:
    from .._protocols import Units

logger = logging.getLogger("postrmagic_core.jobs")

FRESH_US = 60_000_000
"""For how long a worker that tells nothing is taken for alive."""
_CACHED = 1.0
_LOOPBACK = "127.0.0.1"


class Bell:
    """Counts its rings, so that a waiter never misses one that came before it began to wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake every waiter."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def nudge(self) -> None:
        """Have every waiter look whether its ``also`` holds."""
        with self._condition:
            self._condition.notify_all()

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    def wait(self, seen: int, timeout: float, also: Callable[[], bool] = lambda: False) -> int:
        """The number of rings, as soon as it differs from ``seen``, or ``also()``, or after ``timeout`` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen or also(), timeout)
            return self._rings


class Errand:
    """``work()`` done soon after somebody asks, in a thread of its own, which the first :meth:`ask` starts.

    What is asked together is done once. ``every``: seconds after which it is done unasked.
    """

    def __init__(self, name: str, work: Callable[[], None], every: float | None = None) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._thread: threading.Thread | None = None
        self._forget()
        after_fork(self._forget)

    def ask(self) -> None:
        """Have it done."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """End the thread, after what was asked for."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._wanted.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        closed = False
        while not closed:
            self._wanted.wait(self._every)
            closed = self._closed
            self._wanted.clear()
            try:
                self._work()
            except Exception:
                logger.exception("%s failed and goes on", self._name)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread = None
        self._closed = False


class Chimes:
    """Tells workers that there is work: those of this process at once, the host's others by datagrams.

    Who can be told so is a row of ``pm_workers``.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._rings: dict[int, Callable[[], None]] = {}
        self._ports: list[int] = []
        self._read = float("-inf")
        self._errand = Errand("postrmagic-jobs-chimes", self._send)
        after_fork(self._forget)

    def add(self, port: int, ring: Callable[[], None]) -> None:
        """Ring here without a datagram for the worker at ``port``."""
        self._rings[port] = ring

    def drop(self, port: int) -> None:
        """The worker at ``port`` is gone."""
        self._rings.pop(port, None)

    def call(self) -> None:
        """Ring; datagrams follow soon."""
        for ring in list(self._rings.values()):
            ring()
        self._errand.ask()

    def close(self) -> None:
        """Ring no more."""
        self._errand.close()

    def _forget(self) -> None:
        self._rings.clear()

    def _send(self) -> None:
        if time.monotonic() - self._read > _CACHED:
            self._ports, self._read = self._known(), time.monotonic()
        if not self._ports:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for port in self._ports:
                with suppress(OSError):  # nobody there, or its buffer is full: the worker sweeps
                    sender.sendto(b"!", (_LOOPBACK, port))

    def _known(self) -> list[int]:
        here = workers.c.host == socket.gethostname()
        fresh = workers.c.seen_us > now_us() - FRESH_US
        try:
            with self._units.read() as tx:
                rows = tx.execute(select(workers.c.port).where(here, fresh, workers.c.port.is_not(None)))
                return [row.port for row in rows if row.port not in self._rings]
        except PostrMagicError as error:
            logger.debug("workers are not woken, they sweep: %s", error)
            return []


class Doorbell(Lifecycle):
    """A worker's own address: a datagram to ``port`` calls ``ring``."""

    def __init__(self, chimes: Chimes, ring: Callable[[], None]) -> None:
        super().__init__()
        self._chimes = chimes
        self._ring = ring
        self._socket: socket.socket | None = None
        self.port = 0

    def _open(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket = listener
        listener.bind((_LOOPBACK, 0))
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=[listener], name="postrmagic-jobs-doorbell", daemon=True)
        self._thread.start()
        self._chimes.add(self.port, self._ring)

    def _close(self) -> None:
        listener, self._socket = self._socket, None
        if listener is None:
            return
        self._chimes.drop(self.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", listener.getsockname())
        self._thread.join()
        listener.close()

    def _run(self, listener: socket.socket) -> None:
        while self._socket is not None:
            if listener.recv(16):
                self._ring()
