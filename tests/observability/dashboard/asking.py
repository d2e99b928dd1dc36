"""A client of an ASGI application in this loop: whole answers, and streams that it leaves when it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


def scope_of(method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """An ASGI scope; ``path`` may have a query."""
    path, _, query = path.partition("?")
    pairs = {"host": "dash.example", **(headers or {})}
    told = [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": told,
        "scheme": "https",
        "client": ("192.0.2.7", 40000),
        **more,
    }


async def ask(
    app: Any, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", **more: Any
) -> Answer:
    """One request, answered whole."""
    answer = Answer()
    told = asyncio.Queue[dict[str, Any]]()
    told.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.text += message["body"].decode()

    await app(scope_of(method, path, headers, **more), told.get, send)
    return answer


def asked(app: Any, method: str, path: str, **how: Any) -> Answer:
    """:func:`ask` in a loop of its own, as somebody who may."""
    how["headers"] = {"x-user": "anna", **how.get("headers", {})}
    return asyncio.run(ask(app, method, path, **how))


def pressed(app: Any, path: str, do: str, fields: Mapping[str, str] | None = None, **headers: str) -> Answer:
    """A button pressed on the dashboard's own page."""
    sent = {"x-user": "anna", "sec-fetch-site": "same-origin", **headers}
    body = urlencode({"do": do, **(fields or {})}).encode()
    return asyncio.run(ask(app, "POST", path, headers=sent, body=body))


class Watcher:
    """Somebody who looks at a page: :meth:`event` is what they are told next."""

    def __init__(self, app: Any, path: str, user: str = "anna") -> None:
        self.status = 0
        self._left = asyncio.Event()
        self._events = asyncio.Queue[dict[str, Any]]()
        self._said = False
        self.ended = asyncio.Event()
        self.task = asyncio.ensure_future(app(scope_of("GET", path, {"x-user": user}), self._receive, self._send))

    async def event(self) -> dict[str, Any]:
        """The next event's data."""
        return await asyncio.wait_for(self._events.get(), 10)

    async def leave(self) -> None:
        """Close the connection, and wait until the application has seen it."""
        self._left.set()
        await asyncio.wait_for(self.task, 10)

    async def _receive(self) -> dict[str, Any]:
        if not self._said:
            self._said = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if not message.get("more_body"):
            self.ended.set()
        for block in message["body"].decode().split("\n\n"):
            for line in block.split("\n"):
                if line.startswith("data: "):
                    self._events.put_nowait(json.loads(line[6:]))
