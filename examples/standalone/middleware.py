"""Middleware alone: one generator, around an application of either kind."""

from typing import Any
from wsgiref.util import setup_testing_defaults

from postrmagic_core.middleware import Layer, Pipeline, Request, Response


def maintenance(request: Request) -> Layer:
    if request.path == "/closed":
        yield Response(503, b"back soon\n", {"retry-after": "60"})
        return
    head = yield
    head.set("x-served-by", "example")


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"hello\n"]


for path in ("/", "/closed"):
    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    print(path, b"".join(Pipeline([maintenance]).wsgi(hello)(environ, lambda status, headers: print(status, headers))))
