"""Writes a new revision: what changed in the metadata, or an empty one to be filled by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alembic.autogenerate.api import RevisionContext
from alembic.config import Config
from alembic.operations.ops import DropIndexOp, DropTableOp, MigrationScript, ModifyTableOps
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection

from ...errors import ConfigurationError, SchemaMismatch
from .compare import options
from .environment import environment, known, script
from .interface import Migrations


def write_empty(history: Migrations, message: str, now: datetime) -> Path:
    """A revision that does nothing yet; needs no database."""
    _prepare(history)
    directory = script(history)
    made = directory.generate_revision(_free_id(history, now), message, refresh=True)
    return _path(made)


def write_changes(connection: Connection, history: Migrations, message: str, now: datetime) -> Path:
    """A revision that makes the database what the metadata declares.

    Raises :class:`SchemaMismatch` when the database is not at the newest revision, and :class:`ConfigurationError` when
    there is no difference.
    """
    metadata = history.tables
    if metadata is None:
        raise ConfigurationError(
            "there is no metadata to compare with: set POSTRMAGIC_DATABASE__METADATA=module:name, or write an empty "
            "revision with --empty"
        )
    _prepare(history)
    directory = script(history)
    writer = RevisionContext(Config(), directory, _arguments(message, _free_id(history, now)))

    def plan(heads: tuple[str, ...], context: MigrationContext) -> Sequence[RevisionStep]:
        known(directory, history, heads)
        if set(heads) != set(directory.get_heads()):
            raise SchemaMismatch(
                f"the database is at revision {', '.join(heads) or 'none'}, the newest one is "
                f"{directory.get_current_head()}: run `postrmagic db upgrade` first, then compare"
            )
        writer.run_autogenerate(heads, context)
        return []

    hooks = options(connection, history, metadata) | {"process_revision_directives": _simplify}
    with environment(connection, history, directory, plan, options={**hooks, "dont_mutate": True}) as context:
        context.run_migrations()
        changes = writer.generated_revisions[0].upgrade_ops
        if changes is None or changes.is_empty():
            raise ConfigurationError(
                "there is no difference between the database and the metadata: nothing to write (--empty writes an "
                "empty revision)"
            )
        return _path(next(iter(writer.generate_scripts())))


def _simplify(context: MigrationContext, revision: object, directives: list[MigrationScript]) -> None:
    """A dropped table's indexes go with it: dropped before it, MySQL refuses those that its foreign keys need."""
    for changes in (directives[0].upgrade_ops, directives[0].downgrade_ops):
        if changes is not None:
            dropped = {each.table_name for each in changes.ops if isinstance(each, DropTableOp)}
            for each in changes.ops:
                if isinstance(each, ModifyTableOps) and each.table_name in dropped:
                    each.ops = [part for part in each.ops if not isinstance(part, DropIndexOp)]
            changes.ops = [each for each in changes.ops if not isinstance(each, ModifyTableOps) or each.ops]


def _arguments(message: str, identifier: str) -> dict[str, Any]:
    absent = ("branch_label", "version_path", "depends_on")
    return {"message": message, "rev_id": identifier, "head": "head", "sql": False, "splice": False} | dict.fromkeys(
        absent
    )


def _prepare(history: Migrations) -> None:
    history.versions.mkdir(parents=True, exist_ok=True)


def _free_id(history: Migrations, now: datetime) -> str:
    """The second in which it was made: files sort by it, and two branches do not choose the same."""
    known = {path.name.partition("_")[0] for path in history.versions.glob("*.py")}
    while f"{now:%Y%m%d%H%M%S}" in known:
        now += timedelta(seconds=1)
    return f"{now:%Y%m%d%H%M%S}"


def _path(made: Any) -> Path:
    return Path(made.path)
