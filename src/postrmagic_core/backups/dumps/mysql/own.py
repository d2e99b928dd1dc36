"""A database read by a session of our own, in one transaction that sees one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ....errors import BackendRejected, BackupFailed
from ...interface import DatabaseFacts, Part, Report
from . import catalogue
from .catalogue import Catalogue, TableOf
from .parts import Counted, laid_out
from .session import Opened, opened, quoted
from .statements import creation, framed
from .values import LISTED, inserts, nothing

if TYPE_CHECKING:
    from ...._sql.mysql_server import MysqlServer

# Bytes of a statement, and of the rows that are read at once, with how many.
_STATEMENT = 512 * 1024
_ROWS, _BYTES = 2000, 1024 * 1024
# 1412: the table was altered after the snapshot was opened; 1146 and 1054: it, or a column, is gone.
_CHANGED = frozenset({1412, 1146, 1054})


class OwnDump:
    """A snapshot that is read by ourselves, table by table."""

    def __init__(self, server: Opened, found: Catalogue, report: Report) -> None:
        self._server = server
        self._found = found
        self._counted = Counted(report)

    @property
    def facts(self) -> DatabaseFacts:
        """What it is; complete once :meth:`parts` were read."""
        return self._counted.facts(self._server, "own dump")

    @property
    def notes(self) -> list[str]:
        """What somebody who restores it has to know."""
        return self._found.notes

    def parts(self) -> Iterator[Part]:
        """All of it, in the order in which it is restored."""
        return laid_out(self._found, self._table)

    def _table(self, table: TableOf) -> Iterator[bytes]:
        name = quoted(table.name)
        # In a strict session no column takes an ENUM's number 0, which is in it where a session was not.
        strict = not any(field.type in LISTED for field in table.fields)
        yield creation(name, table.created, strict=strict)
        if table.history:
            yield framed(b"SET @@system_versioning_insert_history = 1")
        columns = ", ".join(quoted(field.name) for field in table.fields)
        # Of a table that computes all its columns a row is no more than that it is there.
        asked = ", ".join(field.asked() for field in table.fields) or "1"
        former = " FOR SYSTEM_TIME ALL" if table.history else ""
        query = f"SELECT {asked} FROM {name}{former}"  # noqa: S608 - quoted names
        head = f"INSERT INTO {name} ({columns})".encode()
        limit = min(_STATEMENT, self._server.packet // 2)
        writers = [field.writer() for field in table.fields] or [nothing]
        self._counted.begin(table)
        for texts, rows in inserts(head, self._read(table, query), writers, limit):
            self._counted.add(table, rows)
            yield b"".join(map(framed, texts))
        if table.history:
            yield framed(b"SET @@system_versioning_insert_history = 0")
        _let_go(self._server)

    def _read(self, table: TableOf, query: str) -> Iterator[list[Sequence[object]]]:
        from ....database.transfer.reversing.rows import columns_of

        session = self._server.session
        session.use_unicode = False
        try:
            for columns in columns_of(session, query, rows=_ROWS, size=_BYTES):
                if table.revisions:
                    self._counted.revise(table, catalogue.revisions(columns))
                yield columns
        except BackendRejected as error:
            if session.code in _CHANGED:
                raise BackupFailed(
                    f"the table {table.name} was altered while it was backed up: take it again"
                ) from error
            raise
        finally:
            session.use_unicode = True


@contextmanager
def own_dump(place: MysqlServer, report: Report) -> Iterator[OwnDump]:
    """The snapshot of ``place``'s database as of now."""
    with opened(place) as server:
        server.run("SET SESSION sql_mode = ''")
        before = catalogue.read(server)
        _see_one_moment(server)
        server.run("SAVEPOINT pm_backup")
        found = catalogue.read(server)
        _let_go(server)
        catalogue.refuse_changed(before, found)
        server.run("SET character_set_results = NULL")
        yield OwnDump(server, found, report)


def _see_one_moment(server: Opened) -> None:
    """From here on the session reads what was committed by now, and nothing later."""
    server.run("ROLLBACK")
    server.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    server.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _let_go(server: Opened) -> None:
    """Be in nobody's way who alters what was read: he would wait, and all others behind him."""
    server.run("ROLLBACK TO SAVEPOINT pm_backup")
