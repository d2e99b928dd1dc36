"""Bring the package's own tables to this version's schema; one process at a time, and again after a kill."""

from __future__ import annotations

import fcntl
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from .._sql import Backend
from ..errors import BackendTimeout, SchemaMismatch

# Seconds to wait for another process that migrates.
_PATIENCE = 60.0
_STEP = 5
# Alembic keeps the migration under way in a module: one at a time in a process, whatever the database.
_in_process = threading.Lock()


def upgrade(backend: Backend) -> None:
    """Run what is missing.

    Raises :class:`SchemaMismatch` when a newer version of the package has migrated the database, and
    :class:`BackendTimeout` when another process migrates for more than a minute.
    """
    config = _config()
    with backend.engine("write").connect() as connection, _alone(backend, connection):
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SchemaMismatch(
                "the database's pm_ tables are of a revision this version does not know: use a newer postrmagic-core"
            ) from error


def _config() -> Config:
    config = Config()
    # A percent sign in the path would be read as interpolation.
    location = str(Path(__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", location)
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(backend: Backend, connection: Connection) -> Iterator[None]:
    """Hold the database's migration lock: it ends with its process, however that ends."""
    if not _in_process.acquire(timeout=_PATIENCE):
        raise _too_long()
    try:
        if backend.name == "sqlite":
            lock = _lock_file(Path(f"{connection.engine.url.database}.migrating"))
        else:
            lock = _server_lock(backend, connection)
        with lock:
            yield
    finally:
        _in_process.release()


@contextmanager
def _lock_file(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _PATIENCE
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _too_long() from None
                time.sleep(0.05)
        yield


@contextmanager
def _server_lock(backend: Backend, connection: Connection) -> Iterator[None]:
    name = {"name": "pm_migrate:" + hashlib.sha256(backend.database_id().encode()).hexdigest()[:32]}
    deadline = time.monotonic() + _PATIENCE
    while connection.scalar(text(f"SELECT GET_LOCK(:name, {_STEP})"), name) != 1:
        if time.monotonic() > deadline:
            raise _too_long()
    connection.commit()
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)
            connection.commit()


def _too_long() -> BackendTimeout:
    return BackendTimeout(f"another migration has been under way for {_PATIENCE:g} s")
