"""What `postrmagic serve` serves in its tests, and a process that serves it, to be talked to by sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postrmagic_core._bridge import Bridge
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.probes import probes
from postrmagic_core.observability.answers import Answers
from postrmagic_core.observability.health import Checks
from postrmagic_core.testing import spawn, until
from postrmagic_core.testing.process import Child


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    what, _, how = scope["path"].strip("/").partition("/")
    if what == "sleep":
        _note("began")
        await asyncio.sleep(float(how))
    elif what == "hang":
        _note("began")
        await asyncio.to_thread(time.sleep, float(how))
    kind = b"text/event-stream" if what == "events" else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if what in ("events", "endless"):
        with contextlib.suppress(GeneratorExit):
            while True:
                await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
                await asyncio.sleep(0.05)
    await send({"type": "http.response.body", "body": b"done"})


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    if "FAILS" in os.environ:
        await send({"type": "lifespan.startup.failed", "message": "Traceback\nRuntimeError: no database"})
        return
    if "TAKES" in os.environ:
        _taken.append(socket.create_server(("127.0.0.1", int(os.environ["TAKES"]))))
    _note("opened")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if "HANGS" in os.environ:
        await asyncio.sleep(600)
    _note("closed")
    await send({"type": "lifespan.shutdown.complete"})


_taken: list[socket.socket] = []


def _note(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


_checks = Checks()
app = Pipeline([probes(Answers(_checks, None, Bridge()))]).asgi(_bare)
numbers = [1, 2, 3]


def wsgi(environ: Any, start_response: Any) -> Any:
    """No application for ASGI."""


def factory() -> Any:
    """Makes one."""
    return app


class Served:
    """A process that serves, where it listens, and what it says of itself."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child = child
        self._log = log

    @property
    def address(self) -> str:
        """Where it listens, once it does, as it says it itself."""
        until(lambda: " at " in self.said or not self.child.alive, timeout=30)
        return self.said.partition(" at ")[2].partition(",")[0].removeprefix("http://")

    @property
    def port(self) -> int:
        """Where it listens at 127.0.0.1."""
        return int(self.address.rpartition(":")[2])

    @property
    def said(self) -> str:
        """Its standard error."""
        return self._log.read_text()

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.kill(self.child.pid, signal.SIGINT)

    def connect(self) -> Client:
        """A connection of its own."""
        return Client(socket.create_connection(("127.0.0.1", self.port), 20))

    def ask(self, path: str) -> bytes:
        """The whole answer, by a connection of its own."""
        with self.connect() as client:
            return client.ask(path)

    def listens(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionError:
            return False
        return True


class Client:
    """A connection that is kept; an answer is a head and a body of its length, in chunks or to the end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._sock.close()

    def send(self, path: str) -> None:
        """Ask for ``path``."""
        self._sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def head(self) -> bytes:
        """The head of an answer; empty where the connection ended before."""
        lines = []
        while line := self._file.readline():
            lines.append(line)
            if line == b"\r\n":
                return b"".join(lines)
        return b""

    def body(self, head: bytes) -> bytes:
        """Its body; :class:`EOFError` where it was cut off."""
        if b"content-length: " in head:
            return self._file.read(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
        whole = b""
        while size := int(self._file.readline() or self._cut(), 16):
            whole += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return whole

    def _cut(self) -> bytes:
        raise EOFError("the answer was cut off")

    def answer(self) -> bytes:
        """Head and body."""
        head = self.head()
        return head + self.body(head) if head else b""

    def ask(self, path: str) -> bytes:
        """Ask, and have the whole answer."""
        self.send(path)
        return self.answer()

    def ended(self) -> bool:
        """Whether the server has closed it; waits for that."""
        return self._file.read() == b""


@contextmanager
def serving(directory: Path, *options: str, app: str = "tests.cli.served:app", **environment: str) -> Iterator[Served]:
    """`postrmagic serve` in a process of its own, on a free port."""
    log = directory / f"serve-{time.monotonic_ns()}.log"
    log.touch()
    with spawn(_serve, str(log), [app, *options], env={"TERM": "dumb", "COLUMNS": "200", **environment}) as child:
        yield Served(child, log)


def _serve(log: str, arguments: list[str]) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)
    from postrmagic_core.cli import main

    ports = [] if {"--port", "--uds"} & set(arguments) else ["--port", "0"]
    sys.argv = ["postrmagic", "serve", *arguments, *ports]
    main()


class Obedient(threading.Thread):
    """A load balancer's health check and its requests, for as long as it is ready.

    ``keeps``: by a connection that is kept as long as its answers let it be; else by a new one each.
    """

    def __init__(self, served: Served, *, keeps: bool) -> None:
        super().__init__()
        self._served = served
        self._keeps = keeps
        self._kept: Client | None = None
        self._ready = True
        self.done = 0
        self.failed: list[str] = []
        self.after = 0
        """Requests that were answered once it had said that it drains."""

    def run(self) -> None:
        """Look ten times a second; ask all the time."""
        looked = 0.0
        while self._ready:
            if time.monotonic() - looked > 0.1:
                looked = time.monotonic()
                self._ready = self._try("/readyz", self._served.ask).startswith(b"HTTP/1.1 200")
            answer = self._try("/", self._by_kept if self._keeps else self._served.ask)
            self.done += 1
            time.sleep(0.005)
            self.after += b"connection: close" in answer
            if b"200 OK" not in answer or not answer.endswith(b"done"):
                self.failed.append(repr(answer))

        self._leave()

    def _by_kept(self, path: str) -> bytes:
        self._kept = self._kept or self._served.connect()
        answer = self._kept.ask(path)
        if b"connection: close" in answer:
            self._leave()
        return answer

    def _leave(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _try(self, path: str, ask: Callable[[str], bytes]) -> bytes:
        try:
            return ask(path)
        except OSError as error:
            self.failed.append(f"{path}: {error}")
            self._leave()
            return b""
