"""The application with one mistake: ``uvicorn tests.app.fuzzing.planted:app``; ``PLANTED`` says which."""

from __future__ import annotations

import json
import os
from typing import Any

from media_library.asgi import app as site

PATH = "/api/v1/tags"
# By name: the status and the body of what is answered in the place of the truth.
MISTAKES: dict[str, tuple[int, Any]] = {
    "error": (500, {"type": "about:blank", "title": "Internal Server Error", "status": 500, "code": "http.500"}),
    "status": (418, {"type": "about:blank", "title": "I'm a teapot", "status": 418, "code": "http.418"}),
    "schema": (200, {"data": [{"name": "jazz", "count": "many"}]}),
    "open": (200, {"data": []}),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """As the application, but for one path."""
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
        await site(scope, receive, send)
        return
    status, body = MISTAKES[os.environ["PLANTED"]]
    kind = b"application/json" if status < 400 else b"application/problem+json"
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
