"""What engine events would tell, told by method calls: SQLAlchemy's dispatch alone would double the cost of a read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from .._spans import spans

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Where a checked-out connection keeps the execution options that its transaction is begun with.
MODE = "pm_mode"
_MODES = ("pm_snapshot", "pm_isolation")
_PLAIN = {"pm_unit"}


class Watcher(Protocol):
    """Told of each statement when it has ended: ``error`` is the driver's, ``seconds`` what the server took."""

    def __call__(
        self, cursor: Any, statement: str, parameters: Any, context: Any, seconds: float, error: BaseException | None
    ) -> None:
        """``context`` is SQLAlchemy's ExecutionContext, where it has one."""
        ...


class Instrumented:
    """Mixin for a dialect: its backend opens connections and begins transactions (:meth:`equip`).

    ``noted`` hears of each statement before it runs, ``watched`` of its end: one listener each, which may be ``None``.
    Where ``bears_remarks``, ``remark(statement, many)`` is what is sent in the statement's place; nobody hears of it.
    A ROLLBACK without a transaction, a round trip for nothing, is left out.
    """

    name: str
    namespace = ""
    """The database's name, where a server has several."""
    bears_remarks = False
    noted: Callable[[Any], None] | None = None
    watched: Watcher | None = None
    remark: Callable[[str, bool], str] | None = None
    _opens: Callable[..., Any]
    _opening: Callable[[], None]
    _begins: Callable[[Any], None]
    _in_transaction: Callable[[Any], bool]

    def equip(
        self,
        opens: Callable[..., Any],
        opening: Callable[[], None],
        begins: Callable[[Any], None],
        in_transaction: Callable[[Any], bool],
    ) -> None:
        """``opens`` gives a driver's connection, ``opening`` is told first; ``begins`` gets the pool's proxy of one."""
        self._opens, self._opening, self._begins, self._in_transaction = opens, opening, begins, in_transaction

    @property
    def system(self) -> str:
        """``sqlite``, ``mysql`` or ``mariadb``."""
        return "mariadb" if getattr(self, "is_mariadb", False) else self.name

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        """Open a connection."""
        self._opening()
        return self._opens(*cargs, **cparams)

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin, on the pool's proxy of a connection."""
        self._begins(dbapi_connection)

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back if there is something to."""
        if self._in_transaction(getattr(dbapi_connection, "dbapi_connection", dbapi_connection)):
            dbapi_connection.rollback()

    def set_connection_execution_options(self, connection: Connection, opts: Mapping[str, Any]) -> None:
        """Keep what :meth:`do_begin` must know."""
        if opts.keys() == _PLAIN:
            return  # nearly every unit that writes
        mode = {name: opts[name] for name in _MODES if name in opts}
        if mode:
            connection.connection.info[MODE] = mode
        super().set_connection_execution_options(connection, opts)  # type: ignore[misc]  # the dialect's, next in line

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute once. Nearly every statement comes this way: written out, since each call within would cost it."""
        if self.noted is not None and context is not None:
            self.noted(context)
        text = statement if self.remark is None else self.remark(statement, False)
        watched, recorder = self.watched, spans.recorder
        if watched is None and recorder is None:
            cursor.execute(text, parameters)
            return
        began = perf_counter()
        try:
            cursor.execute(text, parameters)
        except BaseException as error:
            self._tell(cursor, statement, parameters, context, perf_counter() - began, error)
            raise
        seconds = perf_counter() - began
        if watched is not None:
            watched(cursor, statement, parameters, context, seconds, None)
        if recorder is not None:
            recorder.statement(self, statement, seconds, None)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute for each of ``parameters``."""
        self._do(cursor.executemany, cursor, statement, parameters, context, many=True)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Execute as it is."""
        self._do(lambda text, _: cursor.execute(text), cursor, statement, (), context)

    def _do(
        self,
        execute: Callable[[str, Any], object],
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool = False,
    ) -> None:
        if self.noted is not None and context is not None:
            self.noted(context)
        text = statement if self.remark is None else self.remark(statement, many)
        if self.watched is None and spans.recorder is None:
            execute(text, parameters)
            return
        error: BaseException | None = None
        began = perf_counter()
        try:
            execute(text, parameters)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._tell(cursor, statement, parameters, context, perf_counter() - began, error)

    def _tell(
        self, cursor: Any, statement: str, parameters: Any, context: Any, seconds: float, error: BaseException | None
    ) -> None:
        if self.watched is not None:
            self.watched(cursor, statement, parameters, context, seconds, error)
        recorder = spans.recorder
        if recorder is not None:
            recorder.statement(self, statement, seconds, error)
