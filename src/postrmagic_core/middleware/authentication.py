"""Who asks: the hook by which an application says it, and what every later layer and log record is told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias

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


class Refused(Enum):
    """What ``authenticate`` may answer beside an identity and ``None``: nobody, and why."""

    TOKEN = 1


REFUSED: Final = Refused.TOKEN
"""Nobody, though a bearer token was sent: it is not good. The client is to be told so, to get another one."""

Authenticate: TypeAlias = (
    "Callable[[Request], Identity | Refused | None] | Callable[[Request], Awaitable[Identity | Refused | None]]"
)

# One challenge that is of the scheme alone, or with parameters; what is more than one is left as it is.
_BEARER = re.compile(r"bearer(?: +(?P<parameters>[^\s=,]+ *=.*))?", re.IGNORECASE).fullmatch
_ANOTHER = re.compile(r',[ \t]*[^\s=,"]+(?:[ \t]+[^\s=,]|[ \t]*(?:,|\Z))').search


def authentication(
    authenticate: Authenticate, *, required: bool = False, challenge: str = 'Bearer realm="api"'
) -> Middleware:
    """Ask ``authenticate(request)`` who it is; the answer is ``request.state["identity"]``.

    ``authenticate`` returns an :class:`Identity`, or ``None`` for nobody: no credentials, or wrong ones; or
    :data:`REFUSED` for nobody who has sent a bearer token that is not good, as what :func:`.bearer_tokens` makes does.
    A plain function must not wait, as it runs on the event loop; a coroutine function awaits only faces from
    ``request.face(manager)``. ``user_id``, the identity's ``id``, is in the log context until the request has ended, so
    that jobs and events take it along. Websockets are asked too.

    ``required=True`` refuses nobody with 401 and ``challenge`` as ``WWW-Authenticate`` (RFC 9110, section 11.6.1); with
    ``error="invalid_token"`` in it for a refused token (RFC 6750, section 3.1), and without an error where none was
    sent. Not required, a refused token is nobody, and ``request.state["bearer_refused"]`` is true: what is public needs
    no credentials, so that wrong ones are no reason to refuse it, and a client can get at where it gets a new one.
    Where somebody is needed after all, ``authorization`` tells of the error.

    A :class:`BackendError` of ``authenticate`` is answered with 503, or 507 where a disk is full, whether required or
    not: who cannot be asked is not nobody. Any other error is a fault of ``authenticate`` and leaves without its text.
    """
    challenges = Challenges(challenge)
    # authenticate may use the session; what it raises is answered by errors; a key is replayed to its owner only.
    place = middleware(
        name="authentication", after=["errors", "sessions"], before=["idempotency"], scopes=["http", "websocket"]
    )

    def refusal(request: Request, identity: Identity | Refused | None) -> Response | None:
        if isinstance(identity, Refused):
            request.state["bearer_refused"] = True
            identity = None
        request.state["identity"] = identity
        if identity is None:
            return Response.of(_REQUIRED, challenges.for_nobody(request)) if required else None
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


class Challenges:
    """What ``WWW-Authenticate`` says; :class:`ValueError` if ``challenge`` is no header's value."""

    def __init__(self, challenge: str) -> None:
        self._challenge = challenge
        self._plain = {"www-authenticate": challenge}
        self._invalid = {"www-authenticate": self._with('error="invalid_token"')}
        Response(401, headers=self._plain)

    def for_nobody(self, request: Request) -> dict[str, str]:
        """The header for who may not as nobody: with an error if they sent a token (RFC 6750, section 3.1)."""
        return self._invalid if request.state.get("bearer_refused") else self._plain

    def for_scope(self, scope: str | None) -> dict[str, str]:
        """The header for who may not by this token; ``scope`` is what one needs that may, where that can be said."""
        told = 'error="insufficient_scope"' + (f', scope="{scope}"' if scope else "")
        return {"www-authenticate": self._with(told)}

    def _with(self, told: str) -> str:
        found = _BEARER(self._challenge)
        if found is None or _ANOTHER(self._challenge):
            return f"{self._challenge}, Bearer {told}"
        return f"{self._challenge}, {told}" if found["parameters"] else f"Bearer {told}"


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
