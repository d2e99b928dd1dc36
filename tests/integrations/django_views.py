"""A Django project for what the example does not show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.cache import cache, caches
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from postrmagic_core._work import current_work
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.integrations.django import Edge, EdgeRequest
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.request_id import request_id
from tests.integrations.apps import PIPELINE, Gate

GATE = Gate()
edge = Edge(PIPELINE)
bare_pipeline = Pipeline([request_id()])
bare_edge = Edge(bare_pipeline)


def failing(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware that fails for one path."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/middleware":
            raise LookupError("canary")
        return get_response(request)

    return middleware


def work(request: HttpRequest, number: int) -> HttpResponse:
    """How the request is called."""
    return JsonResponse({"work": str(current_work())})


async def work_later(request: HttpRequest, number: int) -> HttpResponse:
    """The same in an async view."""
    return JsonResponse({"work": str(current_work())})


def raising(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    """A view that fails."""

    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def backend(request: HttpRequest) -> HttpResponse:
    """Which object Django's cache is."""
    cache.get("x")
    return JsonResponse({"id": id(caches["default"])})


def untold(request: EdgeRequest) -> HttpResponse:
    """Asks for what no layer told."""
    return JsonResponse({"identity": request.postrmagic.identity})


def cookie(request: HttpRequest) -> HttpResponse:
    """Sets cookies of its own."""
    response = HttpResponse(b"set")
    response.set_cookie("one", "1")
    response.set_cookie("two", "2")
    return response


def stream_wsgi(request: HttpRequest) -> StreamingHttpResponse:
    """A stream that waits for the test."""
    return StreamingHttpResponse(GATE.chunks())


def stream_asgi(request: HttpRequest) -> StreamingHttpResponse:
    """The same for ASGI."""
    return StreamingHttpResponse(GATE.later())


urlpatterns: list[Any] = [
    path("work/<int:number>", work),
    path("work-later/<int:number>", work_later),
    path("denied", raising(PermissionDenied("canary"))),
    path("suspicious", raising(SuspiciousOperation("canary"))),
    path("away", raising(BackendUnavailable("canary"))),
    path("fails", raising(ValueError("canary"))),
    path("backend", backend),
    path("untold", untold),
    path("cookie", cookie),
    path("stream-wsgi", stream_wsgi),
    path("stream-asgi", stream_asgi),
]
