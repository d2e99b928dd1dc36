"""One grammar of opening and closing: ``with`` and ``async with``, idempotent, loud when forgotten, aware of fork."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from itertools import count
from types import MethodType, TracebackType
from typing import Generic, Literal, Self, TypeVar

from .errors import NotOpen

T = TypeVar("T")


class Lifecycle:
    """Base of everything that holds connections, threads or files.

    A subclass supplies ``_open`` and ``_close``. ``open()`` and ``close()`` may be called again without effect; a
    closed object may be opened again. If ``_open`` fails, ``_close`` is called, so it must bear a half-open object.
    """

    _state: Literal["new", "open", "closed"] = "new"

    def __init__(self) -> None:
        self._state_lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        """Whether the object can be used now."""
        return self._state == "open"

    def open(self) -> Self:
        """Acquire what the object needs; returns itself."""
        with self._state_lock:
            if self._state != "open":
                try:
                    self._open()
                except BaseException:
                    self._close()
                    raise
                self._state = "open"
        return self

    def close(self) -> None:
        """Release everything, in reverse order."""
        with self._state_lock:
            if self._state == "open":
                self._state = "closed"
                self._close()

    def ensure_open(self) -> None:
        """Raise :class:`NotOpen` unless the object is open."""
        if self._state != "open":
            name = type(self).__name__
            when = "after it was closed" if self._state == "closed" else "before it was opened"
            raise NotOpen(f"{name} was used {when}: use `with {name}(…):`, or call open() first")

    def _open(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def __del__(self) -> None:
        if self._state == "open":
            warnings.warn(f"{type(self).__name__} was never closed", ResourceWarning, source=self, stacklevel=2)


class Living(Generic[T]):
    """Objects, or bound methods of objects, that are not kept alive, in the order in which they came.

    Any thread may add one while others go through them, which a :class:`weakref.WeakSet` does not bear. There is no
    lock, for which a signal's handler or a child forked meanwhile would wait: each step is one operation of a dict.
    """

    def __init__(self) -> None:
        self._references: dict[int, Callable[[], T | None]] = {}
        self._numbers = count()
        self._swept_at = 64

    def add(self, one: T) -> None:
        """The dead leave when they may be half of all: few of the living pay for it."""
        if len(self._references) >= self._swept_at:
            for number, reference in self._references.copy().items():
                if reference() is None:
                    self._references.pop(number, None)
            self._swept_at = max(64, 2 * len(self._references))
        made: Callable[[], T | None] = weakref.WeakMethod(one) if isinstance(one, MethodType) else weakref.ref(one)
        self._references[next(self._numbers)] = made

    def __iter__(self) -> Iterator[T]:
        for reference in self._references.copy().values():
            one = reference()
            if one is not None:
                yield one


_after_fork: Living[Callable[[], None]] = Living()


def after_fork(method: Callable[[], None]) -> None:
    """Call the bound ``method`` in every forked child while its object lives; the object is not kept alive.

    A child inherits sockets, locks and pools whose threads did not come along: the method drops them unused.
    """
    _after_fork.add(method)


def _forked() -> None:
    for method in _after_fork:
        method()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_forked)
