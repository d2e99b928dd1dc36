"""Alembic, without an ``env.py``: a history's folder holds its revisions and nothing else."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from ...errors import ConfigurationError, SchemaMismatch
from .interface import Migrations

Plan: TypeAlias = Callable[[tuple[str, ...], MigrationContext], Sequence[RevisionStep]]


def script(history: Migrations) -> ScriptDirectory:
    """The revisions of ``history``; two heads are refused, for nobody can say in which order they belong."""
    config = Config(cmd_opts=Namespace(quiet=True))
    # A percent sign in a path would be read as interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("version_locations", str(history.versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    found = ScriptDirectory.from_config(config)
    heads = sorted(found.get_heads())
    if len(heads) > 1:
        raise ConfigurationError(
            f"the {history.name}'s history has {len(heads)} ends, {', '.join(heads)}: give one of these revisions the "
            "other as its down_revision"
        )
    return found


@contextmanager
def environment(
    connection: Connection,
    history: Migrations,
    directory: ScriptDirectory,
    plan: Plan,
    *,
    sql: TextIO | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[EnvironmentContext]:
    """Alembic set up on ``connection``; ``directory`` is the history's :func:`script`, which costs as much as the rest.

    With ``sql`` it writes statements there instead of executing them.

    Alembic's own complaints become :class:`ConfigurationError`.
    """
    connection.rollback()  # of a transaction that is open already Alembic would leave the commit to us
    start = {"starting_rev": _here(connection, history)} if sql is not None else {}
    context = EnvironmentContext(Config(), directory, fn=plan, as_sql=sql is not None, **start)
    with complaints(), context:
        context.configure(
            connection=connection,
            target_metadata=history.tables,
            version_table=history.version_table,
            transaction_per_migration=True,
            # The write engine's BEGIN IMMEDIATE covers DDL on SQLite; a server commits each statement by itself.
            transactional_ddl=connection.dialect.name == "sqlite",
            output_buffer=sql,
            **(options or {}),
        )
        yield context


@contextmanager
def complaints() -> Iterator[None]:
    """Around Alembic: its errors are ours."""
    try:
        yield
    except CommandError as error:
        raise ConfigurationError(str(error)) from error


def known(directory: ScriptDirectory, history: Migrations, heads: Sequence[str]) -> None:
    """Raise :class:`SchemaMismatch` where a newer version has migrated the database."""
    unknown = sorted(set(heads) - {revision.revision for revision in directory.walk_revisions()})
    if unknown:
        raise SchemaMismatch(
            f"the database is newer than this code: its {history.name} tables are at revision {', '.join(unknown)}, "
            "which is not here; deploy the code that has it"
        )


def _here(connection: Connection, history: Migrations) -> str | None:
    heads = MigrationContext.configure(connection, opts={"version_table": history.version_table}).get_current_heads()
    connection.rollback()
    return heads[0] if heads else None
