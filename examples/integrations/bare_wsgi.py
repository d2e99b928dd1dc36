"""A WSGI application without a framework, inside a pipeline.

Run: ``python examples/integrations/bare_wsgi.py``, then open http://127.0.0.1:8000/; its files go to ``var``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from wsgiref.simple_server import make_server

from postrmagic_core import Pipeline, Stack, Validator, get_logger
from postrmagic_core.integrations.wsgi import install
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.middleware.wsgi import Environ, StartResponse, WSGIApp
from postrmagic_core.validation import Input

log = get_logger("posters")


class Poster(Input):
    title: str
    copies: int = 1


posters = Validator(Poster)


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    state = environ["postrmagic.state"]
    match (environ["REQUEST_METHOD"], environ["PATH_INFO"]):
        case ("GET", "/"):
            session = state["session"].get()
            session.data["visits"] = session.data.get("visits", 0) + 1
            return answer(start_response, "200 OK", {"request": state["request_id"], "visits": session.data["visits"]})
        case ("GET", "/visits"):
            log.info("counting")
            return answer(start_response, "200 OK", {"visits": state["session"].get().data.get("visits", 0)})
        case ("POST", "/posters"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return answer(start_response, "201 Created", posters.validate_json(body).model_dump())
        case ("GET", "/export"):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return (b"poster %d\n" % number for number in range(3))
        case ("GET", "/broken"):
            raise RuntimeError("the printer's password is hunter2")
    return answer(start_response, "404 Not Found", {"error": "no such page"})


def answer(start_response: StartResponse, status: str, value: object) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


def make_app(stack: Stack) -> WSGIApp:
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
    with make_server("127.0.0.1", 8000, make_app(Stack.from_env())) as server:
        server.serve_forever()
