"""Standard error as the last resort: for what the log's own output does not take."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable
from contextlib import suppress

from .policy import scrub
from .render import escaped

_PATIENCE_MS = 100
# What poll(2) promises to have room for in a pipe (PIPE_BUF of Linux): a longer write could wait for its reader.
_ATONCE = 4096


def to_stderr(lines: Iterable[bytes]) -> None:
    """Write ``lines`` to standard error; where nobody reads it, what is left is given up after a tenth of a second."""
    if sys.stderr is None:
        return
    with suppress(Exception):  # there is nowhere left to say it; the counter knows
        descriptor = _descriptor(sys.stderr)
        for line in lines:
            if descriptor is None:
                sys.stderr.write(line.decode("utf-8", "replace") + "\n")
            else:
                _write(descriptor, line + b"\n")


def is_stderr(sink: object) -> bool:
    """Whether what ``sink`` writes ends where standard error does."""
    ours, theirs = _descriptor(sink), _descriptor(sys.stderr)
    if ours is None or theirs is None:
        return False
    try:
        return os.path.sameopenfile(ours, theirs)
    except OSError:
        return False


def reason(error: BaseException) -> bytes:
    """Why output failed, in one line without a secret: a sink may tell its address with a password."""
    try:
        told = escaped(scrub(str(getattr(error, "strerror", None) or error)))
    except Exception:  # what a foreign __str__ raises
        told = ""
    return (told or type(error).__name__).encode("utf-8", "replace")


def _descriptor(holder: object) -> int | None:
    try:
        return int(holder.fileno())  # type: ignore[attr-defined]  # whatever has none raises
    except Exception:  # closed, captured, or without one
        return None


def _write(descriptor: int, data: bytes) -> None:
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    while data:
        if not room.poll(_PATIENCE_MS):
            raise TimeoutError("nobody reads standard error")
        data = data[os.write(descriptor, data[:_ATONCE]) :]
