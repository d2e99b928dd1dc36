"""A text stream: standard error, or one that was handed in."""

from __future__ import annotations

import sys
import threading
from typing import TextIO

from ..._lifecycle import after_fork
from ..render import ascii_only


class StreamSink:
    """Writes each line with one call and flushes. ``None`` means whatever ``sys.stderr`` is at that moment."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        after_fork(self._forget_lock)

    def write(self, line: str) -> None:
        """Write ``line``; characters the stream's encoding lacks are escaped."""
        stream = self._stream if self._stream is not None else sys.stderr
        with self._lock:
            try:
                stream.write(line + "\n")
            except UnicodeEncodeError:
                stream.write(ascii_only(line) + "\n")
            except ValueError as error:  # closed under us: the same to a caller as a full disk
                raise OSError("the log stream is closed") from error
            stream.flush()

    def close(self) -> None:
        """Nothing: who opened the stream closes it."""

    def _forget_lock(self) -> None:
        # A thread that held the lock did not come along into the child.
        self._lock = threading.Lock()
