"""An ASGI application without a framework, inside a pipeline.

Run: ``python examples/integrations/bare_asgi.py``, then open http://127.0.0.1:8000/; its files go to ``var``.
"""

from __future__ import annotations

import json

import uvicorn

from postrmagic_core import Pipeline, Stack, Validator, get_logger
from postrmagic_core.integrations.asgi import install
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.asgi import ASGIApp, Receive, Send
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.interface import Scope
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.validation import Input

log = get_logger("posters")


class Poster(Input):
    title: str
    copies: int = 1


posters = Validator(Poster)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    state = scope["state"]
    match (scope["method"], scope["path"]):
        case ("GET", "/"):
            session = await state["session"]
            session.data["visits"] = session.data.get("visits", 0) + 1
            await answer(send, 200, {"request": state["request_id"], "visits": session.data["visits"]})
        case ("GET", "/visits"):
            log.info("counting")
            await answer(send, 200, {"visits": (await state["session"]).data.get("visits", 0)})
        case ("POST", "/posters"):
            await answer(send, 201, posters.validate_json(await body_of(receive)).model_dump())
        case ("GET", "/export"):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"poster %d\n" % number, "more_body": True})
            await send({"type": "http.response.body"})
        case ("GET", "/broken"):
            raise RuntimeError("the printer's password is hunter2")
        case _:
            await answer(send, 404, {"error": "no such page"})


async def body_of(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, status: int, value: object) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def make_app(stack: Stack) -> ASGIApp:
    pipeline = Pipeline(
        [
            request_id(),
            access_log(),
            security_headers(),
            errors(),
            body_limit(1_000_000),
            csrf(),
            sessions(stack.sessions),
        ]
    )
    return install(application, pipeline, stack)


if __name__ == "__main__":
    uvicorn.run(make_app(Stack.from_env()), log_config=None)
