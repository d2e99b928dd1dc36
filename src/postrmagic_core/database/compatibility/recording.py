"""Runs a revision without a database: what it would do is written down, and nothing is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from threading import RLock
from types import FrameType
from typing import Any, NoReturn

import alembic
import sqlalchemy
from alembic import op
from alembic.operations import BatchOperations, Operations, ops
from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Dialect, make_url

from . import changes as c
from .apart import Reached, apart
from .operations import changes_of, written

_WORK = RLock()  # alembic.op has one place for who carries its functions out
_BATCH = signature(Operations.batch_alter_table)
_OWN = (str(Path(alembic.__file__).parent), str(Path(__file__).parents[1] / "migrations"))
_DIALECTS = (str(Path(sqlalchemy.__file__).parent), *_OWN)
# Of a dialect, what only a server tells.
_TOLD_BY_SERVER = ("is_mariadb", "server_version_info")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change, and the line of the revision's file from which it came."""

    line: int
    change: c.Change


class Unknowable(Exception):
    """A revision asked for what only a database knows."""


def record(path: Path, function: Callable[[], object], dialect: str) -> list[Recorded]:
    """What ``function`` (the ``upgrade`` of the revision in ``path``) would do on ``dialect``, in its order.

    Whatever it raises ends the list with a case of ``stopped``.
    """
    recorder = _Recorder(path, dialect)
    with _WORK, apart(recorder.reached), _standing_in(_Operations(recorder.context, recorder)):
        try:
            function()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a revision may even call sys.exit()
            recorder.stopped(error)
    return recorder.found


class _Recorder:
    """What is written down of one revision."""

    def __init__(self, path: Path, dialect: str) -> None:
        self.found: list[Recorded] = []
        self._path = str(path)
        self.context = _Context(self, dialect)

    def add(self, *changes: c.Change) -> None:
        """Note what comes from the line that runs."""
        line = self._line()
        self.found += (Recorded(line, change) for change in changes)

    def operation(self, operation: ops.MigrateOperation) -> None:
        """Note one of Alembic's."""
        self.add(*changes_of(operation, self.context))

    def statement(self, statement: Any) -> list[c.Change]:
        """Note SQL."""
        changes = written(statement, self.context)
        self.add(*changes)
        return changes

    def asked(self, what: str) -> None:
        """Note that what comes depends on the database."""
        self.add(c.Other("reads-database", what))

    def reached(self, what: str) -> None:
        """Note that it was kept from something."""
        self.add(c.Other("reaches-out", f"it tries {what}"))

    def stopped(self, error: BaseException) -> None:
        """Note what ended it, at the last line of its file that ran."""
        line, trace = 1, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._path:
                line = trace.tb_lineno
            trace = trace.tb_next
        first = str(error).partition("\n")[0]
        if isinstance(error, Unknowable | Reached):
            what = first
        else:
            what = f"{type(error).__name__}: {first}" if first else type(error).__name__
        self.found.append(Recorded(line, c.Other("stopped", f"it stops here ({what})")))

    def _line(self) -> int:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self._path:
                return frame.f_lineno
            frame = frame.f_back
        return 1


class _Context(MigrationContext):
    """Alembic's context of a run that only writes SQL; text that is written past the operations is SQL, too."""

    def __init__(self, recorder: _Recorder, dialect: str) -> None:
        self._recorder = recorder
        self._only_written = True
        made = _asked(make_url(f"{dialect}://").get_dialect()(), recorder)
        super().__init__(made, None, {"as_sql": True, "output_buffer": _Writing(recorder)})
        del self.opts["as_sql"]  # who asks here is told what a run tells

    @property
    def as_sql(self) -> bool:
        """True; a revision that asks may do something else when it runs."""
        asks = sys._getframe(1).f_code.co_filename
        if not asks.startswith(_OWN):
            self._recorder.add(c.Other("asks-offline", "it asks whether its SQL is only written down"))
        return self._only_written

    @as_sql.setter
    def as_sql(self, value: bool) -> None:
        self._only_written = value


def _asked(dialect: Dialect, recorder: _Recorder) -> Dialect:
    """The dialect, which notes that a revision asks what the judged server is: there is none."""

    def told(name: str) -> property:
        value = getattr(dialect, name, None)

        def get(_: object) -> object:
            if not sys._getframe(1).f_code.co_filename.startswith(_DIALECTS):
                recorder.asked(f"it asks for the server's {name}")
            return value

        return property(get)

    kind = type(dialect)
    dialect.__class__ = type(kind.__name__, (kind,), {name: told(name) for name in _TOLD_BY_SERVER})
    return dialect


