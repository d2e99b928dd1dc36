"""The application with mistakes, each in an operation of its own: ``uvicorn tests.app.fuzzing.planted:app``."""

from __future__ import annotations

import json
from typing import Any

from media_library.asgi import app as site

# By path: the status and the body of what is answered in the place of the truth.
MISTAKES: dict[str, tuple[int, Any]] = {
    "/api/v1/stats": (
        500,
        {"type": "about:blank", "title": "Internal", "status": 500, "code": "http.500"},
    ),
    "/api/v1/account/factor": (418, {"type": "about:blank", "title": "A teapot", "status": 418, "code": "http.418"}),
    "/api/v1/tags": (200, {"data": [{"name": "jazz", "count": "many"}]}),
    "/api/v1/account/devices": (200, {"data": []}),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """As the application, but for these paths."""
    if scope["type"] != "http" or scope["path"] not in MISTAKES or scope["method"] != "GET":
        await site(scope, receive, send)
        return
    status, body = MISTAKES[scope["path"]]
    kind = b"application/json" if status < 400 else b"application/problem+json"
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
