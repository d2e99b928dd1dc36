"""The worker inside the web process: there may be one of them on a data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .._lifecycle import Lifecycle
from ..errors import ConfigurationError


class OnlyProcess(Lifecycle):
    """Refuses a second process with an embedded worker on one data directory; the lock ends with the process."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._path = directory / "embedded-worker.lock"
        self._descriptor: int | None = None

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                "jobs.worker=embedded allows one web process, and another one is running: start one process only, or "
                "set POSTRMAGIC_JOBS__WORKER=separate and run `postrmagic worker`"
            ) from None

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
