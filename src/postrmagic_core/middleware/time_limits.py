"""No client and no handler may hold a request for ever."""

from __future__ import annotations

from .._clock import Clock, SystemClock
from .._problem import Problem
from ..errors import BodyTooSlow, ResponseTooSlow
from .interface import Layer, Middleware, Request, Response, closing
from .order import middleware
from .pipeline_request import of_pipeline

_SLOW_BODY = Problem(408, BodyTooSlow.code, detail="The request's body arrives too slowly.")
_SLOW_ANSWER = Problem(503, ResponseTooSlow.code, detail="The answer takes longer than is allowed.")


def time_limits(
    *, body: float = 30.0, bytes_per_second: float = 1000.0, response: float | None = 60.0, clock: Clock | None = None
) -> Middleware:
    """Give the body ``body`` seconds to arrive, and one more for each ``bytes_per_second`` of it; else 408.

    So a large upload over a slow line passes, and one that trickles does not. The application gets ``response`` seconds
    (``None``: any time) until it sends its head; then it is cancelled, and the client told 503. Under WSGI nothing can
    be cancelled: there only what arrives too late is refused, and the server's own limits do the rest. A request's
    head is the server's to bound, as it makes a request only of a whole one.
    """
    if body <= 0 or bytes_per_second <= 0 or (response is not None and response <= 0):
        raise ValueError("body, bytes_per_second and response are numbers greater than 0")
    time = clock or SystemClock()

    @middleware(name="time_limits", after=["errors"])
    def layer(request: Request) -> Layer:
        started, carried = time.monotonic(), of_pipeline(request)
        read = 0

        def left(arrived: int) -> float:
            return started + body + arrived / bytes_per_second - time.monotonic()

        def in_time(chunk: bytes) -> None:
            nonlocal read
            read += len(chunk)
            if chunk and left(read) < 0:
                carried.too_slow = True
                raise BodyTooSlow("the request's body arrives too slowly")

        carried.patience = left
        request.on_body(in_time)
        request.time_limit = response
        try:
            yield
        except ResponseTooSlow:
            yield Response.of(_SLOW_ANSWER, {"retry-after": "10"})
            return
        except Exception:
            if not carried.too_slow:
                raise
        if carried.too_slow:
            # What is still under way would be taken for the next request.
            yield Response.of(_SLOW_BODY, closing(request.scope))

    return layer
