"""Data directories that take long to make: made once per user and server version, copied for each server."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache() -> Path:
    """The package's folder in the user's cache."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "postrmagic-core"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def template(name: str, version: bytes, install: Callable[[Path], object]) -> Path:
    """A fresh data directory of ``name`` in this ``version``, shared by every test run; ``install`` fills a new one."""
    folder = cache() / f"{name}-{hashlib.sha256(version).hexdigest()[:12]}"
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = Path(tempfile.mkdtemp(prefix="making-", dir=cache()))
            install(making)
            making.rename(folder)
    return folder