class _Writing:
    """Where Alembic writes the SQL of such a run."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def write(self, text: str) -> None:
        """Take SQL as a statement of the revision."""
        self._recorder.statement(text)

    def flush(self) -> None:
        """Nothing is kept back."""


class _Operations(Operations):
    """What stands behind ``alembic.op`` meanwhile."""

    def __init__(self, context: MigrationContext, recorder: _Recorder) -> None:
        super().__init__(context)
        self._recorder = recorder

    def invoke(self, operation: ops.MigrateOperation) -> Any:
        """Write it down; a table that is made is answered, for rows that come next."""
        self._recorder.operation(operation)
        return operation.to_table(self.migration_context) if isinstance(operation, ops.CreateTableOp) else None

    def get_bind(self) -> Any:
        """No connection, but one that notes what it is asked to execute."""
        return _Bind(self._recorder)

    def run_async(self, *_: Any, **__: Any) -> Any:
        """Only a connection could."""
        self._recorder.asked("it runs a function on the connection")
        raise Unknowable("it runs a function on the connection")

    @contextmanager
    def batch_alter_table(  # pyright: ignore[reportIncompatibleMethodOverride] - bound below
        self, *arguments: Any, **options: Any
    ) -> Iterator[BatchOperations]:
        """The operations of the batch, each as that of its table."""
        given = _BATCH.bind(self, *arguments, **options)
        given.apply_defaults()
        asked = given.arguments
        place = len(self._recorder.found)
        batch = _Batch(self, asked["table_name"], asked["schema"])
        yield batch
        done = [each.change for each in self._recorder.found[place:]]
        if any(asked[each] for each in ("reflect_args", "table_args")) or asked["copy_from"] is not None:
            self._recorder.add(c.Other("makes-anew", f"table {batch.table} is described in the batch", batch.table))
        if self._recreates(asked["recreate"], done):
            self._recorder.add(c.Other("copies-table", f"table {batch.table} is made anew", batch.table))

    def _recreates(self, asked: str, done: list[c.Change]) -> bool:
        """Whether Alembic makes a table of this batch, copies the rows and drops the one before."""
        if asked != "auto" or self.migration_context.dialect.name != "sqlite":
            return asked == "always"
        return any(not isinstance(each, c.AddColumn | c.AddIndex | c.DropIndex) for each in done)


class _Batch(BatchOperations):
    """The operations of one table, written down."""

    def __init__(self, operations: _Operations, table: str, schema: str | None) -> None:
        # What Alembic would collect them in: here it only knows the table's name.
        collecting: Any = BatchOperationsImpl
        impl = collecting(operations, table, schema, "never", None, (), {}, (), {}, None, None)
        super().__init__(operations.migration_context, impl=impl)
        self.table = f"{schema}.{table}" if schema else table
        self._operations = operations

    def invoke(self, operation: ops.MigrateOperation) -> Any:
        """Write it down."""
        return self._operations.invoke(operation)


class _Bind:
    """In place of a connection: what it executes is written down, what it answers is not to be known."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder
        self.dialect = recorder.context.dialect

    def execute(self, statement: Any, *_: Any, **__: Any) -> Any:
        """Note the statement."""
        if not self._recorder.statement(statement):
            self._recorder.asked("it reads the database")
        return _Answer(self._recorder)

    exec_driver_sql = scalar = scalars = execute

    def __getattr__(self, name: str) -> NoReturn:
        self._recorder.asked(f"it uses the connection's {name}")
        raise Unknowable(f"only a connection has {name}")


class _Answer:
    """What a statement would have answered."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def _unknown(self, *_: Any) -> NoReturn:
        self._recorder.asked("it uses what the database answers")
        raise Unknowable("only a database knows the answer")

    __getattr__ = __iter__ = __bool__ = __len__ = __getitem__ = __int__ = __str__ = __lt__ = __gt__ = _unknown
    __add__ = __radd__ = __sub__ = __format__ = __index__ = _unknown

    def __eq__(self, other: object) -> bool:
        self._unknown()

    __hash__ = None  # type: ignore[assignment]  # it is equal to nothing


@contextmanager
def _standing_in(operations: Operations) -> Iterator[None]:
    """``alembic.op`` on ``operations``: Alembic itself would only let its own class in."""
    place: Any = vars(op)
    before = place.get("_proxy")
    place["_proxy"] = operations
    try:
        yield
    finally:
        place["_proxy"] = before
