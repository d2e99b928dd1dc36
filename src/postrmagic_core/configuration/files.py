"""The directory that versions are kept in: a file each, ``0007-<fingerprint>.json``, for their owner alone.

A version's file never changes; its time is when the version was last seen. Beside it lies an empty file for each kind
of process, ``0007-<fingerprint>.<kind>.seen``, whose time is when that kind saw it last. Who finds a version there
writes nothing but times, and needs no lock. Who adds one holds the lock: so numbers follow each other, and of two
processes with the same new settings one finds what the other wrote. A process that dies lets go of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from .._clock import from_us, to_us
from ..errors import BackendTimeout, DecodeError
from .interface import History, Version
from .written import Named, as_json, from_json

KEEP = 200
_PATIENCE = 1.0
_LARGEST = 1024 * 1024
_KINDS = 16
_FILE = re.compile(r"(\d{4,})-([0-9a-f]{12})\.json")
_SEEN = re.compile(r"(\d{4,}-[0-9a-f]{12})\.([a-z0-9-]{1,32})\.seen")
_NOT_KIND = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    number: int
    fingerprint: str


class VersionFiles:
    """The versions in ``directory``; at most ``keep``, of which those go that were not seen for the longest time."""

    def __init__(self, directory: Path, *, keep: int = KEEP) -> None:
        self.directory = directory
        self._keep = keep

    def see(self, version: Version, by: str) -> tuple[Version, bool]:
        """Note that a process of the kind ``by`` begins with these settings; say under which number, and if it is new.

        The number of ``version`` is chosen here. Raises :class:`OSError` where the disk does not take it, and
        :class:`BackendTimeout` where another process holds the lock for more than a second.
        """
        kind = _NOT_KIND.sub("-", by.lower())[:32] or "process"
        known = self._known(version.fingerprint)
        if known is not None:
            return self._seen(known, version, kind), False
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            known = self._known(version.fingerprint)
            if known is not None:
                return self._seen(known, version, kind), False
            added = self._added(version)
            self._prune(added)
            return self._seen(added, version, kind), True

    def read(self) -> History:
        """Every version; what is none is named, and skipped. A directory that is not there has none."""
        versions: list[Version] = []
        faults: list[str] = []
        try:
            names = sorted(_names(self.directory))
        except FileNotFoundError:
            return History(())
        except OSError as error:
            return History((), (f"{self.directory} cannot be read: {error.strerror}",))
        for name in names:
            if not name.endswith(".json"):
                continue
            try:
                versions.append(self._read(name, names))
            except (DecodeError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                faults.append(f"{_shown(name)}: {reason}")
        return History(tuple(sorted(versions, key=lambda one: (one.number, one.fingerprint))), tuple(faults))

    def _read(self, name: str, names: list[str]) -> Version:
        found = _FILE.fullmatch(name)
        if found is None:
            raise DecodeError("it is not called as a version is")
        content, last_seen = _content(self.directory / name)
        seen_by = {}
        for one in names:
            marker = _SEEN.fullmatch(one)
            if marker is not None and f"{marker[1]}.json" == name:
                with contextlib.suppress(OSError):
                    seen_by[marker[2]] = _time(os.lstat(self.directory / one).st_mtime_ns)
        return from_json(content, Named(int(found[1]), found[2], _time(last_seen), seen_by))

    def _known(self, fingerprint: str) -> _Found | None:
        return next(self._all(f"-{fingerprint}.json"), None)

    def _all(self, end: str = ".json") -> Iterator[_Found]:
        with contextlib.suppress(FileNotFoundError):
            for name in _names(self.directory):
                found = _FILE.fullmatch(name) if name.endswith(end) else None
                if found is not None:
                    yield _Found(self.directory / name, int(found[1]), found[2])

    def _seen(self, found: _Found, version: Version, kind: str) -> Version:
        """Set the times to that of ``version``, which is when it was seen."""
        at = to_us(version.last_seen) * 1000
        os.utime(found.path, ns=(at, at), follow_symlinks=False)
        marker = found.path.with_name(f"{found.path.stem}.{kind}.seen")
        try:
            os.utime(marker, ns=(at, at), follow_symlinks=False)
        except FileNotFoundError:
            beside = sum(name.startswith(f"{found.path.stem}.") for name in _names(self.directory))
            if beside <= _KINDS:  # whoever makes up kinds fills no disk
                os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
                os.utime(marker, ns=(at, at), follow_symlinks=False)
        return replace(version, number=found.number)

    def _added(self, version: Version) -> _Found:
        """Write it under the next number; only who holds the lock comes here."""
        for name in _names(self.directory):
            if name.endswith(".part"):  # of a process that died: who writes one holds the lock
                (self.directory / name).unlink(missing_ok=True)
        number = max((one.number for one in self._all()), default=0) + 1
        path = self.directory / f"{number:04d}-{version.fingerprint}.json"
        draft = self.directory / f".{secrets.token_hex(4)}.part"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(as_json(replace(version, number=number, package=_package())))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        return _Found(path, number, version.fingerprint)

    def _prune(self, newest: _Found) -> None:
        """Remove those beyond ``keep``. The newest stays, so that no number is given twice."""
        times = {one: one.path.lstat().st_mtime_ns for one in self._all() if one.number != newest.number}
        spare = max(0, len(times) + 1 - self._keep)
        gone = {one.path.stem for one in sorted(times, key=lambda one: (times[one], one.number))[:spare]}
        for name in _names(self.directory) if gone else ():
            if name.partition(".")[0] in gone and name.endswith((".json", ".seen")):
                (self.directory / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            until = monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() > until:
                        raise BackendTimeout(f"another process holds {self.directory / '.lock'}") from None
                    sleep(0.005)
            yield
        finally:
            os.close(descriptor)


def _package() -> str:
    """This package's version; asked for only when a version is added, as it takes a while."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("postrmagic-core")
    except PackageNotFoundError:  # used out of a folder
        return ""


def _names(directory: Path) -> list[str]:
    return os.listdir(directory)  # noqa: PTH208 - four hundred names, at every start: paths would cost ten times as much


def _content(path: Path) -> tuple[bytes, int]:
    """What a file holds and its time; no link is followed, and nothing waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError("it is no file")
        if status.st_size > _LARGEST:
            raise DecodeError("it is too large")
        return file.read(_LARGEST + 1), status.st_mtime_ns


def _time(ns: int) -> datetime:
    """A file's time; what no calendar has is its first or last day."""
    try:
        return from_us(ns // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if ns > 0 else datetime.min.replace(tzinfo=UTC)


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]
