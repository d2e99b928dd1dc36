"""One connection to Redis for threads: plain exchanges, whose every wait ends at one instant.

Sockets do not block; waiting is poll(), one system call that knows how long. Together with hiredis, which packs and
parses in C, an exchange costs a third of redis-py's.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import hiredis

from postrmagic_core.stores.adapters._redis_errors import LATE, HungUp
from postrmagic_core.stores.adapters._redis_place import Address, Command

T = TypeVar("T")

MORE: Any = object()
"""What :func:`parser`'s ``gets()`` answers while a reply is incomplete."""
CHUNK = 65536
# What a socket that does not block says where another would wait.
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# An idle connection is tried after 30 s: a firewall that forgot it would let the next command vanish.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}

_pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]  # its stub says: a tuple of one


def parser() -> hiredis.Reader:
    """A parser of RESP; an error reply is a value of type :class:`hiredis.ReplyError`."""
    return hiredis.Reader(notEnoughData=MORE)


def packed(commands: Sequence[Command]) -> bytes:
    """The commands as the bytes to send."""
    return _pack(commands[0]) if len(commands) == 1 else b"".join(map(_pack, commands))


def keep_alive(sock: Any) -> None:
    """Have the kernel probe an idle connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def left_ms(until: float) -> float:
    """Milliseconds until ``until`` (monotonic seconds); :class:`TimeoutError` where there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(LATE)
    return left * 1000


class Wire:
    """One TCP connection, used by one thread at a time. ``epoch``: see :class:`Place`."""

    def __init__(self, sock: socket.socket, epoch: int) -> None:
        self.epoch = epoch
        self.sent = False
        self._sock = sock
        self._reader = parser()
        self._buffer: Any = bytearray(CHUNK)  # which feed() takes, whatever its stub says
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def spoiled(self) -> bool:
        """Whether the idle connection was closed by the server, or holds bytes nobody asked for."""
        return bool(self._poll.poll(0)) or self._reader.has_data()

    def talk(self, data: bytes, count: int, until: float) -> list[Any]:
        """Send the commands in ``data`` and return their ``count`` replies, errors among them.

        Raises what is in :data:`LOST`. Afterwards :attr:`sent` says whether the server may have carried anything out.
        """
        # A single command that could not be sent to its last byte was surely not carried out.
        self.sent = count > 1
        try:
            sent = self._sock.send(data)
        except _NOT_YET:
            sent = 0
        if sent < len(data):
            self._send_rest(data, sent, until)
        self.sent = True
        replies: list[Any] = []
        gets = self._reader.gets
        while True:
            self._fill(replies, until)
            while (reply := gets(False)) is not MORE:
                replies.append(reply)
                if len(replies) == count:
                    return replies

    def interrupt(self) -> None:
        """Close it under the hands of the thread that waits for it."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        """Give it up: a late answer finds nobody."""
        self._sock.close()

    def __del__(self) -> None:
        self._sock.close()

    def _send_rest(self, data: bytes, sent: int, until: float) -> None:
        sock = self._sock
        while sent < len(data):
            attempt = partial(sock.send, memoryview(data)[sent:])
            sent += _patiently(sock, attempt, until, select.POLLOUT)

    def _fill(self, said: list[Any], until: float) -> None:
        if not self._poll.poll(left_ms(until)):
            raise TimeoutError(LATE)
        size = self._sock.recv_into(self._buffer)
        if not size:
            raise HungUp(said)
        self._reader.feed(self._buffer, 0, size)


class TlsWire(Wire):
    """The same over TLS, where decrypted bytes may wait beyond poll()'s sight."""

    def _fill(self, said: list[Any], until: float) -> None:
        left_ms(until)
        attempt = partial(self._sock.recv_into, self._buffer)
        size = _patiently(self._sock, attempt, until, select.POLLIN)
        if not size:
            raise HungUp(said)
        self._reader.feed(self._buffer, 0, size)


def dial(address: Address, tls: ssl.SSLContext | None, epoch: int, until: float) -> Wire:
    """A connection to ``address``, its certificate verified for that host."""
    sock = _connected(address, until)
    if tls is None:
        return Wire(sock, epoch)
    try:
        sock = tls.wrap_socket(sock, server_hostname=address.host, do_handshake_on_connect=False)
        _patiently(sock, sock.do_handshake, until, select.POLLIN)
    except BaseException:
        sock.close()
        raise
    return TlsWire(sock, epoch)


def _connected(address: Address, until: float) -> socket.socket:
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, place) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            # A host's silent address leaves the others their share.
            sock.settimeout(left_ms(until) / 1000 / (len(found) - number))
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            keep_alive(sock)
            sock.setblocking(False)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError) or number == len(found) - 1:
                raise
        else:
            return sock
    raise OSError


def _patiently(sock: socket.socket, attempt: Callable[[], T], until: float, waits_for: int) -> T:
    """The answer of ``attempt`` on a socket that does not block, in time."""
    while True:
        try:
            return attempt()
        except ssl.SSLWantReadError:
            wanted = select.POLLIN
        except ssl.SSLWantWriteError:
            wanted = select.POLLOUT
        except BlockingIOError:
            wanted = waits_for
        poll = select.poll()
        poll.register(sock, wanted)
        poll.poll(left_ms(until))
