"""The pipeline, the Stack and an Api in a Django project, under WSGI and ASGI.

Django makes responses of exceptions before anything around it sees them, and its test client calls the middleware
without the application around it. So there are two places::

    # shop/edge.py
    edge = Edge(pipeline, stack)

    # settings.py
    MIDDLEWARE = ["shop.edge.edge", …]

    # wsgi.py, and asgi.py with get_asgi_application()
    application = install(get_wsgi_application(), pipeline, stack)
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .._problem import problem_for
from ..errors import ConfigurationError
from ..middleware import Pipeline
from ..middleware.asgi import ASGIApp, Message, Receive, Send
from ..middleware.environ import STATE
from ..middleware.interface import Scope
from ..middleware.wsgi import Environ, StartResponse, WSGIApp
from ..stack import Stack
from . import _django_alone as alone
from ._parts import State, answers_errors, name_route, needing
from .asgi import install as install_asgi
from .wsgi import AtFirstRequest
from .wsgi import install as install_wsgi

with needing("Django", "django"):
    from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
    from django.conf import settings
    from django.core import signals
    from django.core.cache import caches
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase
    from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from ..api import Api

GetResponse: TypeAlias = Callable[[HttpRequest], Any]

_SLOT = "postrmagic.django"


class _Slot:
    """In a request's environ or scope: a pipeline is around Django, and takes the exception that is put here."""

    __slots__ = ("error", "takes")

    def __init__(self, pipeline: Pipeline) -> None:
        self.takes = answers_errors(pipeline)
        self.error: BaseException | None = None


def install(application: Callable[..., Any], pipeline: Pipeline, stack: Stack | None = None) -> Any:
    """Django's WSGI or ASGI ``application`` inside ``pipeline``, of the same kind.

    ``stack`` is open from the server's start-up to its shutdown; under WSGI each process opens it with its first
    request. Raises :class:`ConfigurationError` unless an :class:`Edge` stands in ``MIDDLEWARE``.
    """
    if not any(isinstance(import_string(path), Edge) for path in settings.MIDDLEWARE):
        raise ConfigurationError(
            "the pipeline does not see Django's exceptions: expected an Edge in MIDDLEWARE, as its first entry; "
            "`edge = Edge(pipeline, stack)` in a module of the project, and that module's name with `.edge` in settings"
        )
    if inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(type(application).__call__):
        return install_asgi(_handing_asgi(application, pipeline), pipeline, stack)
    inside = install_wsgi(_handing_wsgi(application, pipeline), pipeline, stack)

    def installed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # Django keeps its caches, and their connections, by context; made in a request's own they would end with it.
        caches.all()
        return inside(environ, start_response)

    return installed


def urlpatterns(api: Api) -> list[Any]:
    """The routes of ``api``, its specification and its reference, for a project's ``urlpatterns``, at their root.

    The layer ``authorization`` of the pipeline lets requests in, ``errors`` answers what is no client's mistake.
    Raises :class:`ConfigurationError` for a handler that is ``async def``.
    """
    from ._django_api import urlpatterns

    return urlpatterns(api)


def _handing_wsgi(application: WSGIApp, pipeline: Pipeline) -> WSGIApp:
    def handing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        slot = environ[_SLOT] = _Slot(pipeline)
        response = application(environ, start_response)
        if slot.error is not None:
            if (close := getattr(response, "close", None)) is not None:
                close()
            raise slot.error
        return response

    return handing


def _handing_asgi(application: ASGIApp, pipeline: Pipeline) -> ASGIApp:
    async def handing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        slot = scope[_SLOT] = _Slot(pipeline)

        async def reading() -> Message:
            try:
                return await receive()
            except Exception as error:
                # A layer refuses the body: Django closes its file for it as when a client leaves.
                slot.error = slot.error or error
                return {"type": "http.disconnect"}

        async def passing(message: Message) -> None:
            if slot.error is None:
                await send(message)

        await application(scope, reading, passing)
        if slot.error is not None:
            raise slot.error
        return None

    return handing


class EdgeRequest(HttpRequest):  # type: ignore[misc]  # Django has no types
    """A request as views see it, for type checkers."""

    postrmagic: State


