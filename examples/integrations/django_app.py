"""A Django project, in one file, inside a pipeline: under WSGI and under ASGI.

Run: ``python examples/integrations/django_app.py``, then open http://127.0.0.1:8000/; its files go to ``var``.
Under ASGI: ``uvicorn --app-dir examples/integrations django_app:asgi``.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from wsgiref.simple_server import make_server

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from postrmagic_core import Pipeline, Stack, Validator, get_logger
from postrmagic_core.integrations.django import Edge, EdgeRequest, install
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.validation import Input

log = get_logger("posters")
stack = Stack.from_env()
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
edge = Edge(pipeline, stack)

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
    MIDDLEWARE=[f"{__name__}.edge", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(),
)
django.setup()


class Poster(Input):
    title: str
    copies: int = 1


posters = Validator(Poster)


async def home(request: EdgeRequest) -> HttpResponse:
    session = await request.postrmagic.session
    session.data["visits"] = session.data.get("visits", 0) + 1
    return JsonResponse({"request": request.postrmagic.request_id, "visits": session.data["visits"]})


def visits(request: EdgeRequest) -> HttpResponse:
    log.info("counting")
    return JsonResponse({"visits": request.postrmagic.session.get().data.get("visits", 0)})


def poster(_: HttpRequest, number: int) -> HttpResponse:
    return JsonResponse({"id": number})


def create(request: HttpRequest) -> HttpResponse:
    made = posters.validate_json(request.body)
    return JsonResponse(made.model_dump(), status=201)


def export(request: HttpRequest) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for number in range(3):
            yield f"poster {number}\n"

    async def later() -> AsyncIterator[str]:
        for line in lines():
            yield line

    return StreamingHttpResponse(later() if hasattr(request, "scope") else lines(), content_type="text/plain")


def broken(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("the printer's password is hunter2")


async def broken_later(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("the printer's password is hunter2")


urlpatterns = [
    path("", home),
    path("visits", visits),
    path("posters", create),
    path("posters/<int:number>", poster),
    path("export", export),
    path("broken", broken),
    path("broken-later", broken_later),
]

application = install(get_wsgi_application(), pipeline, stack)
asgi = install(get_asgi_application(), pipeline, stack)

if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server:
        server.serve_forever()
