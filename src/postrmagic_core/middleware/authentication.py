"""Who asks: the hook by which an application says it, and what every later layer and log record is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from .._problem import Problem
from .._protocols import Identity
from .._work import Work
from ..errors import AuthenticateFailed, BackendError, PostrMagicError
from ..log import get_logger
from ..log.logger import drop_context, put_context
from .errors import away
from .interface import AsyncLayer, Layer, Middleware, Request, Response
from .order import middleware

log = get_logger("postrmagic_core.middleware.authentication")
_REQUIRED = Problem(401, "authentication.required", detail="This needs valid credentials.")


Authenticate: TypeAlias = "Callable[[Request], Identity | None] | Callable[[Request], Awaitable[Identity | None]]"


def authentication(
    authenticate: Authenticate, *, required: bool = False, challenge: str = 'Bearer realm="api"'
) -> Middleware:
    """Ask ``authenticate(request)`` who it is; the answer is ``request.state["identity"]``.

    ``authenticate`` returns an :class:`Identity`, or ``None`` for nobody: no credentials, or wrong ones. A plain
    function must not wait, as it runs on the event loop; a coroutine function awaits only faces from
    ``request.face(manager)``. ``user_id``, the identity's ``id``, is in the log context until the request has ended, so
    that jobs and events take it along. Websockets are asked too.

    ``required=True`` refuses nobody with 401 and ``challenge`` as ``WWW-Authenticate`` (RFC 9110, section 11.6.1). A
    :class:`BackendError` of ``authenticate`` is answered with 503, or 507 where a disk is full, whether required or
    not: who cannot be asked is not nobody. Any other error is a fault of ``authenticate`` and leaves without its text.
    """
    headers = {"www-authenticate": challenge}
    Response(401, headers=headers)  # its ValueError, if the challenge is no header's value, comes now
    # authenticate may use the session; what it raises is answered by errors; a key is replayed to its owner only.
    place = middleware(
        name="authentication", after=["errors", "sessions"], before=["idempotency"], scopes=["http", "websocket"]
    )

    def refusal(request: Request, identity: Identity | None) -> Response | None:
        request.state["identity"] = identity
        if identity is None:
            return Response.of(_REQUIRED, headers) if required else None
        put_context(user_id=_id_of(identity))
        request.at_end(_forget)
        return None

    async def waiting(request: Request) -> AsyncLayer:
        try:
            identity = await call(request)
        except Exception as error:
            refused: Response | None = _failed(error)
        else:
            refused = refusal(request, identity)
        if refused is not None:
            yield refused

    def layer(request: Request) -> Layer:
        try:
            identity = call(request)
        except Exception as error:
            refused: Response | None = _failed(error)
        else:
            refused = refusal(request, identity)
        if refused is not None:
            yield refused

    call: Any = authenticate
    return place(waiting) if iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__) else place(layer)


def _id_of(identity: Identity) -> str:
    name = getattr(identity, "id", None)
    if not isinstance(name, str) or not name:
        raise AuthenticateFailed(
            f"authenticate returned {type(identity).__qualname__}: expected None or an Identity, whose id is a text"
        )
    return name


def _failed(error: Exception) -> Response:
    if isinstance(error, BackendError):
        log.warning("who asks could not be found out", error=type(error).__qualname__, code=error.code)
        return away(error)
    if isinstance(error, PostrMagicError):
        raise error
    # The place is kept, the text is not: `users[token]` raises a KeyError that is the token.
    failure = AuthenticateFailed(f"authenticate raised {type(error).__qualname__}")
    raise failure.with_traceback(error.__traceback__) from None


def _forget(work: Work) -> None:
    drop_context("user_id")
