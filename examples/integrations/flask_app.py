"""A Flask application inside a pipeline.

Run: ``python examples/integrations/flask_app.py``, then open http://127.0.0.1:8000/; its files go to ``var``.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, g, request

from postrmagic_core import Pipeline, Stack, Validator, get_logger
from postrmagic_core.integrations.flask import install
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


def make_app(stack: Stack) -> Flask:
    app = Flask(__name__)

    @app.get("/")
    def home() -> dict[str, object]:
        session = g.postrmagic.session.get()
        session.data["visits"] = session.data.get("visits", 0) + 1
        return {"request": g.postrmagic.request_id, "visits": session.data["visits"]}

    @app.get("/visits")
    def visits() -> dict[str, int]:
        log.info("counting")
        return {"visits": g.postrmagic.session.get().data.get("visits", 0)}

    @app.get("/posters/<int:number>")
    def poster(number: int) -> dict[str, int]:
        return {"id": number}

    @app.post("/posters")
    def create() -> tuple[dict[str, object], int]:
        made = posters.validate_json(request.get_data())
        return made.model_dump(), 201

    @app.get("/export")
    def export() -> Response:
        def lines() -> Iterator[str]:
            for number in range(3):
                yield f"poster {number}\n"

        return Response(lines(), mimetype="text/plain")

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("the printer's password is hunter2")

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
    make_app(Stack.from_env()).run(port=8000)
