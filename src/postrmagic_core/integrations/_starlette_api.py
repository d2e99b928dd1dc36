"""The routes of an Api for Starlette, and for what is built on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ..api import Api, Call
from ..api.endpoint import Endpoint, Place
from ..api.interface import PlainResponse
from ..errors import UsageError
from ..middleware.asgi import ASGIApp, Message, Receive, Send
from ..middleware.interface import Scope
from ._api import not_ours


def routes(api: Api) -> list[Route]:
    """One for each path, and for each page."""
    # An object takes every method: what a path has not is answered as everything else is, by a problem document.
    made = [Route(place.path, _Served(place), name=place.path) for place in api.places]
    return made + [Route(path, _Page(api, path), name=path) for path in api.pages]


class _Served:
    """One path of an Api as an ASGI application."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._place.endpoint(scope["method"])
        if endpoint is None:
            answer = self._place.not_allowed
        else:
            try:
                answer = await endpoint.respond(_call(endpoint, Request(scope, receive, send)), run_in_threadpool)
            except HTTPException as error:
                raise not_ours(endpoint, error) from error
            if answer.file is not None:
                file = FileResponse(answer.file, answer.status, answer.headers)
                return await _sent(endpoint, file)(scope, receive, send)
        return await _response(answer)(scope, receive, send)


def _call(endpoint: Endpoint, request: Request) -> Call:
    scope = request.scope
    client = scope.get("client")
    return Call(
        operation=endpoint.operation,
        method=scope["method"],
        path=scope["path"],
        headers=_headers(scope),
        query=scope["query_string"].decode("latin-1"),
        values=scope.get("path_params", {}),
        source=_Body(request),
        state=scope.setdefault("state", {}),
        client=None if client is None else client[0],
        native=request,
    )


class _Page:
    """One of the pages about an Api as an ASGI application."""

    def __init__(self, api: Api, path: str) -> None:
        self._api, self._path = api, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._api.page(self._path, _headers(scope), scope["method"])
        await _response(answer)(scope, receive, send)


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _response(answer: PlainResponse) -> Response:
    return Response(answer.body, answer.status, answer.headers)


def _sent(endpoint: Endpoint, file: FileResponse) -> ASGIApp:
    """A file, or the part of it that is asked for; of a range that cannot be Starlette's words become a problem."""

    async def sending(scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def passing(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in {400, 416}:
                refused = True
                told = Headers(raw=message["headers"]).get("content-range")
                problem = endpoint.plain(message["status"], {} if told is None else {"content-range": told})
                await _response(problem)(scope, receive, send)
            elif not refused:
                await send(message)

        await file(scope, receive, passing)

    return sending


class _Body:
    """The body of a Starlette request."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they arrive."""
        return self._request.stream()

    def file(self) -> Any:
        """There is none: nothing waits here."""
        raise UsageError("the body of an ASGI request is awaited")
