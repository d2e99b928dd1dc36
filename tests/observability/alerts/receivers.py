"""Receivers of notifications that tests start: a mail server, and one of HTTP."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Posts:
    """An HTTP server; ``got`` are headers and bodies, ``status`` is what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        kept = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if kept.status < 300:
                    kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(kept.status)
                for name, value in kept.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_request(self, code: Any = "-", size: Any = "-") -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.port = self.server.server_port

    @contextmanager
    def running(self, context: ssl.SSLContext | None = None) -> Iterator[Posts]:
        """While the block runs; with TLS where a context is given."""
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    @contextmanager
    def answering(self, status: int, **headers: str) -> Iterator[None]:
        """It answers so while the block runs."""
        self.status, self.headers = status, headers
        yield
        self.status, self.headers = 204, {}

    def told(self) -> list[str]:
        """The bodies, each with the headers that name it."""
        return [f"{headers.get('webhook-id', '')} {body.decode()}" for headers, body in self.got]


class Mailbox:
    """A mail server; ``got`` are the mails, each with its recipients. ``answer`` is what it says to a mail."""

    def __init__(self, context: ssl.SSLContext | None = None, *, password: str = "") -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []
        self.answer = "250 OK"
        self.unknown: set[str] = set()

        def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            good = isinstance(data, LoginPassword) and data.password.decode() == password
            return AuthResult(success=good, handled=False)

        how: dict[str, Any] = {"tls_context": context, "require_starttls": True} if context is not None else {}
        if password:
            how |= {"authenticator": authenticate, "auth_required": True}

        self._make = partial(SMTP, self, hostname="localhost", **how)
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, *told: Any) -> str:  # noqa: N802 - its name
        """Take the recipients that are known."""
        if told[0] in self.unknown:
            return "550 unknown"
        envelope.rcpt_tos.append(told[0])
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take the mail, or not."""
        if self.answer.startswith("2"):
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.got.append((envelope.rcpt_tos, mail))
        return self.answer

    @contextmanager
    def running(self) -> Iterator[Mailbox]:
        """While the block runs, at a port of its own."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(loop.create_server(partial(self._make, loop=loop), "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_ended(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @contextmanager
    def answering(self, answer: str) -> Iterator[None]:
        """It answers so to mails while the block runs."""
        self.answer = answer
        yield
        self.answer = "250 OK"

    def told(self) -> list[str]:
        """The mails as a reader gets them: id, subject, text and page."""
        parts = [[part.get_content() for part in mail.iter_parts()] for _, mail in self.got]
        heads = [f"{mail['message-id']}\n{mail['subject']}" for _, mail in self.got]
        return ["\n".join([head, *texts]) for head, texts in zip(heads, parts, strict=True)]


async def _ended(server: asyncio.Server) -> None:
    """Listen no more, and leave nothing under way."""
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
