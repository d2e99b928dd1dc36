"""Lines on their way to who searches or forwards them: files that all processes append to and several readers follow.

A directory of pieces, ``<epoch>-<start>.jsonl``: ``start`` is how many bytes the pieces before it held since the spool
began, ``epoch`` when that was. A byte so has one number for ever, a reader's position is a number, and what was removed
before it was read can be told to the byte. A piece that is full loses its permission to be written: it is *sealed*,
under an exclusive flock(2) of ``.lock`` that every write shares, so nothing follows in it. All pieces together take
``max_bytes``; the oldest go first, whether they were read or not.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from .._lifecycle import after_fork
from ..errors import ConfigurationError
from .adapters.appending import Appender

PIECE: Final = 8 * 1024 * 1024
"""Bytes from which on a piece is sealed, where all of them may take eight times as much."""
SPOOL_BYTES: Final = 256 * 1024 * 1024
"""Bytes that a spool takes unless somebody says otherwise."""
LEAST: Final = 64 * 1024
"""Bytes that it takes at least."""
_SHARES = 8
_SUFFIX = ".jsonl"
_LOCK = ".lock"
_MODE, _DIRECTORY = 0o640, 0o750
_SEALED = 0o440
_WRITABLE = stat.S_IWUSR
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
_TRIES = 10
_PATIENCE = 0.1
_POLL = 0.002
_MORE = 1 << 20


class Piece(NamedTuple):
    """One file of a spool; pieces sort by age."""

    epoch: int
    start: int

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.epoch:016x}-{self.start:016x}{_SUFFIX}"


def pieces(directory: Path) -> list[Piece]:
    """The pieces in ``directory``, oldest first; none where it does not exist."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in [path.name for path in directory.iterdir()]:
            epoch, dash, start = name.removesuffix(_SUFFIX).partition("-")
            if name.endswith(_SUFFIX) and dash and not name.startswith("."):
                with suppress(ValueError):
                    found.append(Piece(int(epoch, 16), int(start, 16)))
    return sorted(found)


