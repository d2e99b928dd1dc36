"""A FastAPI application inside a pipeline.

Run: ``python examples/integrations/fastapi_app.py``, then open http://127.0.0.1:8000/; its files go to ``var``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from postrmagic_core import Pipeline, Stack, get_logger
from postrmagic_core.integrations.fastapi import install
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions

log = get_logger("posters")


class Poster(BaseModel):
    title: str
    copies: int = 1


def make_app(stack: Stack) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def home(request: Request) -> dict[str, object]:
        session = await request.state.session
        session.data["visits"] = session.data.get("visits", 0) + 1
        return {"request": request.state.request_id, "visits": session.data["visits"]}

    @app.get("/visits")
    def visits(request: Request) -> dict[str, int]:  # a sync endpoint runs in a thread
        log.info("counting")
        return {"visits": request.state.session.get().data.get("visits", 0)}

    @app.get("/posters/{number}")
    async def poster(number: int) -> dict[str, int]:
        return {"id": number}

    @app.post("/posters", status_code=201)
    async def create(made: Poster, background: BackgroundTasks) -> Poster:
        background.add_task(log.info, "printed", title=made.title)
        return made

    @app.get("/export")
    async def export() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for number in range(3):
                yield f"poster {number}\n"

        return StreamingResponse(lines(), media_type="text/plain")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the printer's password is hunter2")

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

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
    return install(app, pipeline, stack)


if __name__ == "__main__":
    uvicorn.run(make_app(Stack.from_env()), log_config=None)
