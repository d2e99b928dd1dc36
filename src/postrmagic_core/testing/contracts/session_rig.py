"""What the session contract works with: sessions by either face, and what a request does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from postrmagic_core.sessions import Client, SessionStore

from .through import close_native

LAPTOP = Client("203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
PHONE = Client("2001:db8:1:2::3", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1")

Sessions = SessionStore[Any]


class Opener(Protocol):
    """Opens sessions; see :meth:`__call__`."""

    def __call__(self, *model: Any, **options: Any) -> Sessions:
        """Open sessions on the test's store, closed after it; ``model`` and ``options`` are those of the class."""
        ...


class Face:
    """A session store's methods by name, on one face; both return when done."""

    def __init__(self, sessions: Sessions, runner: asyncio.Runner | None, opener: Opener) -> None:
        self.sessions = sessions
        self._runner = runner
        self._opener = opener

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method; where the face is async, run in the test's event loop."""
        if self._runner is None:
            return getattr(self.sessions, name)  # type: ignore[no-any-return]  # looked up by name
        method, runner = getattr(self.sessions.aio, name), self._runner
        return lambda *args, **options: runner.run(method(*args, **options))

    def also(self, *model: Any, **options: Any) -> Face:
        """Sessions on the same store that are kept in another way, by the same face."""
        return Face(self._opener(*model, **options), self._runner, self._opener)

    def begun(self, user_id: str | None = None, *, client: Client | None = None, **data: Any) -> str:
        """The cookie of a new session with these data."""
        session = self.load(None, client)
        session.data.update(data)
        if user_id is not None:
            session.login(user_id)
        cookie = self.save(session)
        assert isinstance(cookie, str)
        assert cookie
        return cookie

    def is_dead(self, cookie: str | None) -> bool:
        """Whether the cookie names no session any more."""
        return bool(self.load(cookie).is_new)


@contextmanager
def by_face(name: str, opener: Opener) -> Iterator[Face]:
    """Sessions by the face of that name: ``sync``, or ``async`` on an event loop of its own."""
    sessions = opener()
    if name == "sync":
        yield Face(sessions, None, opener)
        return
    with asyncio.Runner() as runner:
        yield Face(sessions, runner, opener)
        runner.run(close_native(sessions.store))
