"""Identities known for a moment: for no longer than their age, and not past a change made in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..._lifecycle import after_fork
from .interface import User

_MOST = 10_000


class Known:
    """Users by id, each for ``max_age`` seconds from when the database was asked about them."""

    def __init__(self, max_age: float, monotonic: Callable[[], float]) -> None:
        self.max_age = max_age
        self._monotonic = monotonic
        self._users: dict[str, tuple[float, User]] = {}
        self._changes = 0
        self._lock = threading.Lock()
        after_fork(self._forget)

    def get(self, user_id: str) -> User | None:
        """The user, if known and not too old."""
        found = self._users.get(user_id)
        return None if found is None or self._monotonic() >= found[0] else found[1]

    def asking(self) -> tuple[int, float]:
        """To be taken before the database is asked, and given to :meth:`put`."""
        return self._changes, self._monotonic()

    def put(self, user: User, asked: tuple[int, float]) -> None:
        """Keep what the database answered; not if something changed meanwhile, as the answer may be from before."""
        with self._lock:
            if asked[0] != self._changes:
                return
            self._users.pop(user.id, None)
            if len(self._users) >= _MOST:
                del self._users[next(iter(self._users))]
            self._users[user.id] = (asked[1] + self.max_age, user)

    def drop(self, user_id: str) -> None:
        """Forget the user, and what is being asked about anybody."""
        with self._lock:
            self._changes += 1
            self._users.pop(user_id, None)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._users = {}
