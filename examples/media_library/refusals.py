"""What a client may know about an error: a stable code, and words that tell no more than they should."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from postrmagic_core._problem import Problem, problem_for
from postrmagic_core.errors import AccessDenied, DataError, Overloaded, PostrMagicError

from .library import NotFound, QuotaExceeded
from .logins import CodeRefused, LoginRefused, StartAgain, Throttled
from .storage import Damaged
from .wire import problem

logger = logging.getLogger("media_library")

_TOLD: dict[type[PostrMagicError], tuple[int, str]] = {
    NotFound: (404, "There is no such medium in your library."),
    QuotaExceeded: (413, "This file does not fit into your quota."),
    Damaged: (500, "The stored file is damaged, so it is not given out."),
    LoginRefused: (401, "Name or password is wrong."),
    CodeRefused: (401, "This code is wrong or was used. Wait for the next one."),
    StartAgain: (401, "Enter your name and your password again."),
    Throttled: (429, "Too many attempts: try again later."),
    Overloaded: (503, "Too much is asked for: try again shortly."),
}


async def refused(request: Request, error: Exception) -> Response:
    """The answer to an error of ours or of Starlette's."""
    if isinstance(error, AccessDenied) and error.hidden:
        # That somebody else has such a medium is not told.
        error = NotFound("hidden")
    if isinstance(error, Damaged):
        logger.error("a stored file is damaged", exc_info=error)
    if isinstance(error, PostrMagicError) and type(error) in _TOLD:
        status, detail = _TOLD[type(error)]
        return problem(Problem(status, error.code, detail=detail), retry_after=_wait(error))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    if isinstance(error, HTTPException):
        return problem(Problem(error.status_code, f"http.{error.status_code}"))
    return problem(problem_for(error), locale=getattr(request.state, "told_in", None))


def _wait(error: PostrMagicError) -> float | None:
    if isinstance(error, Throttled):
        return error.retry_after
    return 1.0 if isinstance(error, Overloaded) else None


MISTAKES: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = dict.fromkeys(
    (HTTPException, DataError, AccessDenied, ClientDisconnect, *_TOLD), refused
)
"""A client's mistakes, and a damaged file, are answered here; whatever else goes wrong by ``errors()``, which logs."""
