"""Waking the workers of a host: at once within a process, by a datagram across processes; else they sweep."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ...errors import PostrMagicError
from ..workers import ports

if TYPE_CHECKING:
    from ..._protocols import Units

logger = logging.getLogger("postrmagic_core.jobs")

_CACHED = 1.0
_LOOPBACK = "127.0.0.1"


class Chimes:
    """Tells workers that there is work: those of this process at once, the host's others by datagrams.

    Who can be told so is a row of ``pm_workers``.
    """

    def __init__(self, database: Units) -> None:
        self._database = database
        self._rings: dict[int, Callable[[], None]] = {}
        self._ports: list[int] = []
        self._read = float("-inf")
        self._errand = Errand("postrmagic-jobs-chimes", self._send, logger)
        self._errand.open()
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
        try:
            return [port for port in ports(self._database) if port not in self._rings]
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
