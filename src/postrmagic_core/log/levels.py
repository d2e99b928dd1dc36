"""Levels of single loggers: as configured, as set while the process runs, and as a file says to all processes."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from .._clock import Clock, from_us
from .._lifecycle import after_fork
from ..errors import ConfigurationError

logger = logging.getLogger("postrmagic_core.log")

LEVELS_FILE: Final = "log-levels.json"
"""What the file is called in the data directory of a Stack."""

_FILE_BYTES = 64 * 1024
_NAMES = 1000


def level_number(level: str | int) -> int:
    """A level as a number of :mod:`logging`; :class:`ConfigurationError` for a name that it does not know."""
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    number = logging.getLevelNamesMapping().get(level) if isinstance(level, str) else None
    if number is None:
        raise ConfigurationError(f"unknown log level {level!r}: expected DEBUG, INFO, WARNING, …")
    return number


class Asked(IntEnum):
    """Who asked for a level; of two the later wins."""

    CONFIGURED = 0
    SET = 1
    FILE = 2


class Levels:
    """Gives loggers of the standard library their levels, and what they had before when nobody asks any more."""

    def __init__(self) -> None:
        self._asked: list[dict[str, int]] = [{} for _ in Asked]
        self._before: dict[str, int] = {}
        self._unlock()
        after_fork(self._unlock)

    def put(self, asked: Asked, levels: Mapping[str, int]) -> None:
        """These, and no others, are asked for by ``asked``. The root is ``root``."""
        with self._lock:
            names = {*self._asked[asked], *levels}
            self._asked[asked] = dict(levels)
            for name in names:
                self._apply(name)

    def set(self, name: str, level: int | None) -> None:
        """Give the logger ``name`` a level from now on; ``None``: no longer."""
        name = name or "root"
        with self._lock:
            levels = {other: number for other, number in self._asked[Asked.SET].items() if other != name}
            self.put(Asked.SET, levels if level is None else {**levels, name: level})

    def restore(self) -> None:
        """Nobody asks any more."""
        for asked in Asked:
            self.put(asked, {})

    def _unlock(self) -> None:
        self._lock = threading.RLock()

    def _apply(self, name: str) -> None:
        wanted = next((levels[name] for levels in reversed(self._asked) if name in levels), None)
        target = logging.getLogger(name)
        if wanted is not None:
            self._before.setdefault(name, target.level)
            target.setLevel(wanted)
        elif name in self._before:
            target.setLevel(self._before.pop(name))


@dataclass(frozen=True, slots=True)
class Override:
    """A level that the file gives a logger, until an instant (microseconds since the epoch) or for good."""

    level: str
    until: int | None = None

    def holds(self, now_us: int) -> bool:
        """Whether its time is not over."""
        return self.until is None or now_us < self.until


def read_levels(path: Path) -> dict[str, Override]:
    """What the file says, by logger; nothing where there is none. :class:`ValueError`: it is broken."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no file")
        text = os.read(descriptor, _FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(text) > _FILE_BYTES:
        raise ValueError(f"it has more than {_FILE_BYTES} bytes")
    found = json.loads(text)
    if not isinstance(found, dict) or len(found) > _NAMES:
        raise ValueError(f"it is no object of at most {_NAMES} loggers")
    return {name: _override(name, told) for name, told in found.items()}


def _override(name: str, told: Any) -> Override:
    level, until = (told.get("level"), told.get("until")) if isinstance(told, dict) else (None, None)
    if type(level) is not str or level not in logging.getLevelNamesMapping() or type(until) not in {int, type(None)}:
        raise ValueError(f"of the logger {name[:100]!r} it gives no level")
    try:
        from_us(until or 0)
    except OverflowError:  # nanoseconds, most likely
        raise ValueError(f"of the logger {name[:100]!r} it gives no instant in microseconds") from None
    return Override(level, until)


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Override]]:
    """The file's overrides, to be changed in the block, which is written in one piece at its end.

    Of several who change it at once one waits for the other. Raises as :func:`read_levels`, and :class:`OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        overrides = read_levels(path)
        yield overrides
        _write(path, overrides)
    finally:
        os.close(directory)


def _write(path: Path, overrides: Mapping[str, Override]) -> None:
    told = {name: {"level": one.level, "until": one.until} for name, one in sorted(overrides.items())}
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(told, indent=2) + "\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class LevelsFile:
    """Follows the file at ``path``: what it says holds for ``levels`` within a second, and until its time is over."""

    def __init__(self, path: Path, levels: Levels, clock: Clock) -> None:
        self._path = path
        self._levels = levels
        self._clock = clock
        self._seen: object = None
        self._overrides: dict[str, Override] = {}
        self._applied: dict[str, int] = {}

    def look(self) -> None:
        """Read it if it changed. A file that cannot be read changes nothing, and the log says so once."""
        seen = self._signature()
        if seen != self._seen:
            self._seen = seen
            try:
                self._overrides = read_levels(self._path)
            except (OSError, ValueError, RecursionError) as error:
                logger.warning("the levels in %s cannot be read and stay as they are: %s", self._path, error)
        now = self._clock.now_us()
        levels = {name: level_number(one.level) for name, one in self._overrides.items() if one.holds(now)}
        if levels != self._applied:
            self._applied = levels
            self._levels.put(Asked.FILE, levels)
            told = ", ".join(f"{name} {_shown(self._overrides[name])}" for name in sorted(levels))
            logger.warning("the levels of loggers changed from outside: %s", told or "none is given any more")

    def _signature(self) -> object:
        try:
            found = self._path.stat()
        except OSError as error:
            return error.errno
        return (found.st_ino, found.st_mtime_ns, found.st_size)


def _shown(override: Override) -> str:
    return override.level if override.until is None else f"{override.level} until {from_us(override.until):%FT%TZ}"
