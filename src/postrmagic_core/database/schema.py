"""Whether the database is where the code is: asked at every start, so without importing Alembic or any revision."""

from __future__ import annotations

import ast
import os
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from .._sql import Backend
from ..errors import ConfigurationError, SchemaMismatch
from .migrating.interface import PACKAGE_TABLE, Migrations, SchemaState
from .predecessors import admits
from .tables import migration_progress

PACKAGE = Migrations(Path(__file__).with_name("migrations"), version_table=PACKAGE_TABLE)
_LINKS = {"down_revision", "depends_on"}


def states(backend: Backend, application: Migrations | None) -> list[SchemaState]:
    """The package's state and, if there is one, the application's."""
    histories = [PACKAGE] if application is None else [PACKAGE, application]
    with backend.engine("read").connect() as connection:
        return [state_of(connection, history) for history in histories]


def state_of(connection: Connection, history: Migrations) -> SchemaState:
    """What the database says of ``history``, beside what the files say."""
    heads, known = revisions(history.versions)
    found: frozenset[str] = frozenset()
    if inspect(connection).has_table(history.version_table):
        found = frozenset(connection.scalars(select(column("version_num")).select_from(table(history.version_table))))
    expanded = bool(found - known) and admits(connection, history.name, found, heads)
    return SchemaState(history.name, found, heads, known, _interrupted(connection, history), expanded)


def _interrupted(connection: Connection, history: Migrations) -> str | None:
    if history.name == "package" or not inspect(connection).has_table(migration_progress.name):
        return None
    rows = migration_progress.c
    asked = select(rows.direction, rows.revision).where(rows.history == history.version_table)
    row = connection.execute(asked).first()
    return None if row is None else f"the {row.direction} of revision {row.revision}"


def is_current(backend: Backend, application: Migrations | None) -> bool:
    """Whether nothing is missing, and this code can live with what a newer release has added."""
    return all(state.usable for state in states(backend, application))


def refuse_unknown(state: SchemaState) -> None:
    """Raise :class:`SchemaMismatch` where a newer version has migrated the database."""
    if state.unknown:
        raise SchemaMismatch(
            f"the database is newer than this code: its {state.history} tables are at revision "
            f"{', '.join(sorted(state.unknown))}, which is not here, and it was not noted that this code can live with "
            "that; deploy the code that has it"
        )


def refuse_outdated(backend: Backend, application: Migrations | None) -> None:
    """Raise :class:`SchemaMismatch` with what to do, unless everything is current, or expanded by a newer release."""
    for state in states(backend, application):
        if not state.expanded:
            refuse_unknown(state)
        if not state.usable:
            how = "" if state.history == PACKAGE.name else " (with `--app MODULE:STACK`, if code names the migrations)"
            raise SchemaMismatch(f"{state.told}: run `postrmagic db upgrade` before starting{how}")


def revisions(versions: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The heads and all revisions of a folder, read as text."""
    if not versions.is_dir():
        raise ConfigurationError(
            f"there are no migrations at {versions}: correct the setting, or make the first revision with "
            "`postrmagic db revision`"
        )
    files = [(entry.path, entry.stat()) for entry in os.scandir(versions) if entry.name.endswith(".py")]
    return _revisions(tuple(sorted((path, stat.st_mtime_ns, stat.st_size) for path, stat in files)))


@lru_cache(maxsize=16)
def _revisions(files: tuple[tuple[str, int, int], ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The same of these files, each with when it was changed and its size: parsed once, asked at each opening."""
    known: set[str] = set()
    followed: set[str] = set()
    for path, _, _ in files:
        for name, value in _constants(ast.parse(Path(path).read_text(encoding="utf-8"))):
            if name == "revision" and isinstance(value, str):
                known.add(value)
            elif name in _LINKS and value is not None:
                followed.update([value] if isinstance(value, str) else value)
    return frozenset(known - followed), frozenset(known)


def _constants(module: ast.Module) -> list[tuple[str, str | tuple[str, ...] | None]]:
    found = []
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _LINKS | {"revision"}:
                found.append((target.id, ast.literal_eval(node.value)))  # type: ignore[attr-defined]  # an assignment
    return found
