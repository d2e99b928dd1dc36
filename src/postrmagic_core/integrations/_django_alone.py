"""The pipeline inside Django's middleware chain, for requests that reach it without an application around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from ..middleware import Pipeline
from ..middleware.asgi import Message
from ..middleware.interface import Scope
from ..middleware.wsgi import Environ, StartResponse
from ._parts import needing

with needing("Django", "django"):
    from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
    from django.http import Http404, HttpResponse
    from django.http.multipartparser import MultiPartParserError
    from django.http.response import HttpResponseBase

DJANGOS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation, MultiPartParserError)
"""What Django answers by itself, with the project's own pages."""
R = TypeVar("R")
Pairs = Sequence[tuple[str, str]]


class _Body(bytes):
    """The body of Django's own response: none other is it, whatever it holds."""


def run(pipeline: Pipeline, environ: Environ, respond: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The response of Django's ``respond()`` as the layers leave it, or theirs."""
    made: list[tuple[HttpResponseBase, _Body]] = []
    heads: list[tuple[int, Pairs]] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response = respond()
        made.append((response, _body_of(response)))
        start_response(f"{response.status_code} {response.reason_phrase}", _headers_of(response))
        return [made[0][1]]

    def start_response(status: str, headers: Pairs, exc_info: object = None) -> Callable[[bytes], None]:
        heads.append((int(status[:3]), headers))
        return lambda _: None

    body = pipeline.wsgi(application)(environ, start_response)
    try:
        chunks = list(body)
    finally:
        body.close()  # type: ignore[attr-defined]  # what a pipeline returns has it, the type of WSGI does not say so
    return _outcome(made, *heads[-1], chunks)


async def run_async(
    pipeline: Pipeline, scope: Scope, respond: Callable[[], Awaitable[HttpResponseBase]]
) -> HttpResponseBase:
    """The same under ASGI. Django has read the request's body before."""
    made: list[tuple[HttpResponseBase, _Body]] = []
    heads: list[tuple[int, Pairs]] = []
    chunks: list[bytes] = []

    async def application(scope: Scope, receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        response = await respond()
        made.append((response, _body_of(response)))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _headers_of(response)]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": made[0][1]})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            heads.append((message["status"], pairs))
        else:
            chunks.append(message.get("body", b""))

    scope.setdefault("state", {})
    # Django's test client gives the query as text, where ASGI says bytes.
    query = scope.get("query_string", b"")
    seen = {**scope, "query_string": query.encode("latin-1") if isinstance(query, str) else query}
    await pipeline.asgi(application)(seen, receive, send)
    return _outcome(made, *heads[-1], chunks)


def logged(response: R) -> R:
    """Keep Django from logging ``response`` too: the pipeline does."""
    setattr(response, "_has_been_logged", True)  # noqa: B010  Django's own mark, in no class of its
    return response


def _body_of(response: Any) -> _Body:
    return _Body(b"" if response.streaming else response.content)


def _headers_of(response: HttpResponseBase) -> list[tuple[str, str]]:
    cookies = [("Set-Cookie", cookie.output(header="").strip()) for cookie in response.cookies.values()]
    return [*response.items(), *cookies]


def _outcome(
    made: list[tuple[HttpResponseBase, _Body]], status: int, headers: Pairs, chunks: list[bytes]
) -> HttpResponseBase:
    own = bool(made) and any(chunk is made[0][1] for chunk in chunks)
    response: HttpResponseBase = made[0][0] if own else logged(HttpResponse(b"".join(chunks)))
    known = [value for name, value in _headers_of(response) if name == "Set-Cookie"] if own else []
    response.status_code = status
    for name in list(response.headers):
        del response.headers[name]
    for name, value in headers:
        if name.lower() != "set-cookie":
            response.headers[name] = f"{response.headers[name]}, {value}" if name in response.headers else value
        elif value not in known:
            response.cookies.load(value)
    return response
