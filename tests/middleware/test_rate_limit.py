"""Limits as middleware: whose bucket, what is told, and slots that always come back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.limits import Concurrency, Limit, RateLimiter
from postrmagic_core.middleware import Layer, Pipeline, Request, middleware
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.rate_limit import (
    by_address,
    by_route,
    by_token,
    by_user,
    concurrency_limit,
    rate_limit,
)
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.backends import TIMEOUT, Flaky
from tests.middleware.test_wsgi import get, hello

CLIENT = ("192.0.2.1", 1)
CANARY = "c4n4ry-Xy7"


@pytest.fixture(params=["memory", "sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def store(request: pytest.FixtureRequest, url_of: Any) -> Iterator[Store]:
    """One that answers at once, one lifted into a thread, and one that is awaited."""
    with closing(open_store(url_of(request.param), timeout=TIMEOUT)) as store:
        yield store


@pytest.fixture
def limiter(store: Store) -> Iterator[RateLimiter]:
    """A limiter on each of them."""
    with RateLimiter(store) as limiter:
        yield limiter


@pytest.fixture
def quick() -> Iterator[RateLimiter]:
    """A limiter in memory whose time stands still."""
    clock = FakeClock()
    with closing(MemoryStore(clock=clock)) as store, RateLimiter(store, clock=clock) as limiter:
        yield limiter


def request(client: str | None = CLIENT[0], path: str = "/", method: str = "GET", **state: Any) -> Request:
    """A request, as a layer sees it."""
    peer = None if client is None else (client, 1)
    return Request({"type": "http", "method": method, "path": path, "client": peer, "headers": [], "state": state})


# What is told.


def test_a_client_is_refused_beyond_its_limit(limiter: RateLimiter, call: Any, answer: Any) -> None:
    """429 with a problem document and whole seconds to wait; the application is not asked, others are not touched."""
    app = Pipeline([rate_limit(limiter, "2/minute")]).asgi(answer())
    began = time.monotonic()
    outcomes = [call(app, client=CLIENT) for _ in range(3)]
    took = time.monotonic() - began
    assert [outcome.status for outcome in outcomes] == [200, 200, 429]
    refused = outcomes[2]
    assert json.loads(refused.body)["code"] == "rate.limited"
    assert refused.header("content-type") == "application/problem+json"
    assert 30 - took <= int(refused.header("retry-after")) <= 30
    assert call(app, client=("192.0.2.2", 1)).status == 200


def test_it_is_the_same_under_wsgi(limiter: RateLimiter) -> None:
    """No event loop, the same answers."""
    app = Pipeline([rate_limit(limiter, "2/minute"), concurrency_limit(limiter, 1)]).wsgi(hello)
    answers = [get(app, REMOTE_ADDR=CLIENT[0]) for _ in range(3)]
    assert [answer.status[:3] for answer in answers] == ["200", "200", "429"]
    assert answers[0].headers["ratelimit"].startswith('"2/minute";r=1;t=')
    assert "retry-after" in answers[2].headers


def test_every_response_says_how_the_client_stands(quick: RateLimiter, call: Any, answer: Any) -> None:
    """Policy and standing of each limit; until there is one more, seconds rounded up; of a full one none."""
    limits: list[Limit | str] = ["2/minute", Limit('a "day\\', 100, 86_400.0, burst=7)]
    app = Pipeline([rate_limit(quick, limits)]).asgi(answer(404))
    first, second, third = (call(app, client=CLIENT) for _ in range(3))
    assert first.header("ratelimit-policy") == '"2/minute";q=2;w=60, "a \\"day\\\\";q=100;w=86400'
    assert first.header("ratelimit") == '"2/minute";r=1;t=30, "a \\"day\\\\";r=6;t=864'
    assert second.header("ratelimit") == '"2/minute";r=0;t=30, "a \\"day\\\\";r=5;t=864'
    assert (third.status, third.header("retry-after")) == (429, "30")
    assert third.header("ratelimit") == second.header("ratelimit")


def test_two_layers_count_apart_and_tell_together(quick: RateLimiter, call: Any, answer: Any) -> None:
    """Their headers are one list, outermost first; what the inner one refuses bears both, the outer one's its own."""
    layers = [rate_limit(quick, "3/minute"), rate_limit(quick, "2/minute", name="strict", by=by_address(24))]
    app = Pipeline(layers).asgi(answer(headers=((b"RateLimit", b'"app";r=9'),)))
    outcomes = [call(app, client=CLIENT) for _ in range(4)]
    assert [outcome.status for outcome in outcomes] == [200, 200, 429, 429]
    assert outcomes[0].header("ratelimit") == '"3/minute";r=2;t=20, "strict 2/minute";r=1;t=30, "app";r=9'
    assert outcomes[0].header("ratelimit-policy") == '"3/minute";q=3;w=60, "strict 2/minute";q=2;w=60'
    assert outcomes[2].header("ratelimit") == '"3/minute";r=0;t=20, "strict 2/minute";r=0;t=30'
    assert outcomes[2].header("retry-after") == "30"
    assert outcomes[3].header("ratelimit") == '"3/minute";r=0;t=20'


def test_a_login_stays_closed_while_the_store_is_away(call: Any, answer: Any) -> None:
    """503 where that is the route's policy, though the limiter is open, which says no more than the policy."""
    store = Flaky()
    store.away = True
    with RateLimiter(store, unavailable="open") as limiter:
        layers = [
            rate_limit(limiter, "1/minute"),
            rate_limit(limiter, "1/minute", name="login", routes=["POST /login"], unavailable="closed"),
        ]
        app = Pipeline(layers).asgi(answer())
        outcomes = [call(app, client=CLIENT) for _ in range(3)]
        refused = call(app, client=CLIENT, path="/login", method="POST")
    assert [outcome.status for outcome in outcomes] == [200, 200, 200]
    assert outcomes[0].header("ratelimit-policy") == '"1/minute";q=1;w=60'
    assert outcomes[0].header("ratelimit") is None
    assert (refused.status, refused.header("retry-after")) == (503, "5")
    assert json.loads(refused.body)["code"] == "rate.unavailable"


def test_a_websocket_counts_as_a_request(limiter: RateLimiter) -> None:
    """Its handshake is refused like any other."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def run() -> None:
        wrapped = Pipeline([rate_limit(limiter, "1/minute")]).asgi(app)
        for _ in range(2):
            await wrapped({"type": "websocket", "path": "/", "client": CLIENT, "headers": []}, receive, send)

    asyncio.run(run())
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]


# Whose bucket.


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:0:0:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:DB8::1", "2001:db8:0:0::1", True),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        (None, "junk", True),
        ("", "unix", True),
        ("192.0.2.1, 192.0.2.2", "1" * 100_000, True),
        ("\udcff", "192.0.2.256", True),
        (None, "0.0.0.0", False),  # noqa: S104 - an address, nothing listens
    ],
)
def test_an_address_is_its_network(first: str | None, second: str | None, same: bool) -> None:
    """A host cannot choose among its own addresses; what is none shares one bucket."""
    by = by_address()
    assert (by(request(first)) == by(request(second))) == same


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_address_has_a_bucket(text: str) -> None:
    """Whatever a server, or a proxy, says the client is."""
    assert str(by_address()(request(text))).startswith("address ")


def test_a_user_is_known_wherever_it_comes_from() -> None:
    """By identity; nobody by address; and no name of a user is an address."""
    by = by_user()
    alice, bob = (SimpleNamespace(id=name) for name in ("alice", "bob"))
    assert by(request("192.0.2.1", identity=alice)) == by(request("192.0.2.2", identity=alice))
    assert by(request(identity=alice)) != by(request(identity=bob))
    assert by(request(identity=None)) == by_address()(request())
    mallory = SimpleNamespace(id=by(request()))
    assert by(request(identity=mallory)) != by(request())


def bearer(token: str, **state: Any) -> Request:
    """A request with a bearer token."""
    made = request(**state)
    made.scope["headers"] = [(b"authorization", b"bEaReR  " + token.encode("latin-1"))]
    return made


def test_a_token_that_nobody_proved_is_no_bucket() -> None:
    """Made-up tokens share their address's; a proved one has its own; where another proved them, any."""
    someone = SimpleNamespace(id="someone")
    by, lax = by_token(), by_token(verified=False)
    assert by(bearer("made-up-1")) == by(bearer("made-up-2")) == by_address()(request())
    assert by(bearer("real", identity=someone)) != by(bearer("other", identity=someone))
    assert lax(bearer("real")) == by(bearer("real", identity=someone))
    assert lax(bearer("")) == by_address()(request())


def test_a_token_is_never_kept(call: Any, answer: Any, records: Any) -> None:
    """Neither in the store nor in a log, not when the store fails either; only a digest."""
    store = Flaky()
    with closing(store), RateLimiter(store) as limiter:
        app = Pipeline([errors(), rate_limit(limiter, "2/minute", by=by_token(verified=False))]).asgi(answer())
        headers = [(b"authorization", f"Bearer {CANARY}".encode())]
        outcomes = [call(app, client=CLIENT, headers=headers) for _ in range(3)]
        store.away = True
        outcomes.append(call(app, client=CLIENT, headers=headers))
        assert [outcome.status for outcome in outcomes] == [200, 200, 429, 200]
        kept = repr(store._entries) + records.text + repr([outcome.messages for outcome in outcomes])
        assert b"token " in next(iter(store._entries))
    assert CANARY not in kept


@pytest.mark.parametrize(
    ("path", "method", "route"),
    [
        ("/login", "POST", "POST /login"),
        ("/login/", "POST", "POST /login"),
        ("/login", "GET", None),
        ("/loginx", "POST", None),
        ("/api", "PUT", "/api/*"),
        ("/api/", "PUT", "/api/*"),
        ("/api/a/b", "PUT", "/api/*"),
        ("/apix", "PUT", None),
        ("/page", "HEAD", "GET /page"),
        ("/", "GET", None),
        ("/media/7/file", "PUT", "/media/{id}/file"),
        ("/media/7/8/file", "PUT", None),
        ("/media/file", "PUT", None),
    ],
)
def test_a_route_is_told_by_method_and_path(path: str, method: str, route: str | None) -> None:
    """Exactly, by what it begins with, or with any segment in a place; a slash at the end is no way around."""
    by = by_route("POST /login", "/api/*", "GET /page", "/media/{id}/file")
    assert by(request(path=path, method=method)) == (None if route is None else f"route {route}")


def test_a_route_counts_for_all_or_for_each(quick: RateLimiter, call: Any, answer: Any) -> None:
    """What all clients do together, and within it what each does; other routes are not counted."""
    app = Pipeline(
        [
            rate_limit(quick, "3/minute", by=by_route("/export"), name="all"),
            rate_limit(quick, "2/minute", by=by_route("/export", within=by_address()), name="each"),
        ]
    ).asgi(answer())
    statuses = [call(app, client=(f"192.0.2.{last}", 1), path="/export").status for last in (1, 1, 1, 2, 3)]
    assert statuses == [200, 200, 429, 429, 429]
    assert call(app, client=CLIENT).header("ratelimit") is None


def test_a_request_may_cost_more_or_nothing(quick: RateLimiter, call: Any, answer: Any) -> None:
    """A function says how much."""
    layer = rate_limit(quick, "10/minute", cost=lambda request: {"/export": 7, "/free": 0}.get(request.path, 1))
    app = Pipeline([layer]).asgi(answer())
    paths = ["/export", "/free", "/export", "/", "/"]
    outcomes = [call(app, client=CLIENT, path=path) for path in paths]
    assert [outcome.status for outcome in outcomes] == [200, 200, 429, 200, 200]
    assert outcomes[1].header("ratelimit") is None


def test_hostile_keys_are_only_keys(limiter: RateLimiter, call: Any, answer: Any) -> None:
    """A function may name a bucket by anything."""
    app = Pipeline([rate_limit(limiter, "1/minute", by=lambda request: request.path)]).asgi(answer())
    paths = ["/" + "x" * 100_000, "/\udcff", "/\0", "/a:b", "/a%3Ab", "/a\nb", "/ä"]
    assert [call(app, path=path).status for path in paths * 2] == [200] * len(paths) + [429] * len(paths)


def test_what_cannot_be_meant_is_refused_when_it_is_built(quick: RateLimiter) -> None:
    """Not when a request comes."""
    for limits in ([], ["1/minute", "1/minute"]):
        with pytest.raises(ConfigurationError, match="different names"):
            rate_limit(quick, limits)
    with pytest.raises(ValueError, match="can never be admitted"):
        rate_limit(quick, "1/minute", cost=2)
    with pytest.raises(ValueError, match="such as"):
        rate_limit(quick, "often")
    with pytest.raises(ValueError, match="'open', 'closed' or 'local'"):
        rate_limit(quick, "1/minute", unavailable="stale")  # type: ignore[arg-type]  # what an untyped caller may pass
    for route in ("login", "post /login", ""):
        with pytest.raises(ConfigurationError, match="expected a route"):
            rate_limit(quick, "1/minute", routes=[route])
    with pytest.raises(ConfigurationError, match="list of routes"):
        rate_limit(quick, "1/minute", routes="/login")
    with pytest.raises(ValueError, match="bits"):
        by_address(ipv6=0)


