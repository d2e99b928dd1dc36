"""How far a revision has come on a server that commits at each DDL statement.

A process killed between two statements of a revision leaves the first one done and the revision unnoted: run again,
it would stop at "table exists" until somebody repairs it by hand. Here each statement is noted in
``pm_migration_progress`` as it runs, so that the next process skips what is done. One statement may be in doubt, the
DDL under way when the process died: it is tried again, and a server that says "it is there already" means that it was
done. (Single DDL statements are atomic: MySQL 8.0, "Atomic Data Definition Statement Support"; MariaDB 10.6, "Atomic
DDL".)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from ..._sql import Backend
from ...errors import BackendTimeout, BackendUnavailable, SchemaMismatch
from .interface import Direction

_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(\w+)(?:\s+(\w+))?", re.DOTALL)
_STRUCTURE = {"ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE"}
_DATA = {"DELETE", "INSERT", "LOAD", "REPLACE", "UPDATE"}
# What the server says of an object that is there already, or gone already, as it is after the statement was done.
_DONE = {1050, 1051, 1054, 1060, 1061, 1068, 1091, 1146, 1304, 1305, 1359, 1360, 1826, 3822, 4091, 4092}


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A revision that began and did not end: ``done`` statements surely, ``begun`` is one more when one is in doubt."""

    revision: str
    direction: Direction
    done: int
    begun: int
    digest: str


class Progress:
    """The statements of the revision under way on ``connection``; ``history`` is its version table."""

    def __init__(self, backend: Backend, connection: Connection, history: str) -> None:
        self._backend = backend
        self._connection = connection
        self._history = history
        self._before = Interrupted("", "upgrade", 0, 0, "")
        self._count = 0
        self._digest = ""

    def interrupted(self) -> Interrupted | None:
        """What an earlier process left unfinished."""
        row = self._run("SELECT revision, direction, done, begun, digest FROM pm_migration_progress WHERE history = %s")
        if row is None:
            return None
        parts: list[Any] = [part.decode() if isinstance(part, bytes) else part for part in row]
        return Interrupted(*parts)

    @contextmanager
    def of(self, revision: str, direction: Direction) -> Iterator[None]:
        """Around a revision's function: skip what is done, note what gets done; forget it all in the last commit."""
        self._before = self.interrupted() or Interrupted(revision, direction, 0, 0, "")
        self._count, self._digest = 0, ""
        self._run(
            "INSERT IGNORE INTO pm_migration_progress (history, revision, direction, done, begun, digest) "
            "VALUES (%s, %s, %s, 0, 0, '')",
            revision,
            direction,
        )
        listeners: dict[str, Callable[..., bool]] = {
            "do_execute": self._one,
            "do_executemany": self._many,
            "do_execute_no_params": self._bare,
        }
        for name, listener in listeners.items():
            event.listen(self._connection.engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(self._connection.engine, name, listener)
        if self._count < self._before.done:
            raise self._changed()
        self._run("DELETE FROM pm_migration_progress WHERE history = %s")

    def _one(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return self._pass(context, statement, lambda: cursor.execute(statement, parameters))

    def _many(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return self._pass(context, statement, lambda: cursor.executemany(statement, parameters))

    def _bare(self, cursor: Any, statement: str, context: Any) -> bool:
        return self._pass(context, statement, lambda: cursor.execute(statement))

    def _pass(self, context: Any, statement: str, execute: Callable[[], object]) -> bool:
        """Whether the statement is dealt with; otherwise SQLAlchemy executes it."""
        kind = _kind(statement)
        if kind is None or context.root_connection is not self._connection:
            return False
        before = self._digest
        self._count += 1
        self._digest = hashlib.sha256(f"{before}\n{statement}".encode()).hexdigest()
        if self._count <= self._before.done:
            if self._count == self._before.done and self._digest != self._before.digest:
                raise self._changed()
        elif kind == "data":
            execute()
            self._note(self._count, self._count, self._digest)  # committed with the rows, or not at all
        else:
            self._change_structure(before, execute)
        return True

    def _change_structure(self, before: str, execute: Callable[[], object]) -> None:
        done = self._count - 1
        self._note(done, self._count, before)
        self._commit()
        try:
            execute()
        except Exception as error:
            if isinstance(self._backend.map_error(error), BackendUnavailable | BackendTimeout):
                raise
            if self._count == self._before.begun and error.args and error.args[0] in _DONE:
                return
            self._note(done, done, before)  # refused: not in doubt
            self._commit()
            raise
        self._note(self._count, self._count, self._digest)
        self._commit()

    def _changed(self) -> SchemaMismatch:
        return SchemaMismatch(
            f"revision {self._before.revision} was interrupted after {self._before.done} statement(s), and these have "
            "been changed since: put them back, or repair the tables by hand and delete its row from "
            "pm_migration_progress"
        )

    def _note(self, done: int, begun: int, digest: str) -> None:
        self._run(
            f"UPDATE pm_migration_progress SET done = {done:d}, begun = {begun:d}, digest = '{digest}' "  # noqa: S608 - numbers and hex
            "WHERE history = %s"
        )

    def _run(self, statement: str, *parameters: str) -> Any:
        # On the driver's cursor: the transaction of the revision, without passing its own listeners.
        raw: Any = self._connection.connection.dbapi_connection
        with raw.cursor() as cursor:
            cursor.execute(statement, (self._history, *parameters))
            return cursor.fetchone()

    def _commit(self) -> None:
        raw: Any = self._connection.connection.dbapi_connection
        raw.commit()


def _kind(statement: str) -> str | None:
    """``structure`` commits by itself, ``data`` with its transaction; ``None`` changes nothing that lasts."""
    found = _FIRST_WORD.match(statement)
    first, second = ((found[1] or "").upper(), (found[2] or "").upper()) if found else ("", "")
    if first in _STRUCTURE and second != "TEMPORARY":
        return "structure"
    return "data" if first in _DATA else None
