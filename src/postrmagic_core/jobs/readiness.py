"""What a worker process tells its supervisor: that it works now, and that it takes nothing more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_WORKS, _ENDS = b"+", b"-"


class Telling:
    """The process's end of the pipe; without a descriptor nobody listens.

    It works from :meth:`works` to the end of the block, as far as it can tell.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)

    def works(self) -> None:
        """Everything is open, and jobs are taken."""
        self._tell(_WORKS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._tell(_ENDS)

    def _tell(self, word: bytes) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # a supervisor that is gone hears nothing; that is noticed elsewhere
                os.write(self._descriptor, word)


class Hearing:
    """The supervisor's end, of one process after the other."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._works = False

    @property
    def works(self) -> bool:
        """Whether the process said last that it works."""
        if self._descriptor is not None:
            with contextlib.suppress(BlockingIOError):
                while words := os.read(self._descriptor, 64):
                    self._works = words.endswith(_WORKS)
        return self._works

    def begin(self) -> int:
        """Hear a process that is about to start; the descriptor is for it, and for the caller to close."""
        self.close()
        self._descriptor, told = os.pipe()
        os.set_blocking(self._descriptor, False)
        return told

    def close(self) -> None:
        """The process has ended."""
        self._works = False
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def descriptor_of(words: Sequence[str]) -> int | None:
    """The descriptor that a command line ends with, if it does."""
    return int(words[0]) if words else None
