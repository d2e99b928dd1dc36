"""The transaction beneath a unit: begun, committed, rolled back and released by the runner, never by who has ``tx``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from .._sql.ledger import Line, application_line, connect_for
from ..errors import BackendError, Conflict, NotOpen, OutcomeUnknown, PostrMagicError
from . import policy
from .outbox import write_staged
from .staging import run_hooks
from .unit import Unit


class Transaction(Unit):
    """A :class:`Unit` with what the runner and the engine's listeners do to it."""

    def begin(self, line: Line | None = None) -> None:
        """Take a connection, for ``line`` of the application; begin, unless each statement is a transaction."""
        line = line or application_line(sys._getframe(2))
        # Without SQLAlchemy's bookkeeping of listeners, and in a plain read of a transaction, that there are not: a
        # quarter of the cost of a read.
        events = None if self._engine._has_events else False
        plain = not self._writes and not self._options
        self._connection = connect_for(line, Connection, self._engine, _has_events=events, _allow_autobegin=not plain)
        if plain:
            return
        try:
            self._connection.execution_options(pm_unit=self, **self._options)
            self._root = self._connection.begin()
        except BaseException:
            self.release()
            raise

    def commit(self, on_write: Iterable[Callable[[Unit], object]] = ()) -> None:
        """Run the hooks, flush, tell ``on_write`` of a unit that wrote, write the outbox, COMMIT.

        Raises :class:`OutcomeUnknown` if the answer to COMMIT was cut off.
        """
        self._staging.run_before_commit()
        connection, root = self.connection, self._root
        if root is None:
            raise NotOpen("the unit was never begun")
        if self._session is not None:
            self._session.flush()
        if self._tables or self._undeclared or self._staging.rows:
            for call in on_write:
                call(self)
        if self._staging.rows:
            own = self._last_write
            write_staged(connection, self._staging.rows, self.now_us)
            self._last_write = own or self._last_write
        self._outcome = "unknown"
        try:
            root.commit()
        except PostrMagicError as error:
            if policy.surely_not_committed(error):
                self._outcome = "open"
                raise
            raise self._unknown() from (error.__cause__ or error)
        self._outcome = "committed"

    def _unknown(self) -> OutcomeUnknown:
        fingerprint = ""
        if self._last_write:
            from .analysis.fingerprint import read

            fingerprint = read(self._last_write, self._engine.dialect.name).fingerprint
        last = f" (its last write was statement {fingerprint})" if fingerprint else ""
        return OutcomeUnknown(
            f"the answer to COMMIT was cut off: the unit{last} may or may not have committed, and was not tried again",
            fingerprint=fingerprint,
        )

    def roll_back(self) -> None:
        """Undo everything, unless COMMIT was sent; what fails in doing so is left to the closing of the connection."""
        if self._outcome == "open":
            self._outcome = "rolled back"
            if self._root is not None:
                with contextlib.suppress(Exception):
                    self._root.rollback()

    def release(self) -> None:
        """Give the connection back; the unit is over."""
        connection, self._connection = self._connection, None
        session, self._session = self._session, None
        self._root = None  # it holds the connection, which holds this unit
        if session is not None:
            with contextlib.suppress(Exception):
                session.close()
        if connection is not None:
            if isinstance(self._fatal, Conflict):
                # Run again, it inherits nothing that a rollback leaves: variables, temporary tables, locks by name.
                with contextlib.suppress(Exception):
                    connection.invalidate()
            connection.close()

    def settle(self) -> int:
        """Call the hooks that the outcome asks for, once the unit is no longer current; returns how many failed."""
        if self._outcome == "committed":
            return run_hooks(self._staging.after_commit, "after_commit")
        if self._outcome == "rolled back":
            return run_hooks(self._staging.on_rollback, "on_rollback")
        return 0

    @property
    def delivers(self) -> bool:
        """Whether it committed rows that a relay shall deliver."""
        return self._outcome == "committed" and bool(self._staging.rows)

    def fail(self, error: BackendError) -> None:
        """Let nothing more be done: the transaction is gone, or partly so."""
        self._fatal = self._fatal or error

    def note_written(self, tables: frozenset[str] | None, statement: str) -> None:
        """Remember the tables that a statement changes, ``None`` where only its text tells them, and that text."""
        if tables is None:
            self._undeclared = True
        else:
            self._tables |= tables
        self._last_write = statement
