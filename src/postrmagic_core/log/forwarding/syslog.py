"""Lines by syslog: over TCP and TLS counted by octets (RFC 6587 section 3.4.1, RFC 5425), over UDP one a datagram."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Final

import orjson

from ..._lifecycle import after_fork
from .rfc5424 import message
from .wire import WHOLE, Deadline, acknowledged, alive, connected

LONGEST: Final = 8000
"""Bytes of a message over TCP: receivers should take 8192 (RFC 5425 section 4.3.1); rsyslog takes 8096 unasked."""
DATAGRAM: Final = 2048
"""Bytes of a message over UDP: receivers should take as many (RFC 5426 section 3.2)."""


class StreamShipper:
    """Over a connection, by TLS with a ``context``.

    Syslog acknowledges nothing. What the receiver's machine has acknowledged counts as arrived; what the receiver had
    not read of it when it was killed is lost.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self._place = (host, port, context)
        self._name = socket.gethostname()
        self._connection: socket.socket | None = None
        after_fork(self.close)

    def ship(self, lines: Sequence[bytes]) -> int:
        """All ``lines`` in one write."""
        messages = [message(orjson.loads(line), self._name, LONGEST) for line in lines]
        data = b"".join(b"%d %b" % (len(each), each) for each in messages)
        deadline = Deadline(WHOLE)
        if self._connection is not None and not alive(self._connection):
            self.close()
        try:
            if self._connection is None:
                self._connection = connected(*self._place)
            self._connection.settimeout(deadline.left())
            self._connection.sendall(data)
            acknowledged(self._connection, deadline)
        except BaseException:  # half a message may be on its way: nothing can follow it
            self.close()
            raise
        return 0

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class DatagramShipper:
    """By UDP, which promises nothing: what the network or a full receiver drops nobody hears of."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._name = socket.gethostname()
        self._socket: socket.socket | None = None
        after_fork(self.close)

    def ship(self, lines: Sequence[bytes]) -> int:
        """A datagram for each of ``lines``."""
        try:
            if self._socket is None:
                family, kind, protocol, _, address = socket.getaddrinfo(*self._place, type=socket.SOCK_DGRAM)[0]
                self._socket = socket.socket(family, kind, protocol)
                self._socket.settimeout(WHOLE)
                self._socket.connect(address)
            for line in lines:
                self._socket.send(message(orjson.loads(line), self._name, DATAGRAM))
        except BaseException:
            self.close()
            raise
        return 0

    def close(self) -> None:
        """Close the socket."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
