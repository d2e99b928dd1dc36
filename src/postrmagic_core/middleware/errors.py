"""Whatever goes wrong, the client gets a problem document and nothing of the exception."""

from __future__ import annotations

from dataclasses import replace

from .._problem import Problem, problem_for
from .._spans import spans
from ..errors import BackendError
from ..log import get_logger
from ..log.tracebacks import fingerprint
from .interface import Layer, Middleware, Request, Response
from .order import middleware

log = get_logger("postrmagic_core.middleware.errors")


def errors() -> Middleware:
    """Answer an exception with its problem document (RFC 9457): a stable code, the fields at fault, the request's id.

    Logged once: a server's fault (5xx) as an error with traceback and ``fingerprint``, which stays the same for the
    same error at the same place; a client's (4xx) as information. What fails after the head can only be logged.
    """

    @middleware(name="errors", after=["request_id", "access_log", "security_headers"])
    def layer(request: Request) -> Layer:
        try:
            yield
        except Exception as error:
            yield _answered(request, error)
        else:
            done = yield
            if isinstance(done.error, Exception) and not done.disconnected:
                _log(request, done.error, 500)

    return layer


def away(error: BackendError) -> Response:
    """What a layer answers that a backend keeps from its decision: never as if there were nobody, or nothing.

    By the status of the error's own code (507 for a full disk), 503 for what has none.
    """
    problem = problem_for(error)
    return Response.of(problem if problem.status != 500 else Problem(503, error.code))


def _answered(request: Request, error: Exception) -> Response:
    if request.disconnected:  # what fails because nobody waits any more is no fault
        return Response(499)
    problem = problem_for(error)
    _log(request, error, problem.status)
    name = request.state.get("request_id")
    return Response.of(replace(problem, extra={"request_id": name}) if name else problem)


def _log(request: Request, error: Exception, status: int) -> None:
    fields = {"method": request.method, "path": request.path, "status": status, "error": type(error).__qualname__}
    if status >= 500:
        if spans.recorder is not None:
            spans.recorder.fail(error)
        log.error("request failed", exc_info=error, fingerprint=fingerprint(error), **fields)
    else:
        log.info("request refused", code=getattr(error, "code", ""), **fields)
