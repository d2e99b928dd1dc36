"""Children forked from a process that has already imported what they import, in place of interpreters that begin anew.

An interpreter that imports a driver or two takes a second of a busy machine, a fork of one some milliseconds. Of the
project under test nothing is imported beforehand: each child imports it with its own environment. Linux only.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TypedDict

from . import _children
from .faults import VARIABLE

SIZE, STATUS = struct.Struct("I"), struct.Struct("i")
SERVER = f"{__package__}._forking"
# What an interpreter reads when it starts: where it differs from the server's, a child must be a new one.
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_")


class Order(TypedDict):
    """What a child is to call (its arguments are JSON), where, and with which environment."""

    target: str
    arguments: str
    directory: str
    environment: dict[str, str]


class Forked:
    """What :class:`subprocess.Popen` is to a child of this process, for one that its fork server made."""

    def __init__(self, pid: int, handle: int, told: int, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = stdout
        self.returncode: int | None = None
        self._handle, self._told = handle, told
        self._lock = threading.Lock()
        weakref.finalize(self, close_all, handle, told)

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        with self._lock:
            if self.returncode is None and _readable(self._told, 0):
                status = os.read(self._told, STATUS.size)
                # Nothing is told where the server is gone: then its children are, too.
                self.returncode = STATUS.unpack(status)[0] if status else -signal.SIGKILL
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; :class:`subprocess.TimeoutExpired` after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
            _readable(self._told, left)
        return code

    def send_signal(self, number: int) -> None:
        """Send it the signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


class _Server:
    """This process's end of its fork server."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._channel, theirs = socket.socketpair()
        command = [sys.executable, "-u", "-c", f"import {SERVER} as it; it.main({os.getpid()}, {theirs.fileno()})"]
        with theirs:
            self._process = _children.launch(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )

    def fork(self, order: Order) -> Forked | None:
        """A child that carries out ``order``; ``None`` where the server may not fork, or is gone."""
        told, telling = os.pipe()
        out, printing = os.pipe()
        try:
            message = json.dumps(order).encode()
            socket.send_fds(self._channel, [SIZE.pack(len(message))], [printing, 2, telling])
            self._channel.sendall(message)
            answer, handles, _, _ = socket.recv_fds(self._channel, SIZE.size, 1)
        except OSError:
            answer, handles = b"", []
        finally:
            close_all(telling, printing)
        if not handles:
            close_all(told, out)
            return None
        return Forked(SIZE.unpack(answer)[0], handles[0], told, os.fdopen(out, "rb"))

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()


_lock = threading.Lock()
_server: _Server | None = None
_able = hasattr(os, "pidfd_open") and sys.platform == "linux"


def forked(target: str, arguments: str, environment: Mapping[str, str]) -> Forked | None:
    """A child that calls ``target``; ``None`` where only a new interpreter will do.

    So it is where a guard is taken away (it must be gone before anything is imported), where the interpreter itself is
    told something by ``environment``, and in a child.
    """
    global _server  # noqa: PLW0603 - one server a process, made on first use
    if not _able or VARIABLE in environment:
        return None
    with _lock:
        if _server is None:
            _server = _Server()
            atexit.register(_server.close)
        if _at_start(environment) != _at_start(_server.environment):
            return None
        return _server.fork(
            Order(target=target, arguments=arguments, directory=str(Path.cwd()), environment={**environment})
        )


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START) and name != "PYTHONPATH"}


def _readable(descriptor: int, seconds: float | None) -> bool:
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    return bool(ready.poll(None if seconds is None else seconds * 1000))


def close_all(*descriptors: int) -> None:
    """Close files by their descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


def _in_a_child() -> None:
    global _able, _server
    _able, _server = False, None


os.register_at_fork(after_in_child=_in_a_child)
