"""Who asks is known to every layer further in and to every record, or the request is refused."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from structlog.contextvars import get_contextvars

from postrmagic_core.errors import (
    AuthenticateFailed,
    BackendRejected,
    BackendUnavailable,
    ConfigurationError,
    DecodeError,
    OutOfSpace,
)
from postrmagic_core.log import carried, get_logger
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.authentication import REFUSED, Refused, authentication
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.security.access_tokens import bearer as of_header

from .conftest import _exchange

CANARY = "c4n4ry-Xy7"
TOKENS = {"t-ann": "ann", "t-bob": "bob"}


class User:
    """An identity."""

    def __init__(self, name: Any) -> None:
        self.id = name
        self.roles: frozenset[str] = frozenset()
        self.scopes: frozenset[str] | None = None


def by_token(request: Request) -> User | None:
    """A plain function: whoever has a known token."""
    name = TOKENS.get((request.headers.get("authorization") or "").removeprefix("Bearer "))
    return User(name) if name else None


class Tokens:
    """A manager with an async face, as an application has."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    @property
    def aio(self) -> Any:
        """The async face."""
        return Face(self)

    def find(self, token: str) -> str | None:
        """The owner's name."""
        if self._error is not None:
            raise self._error
        return TOKENS.get(token)


class Face:
    """It really waits."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def find(self, token: str) -> str | None:
        """The owner's name."""
        await asyncio.sleep(0)
        return self._tokens.find(token)


def by_manager(tokens: Tokens) -> Any:
    """A coroutine function that awaits a face."""

    async def authenticate(request: Request) -> User | None:
        name = await request.face(tokens).find((request.headers.get("authorization") or "").removeprefix("Bearer "))
        return User(name) if name else None

    return authenticate


class AsObject:
    """An object whose call is a coroutine function."""

    async def __call__(self, request: Request) -> User | None:
        return by_token(request)


KINDS = [by_token, by_manager(Tokens()), AsObject(), functools.partial(by_manager(Tokens()))]


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    """The header that carries a token."""
    return [(b"authorization", f"Bearer {token}".encode())]


@pytest.fixture
def telling() -> Any:
    """An application that answers with the identity's id and what its context holds."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        identity = scope["state"]["identity"]
        get_logger("x").warning("inside")
        body = json.dumps([identity and identity.id, carried().get("user_id")]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


@pytest.mark.parametrize("authenticate", KINDS)
@pytest.mark.parametrize("required", [False, True])
def test_an_identity_is_told_to_all(authenticate: Any, required: bool, call: Any, telling: Any, records: Any) -> None:
    """In the state, in each record, in what jobs take along; gone when the request is over."""
    app = Pipeline([access_log(), errors(), authentication(authenticate, required=required)]).asgi(telling)
    assert json.loads(call(app, headers=bearer("t-ann")).body) == ["ann", "ann"]
    assert [records.named(event)[0]["user_id"] for event in ("inside", "request")] == ["ann", "ann"]
    get_logger("x").warning("outside")
    assert "user_id" not in records.named("outside")[0]


@pytest.mark.parametrize("authenticate", KINDS)
@pytest.mark.parametrize("headers", [[], bearer("unknown"), bearer("")])
def test_nobody_passes_only_where_nobody_may(authenticate: Any, headers: Any, call: Any, telling: Any) -> None:
    """Not required: the identity is ``None``. Required: 401 with a challenge, and the application is not asked."""
    assert json.loads(call(Pipeline([authentication(authenticate)]).asgi(telling), headers=headers).body) == [
        None,
        None,
    ]

    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was asked")

    outcome = call(Pipeline([authentication(authenticate, required=True)]).asgi(never), headers=headers)
    assert (outcome.status, json.loads(outcome.body)["code"]) == (401, "authentication.required")
    assert outcome.header("www-authenticate") == 'Bearer realm="api"'
    assert outcome.header("cache-control") == "no-store"


def test_the_challenge_is_the_applications(call: Any, telling: Any) -> None:
    """Any header value; one that is none is refused when built."""
    layer = authentication(by_token, required=True, challenge='Basic realm="x"')
    assert call(Pipeline([layer]).asgi(telling)).header("www-authenticate") == 'Basic realm="x"'
    with pytest.raises(ValueError, match="must not hold CR"):
        authentication(by_token, challenge="Basic\r\nset-cookie: a")


@pytest.mark.parametrize("error", [BackendUnavailable(CANARY), BackendRejected(CANARY), OutOfSpace(CANARY)])
@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_who_cannot_be_asked_is_not_nobody(
    error: Any, required: bool, plain: bool, call: Any, telling: Any, records: Any
) -> None:
    """Given the store of tokens away or full: 503 or 507 by its own code, where an identity is not required too."""
    tokens = Tokens(error)
    authenticate: Any = (lambda request: tokens.find("")) if plain else by_manager(tokens)
    app = Pipeline([errors(), authentication(authenticate, required=required)]).asgi(telling)
    outcome = call(app, headers=bearer(CANARY))
    status = 507 if isinstance(error, OutOfSpace) else 503
    assert (outcome.status, json.loads(outcome.body)["code"]) == (status, error.code)
    assert records.named("who asks could not be found out")[0]["code"] == error.code
    assert CANARY not in records.text + outcome.body.decode()


@pytest.mark.parametrize("plain", [False, True])
def test_a_fault_of_the_function_lets_nobody_in_and_tells_no_token(
    plain: bool, call: Any, telling: Any, records: Any
) -> None:
    """Given a ``KeyError`` that is the token: 500, logged with its place and without its text."""

    def authenticate(request: Request) -> Any:
        return TOKENS[(request.headers.get("authorization") or "").removeprefix("Bearer ")]

    async def waiting(request: Request) -> Any:
        return authenticate(request)

    layer = authentication(authenticate if plain else waiting)
    outcome = call(Pipeline([access_log(), errors(), layer]).asgi(telling), headers=bearer(CANARY))
    assert (outcome.status, json.loads(outcome.body)["code"]) == (500, "internal")
    assert CANARY not in records.text
    (record,) = records.named("request failed")
    assert record["exception"]["message"] == "authenticate raised KeyError"
    assert any(frame["function"].endswith("authenticate") for frame in record["exception"]["frames"])
    assert not records.named("inside")


def test_an_error_of_ours_keeps_its_meaning(call: Any, telling: Any) -> None:
    """What the package raises holds no values of its own: it passes as it is."""

    def authenticate(request: Request) -> Any:
        raise DecodeError("not what this package wrote")

    assert isinstance(call(Pipeline([authentication(authenticate)]).asgi(telling)).error, DecodeError)


@pytest.mark.parametrize("identity", ["ann", True, User(None), User(""), User(7), object()])
def test_what_is_no_identity_is_a_fault(identity: Any, call: Any, telling: Any, records: Any) -> None:
    """A truth is not a user: nobody gets in by it."""
    outcome = call(Pipeline([authentication(lambda request: identity, required=True)]).asgi(telling))
    assert isinstance(outcome.error, AuthenticateFailed)
    assert "expected None or an Identity" in str(outcome.error)
    assert not records.named("inside")


def test_an_error_of_the_application_is_the_users(call: Any, failing: Any, records: Any) -> None:
    """Given a request that fails, the record of the failure names the user too; the application's text is its own."""
    app = Pipeline([access_log(), errors(), authentication(by_token)]).asgi(failing(BackendUnavailable("x")))
    assert call(app, headers=bearer("t-bob")).status == 503
    assert records.named("request failed")[0]["user_id"] == "bob"
    assert records.named("request")[0]["user_id"] == "bob"
    assert "user_id" not in get_contextvars()


