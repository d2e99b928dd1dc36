"""A request by itself, as a test of a layer makes one, and the one that a pipeline makes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from postrmagic_core.errors import UsageError
from postrmagic_core.middleware import Layer, Pipeline, Request
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.pipeline_request import PipelineRequest
from postrmagic_core.middleware.time_limits import time_limits

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"4")]}


def test_a_request_made_by_hand_has_no_body_and_no_answer() -> None:
    """What a layer asks to hear of either is taken, and never told."""
    request = Request(SCOPE)
    request.on_body(lambda chunk: pytest.fail("there is no body"))
    request.on_response(lambda chunk, last: pytest.fail("there is no answer"))
    assert asyncio.run(request.read_body(10)) == b""
    assert (request.content_length, request.disconnected, request.time_limit) == (4, False, None)
    manager = SimpleNamespace(aio=object())
    assert request.face(manager) is manager.aio


def test_a_layer_can_be_tried_on_one_made_by_hand() -> None:
    """Step by step, without a pipeline."""
    layer: Any = body_limit(3)(Request(SCOPE))
    assert next(layer).status == 413


def test_a_layer_that_steers_the_exchange_needs_a_pipeline() -> None:
    """It says so, rather than to have no effect."""
    layer: Any = time_limits()(Request(SCOPE))
    with pytest.raises(UsageError, match=r"Pipeline\(\[layer\]\)"):
        next(layer)


def test_a_pipeline_gives_its_layers_one_that_is_carried() -> None:
    """Of the class that runner and layers of the package share."""
    seen: list[Request] = []

    def looking(request: Request) -> Layer:
        seen.append(request)
        yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None: ...

    asyncio.run(Pipeline([looking]).asgi(app)(dict(SCOPE), receive, send))
    assert [type(request) for request in seen] == [PipelineRequest]
