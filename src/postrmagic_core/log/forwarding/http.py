"""Lines by HTTP: one POST a batch, compressed, answered by a status; newline-delimited JSON as it is."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

from ..._clock import Clock, SystemClock, from_us
from ..._lifecycle import after_fork
from .interface import Later, Refused
from .policy import asked_pause, refuses
from .wire import WHOLE, Answering, Deadline, alive, connected

_LEVEL: Final = 4
_ANSWER = 64 * 1024


class Place(NamedTuple):
    """Where requests go: ``target`` is path and query; ``context``: TLS, verified by it."""

    host: str
    port: int
    target: str
    context: ssl.SSLContext | None

    @property
    def authority(self) -> str:
        """The Host field."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Poster:
    """POSTs bodies to one place over a connection that is kept while the receiver keeps it.

    Neither redirects nor proxies are followed: what was configured is where the log goes.
    """

    def __init__(self, place: Place, fields: Mapping[str, str], *, clock: Clock | None = None) -> None:
        self._place = place
        self._clock = clock or SystemClock()
        own = {"Host": place.authority, "User-Agent": "postrmagic-core", "Content-Encoding": "gzip", **fields}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        self._connection: socket.socket | None = None
        after_fork(self.close)

    def post(self, body: bytes) -> bytes:
        """What the receiver answers to ``body``, its first 64 KiB; :class:`OSError`: anything but a success."""
        packed = gzip.compress(body, _LEVEL, mtime=0)
        deadline = Deadline(WHOLE)
        if self._connection is not None and not alive(self._connection):
            self.close()
        kept = self._connection is not None
        try:
            return self._judged(*self._exchanged(packed, deadline))
        except (ConnectionError, http.client.RemoteDisconnected):
            if not kept:
                raise
        return self._judged(*self._exchanged(packed, deadline))  # it was closed just then

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchanged(self, packed: bytes, deadline: Deadline) -> tuple[int, str | None, bytes]:
        head = f"POST {self._place.target} HTTP/1.1\r\n{self._head}Content-Length: {len(packed)}\r\n\r\n"
        connection, self._connection = self._connection, None
        try:
            if connection is None:
                connection = connected(self._place.host, self._place.port, self._place.context)
            connection.settimeout(deadline.left())
            connection.sendall(head.encode("ascii") + packed)
            whence: Any = Answering(connection, deadline)  # a socket to what reads from it
            with closing(http.client.HTTPResponse(whence, method="POST")) as answer:
                answer.begin()
                content = answer.read(_ANSWER)
                if answer.isclosed() and not answer.will_close:
                    self._connection, connection = connection, None
                return answer.status, answer.getheader("Retry-After"), content
        except http.client.HTTPException as error:
            if isinstance(error, OSError):
                raise
            raise OSError(f"the receiver's answer is no HTTP: {type(error).__name__}") from error
        finally:
            if connection is not None:
                connection.close()

    def _judged(self, status: int, retry_after: str | None, content: bytes) -> bytes:
        if 200 <= status < 300:
            return content
        told = f"the receiver answered {status}"
        if refuses(status):
            raise Refused(told)
        after = asked_pause(retry_after, from_us(self._clock.now_us()))
        if after is not None:
            raise Later(told, after)
        raise OSError(told)


class NdjsonShipper:
    """POSTs lines as they are, one a line (``application/x-ndjson``): Vector, Fluent Bit, an endpoint of one's own."""

    def __init__(self, place: Place, fields: Mapping[str, str], *, clock: Clock | None = None) -> None:
        self._poster = Poster(place, {"Content-Type": "application/x-ndjson", **fields}, clock=clock)

    def ship(self, lines: Sequence[bytes]) -> int:
        """One POST of all ``lines``."""
        self._poster.post(b"".join(line + b"\n" for line in lines))
        return 0

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()
