"""The routes of an Api in a Django project, under WSGI and ASGI: plain views, which Django runs on threads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path as route

from ..api import Api, Call
from ..api.endpoint import Endpoint, Place
from ..api.interface import PlainResponse
from ..middleware.environ import STATE
from ._api import Waited, check_plain, not_ours
from ._django_alone import DJANGOS, logged

_PIECE = 65_536  # bytes


def urlpatterns(api: Api) -> list[Any]:
    """All of them; :class:`ConfigurationError` for a handler that is ``async def``."""
    check_plain(api, "Django")
    made = [
        route(place.path[1:].replace("{", "<str:").replace("}", ">"), _Served(place), name=place.path)
        for place in api.places
    ]
    return made + [route(path[1:], _Page(api, path), name=path) for path in api.pages]


class _View:
    # Django's own check needs a token in a form or a header, and a script with credentials of its own has neither:
    # `csrf` in the pipeline, which looks at where a browser says that the request comes from, decides in its place.
    csrf_exempt = True


class _Served(_View):
    """One path of an Api as a view."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self, request: Any, **values: str) -> HttpResponseBase:
        endpoint = self._place.endpoint(request.method)
        if endpoint is None:
            return _response(request, self._place.not_allowed)
        try:
            answer = endpoint.respond_now(_call(endpoint, request, values))
        except DJANGOS as error:
            raise not_ours(endpoint, error) from error
        return _response(request, answer)


class _Page(_View):
    """One of the pages about an Api as a view."""

    def __init__(self, api: Api, path: str) -> None:
        self._api, self._path = api, path

    def __call__(self, request: Any) -> HttpResponseBase:
        return _response(request, self._api.page(self._path, _headers(request), request.method))


def _call(endpoint: Endpoint, request: Any, values: dict[str, str]) -> Call:
    told, name = (request.environ, STATE) if hasattr(request, "environ") else (request.scope, "state")
    return Call(
        operation=endpoint.operation,
        method=request.method,
        path=request.path,
        headers=_headers(request),
        query=request.META.get("QUERY_STRING", ""),
        values=values,
        source=Waited(request),
        state=told.setdefault(name, {}),
        client=request.META.get("REMOTE_ADDR") or None,
        native=request,
    )


def _headers(request: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _response(request: Any, answer: PlainResponse) -> HttpResponseBase:
    head = request.method == "HEAD"
    if answer.file is not None:
        size = answer.file.stat().st_size
        response = HttpResponse() if head else StreamingHttpResponse(_pieces(request)(answer.file))
    else:
        size = len(answer.body)
        response = HttpResponse(b"" if head else answer.body)
    response.status_code = answer.status
    del response.headers["Content-Type"]  # a guess, where the answer has no body
    for name, value in answer.headers.items():
        response.headers[name] = value
    if answer.status not in {204, 304}:
        response.headers["Content-Length"] = str(size)
    return logged(response)


def _pieces(request: Any) -> type[_Pieces | _AwaitedPieces]:
    return _Pieces if hasattr(request, "environ") else _AwaitedPieces


class _File:
    """An open file that Django closes with the response."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")

    def close(self) -> None:
        """What Django calls in any case."""
        self._file.close()


class _Pieces(_File):
    """The file piece by piece, for a server that waits."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(_PIECE), b"")


class _AwaitedPieces(_File):
    """The same for a server that awaits, where Django would read the other one whole before it sends any of it."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await sync_to_async(self._file.read, thread_sensitive=False)(_PIECE):
            yield chunk
