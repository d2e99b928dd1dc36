"""Waiting until a server that was started takes connections."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path


def until_listening(port: int, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    """Return once ``port`` of this machine takes connections; an error with what ``log`` says if it never does."""
    deadline = time.monotonic() + seconds
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
