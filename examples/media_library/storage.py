"""Files under their content's hash.

A file is put in place before the transaction that names it commits, and removed only inside a transaction that holds
its row's place: so there is never a row without its file. A crash may leave a file without a row; ``sweep`` removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from postrmagic_core.errors import PostrMagicError, translating
from postrmagic_core.validation.uploads import storage_error

_NAME = re.compile(r"[0-9a-f]{64}(\.(jpeg|webp))?")
# An upload may sit in `incoming`, or in place before its commit, for as long as a slow client takes.
_ABANDONED_AFTER = 3600.0
_BATCH = 500
KINDS = ("blobs", "renditions")
"""Of files that rows name; each has a directory of its own."""


class Damaged(PostrMagicError):
    """A stored file is not what was uploaded, or is gone: restore it from a backup, or upload it again."""

    code = "media.damaged"


class Storage:
    """Files below ``root``: first ``incoming/``, then ``blobs/ab/<hash>`` and ``renditions/ab/<hash>.webp``.

    Names are made here, never by a client; nothing is executable.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"

    @property
    def kept(self) -> dict[str, Path]:
        """The directories of files that rows name, by name."""
        return {kind: self.root / kind for kind in KINDS}

    def prepare(self) -> None:
        """Create the directories."""
        for directory in (self.incoming, *self.kept.values()):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def blob(self, digest: str) -> Path:
        """Where the file with this SHA-256 (64 hexadecimal characters) stands."""
        return self._path("blobs", digest)

    def rendition(self, digest: str, format_: str) -> Path:
        """Where its rendition in ``jpeg`` or ``webp`` stands."""
        return self._path("renditions", f"{digest}.{format_}")

    def intact(self, digest: str) -> Path:
        """Where the file stands, after its content was seen to be still that of its name; else :class:`Damaged`.

        Costs one reading of the file, so that not a byte of a damaged one is given out.
        """
        path = self.blob(digest)
        with translating(storage_error):
            whole = path.exists() and _has_digest(path, digest)
        if not whole:
            raise Damaged(f"the file {digest} is damaged or missing")
        return path

    def place(self, temporary: Path, target: Path) -> None:
        """Give a finished file its name in place, durably; what stood there already is the same content.

        The temporary name stays, so that a transaction that is tried again can place the file again. Raises
        :class:`OutOfSpace` or another :class:`BackendError` for the disk's troubles.
        """
        with translating(storage_error):
            self._place(temporary, target)

    def _place(self, temporary: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o600)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, target)
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, digest: str) -> None:
        """Delete the file and its renditions; missing ones are no error."""
        for path in (self.blob(digest), self.rendition(digest, "jpeg"), self.rendition(digest, "webp")):
            path.unlink(missing_ok=True)

    def sweep(self, discard: Callable[[Sequence[str]], int], now: float | None = None) -> int:
        """Remove what a crash left: old temporary files, and what belongs to a digest that ``discard`` removes.

        ``discard`` is given up to 500 digests at once and returns how many it removed. Returns the number of temporary
        files and digests that went. ``now``: seconds since the epoch.
        """
        oldest = (time.time() if now is None else now) - _ABANDONED_AFTER
        removed = 0
        for path in self._files(self.incoming, oldest):
            path.unlink(missing_ok=True)
            removed += 1
        stored = {path.stem for directory in self.kept.values() for path in self._files(directory, oldest)}
        digests = sorted(stored)
        return removed + sum(discard(digests[start : start + _BATCH]) for start in range(0, len(digests), _BATCH))

    def _files(self, directory: Path, oldest: float) -> Iterator[Path]:
        for path in directory.rglob("*"):
            if path.is_file() and path.stat().st_mtime < oldest:
                yield path

    def _path(self, kind: str, name: str) -> Path:
        return self.root / kind / place_of(name)


def place_of(name: str) -> Path:
    """Where a file of this name stands in the directory of its kind."""
    if not _NAME.fullmatch(name):
        raise ValueError("expected a SHA-256 in hexadecimal as a file's name")
    return Path(name[:2], name)


def _has_digest(path: Path, digest: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest
