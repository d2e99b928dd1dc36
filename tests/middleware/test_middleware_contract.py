"""The published contract of middleware: kept by those of the package, and red for each of those that break it."""

from __future__ import annotations

import asyncio
import contextvars
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings

from postrmagic_core._crypto import KeyRing
from postrmagic_core.limits import RateLimiter
from postrmagic_core.middleware import Middleware, Request, Response
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.cors import cors
from postrmagic_core.middleware.csp_reports import csp_reports
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.header_limits import header_limits
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.probes import probes
from postrmagic_core.middleware.rate_limit import concurrency_limit, rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.contracts.middleware import MiddlewareContract
from tests.middleware.test_probes import Told


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


class TestProbes(MiddlewareContract):
    """Answers orchestrators."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return probes(Told())


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


class TestTrustedProxies(MiddlewareContract):
    """Believes proxies."""

    read_by_it = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-real-ip")

    @pytest.fixture
    def middleware(self) -> Middleware:
        """The contract's peer is one."""
        return trusted_proxies(["192.0.2.0/24"], host=True)


class TestTraceContext(MiddlewareContract):
    """Continues a trace."""

    read_by_it = ("traceparent", "tracestate")

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return trace_context()


class TestCors(MiddlewareContract):
    """Lets other pages read."""

    read_by_it = ("origin", "access-control-request-method", "access-control-request-headers")

    @pytest.fixture
    def middleware(self) -> Middleware:
        """For one page."""
        return cors(["https://app.example.org"], credentials=True)


class TestHeaderLimits(MiddlewareContract):
    """Refuses odd heads."""

    read_by_it = ("transfer-encoding", "content-length")

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return header_limits()


class TestCspReports(MiddlewareContract):
    """Takes reports."""

    read_by_it = ("content-type",)

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As it comes."""
        return csp_reports()


class TestRateLimit(MiddlewareContract):
    """Counts."""

    @pytest.fixture
    def middleware(self) -> Iterator[Middleware]:
        """More than the contract asks."""
        with RateLimiter(MemoryStore()) as limiter:
            yield rate_limit(limiter, "100000/second")


class TestConcurrencyLimit(MiddlewareContract):
    """Counts who is inside."""

    @pytest.fixture
    def middleware(self) -> Iterator[Middleware]:
        """More than the contract has at once."""
        with RateLimiter(MemoryStore()) as limiter:
            yield concurrency_limit(limiter, 100)


class TestSessions(MiddlewareContract):
    """Loads what is asked for."""

    @pytest.fixture
    def middleware(self) -> Iterator[Middleware]:
        """Over a store of the test's own."""
        with SessionStore(MemoryStore(), KeyRing([secrets.token_urlsafe(48)])) as store:
            yield sessions(store)


class TestCsrf(MiddlewareContract):
    """Refuses other sites."""

    read_by_it = ("sec-fetch-site", "origin", "host")

    @pytest.fixture
    def middleware(self) -> Middleware:
        """By headers."""
        return csrf()


class TestAuthentication(MiddlewareContract):
    """Asks who it is."""

    read_by_it = ("authorization",)

    @pytest.fixture
    def middleware(self) -> Middleware:
        """Nobody, as far as this one knows."""
        return authentication(lambda request: None)


class TestIdempotency(MiddlewareContract):
    """Repeats answers."""

    method = "POST"
    headers: ClassVar[Mapping[str, str]] = {"host": "example.org", "idempotency-key": "k1"}
    read_by_it = ("idempotency-key",)

    @pytest.fixture
    def middleware(self) -> Middleware:
        """With nothing to keep anything in: only reading keys is left."""
        return idempotency(None)


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
from tests.middleware.test_probes import Told
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
    profile = settings.get_current_profile_name()
    settings.register_profile("planted", phases=[Phase.explicit, Phase.generate])  # one failure is enough
    settings.load_profile("planted")
    try:
        done = pytester.runpytest("-q", "-rf", "--tb=no", "-p", "no:cacheprovider")
    finally:
        settings.load_profile(profile)
    failed = {tuple(line.split("::")[1:3]) for line in done.outlines if line.startswith("FAILED")}
    seen = {(kind.removeprefix("Test"), test.split()[0]) for kind, test in failed}
    assert {(name, test) for name, (_, tests) in BROKEN.items() for test in tests} == seen
