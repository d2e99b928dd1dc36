"""Sessions with a server of which a database is dumped, or into which one is restored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...._sql import Timeouts
from ....errors import BackendRejected, BackendUnavailable, ConfigurationError, MissingExtra
from ....registry import scheme_of
from ...interface import DatabaseKind

if TYPE_CHECKING:
    from ...._sql.mysql_server import MysqlServer
    from ....database.transfer.session import Session

# Seconds to connect; and to wait for a server that says nothing while rows are read, or while a statement is run: to
# make an index of a large table takes long.
_CONNECT, SILENT, AT_WORK = 10.0, 120.0, 4 * 3600.0
_NO_DATABASE = 1049
# A table may be made as another session was allowed to make it; a value is stored as it is or not at all.
LENIENT = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"
MODE = f"STRICT_ALL_TABLES,{LENIENT}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, set up, and what is at its other end; ``packet`` is the size of the largest statement, in bytes."""

    session: Session
    kind: DatabaseKind
    server: str
    database: str

    @property
    def packet(self) -> int:
        """``max_allowed_packet``, in bytes."""
        return self.session.max_packet

    def rows(self, statement: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
        """All rows of a short answer, as text."""
        return self.session.rows(statement, parameters)

    def run(self, statement: bytes | str) -> None:
        """Run a statement as it stands; errors are this package's."""
        self.session.query(statement)

    def let(self, *settings: str) -> None:
        """Set each for this session where the server knows it and this user may."""
        for setting in settings:
            with contextlib.suppress(BackendRejected):
                self.run(f"SET SESSION {setting}")

    def made(self, asked: str) -> dict[str, bytes | None]:
        """The one row of a SHOW CREATE, in bytes: not all that is in a definition must be text."""
        from ...._sql.mysql_errors import ours
        from ....errors import translating

        session = self.session
        session.use_unicode = False
        try:
            with translating(ours), session.cursor() as cursor:
                cursor.execute(asked)
                described: Sequence[Any] = cursor.description or ()
                row: Any = cursor.fetchone() or ()
        finally:
            session.use_unicode = True
        return {str(column[0]): value for column, value in zip(described, row, strict=False)}


def place_of(url: str) -> MysqlServer:
    """Where ``url`` leads; nothing is connected. :class:`MissingExtra` without the driver."""
    if scheme_of(url) not in ("mysql", "mariadb"):
        raise ConfigurationError("expected the URL of a server: mysql://user:password@host:3306/name")
    try:
        from ...._sql.mysql_server import MysqlServer
    except ModuleNotFoundError as error:
        raise MissingExtra("a driver is needed that is not installed: pip install 'postrmagic-core[mysql]'") from error
    return MysqlServer.from_url(url)


@contextmanager
def opened(place: MysqlServer, *, silent: float | None = None) -> Iterator[Opened]:
    """A session in ``place``'s database; ``silent``: seconds to wait for an answer. Raises this package's errors."""
    from ....database.transfer.session import Session

    silent = SILENT if silent is None else silent
    session = place.connect(Session, Timeouts(connect=_CONNECT, statement=silent))
    try:
        ((version,),) = session.rows("SELECT VERSION()")
        kind: DatabaseKind = "mariadb" if "mariadb" in version.lower() else "mysql"
        session.set_up(mariadb=kind == "mariadb")
        session.bear_silence(silent)
        session.execute(f"SET SESSION sql_mode='{MODE}', lock_wait_timeout=50")
        yield Opened(session, kind, version, place.database)
    finally:
        session.close()


def is_there(place: MysqlServer) -> bool:
    """Whether the server has the database; raises this package's errors where it cannot be asked."""
    try:
        with opened(place):
            return True
    except (BackendRejected, BackendUnavailable) as error:
        if _code(error) == _NO_DATABASE:
            return False
        raise


def make(place: MysqlServer) -> None:
    """Make the database where it is missing; raises :class:`BackendRejected` without the right to."""
    with opened(replace(place, database="")) as server:
        server.run(f"CREATE DATABASE IF NOT EXISTS {quoted(place.database)} CHARACTER SET utf8mb4")


def quoted(name: str) -> str:
    """``name`` as the server reads it, whatever is in it."""
    return f"`{name.replace('`', '``')}`"


def _code(error: BaseException) -> int:
    from ...._sql.mysql_errors import code_of

    return code_of(error.__cause__) if error.__cause__ is not None else -1
