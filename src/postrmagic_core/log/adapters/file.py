"""A file that several processes append to and rotate at once, and that another program may rotate."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from ..._clock import Clock, SystemClock
from ..._lifecycle import after_fork
from ...errors import ConfigurationError
from ..interface import Rotation
from .appending import Appender
from .rotating import Rotator

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
_MODE = 0o640
_TRIES = 10


class FileSink:
    """Appends to the regular file at ``path``, never through a symbolic link, mode 0640 if it makes it.

    A renamed or removed file is noticed before the next batch, which goes to a new one. With ``rotation`` the file is
    put aside by whichever process sees first that it is due. Every process holds a shared flock(2) on the file that it
    writes to: nobody compresses or removes one that somebody may still write to.
    """

    def __init__(self, path: Path, rotation: Rotation | None = None, *, clock: Clock | None = None) -> None:
        self._path = path.absolute()
        self._rotator = Rotator(self._path, rotation, clock or SystemClock()) if rotation is not None else None
        self._descriptor = -1
        self._identity = (0, 0)
        self._tended = False
        after_fork(self._leave)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """``file:///var/log/app.log``: an absolute path, nobody rotates it; another raises ConfigurationError."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.netloc or parts.query or parts.fragment or path.parent == path or not path.is_absolute():
            raise ConfigurationError("expected the absolute path of a log file: file:///var/log/app.log")
        return cls(path)

    def write(self, lines: Sequence[bytes]) -> int:
        """Append ``lines``; returns how many are in the file. :class:`OSError`: the disk refuses the first."""
        self._settle()
        return self._appender.append(lines)

    def idle(self) -> None:
        """Leave a file that was put aside, so that it can be compressed, and put this one aside if its time is over."""
        self._settle()

    def close(self) -> None:
        """Close the file; what is being compressed is left to the next process."""
        self._leave()
        if self._rotator is not None:
            self._rotator.close()

    def fileno(self) -> int:
        """The descriptor of the file."""
        return self._descriptor

    def _settle(self) -> None:
        """Have the file that is at the path now, put aside if that was due."""
        if not self._stays():
            self._open()
        rotator = self._rotator
        if rotator is None:
            return
        if not self._tended:  # not when it is made: in a server that forks that is the wrong process for a thread
            self._tended = True
            rotator.tidy()
        if rotator.turn(os.fstat(self._descriptor)):
            self._open()

    def _stays(self) -> bool:
        """Whether the file at the path is still the one that is open."""
        if self._descriptor < 0:
            return False
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == self._identity

    def _open(self) -> None:
        for _ in range(_TRIES):
            descriptor = os.open(self._path, _FLAGS, _MODE)
            try:
                there = self._shared(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            if there is None:
                os.close(descriptor)
                continue
            self._leave()
            self._descriptor, self._identity = descriptor, (there.st_dev, there.st_ino)
            self._appender = Appender(descriptor)
            if self._rotator is not None:
                self._rotator.adopt(there)
            return
        raise OSError(errno.EBUSY, "it is being moved all the time", str(self._path))

    def _shared(self, descriptor: int) -> os.stat_result | None:
        """Lock the open file against being compressed; ``None``: it was put aside meanwhile."""
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(self._path))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return there if os.path.samestat(there, self._path.lstat()) else None
        except (BlockingIOError, FileNotFoundError):
            return None

    def _leave(self) -> None:
        # In a forked child too: offset and lock are its parent's, which a mere close leaves alone.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)
