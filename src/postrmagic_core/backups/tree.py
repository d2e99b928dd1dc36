"""A directory whose files are opened by name without following a link out of it."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Tree:
    """The directory ``root``, which may be named by a link itself; below it none is followed.

    Names are relative, with ``/`` between their parts. A part that is a link, or no directory, raises
    :class:`NotADirectoryError`.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _DIRECTORY)
        self._at = ""
        self._changed = False
        self._parent = self._root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._leave()
        os.close(self._root)

    def place(self, name: str, *, make: bool = False) -> tuple[int, str]:
        """The descriptor of the directory that ``name`` is in, good until the next call, and its name there.

        With ``make`` directories that are missing are made, mode 0700.
        """
        folder, _, last = name.rpartition("/")
        if folder != self._at:
            self._leave()
            self._parent = self._descend(folder, make)
            self._at = folder
        return self._parent, last

    def changed(self) -> None:
        """Names in the directory of the last :meth:`place` changed: they are made durable when it is left."""
        self._changed = True

    def _descend(self, folder: str, make: bool) -> int:
        at = os.dup(self._root)
        for part in folder.split("/") if folder else ():
            try:
                inner = _inner(at, part, make)
            finally:
                os.close(at)
            at = inner
        return at

    def _leave(self) -> None:
        if self._changed:
            os.fsync(self._parent)
            self._changed = False
        if self._parent != self._root:
            os.close(self._parent)
        self._parent, self._at = self._root, ""


def _inner(at: int, part: str, make: bool) -> int:
    try:
        return os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(part, 0o700, dir_fd=at)
    os.fsync(at)
    return os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
