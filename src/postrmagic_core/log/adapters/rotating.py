"""Puts a log file aside when it is due, agreed between processes by flock(2); compresses and removes those aside."""

from __future__ import annotations

import fcntl
import gzip
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..._clock import Clock, from_us
from ..._errand import Errand
from ..interface import Rotation
from ..rotation import PACKED, UNFINISHED, Aside, due, following, tidying

logger = logging.getLogger("postrmagic_core.log")

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
_MODE = 0o640
_PIECE = 1024 * 1024
_SOON = 1.0
_LATER = 60.0
_SELDOM = 3600.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What processes tell each other: the present file, when it began, and the last one that was put aside."""

    inode: int
    begun_us: int
    last: Aside | None


class Rotator:
    """For one sink: when the file at ``path`` is due it is renamed, under an exclusive lock of ``.<name>.lock``.

    Who does not get that lock appends on: somebody else is at it. The lock's file tells when the present one began.
    A directory that refuses the rename leaves the file as it is, to be tried again after a minute; so does a disk
    without room for a compressed file.
    """

    def __init__(self, path: Path, rotation: Rotation, clock: Clock) -> None:
        self._path = path
        self._rotation = rotation
        self._clock = clock
        self._begun_us = 0
        self._not_before = self._pack_not_before = 0.0
        self._closing = False
        self._errand = Errand("postrmagic-log-tidy", self._tidy, logger)
        self._errand.open()

    def tidy(self) -> None:
        """Have the files put aside compressed or removed, soon and elsewhere."""
        self._errand.ask()

    def close(self) -> None:
        """End that; what was half done is done again by the next process."""
        self._closing = True
        self._errand.close(finish=False)

    def adopt(self, there: os.stat_result) -> None:
        """Learn when the file that was just opened began, or tell the others."""
        now = self._clock.now_us()
        self._begun_us = min(max(0, there.st_mtime_ns // 1000), now) if there.st_size else now
        with suppress(OSError), self._held() as held:
            known = _read(held)
            if known is not None and known.inode == there.st_ino:
                self._begun_us = known.begun_us
            elif held is not None:
                _tell(held, _Known(there.st_ino, self._begun_us, known.last if known else None))

    def turn(self, there: os.stat_result) -> bool:
        """Put the file aside if it is due; ``True``: the path has another one now."""
        now = self._now()
        if not due(self._rotation, there.st_size, from_us(self._begun_us), now):
            return False
        if self._clock.monotonic() < self._not_before:
            return False
        try:
            turned = self._turn(there, now)
        except OSError as error:
            self._not_before = self._clock.monotonic() + _LATER
            logger.warning("the log file cannot be put aside: %s", error.strerror)
            return False
        if turned:
            self.tidy()
        return turned

    def _turn(self, there: os.stat_result, now: datetime) -> bool:
        with self._held() as held:
            if held is None:
                return False
            try:
                present = self._path.lstat()
            except FileNotFoundError:
                return True
            if not os.path.samestat(there, present):
                return True
            known = _read(held)
            aside = following(known.last if known else None, now)
            while any(self._beside(aside, ending).exists() for ending in ("", PACKED)):
                aside = following(aside, now)
            self._path.rename(self._beside(aside))
            descriptor = os.open(self._path, _FLAGS | os.O_WRONLY | os.O_CREAT, _MODE)
            try:
                _tell(held, _Known(os.fstat(descriptor).st_ino, self._clock.now_us(), aside))
            finally:
                os.close(descriptor)
            return True

    @contextmanager
    def _held(self) -> Iterator[int | None]:
        """The lock's file, held; ``None``: another process has it."""
        lock = self._path.with_name(f".{self._path.name}.lock")
        descriptor = os.open(lock, _FLAGS | os.O_RDWR | os.O_CREAT, _MODE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            try:
                yield descriptor
            finally:
                # A child that another thread forks just now has this descriptor too: closing alone would not do.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _beside(self, aside: Aside, ending: str = "") -> Path:
        return self._path.with_name(aside.name(self._path.name) + ending)

    def _now(self) -> datetime:
        return from_us(self._clock.now_us())

    # In a thread of its own: a hundred megabytes take seconds.

    def _tidy(self) -> float | None:
        try:
            plan = tidying(self._rotation, self._path.name, self._names(), self._now())
            done = [self._remove(self._path.with_name(name)) for name in plan.remove]
            if self._clock.monotonic() >= self._pack_not_before:
                done += [self._compress(self._path.with_name(name)) for name in plan.compress]
        except OSError as error:
            logger.warning("log files that were put aside cannot be tidied: %s", error.strerror)
            return _LATER
        return _SELDOM if all(done) else _SOON

    def _names(self) -> list[str]:
        return [path.name for path in self._path.parent.iterdir()]

    def _remove(self, path: Path) -> bool:
        with _alone(path) as descriptor:
            if descriptor is not None:
                path.unlink(missing_ok=True)
            return descriptor is not None

    def _compress(self, path: Path) -> bool:
        """Whether it is compressed, by whomever; ``False``: somebody may still write to it."""
        with _alone(path) as descriptor:
            if descriptor is None:
                return False
            if descriptor < 0:
                return True
            unfinished = path.with_name(f".{path.name}{UNFINISHED}")
            try:
                if not self._pack(descriptor, path.name, unfinished):
                    return True
                unfinished.replace(path.with_name(path.name + PACKED))
            except OSError:
                self._pack_not_before = self._clock.monotonic() + _LATER
                raise
            finally:  # where it is unfinished; most often the disk is full
                unfinished.unlink(missing_ok=True)
            _sync(path.parent)
            path.unlink()
            return True

    def _pack(self, descriptor: int, name: str, target: Path) -> bool:
        """Compress into ``target``, on the disk before this returns; ``False``: it was given up."""
        told = os.fstat(descriptor)
        flags = _FLAGS | os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(target, flags, told.st_mode & 0o777), "wb") as raw:
            with gzip.GzipFile(name, "wb", 6, raw, told.st_mtime) as packed:
                at = 0
                while piece := os.pread(descriptor, _PIECE, at):
                    if self._closing:
                        return False
                    packed.write(piece)
                    at += len(piece)
            raw.flush()
            os.utime(raw.fileno(), ns=(told.st_atime_ns, told.st_mtime_ns))
            os.fsync(raw.fileno())
        return True


@contextmanager
def _alone(path: Path) -> Iterator[int | None]:
    """A file put aside that nobody writes to any more; ``None``: somebody may; -1: it is gone."""
    try:
        descriptor = os.open(path, _FLAGS | os.O_RDONLY)
    except FileNotFoundError:
        yield -1
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        try:
            yield descriptor if _is_at(descriptor, path) else -1
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # see Rotator._held
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(held: int | None) -> _Known | None:
    if held is None:
        return None
    try:
        inode, begun_us, last, name = os.pread(held, 4096, 0).decode().split("\n")
        from_us(int(begun_us))
        return _Known(int(inode), int(begun_us), Aside.parse(name, last))
    except (ValueError, OverflowError):  # new, or left half written by a full disk, or by nobody of ours
        return None


def _tell(held: int, known: _Known) -> None:
    last = known.last.name("log") if known.last is not None else ""
    data = f"{known.inode}\n{known.begun_us}\n{last}\nlog".encode()
    os.ftruncate(held, 0)
    os.pwrite(held, data, 0)
