"""Waking workers: at once within a process, by a datagram across the processes of a host; else they sweep."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
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

    def wait(self, seen: int, timeout: float) -> int:
        """The number of rings, as soon as it differs from ``seen`` or after ``timeout`` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen, timeout)
            return self._rings


class Chimes:
    """Tells workers that there is work: those of this process at once, the host's others by datagrams.

    Who can be told so is a row of ``pm_workers``. One thread, started at the first :meth:`call`.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._thread: threading.Thread | None = None
        self._rings: dict[int, Callable[[], None]] = {}
        self._forget()
        after_fork(self._forget)

    def add(self, port: int, ring: Callable[[], None]) -> None:
        """Ring here without a datagram for the worker at ``port``."""
        self._rings[port] = ring

    def drop(self, port: int) -> None:
        """The worker at ``port`` is gone."""
        self._rings.pop(port, None)

    def call(self) -> None:
        """Ring; datagrams follow soon, and calls that come together are one."""
        for ring in list(self._rings.values()):
            ring()
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="postrmagic-jobs-chimes", daemon=True)
                self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._wanted.set()
        if thread is not None:
            thread.join()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread = None
        self._closed = False
        self._rings.clear()

    def _run(self) -> None:
        ports: list[int] = []
        read = float("-inf")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            while self._wanted.wait() and not self._closed:
                self._wanted.clear()
                if time.monotonic() - read > _CACHED:
                    ports, read = self._ports(), time.monotonic()
                for port in ports:
                    try:
                        sender.sendto(b"!", (_LOOPBACK, port))
                    except OSError:  # nobody there, or its buffer is full: the worker sweeps
                        continue

    def _ports(self) -> list[int]:
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
