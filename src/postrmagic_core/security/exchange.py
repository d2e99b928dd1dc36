"""One exchange of HTTP with a server that the operator named, within a budget of seconds and of bytes.

For what a resource server asks of an authorization server: its keys, and what it knows of a token. Not for URLs that
come from outside: wherever the operator points, this goes.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from ..errors import BackendTimeout, BackendUnavailable, ConfigurationError
from .checks import LOOPBACK

if TYPE_CHECKING:
    import ssl

BUDGET: Final = 2.0
"""Seconds for all of one exchange, once the server's name is resolved."""

MAX_BYTES: Final = 65_536
"""Bytes of the longest answer that is of use here: keys, or what is known of a token."""

_HEAD = 65_536  # bytes of status line, headers and framing
_PLAIN = re.compile(r"[!-~]{1,2048}").fullmatch


class Answer(NamedTuple):
    """What came back: the status, and a body of at most as many bytes as were allowed."""

    status: int
    body: bytes


class Endpoint:
    """A URL to ask: ``https://``, or ``http://`` of this machine alone; no user, no fragment.

    :class:`ConfigurationError` for any other. ``what`` names it in errors. No redirect is followed and no proxy used:
    the keys to everything come from where the operator said, or from nowhere.
    """

    def __init__(self, url: str, what: str) -> None:
        self.url = url
        self._what = what
        try:
            parts = urlsplit(url) if _PLAIN(url) else None
            host, port = (None, None) if parts is None else (parts.hostname, parts.port)
        except ValueError:
            parts = host = port = None
        if parts is None or not host or "@" in parts.netloc or "#" in url or "\\" in url:
            raise ConfigurationError(f"expected as {what} an absolute URL without user and fragment")
        if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
            raise ConfigurationError(
                f"expected as {what} an https:// URL (http:// for 127.0.0.1, [::1] and localhost alone), "
                f"got one of {parts.scheme or 'no scheme'}"
            )
        self._secure = parts.scheme == "https"
        self._host = host
        self._port = port or (443 if self._secure else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._named = parts.netloc

    @cached_property
    def _context(self) -> ssl.SSLContext:
        import ssl

        return ssl.create_default_context()

    def exchange(
        self,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        max_bytes: int,
        budget: float = BUDGET,
    ) -> Answer:
        """Ask once.

        :class:`BackendTimeout` if the answer is not whole within ``budget`` seconds, however busily it dribbles;
        :class:`BackendUnavailable` if there is none, if it is no HTTP, or larger than ``max_bytes``.
        """
        ends = time.monotonic() + budget
        try:
            with self._connected(ends) as plain:
                link = _Link(plain, ends, max_bytes + _HEAD)
                connection = http.client.HTTPConnection(self._host, self._port)
                # The library's own would wait for each piece anew: this one knows when all of it must be there.
                connection.sock = link
                connection.putrequest(method, self._target, skip_host=True, skip_accept_encoding=True)
                for name, value in {"Host": self._named, "Connection": "close", **headers}.items():
                    connection.putheader(name, value)
                if body is not None:
                    connection.putheader("Content-Length", str(len(body)))
                connection.endheaders(body)
                with connection.getresponse() as response:
                    return Answer(response.status, self._read(response, max_bytes))
        except TimeoutError:
            raise BackendTimeout(f"{self._what} did not answer within {budget:g} seconds") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BackendUnavailable(f"{self._what} cannot be asked: {type(error).__qualname__}") from error

    def _connected(self, ends: float) -> socket.socket:
        failure: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(_left(ends))
                plain.connect(address)
                plain.settimeout(_left(ends))
                return self._context.wrap_socket(plain, server_hostname=self._host) if self._secure else plain
            except BaseException as error:
                plain.close()
                if isinstance(error, TimeoutError) or not isinstance(error, OSError):  # a failure of TLS is one
                    raise
                failure = error
        raise failure

    def _read(self, response: http.client.HTTPResponse, max_bytes: int) -> bytes:
        """The body. Into room of our own: the library would ask for as much as the server announces."""
        room, size = bytearray(max_bytes + 1), 0
        while size <= max_bytes:
            more = response.readinto(memoryview(room)[size:])
            if not more:
                break
            size += more
        if size > max_bytes:
            raise BackendUnavailable(f"{self._what} answered more than {max_bytes} bytes")
        if response.length:
            raise BackendUnavailable(f"{self._what} broke off its answer")
        return bytes(room[:size])


class _Link:
    """What the library takes for a socket: written until an instant, and read until then and up to so many bytes."""

    def __init__(self, plain: socket.socket, ends: float, most: int) -> None:
        self._plain = plain
        self._ends = ends
        self._most = most

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._plain.settimeout(_left(self._ends))
        self._plain.sendall(data)

    def makefile(self, *_: Any) -> io.BufferedReader:
        """What a response is read from."""
        return io.BufferedReader(_Source(self._plain, self._ends, self._most))

    def close(self) -> None:
        """Nothing: the response may still be read; who connected closes."""


class _Source(io.RawIOBase):
    def __init__(self, plain: socket.socket, ends: float, most: int) -> None:
        super().__init__()
        self._plain = plain
        self._ends = ends
        self._rest = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._plain.settimeout(_left(self._ends))
        size = self._plain.recv_into(buffer)
        self._rest -= size
        if self._rest < 0:
            raise http.client.HTTPException("too many bytes of headers and framing")
        return size


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
