"""What pages remember from one look to the next, for each application that is looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from ..._lifecycle import after_fork

T = TypeVar("T")


class Remembered(Generic[T]):
    """One ``make()`` for each application, made when it is first asked for and gone with it.

    A forked child begins anew: threads that were at work on it did not come along.
    """

    _made: WeakKeyDictionary[object, T]
    _lock: threading.Lock

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self.forget()
        after_fork(self.forget)

    def of(self, stack: object) -> T:
        """That of this one."""
        with self._lock:
            found = self._made.get(stack)
            if found is None:
                found = self._made[stack] = self._make()
            return found

    def forget(self) -> None:
        """Remember nothing."""
        self._made = WeakKeyDictionary()
        self._lock = threading.Lock()
