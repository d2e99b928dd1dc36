"""A look into a process's pools from outside: each process answers on a socket of its own, only when asked.

The sockets lie in a directory that belongs to the user, ``/tmp/postrmagic-<uid>``: whoever may signal the processes may
look, and nobody else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .._lifecycle import after_fork
from .._metrics import Metrics
from .._sql import PoolState, Role
from .._sql.ledger import Holder

logger = logging.getLogger("postrmagic_core.database")

# Seconds a process may take to answer: it is busy, not slow.
_PATIENCE = 2.0
_QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A pool as its process tells: ``wait`` and ``hold``, seconds that 95 of 100 connections stayed below so far."""

    pool: PoolState
    wait: float
    hold: float


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """The pools of one process on a database; ``command`` is what it was started as."""

    pid: int
    command: str
    pools: tuple[PoolReport, ...]


class Window:
    """Answers :func:`look` for one database of this process, from the first connection until :meth:`close`."""

    def __init__(self, database_id: str, pools: Callable[[], list[PoolState]], metrics: Metrics) -> None:
        self._listener: socket.socket | None = None
        self._path: Path | None = None
        self._thread = threading.Thread()
        self._name = _name_of(database_id)
        self._pools = pools
        self._metrics = metrics
        self._forget()
        after_fork(self._forget)

    def open(self) -> None:
        """Begin to answer, unless it does; where no socket can be had it is not, and nothing else suffers."""
        with self._lock:
            if self._listener is not None:
                return
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                directory = _directory()
                _sweep(directory)
                path = directory / f"{self._name}-{os.getpid()}-{id(self):x}.sock"
                listener.bind(str(path))
                listener.listen(8)
            except OSError as error:  # a path of more than 107 bytes among them
                listener.close()
                logger.debug("`postrmagic db pool` will not see this process: %s", error)
                return
            self._listener, self._path = listener, path
            self._thread = threading.Thread(
                target=self._run, args=[listener], name="postrmagic-pool-window", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        with self._lock:
            listener, self._listener = self._listener, None
            path, self._path = self._path, None
        if listener is not None and path is not None:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self._thread.join(_PATIENCE)

    def _run(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller, contextlib.suppress(OSError):
                caller.settimeout(_PATIENCE)
                caller.sendall(json.dumps(asdict(self._report())).encode())

    def _report(self) -> ProcessReport:
        pools = tuple(
            PoolReport(pool, self._below("wait", pool.role), self._below("hold", pool.role)) for pool in self._pools()
        )
        return ProcessReport(os.getpid(), " ".join(sys.argv)[:200], pools)

    def _below(self, what: str, role: Role) -> float:
        return self._metrics.histogram(f"db_pool_{what}_seconds", pool=role).quantile(_QUANTILE)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._listener = None
        self._path = None


def look(database_id: str) -> list[ProcessReport]:
    """The pools of every process of this user on this machine that has the database open, by process id."""
    found = []
    for path in _directory().glob(f"{_name_of(database_id)}-*.sock"):
        answer = _ask(path)
        if answer is not None:
            found.append(_read(answer))
    return sorted(found, key=lambda report: report.pid)


def _ask(path: Path) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(_PATIENCE)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)  # its process was killed
            return None
        except OSError:
            return None
        answer = b""
        with contextlib.suppress(OSError):
            while chunk := caller.recv(65_536):
                answer += chunk
    try:
        return json.loads(answer)
    except ValueError:
        return None  # it ended in the middle of its answer


def _read(answer: Any) -> ProcessReport:
    pools = []
    for told in answer["pools"]:
        holders = tuple(Holder(**holder) for holder in told["pool"].pop("holders"))
        pools.append(PoolReport(PoolState(**told["pool"], holders=holders), told["wait"], told["hold"]))
    return ProcessReport(answer["pid"], answer["command"], tuple(pools))


def _sweep(directory: Path) -> None:
    """Remove what killed processes left."""
    for path in directory.glob("*-*-*.sock"):
        try:
            os.kill(int(path.name.split("-")[1]), 0)
        except (ProcessLookupError, ValueError):
            path.unlink(missing_ok=True)
        except PermissionError:
            continue  # the number went to somebody else's process


def _directory() -> Path:
    """Made when missing; :class:`PermissionError` when it is not this user's alone."""
    path = Path(tempfile.gettempdir()) / f"postrmagic-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path} is not a directory of this user alone")
    return path


def _name_of(database_id: str) -> str:
    return blake2b(database_id.encode(), digest_size=8).hexdigest()
