"""The files of directories, on their way into a backup: found, and read so that each is of one state."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from ..errors import BackupFailed, OutOfSpace
from .tree import Tree

_BLOCK = 1 << 20
# Bytes of a file that are held in memory; a larger one that is being changed goes to the disk once more.
_HELD = 4 << 20
_ATTEMPTS = 3
# Seconds since the last change after which a file counts as one that nobody is writing.
_QUIET = 60
_DRAFT = re.compile(r"\..*\.[0-9a-f]{32}\.restoring")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class Listing:
    """What is in a directory and below: ``files`` by relative name with their sizes, and how many are left out, why."""

    files: list[tuple[str, int]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """Bytes of all files, when they were listed."""
        return sum(size for _, size in self.files)


def listed(root: Path, called: str) -> Listing:
    """The files below ``root``, sorted; links are not followed. ``called`` is what the directory is called in errors.

    Raises :class:`BackupFailed` for a directory that is missing or may not be read, and for a name that is not UTF-8
    or has a backslash.
    """
    found = Listing()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    _sort(entry, f"{folder}{entry.name}", found, folders)
        except FileNotFoundError as error:
            if not folder:
                raise BackupFailed(
                    f"there is no directory {root}, which is to be backed up as {called!r}: make it, or correct "
                    "POSTRMAGIC_BACKUPS__FILES"
                ) from error
        except OSError as error:
            raise BackupFailed(f"{root / folder} cannot be read: {error.strerror}") from error
    found.files.sort()
    return found


def _sort(entry: os.DirEntry[str], name: str, found: Listing, folders: list[str]) -> None:
    if entry.is_symlink():
        found.left_out["symbolic links"] += 1
    elif entry.is_dir(follow_symlinks=False):
        folders.append(f"{_good(name)}/")
    elif not entry.is_file(follow_symlinks=False):
        found.left_out["sockets, pipes and devices"] += 1
    elif not _DRAFT.fullmatch(entry.name):
        try:
            found.files.append((_good(name), entry.stat(follow_symlinks=False).st_size))
        except FileNotFoundError:
            found.left_out["files that vanished"] += 1


def _good(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BackupFailed(f"the name of the file {os.fsencode(name)!r} is not UTF-8: rename it") from None
    if "\\" in name:
        raise BackupFailed(f"the name of the file {name!r} has a backslash, which other systems take apart: rename it")
    return name


@contextmanager
def reading(tree: Tree, name: str, spool: Path, now_us: int) -> Iterator[Iterable[bytes] | None]:
    """The bytes of a file, all of one state; ``None`` where it is gone by now, or no file any more.

    One that changes while it is read is read again, three times; then :class:`BackupFailed` names it. ``spool`` is a
    directory for a large one that was changed within the last minute.
    """
    try:
        parent, last = tree.place(name)
        descriptor = os.open(last, _READ, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise _unreadable(name, error) from error
        yield None
        return
    begin = os.fstat(descriptor)
    if not stat.S_ISREG(begin.st_mode):
        os.close(descriptor)
        yield None
        return
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if begin.st_size > _HELD and begin.st_mtime < now_us / 1e6 - _QUIET:
            yield _unchanged(file, name, begin)
        else:
            with SpooledTemporaryFile(_HELD, dir=str(spool)) as held:
                _settle(file, held, name)
                yield _blocks(held)


def _unchanged(file: IO[bytes], name: str, begin: os.stat_result) -> Iterator[bytes]:
    """Too large to be held, and too old to be likely to change: if it does, what was sent cannot be called back."""
    size = 0
    try:
        for block in _blocks(file):
            size += len(block)
            yield block
    except OSError as error:
        raise _unreadable(name, error) from error
    if not _same(begin, os.fstat(file.fileno()), size):
        raise _changing(name)


def _settle(file: IO[bytes], held: IO[bytes], name: str) -> None:
    for _ in range(_ATTEMPTS):
        begin = os.fstat(file.fileno())
        file.seek(0)
        held.seek(0)
        held.truncate()
        try:
            size = sum(held.write(block) for block in _blocks(file))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OutOfSpace(f"there is no room for a copy of the file {name}, which was just changed") from error
            raise _unreadable(name, error) from error
        if _same(begin, os.fstat(file.fileno()), size):
            held.seek(0)
            return
    raise _changing(name)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _same(begin: os.stat_result, end: os.stat_result, size: int) -> bool:
    return (begin.st_size, begin.st_mtime_ns) == (end.st_size, end.st_mtime_ns) and size == end.st_size


def _unreadable(name: str, error: OSError) -> BackupFailed:
    return BackupFailed(f"the file {name} cannot be read: {error.strerror}")


def _changing(name: str) -> BackupFailed:
    return BackupFailed(
        f"the file {name} changes while it is read: let files be written in a directory that is not backed up, and "
        "renamed when they are whole"
    )
