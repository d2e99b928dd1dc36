"""What every private server shares: a directory, a port, one process, and the faults done to it."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from postrmagic_core._lifecycle import Lifecycle
from postrmagic_core.errors import BackendUnavailable, ConfigurationError, Unsupported
from postrmagic_core.testing import _children

_PREFIX = "postrmagic-test-"
_ROOM_NEEDED = 512 * 1024 * 1024
_running: weakref.WeakSet[ServerProcess] = weakref.WeakSet()


class MissingServer(ConfigurationError):
    """The server's program is not installed on this machine."""

    code = "configuration.server"


class ServerProcess(Lifecycle):
    """A private server on 127.0.0.1: ``with RedisServer() as server: connect(server.url)``.

    Everything it writes is in :attr:`directory` and removed on close; it dies with this process. Given ``url=`` of a
    server that runs elsewhere, only :attr:`url` and :meth:`create_database` work and every fault raises
    :class:`~postrmagic_core.errors.Unsupported`.
    """

    host: str
    port: int
    directory: Path

    name: ClassVar[str]

    def __init__(self, *, url: str | None = None, options: Sequence[str] = ()) -> None:
        super().__init__()
        self._given_url = url
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self.host = "127.0.0.1"
        self.port = 0
        self.directory = Path()

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of the server's program, or ``None`` when it is not installed."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The server's URL, of a database that exists."""
        self.ensure_open()
        return self._given_url or self._url()

    def create_database(self) -> str:
        """The URL of an empty database for one test."""
        raise NotImplementedError

    @property
    def private(self) -> bool:
        """Whether the process is ours, so that it may be killed and paused."""
        return self._given_url is None

    @property
    def pid(self) -> int:
        """Process id of the running server; raises :class:`BackendUnavailable` when it does not run."""
        return self._child().pid

    @property
    def running(self) -> bool:
        """Whether the server's process is alive (paused counts as alive)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server on its port with the data it has; returns when it answers. Running, without effect."""
        self._ensure_private()
        if self.running:
            return
        self._process = _children.launch_server(self._argv(), self.log_file)
        self._await_answer()

    def stop(self) -> None:
        """Shut down in order (SIGTERM), data kept; a server that does not end within 20 s is killed."""
        self._ensure_private()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL, as by ``kill -9`` or the kernel's OOM killer; returns when the process is gone."""
        self._ensure_private()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """:meth:`stop`, then :meth:`start` on the same port with the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: sockets stay open and nothing answers; returns when the process is seen stopped."""
        self._ensure_private()
        _children.stop(self._child())

    def resume(self) -> None:
        """SIGCONT: end of :meth:`pause`."""
        self._ensure_private()
        _children.resume(self._child())

    @property
    def log_file(self) -> Path:
        """What the server has printed."""
        return self.directory / "server.log"

    def log(self, lines: int = 30) -> str:
        """The last ``lines`` lines of the server's log."""
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _open(self) -> None:
        if self.private:
            self._open_private()

    def _open_private(self) -> None:
        if self.binary() is None:
            raise MissingServer(f"no {self.name} program found: install its package, or give the URL of a test server")
        self.directory = _make_directory(self.name)
        _running.add(self)
        self._prepare()
        try:
            self._start_on(free_port())
        except BackendUnavailable:  # another process may have taken the port in between
            self._start_on(free_port())

    def _start_on(self, port: int) -> None:
        self.port = port
        self.start()

    def _close(self) -> None:
        if self.private and self._owner == os.getpid():
            self.kill()
            if self.directory != Path():
                shutil.rmtree(self.directory, ignore_errors=True)
            _running.discard(self)

    def _prepare(self) -> None:
        """Fill the directory before the first start."""

    def _argv(self) -> list[str]:
        raise NotImplementedError

    def _url(self) -> str:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _child(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise BackendUnavailable(f"the {self.name} server does not run: call start()\n{self.log()}")
        return self._process

    def _ensure_private(self) -> None:
        if not self.private:
            raise Unsupported(f"this {self.name} server was given by URL: faults need a private one, made without url=")

    def _await_answer(self, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.running:
                self._process = None
                raise BackendUnavailable(f"the {self.name} server ended while starting; its log:\n{self.log()}")
            if self._answers():
                return
            time.sleep(0.01)
        self.kill()
        raise BackendUnavailable(f"the {self.name} server did not answer within {timeout} s; its log:\n{self.log()}")

    def _exchange(self, request: bytes) -> bytes:
        """First bytes of the server's answer to ``request``; empty when it refuses, closes or stays silent."""
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1.0) as connection:
            connection.sendall(request)
            return connection.recv(64)
        return b""


def free_port() -> int:
    """A TCP port nobody listens on, below the range that the kernel hands to outgoing connections.

    So nobody takes it by chance while the server that owned it is down.
    """
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise BackendUnavailable("no free TCP port found between 20000 and 32000")


def _make_directory(name: str) -> Path:
    base = Path("/dev/shm")  # noqa: S108 - tmpfs, made private by mkdtemp
    if not (base.is_dir() and os.access(base, os.W_OK) and shutil.disk_usage(base).free > _ROOM_NEEDED):
        base = Path(tempfile.gettempdir())
    _sweep(base)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{name}-", dir=base))


def _sweep(base: Path) -> None:
    """Remove what killed test runs of this user left in ``base``: a tmpfs is memory."""
    for left in base.glob(f"{_PREFIX}*"):
        owner = re.match(rf"{_PREFIX}(\d+)-", left.name)
        if owner and left.stat().st_uid == os.getuid() and not Path(f"/proc/{owner[1]}").exists():
            shutil.rmtree(left, ignore_errors=True)


@atexit.register
def _close_all() -> None:
    for server in list(_running):
        server.close()
