"""Whole lines at the end of a file that other processes append to at the same time, without a lock."""

from __future__ import annotations

import errno
import fcntl
import os
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate

from .batches import batches

_TRIES = 3


class Appender:
    """Appends to ``descriptor`` (``O_RDWR | O_APPEND``), one ``write(2)`` a batch of at most 1 MiB.

    Local file systems let no other write in between, so lines of processes never mix. What is found torn is mended
    afterwards, each process in the bytes that it wrote itself: a line of which a full disk took a part is overwritten
    by blanks; what was appended to the half line of a killed process is too, and written again behind it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._end = 0

    def append(self, lines: Sequence[bytes]) -> int:
        """How many of the first ``lines`` are in the file, at least one; :class:`OSError`: none."""
        arrived = 0
        for batch in batches(lines):
            try:
                whole = self._append(batch)
            except OSError:
                if arrived:
                    break  # the next call is told
                raise
            arrived += whole
            if whole < len(batch):
                break
        return arrived

    def _append(self, batch: list[bytes]) -> int:
        data = b"\n".join(batch) + b"\n"
        for _ in range(_TRIES):
            written = os.write(self._descriptor, data)
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            start = end - written
            if start and start != self._end and self._ragged(start):
                self._blank(start, end)
                continue
            self._end = end
            if written == len(data):
                return len(batch)
            ends = list(accumulate(len(line) + 1 for line in batch))
            whole = bisect_right(ends, written)
            self._blank(start + (ends[whole - 1] if whole else 0), end)
            if whole:
                return whole
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _ragged(self, start: int) -> bool:
        """Whether the line before does not end."""
        try:
            return os.pread(self._descriptor, 1, start - 1) not in (b"\n", b"")  # nothing: it was truncated
        except OSError:  # what was written is written
            return False

    def _blank(self, start: int, end: int) -> None:
        """Overwrite what this process wrote there: an end for the line before, then a line of spaces."""
        self._end = 0  # look again before the next line
        if start >= end:
            return
        blanks = b"\n" + b" " * (end - start - 2) + b"\n" * (end - start > 1)
        with suppress(OSError):  # what cannot be blanked stays torn, and is whole further on
            if os.fstat(self._descriptor).st_size < end:  # truncated meanwhile
                return
            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
            # pwrite(2) appends wherever it is told to while O_APPEND is set; no other process has this description.
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)
            try:
                os.pwrite(self._descriptor, blanks, start)
            finally:
                fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)
