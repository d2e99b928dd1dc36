"""Whether the package's tables are this version's: asked at every start, so without importing Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from .._sql import Backend

VERSION_TABLE = "pm_alembic_version"


def newest_revision() -> str:
    """The head of the linear history: its files begin with the revision they make, and sort by it."""
    files = Path(__file__).with_name("migrations").joinpath("versions").glob("[0-9]*_*.py")
    return max(path.name.partition("_")[0] for path in files)


def is_current(backend: Backend) -> bool:
    """Whether nothing is missing, and nothing there is from a newer version."""
    with backend.engine("read").connect() as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return False
        found = set(connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")))  # noqa: S608 - our constant
    return found == {newest_revision()}
