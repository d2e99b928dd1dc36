"""The data directory: whose it is, whether it can be written, what is in the way, and how much room is left."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from .interface import Finding, Patient, advice, graver, ok, problem
from .mounts import Mount, mount_of

_PAGE = "how-to/find-out-what-is-wrong.md#data-and-files"
_MIB = 1024**2
# Bytes free, below which the next backup, log file or transaction may be the last; and below which it is time to act.
LEAST = 64 * _MIB
LITTLE = 1024 * _MIB
_LITTLE_SHARE = 0.05
# Folders of ours with many small files: it is enough to look at themselves.
_MOST = 200


def look(patient: Patient) -> Iterator[Finding]:
    """The directory, or the place where it will be made; nothing is made here."""
    directory = patient.settings.stack.data_dir.absolute()
    place = _standing(directory)
    if place == directory:
        yield from (found := list(folder(directory)))
        if not any(one.state == "problem" for one in found):
            yield from strangers(directory)
    elif not place.is_dir():
        yield problem(
            f"{directory} cannot be made: {place} is no directory",
            f"mv {quote(str(place))} {quote(str(place))}.old",
            _PAGE,
        )
    elif not os.access(place, os.W_OK | os.X_OK):
        yield problem(f"{directory} cannot be made: {place} may not be written", _give(place), _PAGE)
    else:
        yield ok(f"{directory} is not there, and will be made")
    yield from mounted(mount_of(place), directory, patient.production)
    yield from room(place)


def _standing(path: Path) -> Path:
    """``path``, or the nearest above it that exists."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _give(path: Path) -> str:
    return f"chown {os.geteuid()}:{os.getegid()} {quote(str(path))} as root, or set POSTRMAGIC_STACK__DATA_DIR"


def folder(path: Path) -> Iterator[Finding]:
    """Whether this process can work in it, and who else can."""
    try:
        found = path.stat()
    except OSError as error:
        yield problem(f"{path} cannot be looked at: {error.strerror}", _give(path), _PAGE)
        return
    if not stat.S_ISDIR(found.st_mode):
        yield problem(f"{path} is no directory", f"mv {quote(str(path))} {quote(str(path))}.old", _PAGE)
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield problem(f"{path} may not be read and written: it is of user {found.st_uid}", _give(path), _PAGE)
    elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        yield problem(f"everybody on this machine can write in {path}", f"chmod o-w {quote(str(path))}", _PAGE)
    elif found.st_uid != os.geteuid():
        yield advice(
            f"{path} is of user {found.st_uid}, and this is user {os.geteuid()}: what one makes the other may "
            "not be able to write",
            "run this, and every command, as the user of the application",
            _PAGE,
        )
    else:
        yield ok(f"{path} can be read and written")


def strangers(directory: Path) -> Iterator[Finding]:
    """Files that this process cannot write, as after a command that was given as root; and the key for all to read."""
    with os.scandir(directory) as entries:
        named = sorted((entry.name for _, entry in zip(range(_MOST), entries, strict=False)))
    refused = [name for name in named if not os.access(directory / name, os.W_OK)]
    if refused:
        yield problem(
            f"in {directory} this process may not write {', '.join(refused[:5])}{' and more' if refused[5:] else ''}",
            f"chown -R {os.geteuid()}:{os.getegid()} {quote(str(directory))}, as root",
            _PAGE,
        )
    key = directory / "secret.key"
    if key.exists() and key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield problem(
            f"others on this machine can read {key}, by which everything is sealed",
            f"chmod 600 {quote(str(key))}",
            _PAGE,
        )


def mounted(mount: Mount | None, directory: Path, production: bool) -> Iterator[Finding]:
    """Whether files of a database can be there, and whether they stay."""
    if mount is None:
        return
    name = f"{directory} is on {mount.kind}, mounted at {mount.point}"
    if mount.read_only:
        yield problem(f"{name}, for reading alone", "mount it for writing, or name another data directory", _PAGE)
    if mount.network:
        yield problem(
            f"{name}, a file system of the network: SQLite's files break there when two machines use them",
            "name a disk of this machine, or servers for database and stores",
            "how-to/move-from-sqlite-to-mysql.md",
        )
    elif mount.memory:
        yield graver(production, f"{name}, in memory: it is gone with the machine", "name a directory on a disk", _PAGE)
    elif mount.kind == "overlay":
        yield graver(
            production,
            f"{name}: it is the container's own, and gone with it",
            f"mount a volume at {directory}",
            _PAGE,
        )


def room(place: Path) -> Iterator[Finding]:
    """Bytes and inodes that are left for who is not root."""
    try:
        found = os.statvfs(place)
    except OSError as error:
        yield problem(f"{place} cannot be looked at: {error.strerror}", f"df {quote(str(place))}", _PAGE)
        return
    yield from judged_room(place, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
    if found.f_files and found.f_favail < found.f_files * _LITTLE_SHARE:
        yield graver(
            found.f_favail == 0,
            f"{found.f_favail} of {found.f_files} inodes are free at {place}: no file can be made when none is",
            f"remove small files: `du --inodes -d 2 {quote(str(place))} | sort -n` shows where they are",
            _PAGE,
        )


def judged_room(place: Path, free: int, whole: int) -> Iterator[Finding]:
    """How much is left, in bytes of all there are."""
    text = f"{free / _MIB:,.0f} MiB of {whole / _MIB:,.0f} MiB are free at {place}"
    if free < LEAST:
        yield problem(text, f"make room: `du -x -d 2 {quote(str(place))} | sort -n` shows where it went", _PAGE)
    elif free < LITTLE or free < whole * _LITTLE_SHARE:
        yield advice(text, f"make room in time: `du -x -d 2 {quote(str(place))} | sort -n` shows where it went", _PAGE)
    else:
        yield ok(text)
