"""One HTTP exchange with an address that was chosen before: the bytes are limited, and the time of all of it.

``http.client`` writes and reads HTTP/1.1; what it is given for a socket waits no longer than what is left.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, cast

from ...errors import AnswerTooLarge, FetchFailed, FetchTimeout
from ..urls import Address
from .request import Answer, Request

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 65_536
_HEAD = 262_144  # for status line, headers, interim answers


class Deadline:
    """The end of the time that one fetch may take."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises :class:`FetchTimeout` if there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise FetchTimeout("the answer was not complete within the time-out")
        return seconds


class _Incoming(io.RawIOBase):
    """What a socket receives: each wait ends with the deadline, and the sum of all bytes is limited."""

    def __init__(self, sock: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._room = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._room -= count
        if self._room < 0:
            raise AnswerTooLarge("the answer has more bytes than allowed")
        return count


class _Wire:
    """What ``http.client`` takes for a socket. Closing it does nothing: the socket is closed by who opened it."""

    def __init__(self, sock: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._max_bytes = max_bytes

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # an SSLSocket's own sendall() grants the whole time to each record
            self._sock.settimeout(self._deadline.left())
            view = view[self._sock.send(view) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._deadline, self._max_bytes))

    def close(self) -> None:
        return None


def exchange(
    address: Address, places: Sequence[str], request: Request, tls: ssl.SSLContext, deadline: Deadline, max_bytes: int
) -> Answer:
    """Send ``request`` to the first of the IP addresses ``places`` that accepts, and read at most ``max_bytes`` bytes.

    The server proves the *name* in ``address``, whichever of its IP addresses it is reached at.
    """
    with _told(), closing(_connected(places, address.port, deadline)) as plain:
        plain.settimeout(deadline.left())
        if address.scheme != "https":
            return _asked(plain, address, request, deadline, max_bytes)
        with closing(tls.wrap_socket(plain, server_hostname=address.host)) as sealed:
            return _asked(sealed, address, request, deadline, max_bytes)


def _connected(places: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    for left, place in zip(range(len(places), 0, -1), places, strict=True):
        # An address that swallows everything leaves time for the others.
        sock = _tried(place, port, deadline.left() / left)
        if sock is not None:
            return sock
    deadline.left()
    raise FetchFailed("the server cannot be reached")


def _tried(place: str, port: int, seconds: float) -> socket.socket | None:
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in place else socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        sock.settimeout(seconds)
        sock.connect((place, port))
    except OSError:
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return sock


def _asked(sock: socket.socket, address: Address, request: Request, deadline: Deadline, max_bytes: int) -> Answer:
    connection = http.client.HTTPConnection(address.host)
    # Chunks may be written with as many bytes again; more would be a way around the limit.
    connection.sock = cast("socket.socket", _Wire(sock, deadline, 2 * max_bytes + _HEAD))
    connection.putrequest(request.method, address.target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", address.authority)
    connection.putheader("Accept-Encoding", "identity")
    connection.putheader("Connection", "close")
    if "user-agent" not in {name.lower() for name, _ in request.headers}:
        connection.putheader("User-Agent", "postrmagic-core")
    for name, value in request.headers:
        connection.putheader(name, value)
    if request.body is not None or request.method in {"POST", "PUT", "PATCH"}:
        connection.putheader("Content-Length", str(len(request.body or b"")))
    connection.endheaders(request.body)
    with closing(connection.getresponse()) as response:
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        return Answer(response.status, headers, _body(response, max_bytes), str(address))


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    # Compressed, a small body becomes a large one, and its size would be counted too late.
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"identity", ""}:
        raise FetchFailed("the answer is compressed, though it was asked for as it is")
    if response.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise FetchFailed("the answer has a transfer encoding that was not asked for")
    if response.length is not None and response.length > max_bytes:
        raise AnswerTooLarge("the answer has more bytes than allowed")
    body = bytearray()
    while part := response.read(min(_CHUNK, max_bytes + 1 - len(body))):
        body += part
        if len(body) > max_bytes:
            raise AnswerTooLarge("the answer has more bytes than allowed")
    if response.length:
        raise FetchFailed("the answer was cut off")
    return bytes(body)


@contextmanager
def _told() -> Iterator[None]:
    # `from None`: these quote names, addresses and lines that a server sent.
    try:
        yield
    except TimeoutError:
        raise FetchTimeout("the answer was not complete within the time-out") from None
    except ssl.SSLError:
        raise FetchFailed("no encrypted connection: the server's certificate must be trusted and name it") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise FetchFailed("the server did not answer in HTTP, or the connection was lost") from None
