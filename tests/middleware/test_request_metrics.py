"""Requests are counted by what the application calls them, never by what a client sends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.integrations._parts import Route
from postrmagic_core.middleware import Middleware, Pipeline, Request
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_metrics import request_metrics
from postrmagic_core.testing.clock import FakeClock
from postrmagic_core.testing.contracts.middleware import MiddlewareContract
from postrmagic_core.testing.contracts.middleware_rig import Asked, wsgi, wsgi_answering


@pytest.fixture
def metrics() -> Metrics:
    """Where requests are counted."""
    return Metrics()


def counted(metrics: Metrics) -> dict[tuple[str, str, str], int]:
    """Requests by method, route and status."""
    return {
        (of["method"], of["route"], of["status"]): number
        for name, labels, number in metrics.counters()
        if name == "http_requests_total" and (of := dict(labels))
    }


class TestContract(MiddlewareContract):
    """It is a middleware like any other."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return request_metrics(Metrics())


def test_a_request_counts_under_its_route(metrics: Metrics, call: Any) -> None:
    """Method, pattern and status; its seconds to the last byte by class of status; the bytes of its body."""
    clock = FakeClock()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Route("/media/{id}")
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        clock.sleep(0.3)
        await send({"type": "http.response.body", "body": b"67"})

    for number in range(3):
        call(Pipeline([request_metrics(metrics, clock)]).asgi(app), method="PUT", path=f"/media/{number}")
    assert counted(metrics) == {("PUT", "/media/{id}", "201"): 3}
    where = {"method": "PUT", "route": "/media/{id}"}
    seconds = metrics.histogram("http_request_duration_seconds", status_class="2xx", **where)  # type: ignore[arg-type]  # labels
    assert (seconds.count, round(seconds.sum, 6)) == (3, 0.9)
    assert metrics.counter("http_response_bytes_total", **where).value == 21


def test_what_clients_choose_makes_no_series(metrics: Metrics, call: Any, answer: Any) -> None:
    """A thousand paths, methods and odd statuses: a handful of combinations."""
    app = Pipeline([request_metrics(metrics)]).asgi(answer(404))
    for number in range(1000):
        call(app, path=f"/{number}", method=f"M{number}" if number % 2 else "GET")
    call(Pipeline([request_metrics(metrics)]).asgi(answer(999)))
    assert counted(metrics) == {("GET", "", "404"): 500, ("other", "", "404"): 500, ("GET", "", "other"): 1}


def test_failures_and_departures_have_their_status(metrics: Metrics, call: Any, answer: Any, failing: Any) -> None:
    """500 whether the application raises or a layer within makes a response of it; what was begun keeps its status."""
    layer = request_metrics(metrics)
    call(Pipeline([layer]).asgi(failing(LookupError())))
    call(Pipeline([layer, errors()]).asgi(failing(LookupError())))
    call(Pipeline([layer]).asgi(answer()), gone_after=0)
    call(Pipeline([layer]).asgi(failing(LookupError(), late=True)))
    assert counted(metrics) == {("GET", "", "500"): 2, ("GET", "", "200"): 2}


def test_what_is_being_answered_is_told(metrics: Metrics, answer: Any, call: Any) -> None:
    """Also where threads begin and end requests at the same time, and when a request is cancelled: it is 0 again."""
    layer = request_metrics(metrics)

    def in_flight() -> float:
        return {name: value for name, _, value in metrics.gauges()}["http_requests_in_flight"]

    async def main() -> None:
        gate = asyncio.Event()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            await gate.wait()

        app = Pipeline([layer]).asgi(waiting)
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        tasks = [asyncio.ensure_future(app(dict(scope), None, None)) for _ in range(5)]  # type: ignore[arg-type]  # unused
        await asyncio.sleep(0)
        assert in_flight() == 5
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert in_flight() == 0
    assert counted(metrics) == {("GET", "", "499"): 5}

    app = Pipeline([layer]).wsgi(wsgi_answering(200, [], b"x"))
    threads = [threading.Thread(target=lambda: [wsgi(app, Asked()) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_flight() == 0
    assert counted(metrics)["GET", "", "200"] == 800


def test_a_stream_is_answered_with_its_head(metrics: Metrics, call: Any) -> None:
    """Given somebody who listens to events for a minute, that minute is no time of response."""
    clock = FakeClock()

    async def app(_: Any, receive: Any, send: Any) -> None:
        clock.sleep(0.2)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        clock.sleep(60)
        await send({"type": "http.response.body", "body": b"data: 1"})

    call(Pipeline([request_metrics(metrics, clock)]).asgi(app))
    (seconds,) = [one.sum for name, _, one in metrics.histograms() if name == "http_request_duration_seconds"]
    assert seconds == pytest.approx(0.2)


def test_it_stands_outside_of_what_makes_responses(metrics: Metrics) -> None:
    """Else a failure would have been made a response already, and the log would not be timed."""
    with pytest.raises(ConfigurationError, match="request_metrics must stand outside"):
        Pipeline([access_log(), errors(), request_metrics(metrics)])


def test_a_request_by_hand_needs_no_route(metrics: Metrics) -> None:
    """A scope without one, as of a test of a layer alone."""
    layer: Any = request_metrics(metrics)(Request({"type": "http"}))
    next(layer)
    layer.close()
    assert counted(metrics) == {("GET", "", "499"): 1}
