"""Sockets with a deadline for the whole of what is done with them, not for each of its parts."""

from __future__ import annotations

import fcntl
import io
import socket
import ssl
import struct
import termios
import time
from pathlib import Path
from typing import Final

from ...errors import ConfigurationError

CONNECT: Final = 5.0
"""Seconds until a connection is there, TLS included."""
WHOLE: Final = 10.0
"""Seconds until the receiver has acknowledged, the connection included."""
_LOOKS = (0.0005, 0.02)


class Deadline:
    """An instant on the machine's monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then; :class:`TimeoutError`: none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the receiver did not answer in time")
        return left


def trust(authority: Path | None) -> ssl.SSLContext:
    """What verifies certificates and host names: by ``authority`` (PEM), or by what the system trusts."""
    try:
        return ssl.create_default_context(cafile=str(authority) if authority is not None else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificates in {authority} cannot be read: {error}") from error


def connected(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    """A connection to ``host``, whichever of its addresses answers first in their order; with a context, by TLS.

    A look-up of the name takes what the system's resolver takes. :class:`OSError`: none answers within five seconds.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    deadline = Deadline(CONNECT)
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.left())
            connection.connect(address)
            if context is None:
                return connection
            connection.settimeout(deadline.left())
            return context.wrap_socket(connection, server_hostname=host)
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def alive(connection: socket.socket) -> bool:
    """Whether the other end neither closed nor said anything unasked, as a server does before it closes."""
    connection.setblocking(False)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        pass
    return False


def acknowledged(connection: socket.socket, deadline: Deadline) -> None:
    """Wait until the other machine has acknowledged every byte sent (tcp(7), SIOCOUTQ); elsewhere than on Linux, not.

    :class:`OSError`: it has not, or the other end has closed.
    """
    wait, longest = _LOOKS
    while alive(connection):
        if not _unacknowledged(connection):
            return
        time.sleep(min(wait, deadline.left()))
        wait = min(longest, 2 * wait)
    raise ConnectionResetError("the receiver closed the connection")


def _unacknowledged(connection: socket.socket) -> int:
    try:
        told: tuple[int] = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))
    except OSError:  # this system does not tell
        return 0
    return told[0]


class Answering(io.RawIOBase):
    """What comes from ``connection`` until ``deadline``; it has the one method that :mod:`http.client` asks of it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than any buffer
        """As of a raw stream."""
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        """As of a socket."""
        del mode
        return io.BufferedReader(self)
