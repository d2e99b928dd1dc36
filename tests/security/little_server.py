"""A little HTTP server that behaves as it is told, and one in a process of its own that can be stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behave = Callable[[Any], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        server: Any = self.server
        server.seen.append((self.path, dict(self.headers), self.rfile.read(length)))
        self.close_connection = True
        server.behave(self)

    def do_GET(self) -> None:
        """Answer as the server behaves."""
        self._answer()

    def do_POST(self) -> None:
        """The same."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    behave: Behave
    seen: list[tuple[str, dict[str, str], bytes]]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is none."""


class LittleServer:
    """On 127.0.0.1; ``behave(handler)`` answers each request, and ``seen`` tells of all that came."""

    def __init__(self, behave: Behave) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.seen = []
        self._server.behave = behave
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/x"

    @property
    def seen(self) -> list[tuple[str, dict[str, str], bytes]]:
        """Path, headers and body of each request."""
        return self._server.seen

    def behaves(self, behave: Behave) -> None:
        """Answer so from now on."""
        self._server.behave = behave

    def close(self) -> None:
        """Away."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(behave: Behave) -> Iterator[LittleServer]:
    """A server for the block."""
    server = LittleServer(behave)
    try:
        yield server
    finally:
        server.close()


def says(body: bytes, status: int = 200, **headers: str) -> Behave:
    """Answer so, as servers do."""

    def behave(handler: Any) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def raw(*pieces: bytes, pause: float = 0.0) -> Behave:
    """Answer with these bytes, whatever they are, ``pause`` seconds between the pieces."""

    def behave(handler: Any) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)

    return behave


def dribbling(body: bytes) -> Behave:
    """Answer, a byte at a time, each of them well within any time-out for one read."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return raw(*(bytes([byte]) for byte in head + body), pause=0.3)


_PROGRAM = """
import http.server, sys
body = sys.stdin.buffer.read()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class ServerProcess:
    """Answers everything with ``body``, from a process of its own."""

    def __init__(self, body: bytes, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(body)
        self._process.stdin.close()
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/x"

    def stop(self) -> None:
        """As if its machine hung."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """As if nothing had been."""
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
