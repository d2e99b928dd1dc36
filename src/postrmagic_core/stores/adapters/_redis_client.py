"""The one place where connections to Redis are made: no retries, one time budget a call, nothing sent that is not ours.

redis-py repeats every failed command ten times by default, counters included, and waits 5 s for each reply.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import ResponseError
from redis.retry import Retry

from postrmagic_core._lifecycle import after_fork
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.stores.adapters._redis_errors import failure, refusal, replica
from postrmagic_core.stores.circuit import Circuit

Command: TypeAlias = tuple[bytes | str | int, ...]


def connection_options(url: str, timeout: float) -> dict[str, Any]:
    """redis-py's connection arguments for ``redis://user:password@host:port/db`` or ``rediss://…?ssl_ca=/path``."""
    try:
        parts = urlsplit(url)
        options: dict[str, Any] = {"host": unquote(parts.hostname or "127.0.0.1"), "port": parts.port or 6379}
        options["db"] = int(parts.path.strip("/") or 0)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        raise ConfigurationError("expected redis://user:password@host:6379/0: port and database are numbers") from None
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if parts.scheme == "rediss" and "ssl_ca" in query:
        options["ssl_ca_certs"] = query.pop("ssl_ca")
    if query:
        raise ConfigurationError(f"a Redis URL takes one option, ssl_ca with rediss://; found: {', '.join(query)}")
    return options | {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # no push messages, and no HELLO to wait for
        "driver_info": None,  # nor CLIENT SETINFO, twice
    }


class _Budgeted:
    """A socket whose every wait ends at :attr:`until`, however many there are."""

    def __init__(self, sock: Any, until: float) -> None:
        self._sock = sock
        self.until = until

    def recv_into(self, buffer: Any) -> int:
        """Receive what has come, in time."""
        self._arm()
        received: int = self._sock.recv_into(buffer)
        return received

    def recv(self, size: int) -> bytes:
        """Receive what has come, in time."""
        self._arm()
        received: bytes = self._sock.recv(size)
        return received

    def sendall(self, data: Any) -> None:
        """Send everything, in time."""
        self._arm()
        self._sock.sendall(data)

    def settimeout(self, value: float | None) -> None:
        """Ignored: a fixed time-out for each wait is what the budget replaces."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _arm(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)


class _Budget:
    """Mixin of both transports: connecting, its handshake and the commands after it share one end."""

    until = 0.0
    _wire: _Budgeted | None = None

    def begin(self, until: float) -> None:
        """From now on nothing waits beyond ``until`` (monotonic seconds)."""
        self.until = until
        if self._wire is not None:
            self._wire.until = until

    def _connect(self) -> Any:
        self._wire = _Budgeted(super()._connect(), self.until)  # type: ignore[misc]  # the transport's, next in line
        return self._wire


class _Tcp(_Budget, Connection):
    """Plain TCP."""


class _Tls(_Budget, SSLConnection):
    """TLS, the server's certificate verified."""


class Wires:
    """One connection for each thread that asks: nothing is handed over, so no reply meets the wrong caller."""

    def __init__(self, url: str, timeout: float, circuit: Circuit) -> None:
        self._options = connection_options(url, timeout)
        self._transport = _Tls if url.startswith("rediss:") else _Tcp
        self._timeout = timeout
        self._circuit = circuit
        self._forget()
        after_fork(self._forget)

    def exchange(self, commands: Sequence[Command], *, writes: bool) -> list[Any]:
        """Send the commands together and return their replies, all within the time-out.

        An error reply is raised after all replies were read. A connection in doubt is closed: an answer that comes late
        finds nobody. ``writes`` says whether losing the answer leaves the outcome unknown.
        """
        self._circuit.enter()
        wire = self._mine()
        sent = False
        try:
            wire.begin(time.monotonic() + self._timeout)
            if wire.is_connected and _spoiled(wire):
                wire.disconnect()
            wire.connect()
            # A single command that could not be sent to its last byte was surely not carried out.
            sent = len(commands) > 1
            wire.send_packed_command(wire.pack_commands(commands), check_health=False)
            sent = True
            replies = [_reply(wire) for _ in commands]
        except BaseException as error:
            wire.disconnect()
            if not isinstance(error, Exception):
                raise
            self._circuit.failed()
            ours = failure(error, in_doubt=writes and sent)
            if ours is None:
                raise
            raise ours from error
        self._circuit.succeeded()
        for reply in replies:
            if isinstance(reply, Exception):
                self._refused(wire, reply)
        return replies

    def close(self) -> None:
        """Close every thread's connection."""
        for wire in list(self._all):
            wire.disconnect()

    def _refused(self, wire: Any, reply: Exception) -> None:
        if replica(reply):
            wire.disconnect()
        raise refusal(reply) from reply

    def _mine(self) -> Any:
        wire = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = self._transport(**self._options)
            self._all.add(wire)
        return wire

    def _forget(self) -> None:
        self._local = threading.local()
        self._all: weakref.WeakSet[Any] = weakref.WeakSet()


def _spoiled(wire: Any) -> bool:
    """Whether the idle connection was closed by the server, or holds bytes nobody asked for."""
    with suppress(Exception):
        return bool(wire.can_read(0))
    return True


def _reply(wire: Any) -> Any:
    try:
        return wire.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
