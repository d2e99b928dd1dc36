"""The unit: one transaction, and everything that shall happen if and only if it commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, CursorResult, Engine, RootTransaction, ScalarResult
from sqlalchemy.sql import Executable

from ..errors import BackendError, NotOpen, UsageError
from .interface import Staged
from .staging import Hook, Staging, run_hooks

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .._clock import Clock

_KEY_BYTES = 255
_TOPIC_BYTES = 64


class Unit:
    """A database transaction; ``db.write()``, ``db.read()`` and ``@db.transactional`` make it.

    It belongs to the thread or task that opened it, and ends with the block. A unit of ``db.read()`` only executes.
    """

    _connection: Connection | None = None
    _root: RootTransaction | None = None
    _session: Session | None = None
    _fatal: BackendError | None = None
    _outcome: Literal["open", "committed", "rolled back", "unknown"] = "open"
    _last_write = ""
    _undeclared = False
    # What the generations of the tags given to db.read(tags=…) were before it began: for cache.get_or_set(tags=…).
    tags: Mapping[str, int] = MappingProxyType({})

    def __init__(
        self, engine: Engine, database_id: str, clock: Clock, options: Mapping[str, Any], *, writes: bool
    ) -> None:
        self._engine = engine
        self._database_id = database_id
        self._clock = clock
        self._options = options
        self._writes = writes
        if writes:
            self._staging = Staging()
            self._tables: set[str] = set()

    @property
    def database_id(self) -> str:
        """Names the database: units and brokers of one database share it."""
        return self._database_id

    @property
    def tables_written(self) -> frozenset[str]:
        """Tables that this unit changed: by Core and ORM statements, foreign keys' actions included, or as declared.

        What its textual SQL changed must be declared by :meth:`wrote`.
        """
        return frozenset(self._tables) if self._writes else frozenset()

    @property
    def tables_unknown(self) -> bool:
        """Whether it ran textual SQL, or DDL, after which :meth:`wrote` was not called: any table may be changed."""
        return self._undeclared

    @property
    def now_us(self) -> int:
        """Wall time in microseconds since the epoch."""
        return self._clock.now_us()

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection, for what the methods here do not cover; do not commit on it."""
        connection, root = self._connection, self._root
        if connection is None:
            raise NotOpen("the unit has ended: use tx only inside its block")
        if self._fatal is not None:
            raise self._fatal
        if root is not None and not root.is_active:
            raise UsageError(
                "the transaction was ended inside its unit, by COMMIT, ROLLBACK or a failed flush: leave both to the "
                "unit, and put what may fail into tx.savepoint()"
            )
        return connection

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a SQLAlchemy Core statement; raises :class:`BackendError` or :class:`IntegrityViolation`."""
        return self.connection.execute(statement, parameters)

    def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        """The first column of the first row, or ``None``."""
        return self.connection.scalar(statement, parameters)

    def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:
        """The first column of every row."""
        return self.connection.scalars(statement, parameters)

    @property
    def session(self) -> Session:
        """The ORM session on this unit's connection; it is flushed before the commit, and closed with the unit."""
        connection = self.connection
        if self._session is None:
            from sqlalchemy.orm import Session

            self._session = Session(connection, join_transaction_mode="rollback_only", expire_on_commit=False)
        return self._session

    @contextmanager
    def savepoint(self) -> Iterator[Unit]:
        """A part that may fail alone: on an exception its statements are undone, and what it staged is dropped."""
        self._require_writing("savepoint()")
        session, mark = self.session, self._staging.mark()
        nested = session.begin_nested()
        session.connection()  # only now is SAVEPOINT sent
        try:
            yield self
            nested.commit()
        except BaseException:
            undone = self._staging.rewind(mark)
            if self._fatal is None and session.get_nested_transaction() is nested:
                nested.rollback()
            run_hooks(undone, "savepoint")
            raise

    def stage(self, topic: str, payload: bytes, *, key: str | None = None, due_us: int = 0) -> None:
        """Put a row into the outbox, delivered to ``topic``'s route if and only if the unit commits.

        Rows that share ``key`` (at most 255 bytes) are delivered in the order they were staged; ``due_us`` delays
        (microseconds since the epoch).
        """
        self._require_writing("stage()")
        for name, text, limit in (("topic", topic, _TOPIC_BYTES), ("key", key, _KEY_BYTES)):
            if text is not None and not 0 < len(text.encode()) <= limit:
                raise ValueError(f"expected a {name} of 1 to {limit} bytes, got {len(text.encode())}")
        self._staging.rows.append(Staged(topic, payload, key, due_us))

    def wrote(self, *tables: str) -> None:
        """Say which tables the textual SQL so far has changed, with those that its triggers change; maybe none."""
        self._require_writing("wrote()")
        self._tables.update(tables)
        self._undeclared = False

    @property
    def failed(self) -> bool:
        """Whether an error ended the transaction: a row refused by a constraint does not."""
        return self._fatal is not None

    def side_effect(self, what: str) -> None:
        """Say that the unit has done ``what`` outside the database, which no rollback undoes.

        After a conflict it is then not run again: :class:`NotRepeatable`, which names it, is raised instead. What may
        wait for the commit belongs into :meth:`after_commit` or :meth:`stage`.
        """
        self._require_writing("side_effect()")
        self._staging.side_effects.append(what)

    @property
    def side_effects(self) -> tuple[str, ...]:
        """What :meth:`side_effect` was told."""
        return tuple(self._staging.side_effects) if self._writes else ()

    def before_commit(self, hook: Hook) -> None:
        """Call ``hook`` in the transaction just before it commits; an error in it rolls the unit back."""
        self._require_writing("before_commit()")
        self._staging.before_commit.append(hook)

    def after_commit(self, hook: Hook) -> None:
        """Call ``hook`` once the unit has surely committed; an error in it is logged and counted, never raised."""
        self._require_writing("after_commit()")
        self._staging.after_commit.append(hook)

    def on_rollback(self, hook: Hook) -> None:
        """Call ``hook`` once the unit, or the savepoint around this call, was rolled back; errors are logged."""
        self._require_writing("on_rollback()")
        self._staging.on_rollback.append(hook)

    def _require_writing(self, what: str) -> None:
        if not self._writes:
            raise UsageError(f"{what} belongs to db.write(): a reading unit changes nothing")
        if self._connection is None:
            raise NotOpen("the unit has ended: use tx only inside its block")
