"""A file that is there whole or not at all, and replaces nothing."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....errors import ConfigurationError

PARTIAL = ".partial"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that becomes it on leaving, and goes on an error; nobody else writes it meanwhile."""
    partial = path.with_name(path.name + PARTIAL)
    with _held(partial) as number:
        try:
            yield partial
            os.fsync(number)
            _publish(partial, path)
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already") from None
        finally:
            partial.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _publish(partial: Path, path: Path) -> None:
    """Unlike a rename, a link replaces nothing; some file systems have none."""
    try:
        os.link(partial, path)
    except OSError as error:
        if error.errno not in _NO_LINKS or path.exists():
            raise
        partial.rename(path)


@contextmanager
def _held(partial: Path) -> Iterator[int]:
    """An empty file of our own, held for as long as it is written; what a killed run has left is removed."""
    refused = ConfigurationError(f"another process is writing {partial}")
    try:
        left = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        pass
    else:
        try:
            _lock(left, refused)
            partial.unlink(missing_ok=True)
        finally:
            os.close(left)
    try:
        number = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise refused from None
    try:
        _lock(number, refused)
        yield number
    finally:
        os.close(number)


def _lock(number: int, refused: ConfigurationError) -> None:
    """Hold the open file, until it is closed or this process ends."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise refused from None
