"""Receivers that tests run: by HTTP, by syslog, and one that only notes what it was given."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

Answer = tuple[int, dict[str, str], bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients hang up on purpose here."""


class HttpReceiver:
    """Takes POSTs on a port of its own; ``answer`` decides by the body, gunzipped, what it says.

    ``taken`` are the bodies that it answered with a success, ``asked`` all of them with their head.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answer: Callable[[bytes], Answer] = lambda body: (200, {}, b"")
        self.taken: list[bytes] = []
        self.asked: list[tuple[str, Any, bytes]] = []
        self.connections = 0
        self.silent = threading.Event()
        self._context = context
        self._hold = threading.Event()
        self._live: list[socket.socket] = []
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the port it had."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                receiver._live.append(self.request)
                super().setup()

            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *arguments: object) -> None:
                """Nothing."""

        self._server = _Server(("127.0.0.1", self.port), Handler)
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.asked.append((handler.path, handler.headers, body))
        if self.silent.is_set():
            handler.close_connection = True
            self._hold.wait(30)
            return
        status, fields, content = self.answer(body)
        if 200 <= status < 300:
            self.taken.append(body)
        handler.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def stop(self) -> None:
        """Listen no longer; connections that are there end."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self._live:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._live.clear()

    @property
    def url(self) -> str:
        """Where it is."""
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def texts(self) -> list[str]:
        """What the lines tell that it took as newline-delimited JSON."""
        return [orjson.loads(line)["event"] for body in list(self.taken) for line in body.splitlines()]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens."""
        self.stop()
        yield
        self.start()

    @contextmanager
    def silence(self) -> Iterator[None]:
        """It takes everything and says nothing."""
        self.silent.set()
        self._hold = threading.Event()
        yield
        self.silent.clear()
        self._hold.set()

    @contextmanager
    def answering(self, status: int, fields: dict[str, str] | None = None) -> Iterator[None]:
        """The same to everybody."""
        before, self.answer = self.answer, lambda body: (status, fields or {}, b"")
        yield
        self.answer = before


class Note:
    """A shipper that notes what it is given; ``fails``, if it is set, is asked first and may raise."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.fails: Callable[[Sequence[bytes]], object] = lambda lines: None
        self.closed = 0

    @property
    def texts(self) -> list[str]:
        """What the lines tell."""
        return [orjson.loads(line)["event"] for batch in self.batches for line in batch]

    def ship(self, lines: Sequence[bytes]) -> int:
        """Take them."""
        self.fails(lines)
        self.batches.append(list(lines))
        return 0

    def close(self) -> None:
        """Count it."""
        self.closed += 1


class SyslogReceiver:
    """Takes messages counted by octets on a port of its own, by TLS with a ``context``."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.messages: list[bytes] = []
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except OSError:
                if self._listening.fileno() < 0:
                    return
                continue
            self._connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (digit := stream.read(1)) != b"":
                    length = digit
                    while (digit := stream.read(1)) != b" ":
                        length += digit
                    self.messages.append(stream.read(int(length)))
        except OSError:
            return

    def hang_up(self) -> None:
        """Close every connection there is."""
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._connections.clear()

    def close(self) -> None:
        """Listen no longer."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        self.hang_up()