class Edge:
    """The entry in ``MIDDLEWARE``, the first one: gives views ``request.postrmagic`` and the pipeline their exceptions.

    ``request.postrmagic.session.get()``, in an async view ``await request.postrmagic.session``; ``.request_id``, and
    what else the layers tell. An exception that Django would answer with its page for 500 is raised in the pipeline
    instead, ``DEBUG`` or not; ``got_request_exception`` is sent if it is the server's fault. Without ``errors`` in the
    pipeline Django's pages stay.

    Where no application of :func:`install` is around Django, as under its test client, the pipeline runs here: it sees
    heads, errors and bodies that are not streamed.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, pipeline: Pipeline, stack: Stack | None = None) -> None:
        self._pipeline = pipeline
        self._opened = None if stack is None else AtFirstRequest(stack)
        signals.got_request_exception.connect(_heard, dispatch_uid=_SLOT)

    def __call__(self, get_response: GetResponse) -> _Middleware:
        """What Django calls with the rest of its chain."""
        return _Middleware(self, get_response)


class _Middleware:
    """One of Django's handlers goes through this."""

    def __init__(self, edge: Edge, get_response: GetResponse) -> None:
        self._edge = edge
        self._get_response = get_response
        self._waits = iscoroutinefunction(get_response)
        if self._waits:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        told = _told(request)
        if self._waits:
            return self._waiting(request) if _SLOT in told else self._waiting_alone(request, told, self._get_response)
        if _SLOT in told:
            _greet(request)
            return self._get_response(request)
        if hasattr(request, "environ"):
            return self._alone(request, told)
        # A sync middleware further in makes Django call this one in a thread too.
        return async_to_sync(self._waiting_alone)(request, told, sync_to_async(self._get_response))

    async def _waiting(self, request: HttpRequest) -> HttpResponseBase:
        _greet(request)
        return cast(HttpResponseBase, await self._get_response(request))

    def _alone(self, request: HttpRequest, environ: Environ) -> HttpResponseBase:
        if self._edge._opened is not None:
            self._edge._opened()
        slot = environ[_SLOT] = _Slot(self._edge._pipeline)

        def respond() -> HttpResponseBase:
            _greet(request)
            return _unless_failed(slot, self._get_response(request))

        return alone.run(self._edge._pipeline, environ, respond)

    async def _waiting_alone(self, request: HttpRequest, scope: Scope, get_response: GetResponse) -> HttpResponseBase:
        if self._edge._opened is not None and self._edge._opened.needed:
            await asyncio.to_thread(self._edge._opened)
        slot = scope[_SLOT] = _Slot(self._edge._pipeline)

        async def respond() -> HttpResponseBase:
            _greet(request)
            return _unless_failed(slot, await get_response(request))

        return await alone.run_async(self._edge._pipeline, scope, respond)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django asks this last, when no other middleware made a response of a view's exception."""
        slot = _told(request).get(_SLOT)
        if slot is None or not slot.takes or isinstance(error, alone.DJANGOS):
            return None
        slot.error = error
        if problem_for(error).status >= 500:
            signals.got_request_exception.send(sender=None, request=request)
        # Nobody will see it; what stands between here and the edge sees that the request failed.
        return alone.logged(HttpResponse(status=500))


def _unless_failed(slot: _Slot, response: HttpResponseBase) -> HttpResponseBase:
    if slot.error is not None:
        raise slot.error
    return response


def _told(request: Any) -> Any:
    """The environ or the scope."""
    return request.environ if hasattr(request, "environ") else request.scope


def _greet(request: Any) -> None:
    told = _told(request)
    request.postrmagic = State(told[STATE] if STATE in told else told.get("state", {}))
    name_route(_Matched(request))


class _Matched:
    """The route of a request, which Django finds later than its middleware begin."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def path(self) -> str | None:
        match = self._request.resolver_match
        return None if match is None else f"/{match.route}"


def _heard(*, request: HttpRequest | None = None, **_: object) -> None:
    # Of the exceptions of other middleware Django tells only by this signal.
    slot = None if request is None else _told(request).get(_SLOT)
    if slot is not None and slot.takes and slot.error is None:
        slot.error = sys.exc_info()[1]
