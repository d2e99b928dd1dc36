"""Databases that are made once and copied for each test after that: to migrate one takes ten times as long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import inspect, text

from postrmagic_core.database import DatabaseManager

# A file's bytes, or the statements that make a server's tables.
Copy: TypeAlias = bytes | list[str]
_known: dict[tuple[str, str], Copy] = {}


def packaged(url: str) -> None:
    """Give an empty database the package's tables, as ``upgrade()`` makes them."""
    copied(url, "package", DatabaseManager.upgrade)


def copied(url: str, name: str, make: Callable[[DatabaseManager], object]) -> None:
    """What ``make`` does to the empty database at ``url``, done once for each ``name`` and kind of database."""
    kind = url.partition(":")[0], name
    if kind in _known:
        _paste(url, _known[kind])
        return
    with DatabaseManager(url) as database:
        make(database)
    _known[kind] = _copy(url)


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _copy(url: str) -> Copy:
    if url.startswith("sqlite"):
        return _file(url).read_bytes()
    with DatabaseManager(url) as database, database.read() as tx:
        names = inspect(tx.connection).get_table_names()
        shown = [tx.execute(text(f"SHOW CREATE TABLE {name}")).mappings().one() for name in names]
        tables = [str(each["Create Table"]) for each in shown]
        version = str(tx.scalar(text("SELECT version_num FROM pm_alembic_version")))
        return [*tables, f"INSERT INTO pm_alembic_version VALUES ('{version}')"]


def _paste(url: str, copy: Copy) -> None:
    if isinstance(copy, bytes):
        _file(url).write_bytes(copy)
        return
    with DatabaseManager(url) as database, database.write() as tx:
        for statement in copy:
            tx.connection.exec_driver_sql(statement.replace("%", "%%"))