def test_the_next_request_in_the_same_task_is_somebody_elses(telling: Any, failing: Any) -> None:
    """Given a server that serves many requests in one task, no user stays behind, after failures too."""

    async def serve() -> Any:
        for app in (telling, failing(ValueError())):
            await _exchange(Pipeline([authentication(by_token)]).asgi(app), headers=bearer("t-ann"))
        return json.loads((await _exchange(Pipeline([authentication(by_token)]).asgi(telling))).body)

    assert asyncio.run(serve()) == [None, None]


def test_requests_side_by_side_do_not_mix(telling: Any) -> None:
    """Given many at once, each sees its own user."""
    app = Pipeline([authentication(by_manager(Tokens()))]).asgi(telling)

    async def one(token: str) -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            await asyncio.sleep(0)
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await app({"type": "http", "method": "GET", "path": "/", "headers": bearer(token)}, receive, send)
        return json.loads(sent[1]["body"])

    async def all_of_them() -> Any:
        return await asyncio.gather(*(one(token) for token in ["t-ann", "t-bob", "x"] * 20))

    assert asyncio.run(all_of_them()) == [["ann", "ann"], ["bob", "bob"], [None, None]] * 20


@pytest.mark.parametrize("authenticate", KINDS)
def test_a_websocket_is_asked_too(authenticate: Any) -> None:
    """Given ``required``, a connection of nobody is closed before it is accepted."""
    opened = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        opened.append(scope["state"]["identity"].id)
        await send({"type": "websocket.accept"})

    async def connect(headers: Any) -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message["type"])

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        await Pipeline([authentication(authenticate, required=True)]).asgi(app)(
            {"type": "websocket", "path": "/", "headers": headers}, receive, send
        )
        return sent

    assert asyncio.run(connect([])) == ["websocket.close"]
    assert asyncio.run(connect(bearer("t-ann"))) == ["websocket.accept"]
    assert opened == ["ann"]


