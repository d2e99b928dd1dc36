"""A look into a process from outside: it answers on a socket of its own, only when asked.

The sockets lie in a directory that belongs to the user, ``/tmp/postrmagic-<uid>``: whoever may signal the processes may
look, and nobody else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ._lifecycle import after_fork

logger = logging.getLogger("postrmagic_core.window")

# Seconds a process may take to answer: it is busy, not slow.
_PATIENCE = 2.0


class Window:
    """Answers :func:`look` for ``subject`` with what ``tell`` returns (JSON), from :meth:`open` until :meth:`close`.

    Several windows of one process may share a subject. ``thread`` names the thread, ``command`` in the log what will
    not see this process where no socket can be had.
    """

    def __init__(self, subject: str, tell: Callable[[], object], *, thread: str, command: str) -> None:
        self._listener: socket.socket | None = None
        self._path: Path | None = None
        self._name = _name_of(subject)
        self._tell = tell
        self._called = thread
        self._command = command
        self._thread = threading.Thread()
        self._forget()
        after_fork(self._forget)

    def open(self) -> None:
        """Begin to answer, unless it does; where no socket can be had it is not, and nothing else suffers."""
        with self._lock:
            if self._listener is not None:
                return
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                directory = _directory()
                _sweep(directory)
                path = directory / f"{self._name}-{os.getpid()}-{id(self):x}.sock"
                listener.bind(str(path))
                listener.listen(8)
            except OSError as error:  # a path of more than 107 bytes among them
                listener.close()
                logger.debug("`%s` will not see this process: %s", self._command, error)
                return
            self._listener, self._path = listener, path
            self._thread = threading.Thread(target=self._run, args=[listener], name=self._called, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        with self._lock:
            listener, self._listener = self._listener, None
            path, self._path = self._path, None
        if listener is not None and path is not None:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self._thread.join(_PATIENCE)

    def _run(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller, contextlib.suppress(OSError):
                caller.settimeout(_PATIENCE)
                caller.sendall(json.dumps(self._tell()).encode())

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._listener = None
        self._path = None


def look(subject: str) -> list[Any]:
    """What every window of this user on this machine tells of ``subject``, in no order."""
    answers = (_ask(path) for path in _directory().glob(f"{_name_of(subject)}-*.sock"))
    return [answer for answer in answers if answer is not None]


def _ask(path: Path) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(_PATIENCE)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)  # its process was killed
            return None
        except OSError:
            return None
        answer = b""
        with contextlib.suppress(OSError):
            while chunk := caller.recv(65_536):
                answer += chunk
    try:
        return json.loads(answer)
    except ValueError:
        return None  # it ended in the middle of its answer


def _sweep(directory: Path) -> None:
    """Remove what killed processes left."""
    for path in directory.glob("*-*-*.sock"):
        try:
            os.kill(int(path.name.split("-")[1]), 0)
        except (ProcessLookupError, ValueError):
            path.unlink(missing_ok=True)
        except PermissionError:
            continue  # the number went to somebody else's process


def _directory() -> Path:
    """Made when missing; :class:`PermissionError` when it is not this user's alone."""
    path = Path(tempfile.gettempdir()) / f"postrmagic-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path} is not a directory of this user alone")
    return path


def _name_of(subject: str) -> str:
    return blake2b(subject.encode(), digest_size=8).hexdigest()
