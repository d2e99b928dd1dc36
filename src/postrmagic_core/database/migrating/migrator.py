"""Runs what is missing, or takes it back: the package's history first, one process at a time, again after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, TextIO

from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from ..._sql import Backend
from ...errors import ConfigurationError, SchemaMismatch
from ..predecessors import note
from ..schema import PACKAGE, state_of
from .compare import differences
from .environment import complaints, environment, known, script
from .interface import RESTORE_TABLE, Direction, Migrations, Report, Step, unreported
from .keys import dangling, keys_off, refuse_new
from .lock import alone
from .progress import Interrupted, Progress
from .revise import write_changes, write_empty

# Seconds: the application's statement time-out is for requests; changing a large table may take hours.
_A_DAY = 86_400.0


class Migrator:
    """The histories of one database; ``report`` is told of each revision before it runs."""

    def __init__(self, backend: Backend, application: Migrations | None = None, *, report: Report = unreported) -> None:
        self._backend = backend
        self._report = report
        self._application = application
        self._histories = [PACKAGE] if application is None else [PACKAGE, application]

    def upgrade(self, *, sql: TextIO | None = None, excused: Mapping[str, bool] | None = None) -> None:
        """Run what is missing, or write it to ``sql`` and run nothing.

        ``excused``: the running release was found to be able to live with it, and whether that took a reason, by
        history; the database then keeps it for that release's starts, and may be newer than this code in the same way.

        Raises :class:`SchemaMismatch` when the database is newer than the code or a revision was interrupted that
        cannot go on, and :class:`BackendTimeout` when another process migrates for more than a minute.
        """
        with self._connected() as connection:
            for history in self._histories:
                directory = script(history)

                def plan(
                    heads: tuple[str, ...],
                    context: MigrationContext,
                    directory: ScriptDirectory = directory,
                    history: Migrations = history,
                ) -> Sequence[RevisionStep]:
                    known(directory, history, heads)
                    return directory._upgrade_revs("head", heads)  # type: ignore[arg-type]  # as Alembic's cookbook does

                run = partial(self._run, connection, history, directory, plan, "upgrade", sql)
                if sql is not None or excused is None:
                    run()
                else:
                    _noting(connection, history, run, excused=excused.get(history.name, False))

    def downgrade(self, to: str = "-1", *, package: bool = False, sql: TextIO | None = None) -> None:
        """Take back the application's (or the package's) revisions down to ``to``, which stays.

        ``to`` is a revision, ``-1`` for the last one, or ``base`` for all. What the revisions drop is gone.
        """
        history = self.history(package=package)
        directory = script(history)
        with self._connected() as connection:
            if not package and not state_of(connection, PACKAGE).current:
                raise SchemaMismatch("the package's tables are not up to date: run `postrmagic db upgrade` first")

            def plan(heads: tuple[str, ...], context: MigrationContext) -> Sequence[RevisionStep]:
                return self._backwards(history, directory, heads, to)

            self._run(connection, history, directory, plan, "downgrade", sql)

    def downgrades(self, to: str = "-1", *, package: bool = False) -> list[Step]:
        """What :meth:`downgrade` would run, in its order."""
        history = self.history(package=package)
        with self._backend.engine("read").connect() as connection, complaints():
            context = MigrationContext.configure(connection, opts={"version_table": history.version_table})
            steps = self._backwards(history, script(history), context.get_current_heads(), to)
        return [_told(history, step, "downgrade") for step in steps]

    def revise(self, message: str, now: datetime, *, empty: bool = False) -> Path:
        """Write the application's next revision: the difference to its metadata, or ``empty`` to be filled by hand.

        ``now`` (UTC) names it. Raises :class:`SchemaMismatch` when the database is not at the newest revision, and
        :class:`ConfigurationError` when nothing changed.
        """
        history = self.history()
        if empty:
            return write_empty(history, message, now)
        with self._backend.engine("read").connect() as connection:
            return write_changes(connection, history, message, now)

    def check(self) -> list[str]:
        """Everything in which the database is not what the code needs, a line each; empty when all is well."""
        found: list[str] = []
        with self._backend.engine("read").connect() as connection:
            for history in self._histories:
                state = state_of(connection, history)
                if not state.current:
                    found.append(state.told)
            if not found and self._application is not None and (metadata := self._application.tables) is not None:
                found += differences(connection, self._application, metadata)
        return found

    def adopt(self) -> None:
        """Note that the application's tables, made by other means, are those of its newest revision.

        Raises :class:`SchemaMismatch` where they differ from the metadata, or a revision is noted already.
        """
        history = self.history()
        with self._connected() as connection:
            if state_of(connection, history).found:
                raise SchemaMismatch("the database notes a revision already: there is nothing to adopt")
            metadata = history.tables
            if metadata is None:
                raise ConfigurationError("without metadata nobody can tell whether these tables are the right ones")
            if wrong := differences(connection, history, metadata):
                raise SchemaMismatch("the tables are not those of the metadata:\n  " + "\n  ".join(wrong))
            connection.rollback()

            def plan(heads: tuple[str, ...], context: MigrationContext) -> Sequence[RevisionStep]:
                context.stamp(directory, "head")
                return []

            directory = script(history)
            with environment(connection, history, directory, plan) as context, context.begin_transaction():
                context.run_migrations()
            connection.commit()

    def history(self, *, package: bool = False) -> Migrations:
        """The package's or the application's; :class:`ConfigurationError` where there is none."""
        if package:
            return PACKAGE
        if self._application is None:
            raise ConfigurationError(
                "this application has no migrations: set POSTRMAGIC_DATABASE__MIGRATIONS (and …__METADATA), or name "
                "with --app the Stack that uses some"
            )
        return self._application

    def _backwards(
        self, history: Migrations, directory: ScriptDirectory, heads: Sequence[str], to: str
    ) -> list[RevisionStep]:
        known(directory, history, heads)
        if not heads and to in {"-1", "base"}:
            return []
        try:
            return directory._downgrade_revs(to, heads)  # type: ignore[arg-type]  # as Alembic's cookbook does
        except AttributeError as error:
            raise ConfigurationError(
                f"a revision on the way to {to} has no downgrade(): it cannot be taken back"
            ) from error

    def _run(
        self,
        connection: Connection,
        history: Migrations,
        directory: ScriptDirectory,
        plan: Callable[[tuple[str, ...], MigrationContext], Sequence[RevisionStep]],
        direction: Direction,
        sql: TextIO | None,
    ) -> None:
        def steps(heads: tuple[str, ...], context: MigrationContext) -> Sequence[RevisionStep]:
            found = plan(heads, context)
            if sql is not None:
                return found
            guards = _Guards(self._backend, connection, history, found, direction)
            for step in found:
                step.migration_fn = self._wrapped(guards, _told(history, step, direction), step.migration_fn)
            return found

        with environment(connection, history, directory, steps, sql=sql) as context, context.begin_transaction():
            context.run_migrations()

    def _wrapped(self, guards: _Guards, step: Step, function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run() -> None:
            self._report(step)
            with guards.around(step):
                function()

        return run

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._backend.engine("write").connect() as connection:
            sqlite = self._backend.name == "sqlite"
            settled: AbstractContextManager[None] = keys_off(connection) if sqlite else nullcontext()
            if not sqlite:
                _be_patient(connection)
            with settled, alone(self._backend, connection):
                _refuse_half_restored(connection)
                yield connection


def _refuse_half_restored(connection: Connection) -> None:
    if inspect(connection).has_table(RESTORE_TABLE):
        raise SchemaMismatch(
            "a restore of this database was begun and has not ended: run `postrmagic db restore` again, it goes on "
            "where it was"
        )
    connection.rollback()


class _Guards:
    """What stands around each revision: on SQLite foreign keys are checked, on a server progress is noted."""

    def __init__(
        self,
        backend: Backend,
        connection: Connection,
        history: Migrations,
        steps: Sequence[RevisionStep],
        direction: Direction,
    ) -> None:
        self._backend, self._connection = backend, connection
        self._progress = self._before = None
        if history.name == "package":
            return  # its revisions hold one statement each, which finds its work done, and no foreign keys
        if backend.name != "sqlite":
            self._progress = Progress(backend, connection, history.version_table)
            self._refuse_interrupted(self._progress.interrupted(), steps, direction)
        elif steps:
            self._before = dangling(connection)

    def _refuse_interrupted(
        self, found: Interrupted | None, steps: Sequence[RevisionStep], direction: Direction
    ) -> None:
        """Only the revision that was interrupted may be the next to run."""
        if found is None or (steps and (steps[0].revision.revision, direction) == (found.revision, found.direction)):
            return
        raise SchemaMismatch(
            f"the {found.direction} of revision {found.revision} was interrupted half-way: finish it first, with "
            f"`postrmagic db {found.direction}`"
        )

    @contextmanager
    def around(self, step: Step) -> Iterator[None]:
        """Around the function of one revision, inside its transaction."""
        with self._progress.of(step.revision, step.direction) if self._progress else nullcontext():
            try:
                yield
            except DBAPIError as error:  # SQLAlchemy's has_table() turns our translation off for its connection
                raise self._backend.map_error(error) or error from error
        if self._before is not None:
            refuse_new(self._before, dangling(self._connection), step.revision)


def _noting(connection: Connection, history: Migrations, run: Callable[[], None], *, excused: bool) -> None:
    """Note for whom the tables stay usable before they change, so that no kill comes between; the first time after."""
    state = state_of(connection, history)
    if state.expanded:
        return  # nothing of this code's is missing
    noted = partial(note, connection, history.name, state.found, state.heads, excused=excused)
    connection.rollback()
    if noted():
        run()
    else:
        run()
        noted()


def _told(history: Migrations, step: RevisionStep, direction: Direction) -> Step:
    title = (step.revision.doc or "").rstrip(".")
    return Step(history.name, step.revision.revision, title, direction)


def _be_patient(connection: Connection) -> None:
    """No statement time-out on this connection, which does not come back to the pool; locks are still given up."""
    connection.detach()
    raw: Any = connection.connection.dbapi_connection
    if hasattr(raw, "bear_silence"):
        raw.bear_silence(_A_DAY)
    dialect: Any = connection.dialect
    connection.exec_driver_sql(f"SET SESSION {'max_statement_time' if dialect.is_mariadb else 'max_execution_time'}=0")
    connection.rollback()
