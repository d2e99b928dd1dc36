"""Uploaded images: received under a limit, looked at and rendered in a bounded process, never trusted by name."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path, PurePath
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

from .._clock import Clock, SystemClock
from ..errors import BackendRejected, BackendUnavailable, OutOfSpace, PostrMagicError, UsageError, translating
from ._decoder_process import ask
from .interface import FORMATS, ImageInfo, ImagePolicy
from .policy import failed

_CHUNK = 256 * 1024
_PREFIX, _SUFFIX = ".upload-", ".part"
_MAGIC = (("JPEG", 0, b"\xff\xd8\xff"), ("PNG", 0, b"\x89PNG\r\n\x1a\n"), ("WEBP", 8, b"WEBP"))
WIDEST = 8192


@runtime_checkable
class Readable(Protocol):
    """What has ``read``, such as an open file or the body of a request."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class ReceivedUpload:
    """A received file that is nobody's yet: move it to its place, or discard it.

    ``path``: in the given directory, mode 0600, synced to disk. ``size`` in bytes, ``sha256`` in hex, both counted
    while writing. As a context manager it discards on leaving what was not moved.
    """

    path: Path
    size: int
    sha256: str

    def __init__(self, path: Path, size: int, sha256: str) -> None:
        self.path = path
        self.size = size
        self.sha256 = sha256

    def discard(self) -> None:
        """Remove the file, if it is still where it was received."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.discard()


class Receiving:
    """A file being received: ``write`` chunks, then ``finish``; ``abandon`` in every other case."""

    def __init__(self, policy: ImagePolicy, directory: Path) -> None:
        self._policy = policy
        self._hash = hashlib.sha256()
        self._size = 0
        with translating(storage_error):
            descriptor, name = tempfile.mkstemp(_SUFFIX, _PREFIX, directory)
        self._path = Path(name)
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append ``chunk``; raises :class:`ValidationFailed` (``upload.too_large``) before writing past the limit."""
        self._size += len(chunk)
        if self._size > self._policy.max_bytes:
            raise failed("upload.too_large", f"/{self._policy.field}", limit=self._policy.max_bytes)
        self._hash.update(chunk)
        rest = memoryview(chunk)
        with translating(storage_error):
            while rest:
                rest = rest[self._file.write(rest) :]

    def finish(self) -> ReceivedUpload:
        """The whole file, synced; raises :class:`ValidationFailed` (``upload.empty``) when nothing came."""
        if self._size == 0:
            raise failed("upload.empty", f"/{self._policy.field}")
        with translating(storage_error):
            os.fsync(self._file.fileno())
            self._file.close()
        return ReceivedUpload(self._path, self._size, self._hash.hexdigest())

    def abandon(self) -> None:
        """Close and remove the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def receive(source: Readable | Iterable[bytes], policy: ImagePolicy, directory: Path | str) -> ReceivedUpload:
    """Write what ``source`` gives to a new file in ``directory``, counting bytes as they come.

    Nothing a client announced is believed. On any error, also of ``source``, the file is removed; what a killed
    process left is removed by :func:`sweep`. Raises :class:`ValidationFailed` for too much or nothing,
    :class:`OutOfSpace` and :class:`BackendUnavailable` for the disk's troubles.
    """
    receiving = Receiving(policy, Path(directory))
    try:
        for chunk in chunks(source):
            receiving.write(chunk)
        return receiving.finish()
    except BaseException:
        receiving.abandon()
        raise


def chunks(source: Readable | Iterable[bytes]) -> Iterator[bytes]:
    """What ``source`` gives, piece by piece."""
    if isinstance(source, Readable):
        while chunk := source.read(_CHUNK):
            yield chunk
    else:
        yield from source


def sweep(directory: Path | str, *, older_than: float = 3600.0, clock: Clock | None = None) -> int:
    """Remove what killed processes left half received in ``directory``; returns how many files went.

    ``older_than``: seconds since the last write; longer than the slowest upload.
    """
    before = (clock or SystemClock()).now_us() / 1e6 - older_than
    gone = 0
    with translating(storage_error):
        for path in Path(directory).glob(f"{_PREFIX}*{_SUFFIX}"):
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
                    gone += 1
            except FileNotFoundError:
                continue  # its own process was quicker
    return gone


def inspect(path: Path | str, policy: ImagePolicy, *, name: str | None = None) -> ImageInfo:
    """What the image at ``path`` is, after its first bytes, its header and a full decode agreed.

    ``name``: the client's file name; its ending, if it has one, must fit too. The decoding is done in a child process
    limited in memory and time, by the one decoder for the recognised format. Raises :class:`ValidationFailed` with
    a code of ``upload.*``; :class:`MissingExtra` without Pillow.

    The file is judged, not changed: metadata stays in it, and a comment inside an image may hold anything. Serve it
    with its ``mime`` and ``X-Content-Type-Options: nosniff``, or serve only what :func:`render` made.
    """
    with opened(path, policy) as (file, size):
        kind = recognised(file, policy)
        check_name(kind, name or "", policy)
        found = ask(file, kind, policy, {})
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ImageInfo(kind, found["width"], found["height"], digest, size, FORMATS[kind][0])


def render(
    path: Path | str,
    *,
    width: int,
    height: int | None = None,
    format: Literal["WEBP", "JPEG", "PNG"] = "WEBP",
    quality: int = 80,
    policy: ImagePolicy | None = None,
) -> bytes:
    """The image at ``path`` made to fit ``width`` by ``height`` pixels (height: four times the width), as a new file.

    Upright (EXIF orientation applied), in sRGB, proportions kept, never enlarged, the first frame only, without any
    metadata; JPEG has white where the image was transparent. Made in the same bounded process as :func:`inspect`
    uses, with the same errors. Raises :class:`UsageError` for a size outside 1 to 8,192 or a quality outside 1 to 100.
    """
    box = (width, min(width * 4, WIDEST) if height is None else height)
    if not all(1 <= side <= WIDEST for side in box) or not 1 <= quality <= 100 or format not in FORMATS:
        raise UsageError(f"render: sides 1..{WIDEST}, quality 1..100 and format {'/'.join(FORMATS)} expected")
    policy = policy or ImagePolicy()
    question = {"output": format, "width": box[0], "height": box[1], "quality": quality}
    with opened(path, policy) as (file, _):
        made: bytes = ask(file, recognised(file, policy), policy, question, largest=8 * box[0] * box[1] + 65_536)
        return made


@contextmanager
def opened(path: Path | str, policy: ImagePolicy) -> Iterator[tuple[FileIO, int]]:
    """The file at ``path`` for reading, and its size; raises :class:`ValidationFailed` for a size out of bounds."""
    # Not followed: a link put in the file's place leads elsewhere. Not blocking: nor does a FIFO.
    with translating(storage_error):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    # Unbuffered: the decoder shares the position and moves it.
    file = FileIO(descriptor, "rb")
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UsageError("an upload is inspected from a regular file")
        if status.st_size == 0:
            raise failed("upload.empty", f"/{policy.field}")
        if status.st_size > policy.max_bytes:
            raise failed("upload.too_large", f"/{policy.field}", limit=policy.max_bytes)
        with translating(storage_error):
            yield file, status.st_size


def recognised(file: FileIO, policy: ImagePolicy) -> str:
    """The format that the first bytes of ``file`` are of; raises :class:`ValidationFailed` for none of the policy's."""
    head = file.read(16)
    for kind, offset, magic in _MAGIC:
        fits = head[offset : offset + len(magic)] == magic and (kind != "WEBP" or head[:4] == b"RIFF")
        if fits and kind in policy.formats:
            return kind
    raise failed("upload.unknown_format", f"/{policy.field}", formats=", ".join(policy.formats))


def check_name(kind: str, name: str, policy: ImagePolicy) -> None:
    """Raise :class:`ValidationFailed` where the ending of the client's file name is another format's than ``kind``."""
    ending = PurePath(name).suffix.lower()
    if ending and ending not in FORMATS[kind][1]:
        raise failed("upload.name_mismatch", f"/{policy.field}")


def storage_error(error: BaseException) -> PostrMagicError | None:
    """An error of the file system as ours, by its number."""
    if not isinstance(error, OSError):
        return None
    name = errno.errorcode.get(error.errno or 0, "unknown")
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return OutOfSpace(f"the directory for uploads is full ({name})")
    if error.errno in {errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}:
        return BackendUnavailable(f"the file system did not answer ({name})")
    return BackendRejected(f"the file system refused ({name}): see that the directory exists and may be written")
