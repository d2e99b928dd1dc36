"""A session with the target: strict, in UTC, without time limits, and never made to open a file of this machine."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pymysql
from pymysql.constants import COMMAND
from pymysql.converters import encoders, escape_item
from pymysql.protocol import OKPacketWrapper

from ..._sql.mysql_connection import ServerConnection
from ..._sql.mysql_errors import code_of, ours
from ...errors import BackendRejected, BackendUnavailable, PlanRefused, PostrMagicError, translating

SQL_MODE = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
# What an operator may have set for all sessions, by which rows would be left out of an answer, a statement refused, or
# the session ended by its commit.
_HABITS = "sql_select_limit=18446744073709551615, sql_safe_updates=0, sql_big_selects=1, completion_type=0"
# The file that LOAD DATA LOCAL names; a server that asks for any other is told nothing.
FILE = "pm_transfer_rows"
# Seconds between two questions to a server that says nothing for long, which an ALTER TABLE may; and how many in vain.
_QUIET, _TRIES = 30, 4
_COLUMN = re.compile(r"column (?:'([^']*)'|(?:`[^`]*`\.)*`((?:[^`]|``)*)`)", re.IGNORECASE)


def literal(value: object) -> str:
    """``value`` as a statement has it, in any session of :class:`Session`."""
    return f"X'{value.hex()}'" if isinstance(value, bytes) else str(escape_item(value, "utf8mb4", encoders))


class Session(ServerConnection):
    """One connection outside all pools; what it raises is this package's.

    ``blamed``: the column that the last error named, ``code`` its number; empty and 0 where there was none.
    """

    blamed = ""
    code = 0
    # What a refused statement of :meth:`define` is told with: no row is in it, unlike in errors of rows.
    _told = ""

    def set_up(self, *, mariadb: bool) -> None:
        """Make it strict. It waits for an answer as long as the server's machine can be reached."""
        limit = "max_statement_time=0" if mariadb else "max_execution_time=0"
        self.query(
            f"SET SESSION autocommit=0, sql_mode='{SQL_MODE}', time_zone='+00:00', foreign_key_checks=1, "
            f"unique_checks=1, innodb_lock_wait_timeout=50, net_read_timeout=600, net_write_timeout=600, "
            f"wait_timeout=86400, {_HABITS}, {limit}"
        )
        (packet,) = self.rows("SELECT @@max_allowed_packet")[0]
        self.max_packet = int(packet)
        self.keep_tls_session()
        wire: Any = getattr(self, "_sock", None)
        for name, value in (("TCP_KEEPIDLE", _QUIET), ("TCP_KEEPINTVL", _QUIET), ("TCP_KEEPCNT", _TRIES)):
            if hasattr(socket, name):
                wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._read_timeout = None  # type: ignore[assignment]  # the stubs know seconds alone

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Run it; how many rows it changed."""
        with translating(self._ours), self.cursor() as cursor:
            return int(cursor.execute(statement, tuple(parameters) or None))

    def define(self, statement: str) -> None:
        """Run what makes or alters a table; :class:`PlanRefused` quotes one that the server does not take."""
        try:
            self.execute(statement)
        except BackendRejected as error:
            raise PlanRefused(
                f"the server refuses a statement: {self._told} (error {self.code})\n{statement}"
            ) from error

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> tuple[tuple[Any, ...], ...]:
        """All rows of a query with a short answer."""
        with translating(self._ours), self.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            return tuple(cursor.fetchall())

    def definition(self, table: str) -> str:
        """How the server would make a quoted table; what is no text in it, as MariaDB writes bytes, is not kept."""
        self.use_unicode = False
        try:
            ((_, made),) = self.rows(f"SHOW CREATE TABLE {table}")
        finally:
            self.use_unicode = True
        text: str = made.decode(errors="replace")
        return text

    def stream(self, statement: str, parameters: Sequence[object] = ()) -> Generator[tuple[Any, ...], None, None]:
        """The rows of a query one by one, none kept; see :meth:`unbuffered`."""
        with self.cursor() as cursor:
            text = cursor.mogrify(statement, tuple(parameters) or None)
        with self.unbuffered(text) as result:
            while (row := result._read_rowdata_packet_unbuffered()) is not None:
                yield row

    @contextlib.contextmanager
    def unbuffered(self, statement: str) -> Iterator[Any]:
        """The driver's result of a query, of which no row was read; nothing else can be asked until all are.

        Whoever leaves early by an error, or closes a generator, ends the session: the server sends it nothing further.
        """
        with translating(self._ours):
            self.query(statement, unbuffered=True)
            result: Any = self._result
            try:
                yield result
            except BaseException:
                self.cut()
                raise
            finally:
                # Else the driver would look for the rest of them.
                result.unbuffered_active = False
                result.connection = None

    def load(self, statement: str, parts: Sequence[bytes]) -> tuple[int, int]:
        """Run a LOAD DATA LOCAL of :data:`FILE` and answer with ``parts``: how many rows came, how many warnings.

        Each part is smaller than ``max_allowed_packet``.
        """
        self.blamed, self.code = "", 0
        with translating(self._ours):
            self._execute_command(COMMAND.COM_QUERY, statement.encode())  # type: ignore[attr-defined]  # not in the stubs
            asked = self._read_packet()
            if not asked.is_load_local_packet() or asked.get_all_data()[1:] != FILE.encode():
                self._refuse_file()
            for part in parts:
                self.write_packet(part)
            self.write_packet(b"")
            done = OKPacketWrapper(self._read_packet())
        self.server_status = done.server_status
        return int(done.affected_rows), int(done.warning_count)

    @property
    def warnings(self) -> int:
        """How many the last statement gave."""
        return 0 if self._result is None else int(self._result.warning_count)

    def query(self, sql: Any, unbuffered: bool = False) -> Any:
        """As the driver's; a server that asks for a file gets none and is left."""
        self.blamed, self.code = "", 0
        try:
            with translating(self._ours):
                return super().query(sql, unbuffered)
        except RuntimeError:
            # What the driver says to a file that it was not told to send: it has opened none.
            self._refuse_file()

    def commit(self) -> None:
        """Commit; without an answer it may have happened or not, and a checkpoint tells."""
        with translating(self._ours):
            super().commit()

    def rollback(self) -> None:
        """Roll back."""
        with translating(self._ours):
            super().rollback()

    def cut(self) -> None:
        """End it from another thread: what waits for the server's answer raises."""
        wire: Any = getattr(self, "_sock", None)
        with contextlib.suppress(OSError, AttributeError):
            wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; the server rolls back what was not committed. Closed already, without effect."""
        with contextlib.suppress(pymysql.Error):
            super().close()

    def _refuse_file(self) -> Any:
        self._force_close()  # type: ignore[attr-defined]  # not in the stubs
        raise BackendRejected("the server asked for a file of this machine, which it does not get: is it yours?")

    def _ours(self, error: BaseException) -> PostrMagicError | None:
        if isinstance(error, (OSError, EOFError)):
            return BackendUnavailable("the connection to the server broke")
        if isinstance(error, pymysql.Error):
            # The text may repeat values and is withheld from here on; the column's name is all of it that is needed.
            found = _COLUMN.search(str(error.args[1])) if len(error.args) > 1 else None
            self.blamed = (found[1] or (found[2] or "").replace("``", "`")) if found else ""
            self.code = code_of(error)
            self._told = str(error.args[-1]) if error.args else ""
        return ours(error)
