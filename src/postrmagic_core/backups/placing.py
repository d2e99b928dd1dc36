"""Files on their way back into a directory: compared with what is there, written beside it, put in place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ..errors import BackendError, OutOfSpace, PostrMagicError, RestoreRefused, translating
from .interface import Archive, Entry, Report
from .tree import Tree
from .writing import write_all

_BLOCK = 1 << 20
Seen: TypeAlias = tuple[int, int, int]
"""What a file was when it was read: inode, size, and when it was changed (nanoseconds)."""


@dataclass(frozen=True, slots=True)
class DirectoryPlan:
    """What a restore would do to the directory ``path``, in files: ``name`` is what the backup calls it.

    ``new`` are written, ``differing`` replaced, ``same`` there already. ``left`` are not in the backup, and stay.
    ``size`` is how many bytes are written. ``seen`` says of each that is there already what it was.
    """

    name: str
    path: Path
    new: int
    differing: int
    same: int
    left: int
    size: int
    seen: Mapping[str, Seen] = field(default_factory=dict, repr=False)


def planned(name: str, path: Path, entries: Sequence[Entry], report: Report) -> DirectoryPlan:
    """Compare the directory with the backup's ``entries`` of it, by size and SHA-256; nothing is changed.

    Raises :class:`RestoreRefused` where a link, or no file, is in the way.
    """
    seen: dict[str, Seen] = {}
    counts = {"new": 0, "differing": 0}
    size, done, total = 0, 0, sum(entry.size for entry in entries)
    with translating(_ours), _tree(path) as tree:
        for entry in entries:
            inner = entry.name.removeprefix(f"files/{name}/")
            found = None if tree is None else _compared(tree, inner, entry, path)
            if isinstance(found, tuple):
                seen[inner] = found
            else:
                counts["new" if found is None else "differing"] += 1
                size += entry.size
            done += entry.size
            report(f"comparing files of {name}", done, total)
    there = _count(path)
    left = max(0, there - len(seen) - counts["differing"])
    return DirectoryPlan(name, path, **counts, same=len(seen), left=left, size=size, seen=seen)


def put_back(plan: DirectoryPlan, archive: Archive, entries: Sequence[Entry], report: Report) -> None:
    """Make each file what the backup says; those that the plan saw to be so, and are unchanged since, stay untouched.

    Each is written beside its place and renamed. After a kill a new plan has what was done among its ``same``.
    """
    total, done = sum(entry.size for entry in entries), 0
    with translating(_ours):
        plan.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Tree(plan.path) as tree:
            for entry in entries:
                inner = entry.name.removeprefix(f"files/{plan.name}/")
                try:
                    parent, last = tree.place(inner, make=True)
                    there = _stat(parent, last)
                except NotADirectoryError as error:
                    raise _in_the_way(plan.path, inner) from error
                if there is None or plan.seen.get(inner) != _seen(there):
                    _write(tree, parent, last, archive, entry, there)
                done += entry.size
                report(f"files of {plan.name}", done, total)


def _write(tree: Tree, parent: int, last: str, archive: Archive, entry: Entry, there: os.stat_result | None) -> None:
    # Not by its own name, which may be as long as names can be.
    draft = f".{hashlib.sha256(os.fsencode(last)).hexdigest()[:16]}.{archive.manifest.id}.restoring"
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise RestoreRefused(f"{entry.name} would replace what is no file: move that away")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(draft, flags, 0o600, dir_fd=parent), "wb", buffering=0) as file:
            digest = hashlib.sha256()
            for block in archive.blocks(entry):
                digest.update(block)
                write_all(file.fileno(), block)
            if there is not None:
                os.fchmod(file.fileno(), there.st_mode & 0o777)
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), there.st_uid, there.st_gid)
            os.fsync(file.fileno())
        os.replace(draft, last, src_dir_fd=parent, dst_dir_fd=parent)
        tree.changed()
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft, dir_fd=parent)
        raise


@contextmanager
def _tree(path: Path) -> Iterator[Tree | None]:
    with ExitStack() as held:
        try:
            tree = held.enter_context(Tree(path))
        except FileNotFoundError:
            tree = None
        except NotADirectoryError as error:
            raise RestoreRefused(f"{path} is no directory: move it away") from error
        yield tree


def _compared(tree: Tree, inner: str, entry: Entry, path: Path) -> Seen | bool | None:
    """What it was, where it is the same; ``False`` where it differs, ``None`` where there is nothing."""
    try:
        parent, last = tree.place(inner)
        descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise _in_the_way(path, inner) from error
        raise
    begin = os.fstat(descriptor)
    if not stat.S_ISREG(begin.st_mode):
        os.close(descriptor)
        raise _in_the_way(path, inner)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        same = begin.st_size == entry.size and hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        return _seen(begin) if same else False


def _stat(parent: int, last: str) -> os.stat_result | None:
    try:
        return os.stat(last, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _seen(found: os.stat_result) -> Seen:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _count(path: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(path))


def _in_the_way(path: Path, inner: str) -> RestoreRefused:
    return RestoreRefused(f"{path / inner} is, or is below, a link or what is no file: move that away, then try again")


def _ours(error: BaseException) -> PostrMagicError | None:
    if not isinstance(error, OSError):
        return None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfSpace("the disk is full: make room, then run the restore again; it goes on where it was")
    return BackendError(f"a file cannot be restored: {error.strerror}")