class Spool:
    """The writing side, a :class:`~postrmagic_core.log.Sink`: whole lines at the end of the newest piece.

    Nothing is made before the first line, the directory with mode 0750 and its files with 0640. A full disk, a
    directory that cannot be made, and a lock that a stopped process holds are :class:`OSError`. Nothing is synced: what
    the kernel had not written is lost with the machine, not with the process. :class:`ConfigurationError`: less than
    64 KiB.
    """

    def __init__(self, directory: Path, max_bytes: int = SPOOL_BYTES) -> None:
        if max_bytes < LEAST:
            raise ConfigurationError(f"a spool takes at least {LEAST} bytes, not {max_bytes!r}")
        self._directory = directory.absolute()
        self._max_bytes = max_bytes
        self._piece_bytes = min(PIECE, max_bytes // _SHARES)
        self._lock = self._descriptor = -1
        after_fork(self._leave)

    def write(self, lines: Sequence[bytes]) -> int:
        """Append ``lines``; how many of the first are in the spool."""
        for _ in range(_TRIES):
            self._settle()
            with self._locked(fcntl.LOCK_SH):
                size = self._open_size()
                if 0 <= size < self._piece_bytes:
                    return self._appender.append(lines)
            with self._locked(fcntl.LOCK_EX):
                self._turn()
        raise OSError(errno.EBUSY, "the spool is turned all the time", str(self._directory))

    def idle(self) -> None:
        """Leave a piece that was sealed or removed, so that its room is free."""
        if self._descriptor >= 0 and self._open_size() < 0:
            self._release_piece()

    def close(self) -> None:
        """Close the files."""
        self._leave()

    def _open_size(self) -> int:
        """Bytes in the piece that is open; -1: there is none, or it takes no more lines."""
        if self._descriptor < 0:
            return -1
        there = os.fstat(self._descriptor)
        return there.st_size if there.st_nlink and there.st_mode & _WRITABLE else -1

    def _settle(self) -> None:
        """Have the directory and its lock, also where somebody removed them."""
        if self._lock < 0 or not os.fstat(self._lock).st_nlink:
            self._leave()
            self._directory.mkdir(_DIRECTORY, parents=True, exist_ok=True)
            self._lock = os.open(self._directory / _LOCK, _FLAGS | os.O_RDWR | os.O_CREAT, _MODE)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        lock, until = self._lock, time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_POLL)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _turn(self) -> None:
        """Have the newest piece open; where it is full or sealed, the one after it. Nobody writes meanwhile."""
        there = pieces(self._directory)
        last = there[-1] if there else None
        if last is not None:
            self._open_piece(last)
            found = os.fstat(self._descriptor)
            if found.st_mode & _WRITABLE and found.st_size < self._piece_bytes:
                return
            os.fchmod(self._descriptor, _SEALED)
            following = Piece(last.epoch, last.start + max(1, found.st_size))
        else:
            following = Piece(time.time_ns() // 1000, 0)
        self._make_room(there)
        self._open_piece(following, os.O_CREAT)

    def _make_room(self, there: list[Piece]) -> None:
        left = self._max_bytes - self._piece_bytes
        for piece in reversed(there):
            path = self._directory / piece.name
            with suppress(FileNotFoundError):
                left -= path.stat().st_size
                if left < 0:
                    path.unlink()

    def _open_piece(self, piece: Piece, make: int = 0) -> None:
        self._release_piece()
        path = self._directory / piece.name
        try:
            descriptor = os.open(path, _FLAGS | os.O_RDWR | os.O_APPEND | make, _MODE)
        except PermissionError:  # sealed
            descriptor = os.open(path, _FLAGS | os.O_RDONLY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        self._descriptor, self._appender = descriptor, Appender(descriptor)

    def _release_piece(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    def _leave(self) -> None:
        # In a forked child too: the lock is its parent's, which a mere close leaves alone.
        self._release_piece()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            with suppress(OSError):
                os.close(lock)


class Batch(NamedTuple):
    """What a reader got: whole JSON ``lines`` without newline, where it is now, and how many bytes it never saw.

    ``position`` is text to keep and to begin from later; ``lost``: bytes that were removed unread since the last read.
    """

    lines: list[bytes]
    position: str
    lost: int


class SpoolReader:
    """Follows the spool in ``directory`` from ``position`` (``None``, or one that it cannot read: the oldest line).

    It may begin before the spool does. Any number of readers may follow one spool, each from one thread. A line is
    given once it is whole; what is no JSON object (the half line of a killed process, blanks over a torn one) is left
    out, though the half of one may look like one: a reader that parses bears a line that does not parse. While nothing
    comes, a read costs one fstat(2).
    """

    def __init__(self, directory: Path, position: str | None = None) -> None:
        self._directory = directory.absolute()
        self._piece = Piece(-1, 0)
        self._descriptor = -1
        self._epoch, self._at = _parsed(position)
        after_fork(self.close)

    @property
    def position(self) -> str:
        """Where it is now, as text."""
        return "" if self._epoch < 0 else f"{self._epoch:x}:{self._at}"

    def read(self, limit_bytes: int = 1 << 20) -> Batch:
        """The next lines, of about ``limit_bytes`` together, at least one whole line where there is one."""
        lost = 0
        while True:
            if self._descriptor < 0:
                missing = self._find()
                if missing is None:
                    return Batch([], self.position, lost)
                lost += missing
            there, before = os.fstat(self._descriptor), self._at  # before the content: once sealed, nothing follows
            lines, skipped = self._lines(there.st_size, limit_bytes)
            lost += skipped
            if lines:
                return Batch(lines, self.position, lost)
            if self._at != before:
                continue
            if there.st_mode & _WRITABLE and there.st_nlink:
                return Batch([], self.position, lost)
            following = next((piece for piece in pieces(self._directory) if piece > self._piece), None)
            if following is None:
                self.close()  # removed, all of it; what begins there anew is found
                return Batch([], self.position, lost)
            with suppress(FileNotFoundError):  # removed meanwhile
                lost += self._enter(following, self._piece.start + there.st_size)

    def behind(self) -> int:
        """Bytes that are not read yet, as far as the directory tells."""
        total = 0
        for piece in pieces(self._directory):
            with suppress(FileNotFoundError):
                end = piece.start + (self._directory / piece.name).stat().st_size
                if piece.epoch > self._epoch:
                    total += end - piece.start
                elif piece.epoch == self._epoch:
                    total += max(0, end - max(piece.start, self._at))
        return total

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    def _lines(self, size: int, limit: int) -> tuple[list[bytes], int]:
        """What follows in the open piece, and how many bytes were stepped over."""
        if self._at - self._piece.start > size:  # truncated by somebody: it begins anew
            self._at = self._piece.start
        offset, skipped = self._at - self._piece.start, 0
        data = self._whole(offset, size, limit)
        if data and offset and os.pread(self._descriptor, 1, offset - 1) != b"\n":  # truncated, and grown since
            skipped = data.index(b"\n") + 1
        self._at += len(data)
        return [line for line in data[skipped:].split(b"\n") if line[:1] == b"{" and line[-1:] == b"}"], skipped

    def _whole(self, offset: int, size: int, limit: int) -> bytes:
        """Whole lines from ``offset`` on, with their newlines."""
        if offset >= size:
            return b""
        data = os.pread(self._descriptor, max(1, limit), offset)
        while b"\n" not in data and offset + len(data) < size:  # a line longer than the limit
            more = os.pread(self._descriptor, _MORE, offset + len(data))
            if not more:
                break
            data += more
        return data[: data.rfind(b"\n") + 1]

    def _find(self) -> int | None:
        """Open the piece of the position; how many bytes before it are gone, ``None``: there is no piece yet."""
        for _ in range(_TRIES):
            there = pieces(self._directory)
            before = [piece for piece in there if piece.epoch == self._epoch and piece.start <= self._at]
            after = [piece for piece in there if piece > (self._epoch, self._at)]
            if not there:
                break
            with suppress(FileNotFoundError):  # removed meanwhile
                if not before:
                    return self._enter((after or there)[0], self._at)
                self._open_piece(before[-1])
                return 0
        return None

    def _enter(self, piece: Piece, expected: int) -> int:
        """Go on at the begin of ``piece``; how many bytes are gone between there and ``expected``."""
        lost = max(0, piece.start - expected) if piece.epoch == self._epoch else 0
        self._open_piece(piece)
        self._epoch, self._at = piece
        return lost

    def _open_piece(self, piece: Piece) -> None:
        descriptor = os.open(self._directory / piece.name, os.O_RDONLY | _FLAGS)
        self.close()
        self._descriptor, self._piece = descriptor, piece


def _parsed(position: str | None) -> tuple[int, int]:
    epoch, _, at = (position or "").partition(":")
    try:
        return int(epoch, 16), int(at)
    except ValueError:
        return -1, 0
