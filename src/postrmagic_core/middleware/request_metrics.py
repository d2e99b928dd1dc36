"""How many requests there are, how they end, and how long they take: rate, errors and duration by route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .._clock import Clock, SystemClock
from .._lifecycle import after_fork
from .._metrics import LATENCY_BOUNDS, Counter, Histogram, Metrics, Told
from .interface import Done, Head, Layer, Middleware, Request
from .order import middleware
from .routes import METHODS

# Distinct combinations of method, route and status: an application has hundreds. Beyond, the route is not told.
_MOST = 5_000
# Of a stream of events (HTML, section 9.2) the rest is how long somebody listens.
_STREAM = "text/event-stream"


def request_metrics(metrics: Metrics, clock: Clock | None = None) -> Middleware:
    """Count requests by method, route and status, and their seconds by class of status, in ``metrics``.

    ``http_requests_total``, ``http_request_duration_seconds``, ``http_response_bytes_total`` and
    ``http_requests_in_flight``. The route is the router's pattern, ``/media/{id}``; a request that no route took has an
    empty one, since a path is whatever a client sends. Status 499: the client left before there was one. The seconds
    of a stream of server-sent events end with its head.
    """
    time = clock or SystemClock()
    tally = _Tally(metrics)

    @middleware(name="request_metrics", before=["access_log", "errors", "header_limits"])
    def layer(request: Request) -> Layer:
        started, heard = time.monotonic(), None
        in_flight = tally.in_flight
        in_flight.add(request)
        head: Head | None = None
        done: Done | None = None
        status = 499
        try:
            head = yield
            if _streams(head):
                heard = time.monotonic() - started
            done = yield
        except Exception:
            status = 500
            raise
        finally:
            in_flight.discard(request)
            seconds = time.monotonic() - started if heard is None else heard
            tally.note(request, head.status if head is not None else status, done, seconds)

    return layer


def _streams(head: Head | None) -> bool:
    return head is not None and (head.get("content-type") or "").startswith(_STREAM)


class _Meters(NamedTuple):
    requests: Counter
    seconds: Histogram
    size: Counter


class _Tally:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._meters: dict[tuple[str, str | None, int], _Meters] = {}
        # A set, whose operations are atomic: a number that threads add to and take from would drift for good.
        self.in_flight: set[Request] = set()
        metrics.report(self._told)
        after_fork(self._forget)

    def note(self, request: Request, status: int, done: Done | None, seconds: float) -> None:
        key = request.method, getattr(request.scope.get("route"), "path", None), status
        meters = self._meters.get(key) or self._made(*key)
        meters.requests.add()
        meters.seconds.observe(seconds)
        if done is not None:
            meters.size.add(done.size)

    def _made(self, method: str, route: str | None, status: int) -> _Meters:
        """The meters of one combination; what clients choose freely shares those of ``other``, and is not kept."""
        known = method in METHODS and 100 <= status <= 599
        room = len(self._meters) < _MOST
        where = {
            "method": method if method in METHODS else "other",
            "route": "" if route is None else str(route) if room else "other",
        }
        told, of_class = (str(status), f"{status // 100}xx") if 100 <= status <= 599 else ("other", "other")
        meters = _Meters(
            self._metrics.counter("http_requests_total", status=told, **where),
            self._metrics.histogram("http_request_duration_seconds", LATENCY_BOUNDS, status_class=of_class, **where),
            self._metrics.counter("http_response_bytes_total", **where),
        )
        if known and room:
            self._meters[method, route, status] = meters
        return meters

    def _told(self) -> Iterator[Told]:
        yield "http_requests_in_flight", {}, len(self.in_flight)

    def _forget(self) -> None:
        self.in_flight.clear()