@pytest.mark.parametrize("authenticate", KINDS)
def test_it_is_the_same_under_wsgi(authenticate: Any, records: Any) -> None:
    """Faces complete at once; 401 and the identity are as under ASGI."""
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append((environ["postrmagic.state"]["identity"].id, carried()["user_id"]))
        start_response("200 OK", [])
        return [b""]

    def get(**environ: Any) -> str:
        setup_testing_defaults(environ)
        statuses: list[str] = []
        body: Any = Pipeline([access_log(), authentication(authenticate, required=True)]).wsgi(app)(
            environ, lambda status, headers: statuses.append(status)
        )
        list(body)
        body.close()
        return statuses[0]

    assert get() == "401 Unauthorized"
    assert get(HTTP_AUTHORIZATION="Bearer t-bob") == "200 OK"
    assert seen == [("bob", "bob")]
    assert [record.get("user_id") for record in records.named("request")] == [None, "bob"]
    assert "user_id" not in get_contextvars()


def test_it_stands_inside_of_sessions_and_errors() -> None:
    """It may ask the session who it is, and what it raises is answered."""
    for outer in (errors(), sessions(Tokens())):  # type: ignore[arg-type]  # never asked
        with pytest.raises(ConfigurationError, match="authentication must stand inside"):
            Pipeline([authentication(by_token), outer])


def by_word(request: Request) -> User | Refused | None:
    """A plain function that knows whether a token was sent."""
    text = of_header(request.headers.get("authorization"))
    if text is None:
        return None
    return User(TOKENS[text]) if text in TOKENS else REFUSED


async def by_word_later(request: Request) -> User | Refused | None:
    """The same, having waited."""
    await asyncio.sleep(0)
    return by_word(request)


@pytest.mark.parametrize("authenticate", [by_word, by_word_later])
def test_a_token_that_is_refused_is_told_so(authenticate: Any, call: Any, telling: Any) -> None:
    """With an error code; who sent none is told of no error (RFC 6750, section 3.1). Else the answers are the same."""
    app = Pipeline([errors(), authentication(authenticate, required=True)]).asgi(telling)
    refused, nobody = call(app, headers=bearer("unknown")), call(app)
    assert refused.header("www-authenticate") == 'Bearer realm="api", error="invalid_token"'
    assert nobody.header("www-authenticate") == 'Bearer realm="api"'
    assert (refused.status, refused.body) == (nobody.status, nobody.body) == (401, nobody.body)
    assert call(app, headers=bearer("t-ann")).header("www-authenticate") is None
    assert call(app, headers=[(b"authorization", b"Basic YTpi")]).header("www-authenticate") == 'Bearer realm="api"'


@pytest.mark.parametrize("authenticate", [by_word, by_word_later])
def test_where_nobody_may_a_refused_token_is_nobody(authenticate: Any, call: Any, telling: Any, records: Any) -> None:
    """What is public is answered; that a token was refused stands in the state, and no user in the log."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["state"].get("bearer_refused"))
        await telling(scope, receive, send)

    pipeline = Pipeline([errors(), authentication(authenticate)]).asgi(app)
    for headers in (bearer("unknown"), [], bearer("t-ann")):
        assert call(pipeline, headers=headers).status == 200
    assert seen == [True, None, None]
    assert ["user_id" in record for record in records.named("inside")] == [False, False, True]


@pytest.mark.parametrize(
    ("challenge", "told"),
    [
        ("Bearer", 'Bearer error="invalid_token"'),
        ("bearer", 'Bearer error="invalid_token"'),
        ('Bearer realm="x"', 'Bearer realm="x", error="invalid_token"'),
        ('Bearer realm="x", scope="a b"', 'Bearer realm="x", scope="a b", error="invalid_token"'),
        ('Basic realm="x"', 'Basic realm="x", Bearer error="invalid_token"'),
        ('Bearer realm="x", Basic realm="y"', 'Bearer realm="x", Basic realm="y", Bearer error="invalid_token"'),
        ('Bearer realm="x", Negotiate', 'Bearer realm="x", Negotiate, Bearer error="invalid_token"'),
        ("BearerX abc", 'BearerX abc, Bearer error="invalid_token"'),
    ],
)
def test_the_error_stands_in_a_bearer_challenge(challenge: str, told: str, call: Any, telling: Any) -> None:
    """The application's own, if that is all it says; else in one of its own."""
    app = Pipeline([authentication(by_word, required=True, challenge=challenge)]).asgi(telling)
    assert call(app).header("www-authenticate") == challenge
    assert call(app, headers=bearer("unknown")).header("www-authenticate") == told


def test_a_refused_token_is_told_so_under_wsgi() -> None:
    """By the same layers."""
    said: list[Any] = []
    app = Pipeline([authentication(by_word, required=True)]).wsgi(lambda environ, start: [])
    environ: dict[str, Any] = {"HTTP_AUTHORIZATION": "Bearer unknown"}
    setup_testing_defaults(environ)
    body = app(environ, lambda status, headers, exc_info=None: said.append((status, dict(headers))))
    b"".join(body)
    getattr(body, "close", lambda: None)()
    [(status, headers)] = said
    assert (status[:3], headers["www-authenticate"]) == ("401", 'Bearer realm="api", error="invalid_token"')
