"""PyMySQL's connection with what it lacks: a look at whether the server has gone, one at a statement's size, and a
memory for the columns of results.
"""

from __future__ import annotations

import select
import socket
import ssl
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import SERVER_STATUS
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

_TOO_LARGE = 1153
# A character of a statement takes at most this many bytes in utf8mb4.
_BYTES = 4

# The columns of results, by what the server says of them: it says the same at each execution, and taking that apart
# costs as much as two values of a row.
_columns: dict[tuple[bytes, str], Column] = {}
_MOST = 4096


class Column(FieldDescriptorPacket):
    """One column of a result; never changed once it is made."""

    _description: tuple[Any, ...] | None = None

    def description(self) -> Any:
        """As DB-API's ``cursor.description`` wants it."""
        if self._description is None:
            self._description = super().description()  # type: ignore[no-untyped-call]  # the stubs do not know it
        return self._description


def _column(data: bytes, encoding: str) -> Column:
    column = _columns.get((data, encoding))
    if column is None:
        if len(_columns) >= _MOST:
            _columns.clear()
        column = _columns[data, encoding] = Column(data, encoding)
    return column


class ResumingContext(ssl.SSLContext):
    """Takes up the TLS session of the connection before (RFC 8446 §2.2): a third of a handshake, no certificates again.

    A server that does not know the session, after a failover for one, makes a whole handshake.
    """

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """As :meth:`ssl.SSLContext.wrap_socket`."""
        session = session or self._sessions().get(server_hostname)
        return super().wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
        )

    def keep(self, sock: ssl.SSLSocket) -> None:
        """Let the next connection to the same name begin where this one's handshake ended."""
        if sock.session is not None:
            self._sessions()[sock.server_hostname] = sock.session

    def _sessions(self) -> dict[str | bytes | None, ssl.SSLSession]:
        found: dict[str | bytes | None, ssl.SSLSession] = self.__dict__.setdefault("sessions", {})
        return found


class ServerConnection(Connection):
    """A connection that is told the server's ``max_allowed_packet`` (bytes) once it is known."""

    max_packet = 0
    server_status: int  # the stubs know neither
    _result: Any
    _poll: select.poll | None = None

    def query(self, sql: Any, unbuffered: bool = False) -> Any:
        """Send a statement; one that the server would answer by closing the connection is refused here (error 1153)."""
        limit = self.max_packet - 1  # the command takes a byte
        if 0 < limit < len(sql) * _BYTES and limit < len(sql.encode() if isinstance(sql, str) else sql):
            raise pymysql.err.OperationalError(_TOO_LARGE, "the statement is larger than max_allowed_packet")
        try:
            return super().query(sql, unbuffered)
        except pymysql.err.MySQLError:
            # An error does not tell the state: a refused row may have begun a transaction, and left its lock there.
            self.server_status |= SERVER_STATUS.SERVER_STATUS_IN_TRANS
            raise

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        rows = super()._read_query_result(unbuffered)  # type: ignore[misc]  # the stubs do not know it
        if self._result is not None and self._result.server_status is None and not self.get_autocommit():
            # Rows do not tell the state here: to read begins a transaction too, and may leave locks.
            self.server_status |= SERVER_STATUS.SERVER_STATUS_IN_TRANS
        return rows

    def _read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        made = _column if packet_type is FieldDescriptorPacket else packet_type
        return super()._read_packet(made)  # type: ignore[no-untyped-call]  # the stubs do not know it

    def keep_tls_session(self) -> None:
        """Remember it for the next connection; the server has sent its ticket by now."""
        sock: Any = getattr(self, "_sock", None)
        context = getattr(sock, "context", None)
        if isinstance(context, ResumingContext):
            context.keep(sock)

    def bear_silence(self, seconds: float) -> None:
        """From now on wait ``seconds`` for each answer."""
        self._read_timeout = seconds

    def answers(self, seconds: float) -> bool:
        """Whether the server answers a ping within ``seconds``."""
        silence = self._read_timeout
        self._read_timeout = seconds
        try:
            self.ping(reconnect=False)
        except (pymysql.Error, OSError):
            return False
        finally:
            self._read_timeout = silence
        return True

    @property
    def gone(self) -> bool:
        """Whether the server has closed the connection: nothing else is readable between two commands.

        This costs no round trip, unlike a ping; a server that is silent instead of gone is left to the time-outs.
        """
        sock: Any = getattr(self, "_sock", None)
        if sock is None:
            return True
        if self._poll is None:  # a connection of ours never changes its socket: the pool makes a new one
            self._poll = select.poll()
            self._poll.register(sock, select.POLLIN)
        return bool(self._poll.poll(0))
