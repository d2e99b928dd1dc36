"""A text stream: standard error, or one that was handed in."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import TextIO

from ..._lifecycle import after_fork
from ..render import ascii_only
from .batches import CHUNK, batches

# What a pipe takes at once, so that lines of several processes do not mix in it (PIPE_BUF, pipe(7)).
PIPE = 4096


class StreamSink:
    """Writes to ``stream``; ``None`` means whatever ``sys.stderr`` is at that moment.

    A stream with a descriptor is flushed and then written to past its buffer: what a forked child inherits of that
    would be written twice. A batch is one write, to a pipe of at most 4096 bytes if its lines are that short: such
    writes of several processes do not mix. Of a line that was half taken the rest goes before anything else.
    Characters that the stream's encoding lacks are escaped.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._rest: tuple[TextIO | None, bytes] = (None, b"")
        self._lock = threading.Lock()
        after_fork(self._begin)

    def write(self, lines: Sequence[bytes]) -> int:
        """Write ``lines``; a closed stream raises :class:`OSError`, as a full disk does."""
        with self._lock:
            try:
                stream = self._now()
                descriptor = _descriptor(stream)
                encoding = getattr(stream, "encoding", None) or "utf-8"
                encoded = [_encoded(line, encoding) for line in lines]
                if descriptor is not None:
                    stream.flush()
                    return self._write(stream, descriptor, encoded)
                stream.write(b"".join(encoded).decode(encoding, "replace"))
                stream.flush()
            except ValueError as error:  # closed under us: the same to a caller as a full disk
                raise OSError(errno.EBADF, "the log stream is closed") from error
            return len(lines)

    def idle(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing: who opened the stream closes it."""

    def fileno(self) -> int:
        """The stream's descriptor; one without raises :class:`OSError` or :class:`ValueError`."""
        return self._now().fileno()

    def _now(self) -> TextIO:
        stream = self._stream if self._stream is not None else sys.stderr
        if stream is None:
            raise OSError(errno.EBADF, "there is no standard error")
        return stream

    def _write(self, stream: TextIO, descriptor: int, lines: list[bytes]) -> int:
        owner, rest = self._rest
        if rest and owner is stream:
            self._rest = (owner, rest[_append(descriptor, rest) :])
            if self._rest[1]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        arrived = 0
        for batch in batches(lines, PIPE if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else CHUNK):
            try:
                written = _append(descriptor, b"".join(batch))
            except OSError:
                if arrived:
                    break  # the next call is told
                raise
            ends = list(accumulate(len(line) for line in batch))
            begun = bisect_left(ends, written) + 1
            arrived += begun
            self._rest = (stream, batch[begun - 1][len(batch[begun - 1]) - (ends[begun - 1] - written) :])
            if written < ends[-1]:
                break
        return arrived

    def _begin(self) -> None:
        # A thread that held the lock did not come along into the child; the rest of its line is the parent's to write.
        self._lock = threading.Lock()
        self._rest = (None, b"")


def _append(descriptor: int, data: bytes) -> int:
    """How many bytes of ``data`` were taken: all, or what a full disk took before it refused."""
    written = 0
    while written < len(data):
        try:
            written += os.write(descriptor, data[written:])
        except BlockingIOError:  # somebody made the pipe non-blocking; this thread may wait
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()
        except OSError:
            if written:
                return written
            raise
    return written


def _encoded(line: bytes, encoding: str) -> bytes:
    """``line`` with its newline, as the stream's encoding has it."""
    if encoding.lower() in ("utf-8", "utf8"):
        return line + b"\n"
    text = line.decode("utf-8", "replace") + "\n"
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return ascii_only(text).encode(encoding, "replace")


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, AttributeError):  # io.UnsupportedOperation is both OSError and ValueError: there is none
        return None
