"""A Starlette application inside a pipeline.

Run: ``python examples/integrations/starlette_app.py``, then open http://127.0.0.1:8000/; its files go to ``var``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from postrmagic_core import Pipeline, Stack, Validator, get_logger
from postrmagic_core.integrations.starlette import install
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.validation import Input

log = get_logger("posters")


class Poster(Input):
    title: str
    copies: int = 1


posters = Validator(Poster)


async def home(request: Request) -> Response:
    session = await request.state.session
    session.data["visits"] = session.data.get("visits", 0) + 1
    return JSONResponse({"request": request.state.request_id, "visits": session.data["visits"]})


def visits(request: Request) -> Response:  # a sync endpoint runs in a thread
    log.info("counting")
    return JSONResponse({"visits": request.state.session.get().data.get("visits", 0)})


async def poster(request: Request) -> Response:
    return JSONResponse({"id": request.path_params["number"]})


async def create(request: Request) -> Response:
    made = posters.validate_json(await request.body())
    return JSONResponse(made.model_dump(), 201, background=BackgroundTask(print_poster, made))


async def print_poster(made: Poster) -> None:
    log.info("printed", title=made.title)


async def export(_: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        for number in range(3):
            yield f"poster {number}\n"

    return StreamingResponse(lines(), media_type="text/plain")


async def broken(_: Request) -> Response:
    raise RuntimeError("the printer's password is hunter2")


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


def make_app(stack: Stack) -> Starlette:
    routes = [
        Route("/", home),
        Route("/visits", visits),
        Route("/posters", create, methods=["POST"]),
        Route("/posters/{number:int}", poster),
        Route("/export", export),
        Route("/broken", broken),
        WebSocketRoute("/echo", echo),
    ]
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
    return install(Starlette(routes=routes), pipeline, stack)


if __name__ == "__main__":
    uvicorn.run(make_app(Stack.from_env()), log_config=None)
