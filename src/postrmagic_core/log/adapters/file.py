"""A file that several processes append to at once, and that another program may rotate."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from ..._lifecycle import after_fork

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class FileSink:
    """Appends each line with one ``write(2)`` on an ``O_APPEND`` descriptor, so that lines of processes never mix.

    A renamed or removed file (logrotate) is noticed before the next line, which goes to a new one. A half line left
    by a killed process or a full disk is ended first: what follows it begins on a line of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._ragged = False
        self._lock = threading.Lock()  # a descriptor must not be closed for a new one while a thread writes to it
        after_fork(self._forget_lock)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reopen()

    def write(self, line: str) -> None:
        """Append ``line``; raises :class:`OSError` when the disk refuses it."""
        with self._lock:
            if self._moved():
                self._reopen()
            self._append((b"\n" if self._ragged else b"") + line.encode("utf-8", "replace") + b"\n")

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _forget_lock(self) -> None:
        # A thread that held the lock did not come along into the child.
        self._lock = threading.Lock()

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        finally:
            if written:
                self._ragged = written < len(data)

    def _moved(self) -> bool:
        if self._fd < 0:
            return True
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        here = os.fstat(self._fd)
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)

    def _reopen(self) -> None:
        fd = os.open(self._path, _FLAGS, 0o640)
        with suppress(OSError):
            self.close()
        self._fd = fd
        self._ragged = _ends_ragged(fd)


def _ends_ragged(fd: int) -> bool:
    """Whether the file ends inside a line that nobody is writing just now."""
    seen = -1
    for _ in range(5):
        size = os.fstat(fd).st_size
        if not size or os.pread(fd, 1, size - 1) == b"\n":
            return False
        if size == seen:
            return True
        seen = size
        time.sleep(0.002)  # a long line of another process may be half seen: look again before judging
    return False
