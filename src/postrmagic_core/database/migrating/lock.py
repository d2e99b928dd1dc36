"""One migration at a time: the lock is the database's own, and ends with its process, however that ends."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from ..._sql import Backend
from ...errors import BackendTimeout

# Seconds to wait for another process that migrates.
_PATIENCE = 60.0
_STEP = 5
# Alembic keeps the migration under way in a module: one at a time in a process, whatever the database.
_in_process = threading.Lock()


@contextmanager
def alone(backend: Backend, connection: Connection) -> Iterator[None]:
    """Hold the database's migration lock; :class:`BackendTimeout` when another holds it for more than a minute."""
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
    import fcntl  # POSIX alone has it: who migrates no SQLite file needs none

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
