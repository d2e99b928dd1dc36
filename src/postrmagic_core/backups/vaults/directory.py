"""A vault that is a directory: of this machine's, or of another's that is mounted here."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from ...errors import (
    BackendReadOnly,
    BackendRejected,
    BackendUnavailable,
    BackupFailed,
    BackupNotFound,
    ConfigurationError,
    OutOfSpace,
    PostrMagicError,
    UsageError,
    translating,
)
from ..interface import Stored
from ..writing import write_all

_UNFINISHED = re.compile(r"\.[^/]+\.\d+\.[0-9a-f]{8}\.part", re.ASCII)
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_SYNC = {errno.EINVAL, errno.EOPNOTSUPP}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_LONGEST = 200
_TRIES = 100


class DirectoryVault:
    """Backups as files of ``directory``, which is made when the first is written, for its owner alone.

    A file is written under another name, ``.<name>.<process>.<8 hex>.part``, and held by flock(2) meanwhile: one that
    nobody holds is what a killed process left, and the next :meth:`create` removes it. Files that begin with a dot are
    nobody's business. Symbolic links are not followed. Threads and processes may share it.
    """

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The vault that ``file:///absolute/directory`` names; :class:`ConfigurationError` for anything else."""
        parts = urlsplit(url)
        path = unquote(parts.path, errors="surrogateescape")
        rest = parts.query or parts.fragment or parts.netloc not in ("", "localhost")
        if parts.scheme != "file" or rest or not path.startswith("/") or "\0" in path:
            raise ConfigurationError(
                "a directory of backups is named as file:///absolute/path, with %23 for # and %3F for ?"
            )
        return cls(path)

    def __repr__(self) -> str:
        return f"DirectoryVault({str(self._directory)!r})"

    def list(self) -> Sequence[Stored]:
        """What is there, whole, in any order; nothing where the directory is not made yet."""
        found = []
        with translating(self._ours), suppress(FileNotFoundError), os.scandir(self._directory) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        found.append(Stored(entry.name, entry.stat(follow_symlinks=False).st_size))
        return found

    @contextmanager
    def create(self, name: str) -> Generator[_Sink, None, None]:
        """Write ``name``; it is on the disk when the block has ended without an error.

        :class:`BackupFailed` where it is there already, now or by then; :class:`OutOfSpace` where the disk is full.
        """
        if not _usable(name):
            raise UsageError(f"{name!r} cannot be the name of a backup: 1 to {_LONGEST} bytes, no / and no dot first")
        with translating(self._ours):
            directory = _Directory.made(self._directory)
        with closing(directory):
            with translating(self._ours):
                part, number = directory.begun(name)
            try:
                sink = _Sink(number, self._ours)
                # Outside of `translating`: what the block raises is not the vault's.
                yield sink
                with translating(self._ours):
                    sink.end()
                    directory.publish(part, name)
            finally:
                os.close(number)
                with translating(self._ours):
                    directory.drop(part)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on, fewer only where the file ends."""
        with translating(self._ours):
            number = self._opened(name)
            try:
                blocks = []
                while size > 0 and (block := os.pread(number, size, offset)):
                    blocks.append(block)
                    offset, size = offset + len(block), size - len(block)
            finally:
                os.close(number)
        return b"".join(blocks)

    def remove(self, name: str) -> None:
        """Remove ``name``; one that is not there is no error."""
        if not _usable(name):
            return
        with translating(self._ours), suppress(FileNotFoundError), closing(_Directory.of(self._directory)) as directory:
            directory.drop(name)
            directory.sync()

    def _opened(self, name: str) -> int:
        if _usable(name):
            try:
                # Without waiting: to open a FIFO would last until somebody writes to it.
                number = os.open(self._directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError as error:
                if error.errno not in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
                    raise
            else:
                if stat.S_ISREG(os.fstat(number).st_mode):
                    return number
                os.close(number)
        raise BackupNotFound(f"there is no backup {name!r}")

    def _ours(self, error: BaseException) -> PostrMagicError | None:
        """An error of the file system as ours, by its number."""
        if not isinstance(error, OSError):
            return None
        told = f"{self._directory} ({errno.errorcode.get(error.errno or 0, 'unknown')})"
        if error.errno in _FULL:
            return OutOfSpace(f"there is no room for the backup in {told}")
        if error.errno == errno.EROFS:
            return BackendReadOnly(f"the directory of backups takes no writes: {told}")
        if error.errno in _REFUSED:
            return BackendRejected(f"this process may not use the directory of backups: {told}")
        return BackendUnavailable(f"the directory of backups did not do what was asked: {told}")


class _Sink:
    """A file that is being written; an error that its user passed over is told again at the end."""

    def __init__(self, number: int, ours: Callable[[BaseException], PostrMagicError | None]) -> None:
        self._number = number
        self._ours = ours
        self._failed: PostrMagicError | None = None

    def write(self, data: bytes, /) -> None:
        """Append ``data``, all of it."""
        if self._failed is not None:
            raise self._failed
        try:
            with translating(self._ours):
                write_all(self._number, data)
        except PostrMagicError as failed:
            self._failed = failed
            raise

    def end(self) -> None:
        """See that all of it is on the disk."""
        if self._failed is not None:
            raise self._failed
        os.fsync(self._number)


class _Directory:
    """An open directory, whose files are named relative to it: it stays the same one if it is renamed meanwhile."""

    def __init__(self, number: int) -> None:
        self._number = number

    @classmethod
    def of(cls, path: Path) -> Self:
        return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY))

    @classmethod
    def made(cls, path: Path) -> Self:
        """The directory at ``path``; where it is missing it is made, durably, with all above it."""
        missing = [level for level in (path, *path.parents) if not level.exists()]
        for level in reversed(missing):
            level.mkdir(mode=0o700, exist_ok=True)
            with closing(cls.of(level.parent)) as parent:
                parent.sync()
        return cls.of(path)

    def close(self) -> None:
        os.close(self._number)

    def sync(self) -> None:
        """What is in it stays in it when the power goes, where the file system has a way to say so of directories."""
        try:
            os.fsync(self._number)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise

    def has(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._number, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def drop(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._number)

    def begun(self, name: str) -> tuple[str, int]:
        """A file that may become ``name``, as its name and descriptor; what killed processes left is removed before."""
        self._sweep()
        if self.has(name):
            raise BackupFailed(f"{name} is there already")
        for _ in range(_TRIES):
            part = f".{name}.{os.getpid()}.{secrets.token_hex(4)}.part"
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW
            number = os.open(part, flags, 0o600, dir_fd=self._number)
            try:
                # Who sweeps may have come between: it is theirs then, or gone already.
                if _held(number) and os.fstat(number).st_nlink:
                    return part, number
            except BaseException:  # where there are no locks
                self.drop(part)
                os.close(number)
                raise
            os.close(number)
        raise BackupFailed("another process removes the file as often as it is begun")

    def _sweep(self) -> None:
        """Remove what killed processes left."""
        for name in os.listdir(self._number):  # noqa: PTH208 - a Path knows of no directory that is open
            if not _UNFINISHED.fullmatch(name):
                continue
            try:
                number = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._number)
            except OSError:
                continue
            try:
                if _held(number):
                    self.drop(name)
            finally:
                os.close(number)

    def publish(self, part: str, name: str) -> None:
        """Give ``part`` the name ``name``, durably; :class:`BackupFailed` where somebody else has it by now."""
        try:
            self._link(part, name)
        except FileExistsError:
            raise BackupFailed(f"{name} is there already") from None
        try:
            self.sync()
        except BaseException:
            self.drop(name)
            raise

    def _link(self, part: str, name: str) -> None:
        """Unlike a rename, a link replaces nothing; where there are no links, the directory is locked meanwhile."""
        try:
            os.link(part, name, src_dir_fd=self._number, dst_dir_fd=self._number, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            fcntl.flock(self._number, fcntl.LOCK_EX)
            if self.has(name):
                raise FileExistsError(errno.EEXIST, name) from None
            os.rename(part, name, src_dir_fd=self._number, dst_dir_fd=self._number)


def _held(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _usable(name: str) -> bool:
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        return False
    return 0 < length <= _LONGEST and not name.startswith(".") and not {"/", "\0"} & set(name)
