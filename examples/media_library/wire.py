"""What every part of the HTTP interface does with a request: read its body, find out who asks, refuse in one form."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from postrmagic_core._problem import CONTENT_TYPE, Problem
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.security.access import User as Identity
from postrmagic_core.validation import Validator
from postrmagic_core.validation.locales import negotiate

from .accounts import User
from .logins import Origin

T = TypeVar("T")
LOCALES = ("en", "de")  # the first where the client asks for neither
_JSON_LIMIT = 64 * 1024
# A device that has logged in to an account is told apart from those that guess; it logs nobody in.
DEVICE, DEVICE_SECONDS = "device", 90 * 86_400


def problem(document: Problem, *, retry_after: float | None = None, locale: str | None = None) -> Response:
    """A problem document as a response; ``locale`` is the language of its messages, where the client chose it."""
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    if locale is not None:
        headers |= {"Content-Language": locale, "Vary": "Accept-Language"}
    return Response(document.body(), document.status, headers, CONTENT_TYPE)


async def read(request: Request, form: Validator[T]) -> T:
    """What the client sent, checked; what is wrong with it is told in the client's language."""
    body = await body_of(request)
    locale = negotiate(", ".join(request.headers.getlist("accept-language")), LOCALES)
    try:
        return await form.aio.validate_json(body, locale=locale)
    except ValidationFailed:
        request.state.told_in = locale
        raise


async def body_of(request: Request) -> bytes:
    """A small JSON body."""
    expect(request, "application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _JSON_LIMIT:
            raise HTTPException(413)
    return bytes(body)


def expect(request: Request, content_type: str) -> None:
    """Another content type is refused: a plain form of another site does not pass for one of ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != content_type:
        raise HTTPException(415)


async def session_of(request: Request) -> Any:
    """The session."""
    return await request.state.session


def user_of(request: Request) -> User:
    """The account of who asks; the routes that call this are guarded."""
    user: User = request.state.user
    return user


def identity_of(request: Request) -> Identity:
    """Who asks, with the roles they have now; the routes that call this are guarded."""
    identity: Identity = request.state.identity
    return identity


def origin_of(request: Request) -> Origin:
    """Where the request came from."""
    address = None if request.client is None else request.client.host
    return Origin(address, request.cookies.get(f"__Host-{DEVICE}") or request.cookies.get(DEVICE))


def number_of(given: str) -> int | None:
    """An id in a path or a query; ``None`` for what cannot be one."""
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else None
