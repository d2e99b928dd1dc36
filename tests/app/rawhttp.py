"""HTTP/1.1 as bytes on a socket: what no client library would send."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HOST = b"Host: 127.0.0.1"
PATIENCE = 30.0
_STATUS = re.compile(rb"^HTTP/1\.[01] ([0-9]{3}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back on one connection, and whether the server ended it."""

    raw: bytes
    closed: bool
    sent: int
    """Bytes that the server took."""

    @property
    def statuses(self) -> list[int]:
        """Of every response, in order."""
        return [int(status) for status in _STATUS.findall(self.raw)]


def head(method: bytes, target: bytes, headers: Sequence[bytes] = (), *, host: bytes | None = HOST) -> bytes:
    """A request's head, of lines as they are."""
    lines = [method + b" " + target + b" HTTP/1.1", *([] if host is None else [host]), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def talk(port: int, pieces: Iterable[bytes], *, until: int | None = None, pause: float = 0.0) -> Heard:
    """Send the pieces, ``pause`` seconds apart, and listen until the server ends the connection.

    Or until so many responses have begun (``until``). A server that does neither for :data:`PATIENCE` seconds has not
    ``closed``.
    """
    heard, sent, waiting, rest = b"", 0, b"", iter(pieces)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.setblocking(False)
        deadline, due, more = time.monotonic() + PATIENCE, 0.0, True
        while time.monotonic() < deadline:
            if not waiting and more and time.monotonic() >= due:
                waiting, due = next(rest, b""), time.monotonic() + pause
                more = bool(waiting)
            timeout = min(0.5, max(0.0, due - time.monotonic())) if more and not waiting else 0.5
            readable, writable, _ = select.select([line], [line] if waiting else [], [], timeout)
            try:
                if readable:
                    got = line.recv(65_536)
                    if not got:
                        return Heard(heard, True, sent)
                    heard += got
                    if until is not None and len(Heard(heard, False, sent).statuses) >= until:
                        return Heard(heard, False, sent)
                if writable:
                    count = line.send(waiting)
                    sent, waiting = sent + count, waiting[count:]
            except OSError:  # reset: the server ended it with something unread
                return Heard(heard, True, sent)
    return Heard(heard, False, sent)