def test_it_stands_where_it_must(quick: RateLimiter) -> None:
    """Who counts users must know them; a refusal must not become the answer of an idempotency key."""

    @middleware(name="authentication")
    def authentication(request: Request) -> Layer:
        yield

    for by in (by_user(), by_token(), by_route("/a", within=by_user())):
        with pytest.raises(ConfigurationError, match="rate_limit must stand inside authentication"):
            Pipeline([rate_limit(quick, "1/minute", by=by), authentication])
    Pipeline([rate_limit(quick, "1/minute"), authentication, rate_limit(quick, "1/minute", by=by_user(), name="user")])
    with pytest.raises(ConfigurationError, match="rate_limit must stand outside idempotency"):
        Pipeline([idempotency(None), rate_limit(quick, "1/minute")])


# Places.


def taken(limiter: RateLimiter, name: str = "concurrency_limit") -> int:
    """How many slots are taken."""
    slot = limiter.acquire(Concurrency(name, 100), b"")
    limiter.release(slot)
    return slot.taken - 1


def test_beyond_its_places_nobody_is_served(limiter: RateLimiter, call: Any, answer: Any) -> None:
    """503 with a time to come back; with a key of its own a client is told 429; then all slots are free again."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/outer":
            await pipeline({**scope, "path": "/inner"}, receive, send)
        else:
            await answer()(scope, receive, send)

    pipeline = Pipeline([concurrency_limit(limiter, 1)]).asgi(app)
    refused = call(pipeline, path="/outer")
    assert (refused.status, refused.header("retry-after")) == (503, "1")
    assert json.loads(refused.body)["code"] == "rate.full"
    assert call(pipeline).status == 200
    pipeline = Pipeline([concurrency_limit(limiter, 1, by=by_address(), name="each", routes=["/*"])]).asgi(app)
    assert call(pipeline, path="/outer", client=CLIENT).status == 429
    assert taken(limiter) == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_handler_that_fails_gives_its_place_back(limiter: RateLimiter, call: Any, failing: Any, late: bool) -> None:
    """Before its head and after it."""
    app = Pipeline([errors(), concurrency_limit(limiter, 5)]).asgi(failing(RuntimeError("x"), late=late))
    call(app)
    assert taken(limiter) == 0


def test_a_client_that_leaves_gives_its_place_back(limiter: RateLimiter, call: Any, answer: Any) -> None:
    """Before the head, or in the middle of the body."""
    app = Pipeline([concurrency_limit(limiter, 5)]).asgi(answer())
    for gone in (0, 1):
        call(app, gone_after=gone)
    assert taken(limiter) == 0


def test_a_cancelled_request_gives_its_place_back(limiter: RateLimiter) -> None:
    """Wherever it is when the server stops it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def nothing(*message: Any) -> Any:
        return {"type": "http.request"}

    async def run() -> None:
        wrapped = Pipeline([concurrency_limit(limiter, 100)]).asgi(app)
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        for turns in range(25):
            task = asyncio.ensure_future(wrapped(dict(scope), nothing, nothing))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert taken(limiter) == 0


def test_a_wsgi_body_holds_its_place_to_its_end(limiter: RateLimiter) -> None:
    """Half read and closed, as a server does when the client leaves."""
    app = Pipeline([concurrency_limit(limiter, 1)]).wsgi(hello)
    assert get(app, take=1).status == "200 OK"
    assert get(app).status == "200 OK"
    assert taken(limiter) == 0


def test_closed_places_say_so(call: Any, answer: Any) -> None:
    """While the store is away and nothing is known: 503, and not that it is full."""
    store = Flaky()
    store.away = True
    with RateLimiter(store) as limiter:
        refused = call(Pipeline([concurrency_limit(limiter, 1, unavailable="closed")]).asgi(answer()))
    assert (refused.status, json.loads(refused.body)["code"], refused.header("retry-after")) == (
        503,
        "rate.unavailable",
        "5",
    )
