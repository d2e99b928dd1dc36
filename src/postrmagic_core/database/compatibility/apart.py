"""While a revision is judged it reaches nothing: no database, no network, no process, no file that it would change."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from sqlalchemy import Engine, event

_Told = Callable[[str], None]
_watching: ContextVar[_Told | None] = ContextVar("_watching", default=None)
# Python's own names of what is audited: docs.python.org/3/library/audit_events.html.
_REACHES = {
    "_thread.start_joinable_thread",
    "_thread.start_new_thread",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.system",
    "os.truncate",
    "shutil.rmtree",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "sqlite3.connect",
    "subprocess.Popen",
}
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Reached(Exception):
    """A revision that is judged was kept from something."""


@contextmanager
def apart(told: Callable[[str], None]) -> Iterator[None]:
    """Around code that must reach nothing: what it tries is told, and fails with :class:`Reached`.

    It holds for this thread (and what is awaited in it), and for SQLAlchemy's connections that are open already; not
    for a thread that the code starts, of which not every Python tells.
    """
    _install()
    token = _watching.set(told)
    try:
        yield
    finally:
        _watching.reset(token)


@cache
def _install() -> None:
    # Neither can be taken back; outside of apart() both let all pass.
    sys.addaudithook(_audited)
    event.listen(Engine, "before_cursor_execute", _executed)


def _audited(name: str, arguments: tuple[Any, ...]) -> None:
    if name not in _REACHES and name != "open":
        return
    told = _watching.get()
    if told is None or (name == "open" and not _writes(*arguments)) or _compiles(arguments):
        return
    _refuse(told, name)


def _writes(path: object, mode: object, flags: object) -> bool:
    # A descriptor was told of when it was opened: importlib writes what it compiles in these two steps.
    return not isinstance(path, int) and isinstance(flags, int) and bool(flags & _CHANGES)


def _compiles(arguments: tuple[Any, ...]) -> bool:
    """Modules that a revision imports are compiled, and Python keeps the result."""
    return bool(arguments) and any(part in str(arguments[0]) for part in ("__pycache__", ".pyc"))


def _executed(connection: Any, *_: Any) -> None:
    told = _watching.get()
    # Alembic's own stand-in for a connection never comes here: it is no connection.
    if told is not None:
        _refuse(told, "a statement on a connection of its own")


def _refuse(told: _Told, what: str) -> None:
    told(what)
    raise Reached(f"{what}: a revision that is judged reaches nothing")
