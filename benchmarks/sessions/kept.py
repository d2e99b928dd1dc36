"""The same application on this package: the same database through a manager, sessions in a store with its own file.

A session is read with each request and written when it changed, or once a minute to prolong it: the default. They were
last prolonged at times spread over the minute before, so that also a short run has as many of these writes as a day.

The list is asked for in the driver's words, as the other side does: what is compared is how sessions are kept, and not
SQLAlchemy with nothing. What that costs :class:`KeptByCore` tells.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.sessions import KeyRing, SessionStore
from postrmagic_core.stores import open_store

from .costs import logged_in
from .library import FILE, LIST, NOBODY, UPLOAD, UPLOADED, Request, Response, listed

_KEY = "key.txt"
TOUCH = 60.0
_LIST, _UPLOAD = text(LIST), text(UPLOAD)


class Kept:
    """See the module. ``sessions``: where a cookie is looked up."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._database = DatabaseManager(f"sqlite:///{folder / FILE}")
        self._store = open_store(f"sqlite:///{folder / 'kv.db'}")
        keys = KeyRing([(folder / _KEY).read_text(encoding="utf-8")])
        self.sessions = SessionStore(self._store, keys, clock=clock or SystemClock(), touch_interval=TOUCH)
        self._database.open()
        self.sessions.open()

    def answer(self, request: Request) -> Response:
        """See :meth:`Side.answer`."""
        session = self.sessions.load(request.token)
        if session.user_id is None:
            return NOBODY
        user = int(session.user_id)
        if request.title is None:
            with self._database.read() as unit:
                response = listed(self.rows(unit, user))
        else:
            created = {"user": user, "title": request.title, "created_us": time.time_ns() // 1000}
            with self._database.write() as unit:
                unit.execute(_UPLOAD, created)
            response = UPLOADED
        self.sessions.save(session)
        return response

    def rows(self, unit: Unit, user: int) -> Iterable[Iterable[Any]]:
        """What the user has."""
        driver: Any = unit.connection.connection.driver_connection
        found: list[tuple[Any, ...]] = driver.execute(LIST, {"user": user}).fetchall()
        return found

    def close(self) -> None:
        """Close what it opened."""
        self.sessions.close()
        self._store.close()
        self._database.close()


class KeptByCore(Kept):
    """The same, its list by SQLAlchemy's Core."""

    def rows(self, unit: Unit, user: int) -> Iterable[Iterable[Any]]:
        """See :meth:`Kept.rows`."""
        return unit.execute(_LIST, {"user": user}).all()


def prepare(folder: Path, users: int, ago: Callable[[], float] = lambda: random.uniform(0, TOUCH)) -> list[str]:
    """Log every user in, so many seconds ago; returns the cookies."""
    (folder / _KEY).write_text(secrets.token_urlsafe(48), encoding="utf-8")
    clock = _Earlier()
    side = Kept(folder, clock)
    try:
        cookies = []
        for user in range(1, users + 1):
            clock.seconds = ago()
            cookies.append(logged_in(side.sessions, str(user)))
        return cookies
    finally:
        side.close()


class _Earlier(SystemClock):
    """The wall clock so many seconds ago."""

    seconds = 0.0

    def now_us(self) -> int:
        """See :meth:`Clock.now_us`."""
        return super().now_us() - round(self.seconds * 1e6)
