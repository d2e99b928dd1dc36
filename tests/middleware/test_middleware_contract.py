"""The published contract of middleware: kept by those of the package, and red for each of those that break it."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import Any

import pytest

from postrmagic_core.middleware import Middleware, Request, Response
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.testing.contracts.middleware import MiddlewareContract


class TestRequestId(MiddlewareContract):
    """Names the request."""

    read_by_it = ("x-request-id",)

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return request_id()


class TestAccessLog(MiddlewareContract):
    """Writes a record."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return access_log()


class TestSecurityHeaders(MiddlewareContract):
    """Tells browsers."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return security_headers()


class TestErrors(MiddlewareContract):
    """Answers what failed."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return errors()


class TestTimeLimits(MiddlewareContract):
    """Waits so long."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return time_limits()


class TestBodyLimit(MiddlewareContract):
    """Lets so much in."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """More than the contract sends."""
        return body_limit(1_000_000)


class TestPassing(MiddlewareContract):
    """The least that a middleware can be; what is broken below differs from it in one thing."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """One that does nothing."""
        return passing


def passing(request: Request) -> Any:
    """Does nothing."""
    yield


_variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


def swallowing(request: Request) -> Any:
    """Makes a success of every failure."""
    try:
        yield
    except Exception:
        yield Response(200)


def shadowing(request: Request) -> Any:
    """Answers everything itself, late."""
    yield
    yield Response(200, b"mine")


def overwriting(request: Request) -> Any:
    """Drops the headers that others set twice."""
    head = yield
    head.headers[:] = dict(head.headers).items()


def failing_late(request: Request) -> Any:
    """Fails over a client that left."""
    yield
    done = yield
    if done.disconnected:
        raise RuntimeError("nobody is there")


def token_holding(request: Request) -> Any:
    """Holds a context variable's token over a yield."""
    token = _variable.set("mine")
    try:
        yield
    finally:
        _variable.reset(token)


def trusting(request: Request) -> Any:
    """Believes that lengths are numbers."""
    int(request.headers.get("content-length") or 0)
    yield


def one_for_all() -> Middleware:
    """Keeps a request's answer where the next finds it."""
    held: list[Response] = []

    def layer(request: Request) -> Any:
        if held:
            yield held[0]
            return
        held.append(Response(200, request.query.encode()))
        yield

    return layer


async def waiting(request: Request) -> Any:
    """Waits for something that WSGI has not got."""
    await asyncio.sleep(0)
    yield


def eating(request: Request) -> Any:
    """Refuses every body."""

    def refuse(chunk: bytes) -> None:
        if chunk:
            raise ValueError("no")

    request.on_body(refuse)
    yield


async def catching(request: Request) -> Any:
    """Leaves a task behind."""
    request.state["task"] = asyncio.ensure_future(asyncio.sleep(3600))
    yield


BROKEN: dict[str, tuple[Middleware, set[str]]] = {
    "Swallowing": (swallowing, {"test_no_error_is_swallowed"}),
    "Shadowing": (shadowing, {"test_an_ordinary_response_passes", "test_a_stream_passes_piece_by_piece"}),
    "Overwriting": (overwriting, {"test_an_ordinary_response_passes"}),
    "FailingLate": (failing_late, {"test_a_client_that_leaves_ends_it"}),
    "TokenHolding": (token_holding, {"test_a_head_from_another_task_does_no_harm"}),
    "Trusting": (trusting, {"test_nothing_that_a_client_sends_makes_it_fail"}),
    "OneForAll": (one_for_all(), {"test_requests_at_the_same_time_have_nothing_in_common"}),
    "Waiting": (waiting, {"test_an_ordinary_response_passes"}),
    "Eating": (eating, {"test_the_body_of_a_request_passes"}),
    "Catching": (catching, {"test_a_cancelled_request_ends_at_once"}),
    "NoGenerator": (time.time, {"test_it_is_a_generator_function_with_a_name"}),  # type: ignore[dict-item]  # the mistake under test
}

MODULE = """
import pytest
from postrmagic_core.testing.contracts.middleware import MiddlewareContract
from tests.middleware.test_middleware_contract import BROKEN

def planted(broken, tests):
    class Planted(MiddlewareContract):
        @pytest.fixture
        def middleware(self):
            return broken

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, (broken, tests) in BROKEN.items():
    globals()["Test" + name] = planted(broken, tests)
del MiddlewareContract
"""


def test_each_broken_middleware_is_seen(pytester: pytest.Pytester) -> None:
    """By the tests that are for it."""
    pytester.makepyfile(test_planted=MODULE)
    done = pytester.runpytest("-q", "-rf", "-p", "no:cacheprovider")
    failed = {tuple(line.split("::")[1:3]) for line in done.outlines if line.startswith("FAILED")}
    seen = {(kind.removeprefix("Test"), test.split()[0]) for kind, test in failed}
    assert {(name, test) for name, (_, tests) in BROKEN.items() for test in tests} == seen
