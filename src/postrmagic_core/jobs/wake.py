"""Waking workers: at once within a process, by a datagram across the processes of a host; else they sweep."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from .._ids import uuid7
from .._lifecycle import Lifecycle, after_fork
from ..errors import PostrMagicError
from .sqltime import now_us
from .tables import workers

if TYPE_CHECKING:
    from .ledger import Ledger

logger = logging.getLogger("postrmagic_core.jobs")

HEARTBEAT = 10.0
_FRESH_US = 60_000_000
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
    """Tells the workers registered on this host that there is work: one thread, started at the first :meth:`call`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread: threading.Thread | None = None
        self._forget()
        after_fork(self._forget)

    def call(self) -> None:
        """Send the datagrams soon; calls that come together are one."""
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
        try:
            with self._ledger.units.read() as tx:
                rows = tx.execute(select(workers.c.port).where(here, workers.c.seen_us > now_us() - _FRESH_US))
                return [row.port for row in rows]
        except PostrMagicError as error:
            logger.debug("workers are not woken, they sweep: %s", error)
            return []


class Doorbell(Lifecycle):
    """A worker's own address: a datagram to it calls ``ring``."""

    def __init__(self, ledger: Ledger, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ledger = ledger
        self._ring = ring
        self._id = str(uuid7())
        self._socket: socket.socket | None = None

    def beat(self) -> None:
        """Say that the worker lives; every ``HEARTBEAT`` seconds."""
        mine = update(workers).where(workers.c.id == self._id)
        self._ledger.retrying(lambda tx: tx.execute(mine.values(seen_us=now_us())))

    def _open(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket = listener
        listener.bind((_LOOPBACK, 0))
        self._thread = threading.Thread(target=self._run, args=[listener], name="postrmagic-jobs-doorbell", daemon=True)
        self._thread.start()
        here = {"id": self._id, "host": socket.gethostname(), "port": listener.getsockname()[1]}
        gone = delete(workers).where(workers.c.seen_us < now_us() - _FRESH_US)
        self._ledger.retrying(
            lambda tx: (tx.execute(gone), tx.execute(workers.insert().values(**here, seen_us=now_us())))
        )

    def _close(self) -> None:
        listener, self._socket = self._socket, None
        if listener is None:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", listener.getsockname())
        self._thread.join()
        listener.close()
        try:
            self._ledger.retrying(lambda tx: tx.execute(delete(workers).where(workers.c.id == self._id)))
        except PostrMagicError as error:
            logger.debug("the worker's address stays until it is stale: %s", error)

    def _run(self, listener: socket.socket) -> None:
        while self._socket is not None:
            if listener.recv(16):
                self._ring()
