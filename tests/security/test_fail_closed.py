"""Whatever breaks in what decides, the answer is no, and it says nothing of what broke (OWASP ASVS 16.5.1, 16.5.3)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.limits import RateLimiter
from postrmagic_core.middleware import Middleware, Pipeline
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.bearer import bearer_tokens
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.rate_limit import concurrency_limit, rate_limit
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.security.access import Access, Role, Roles, User
from postrmagic_core.security.access_tokens import AccessTokens, policy
from postrmagic_core.security.logins import LoginThrottle
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from tests.security.conftest import KEY

RING = KeyRing([KEY])
CANARY = "the-text-of-what-broke"
BROKE: list[bool] = []
ANN = User("ann", frozenset({"editor"}))


def breaks(*_: object, **__: object) -> Any:
    """A function with a mistake in it."""
    BROKE.append(True)
    raise ZeroDivisionError(CANARY)


class Broken(MemoryStore):
    """A store with a mistake in it: what it raises is none of a store's errors."""

    get = breaks
    run = breaks


class Unplugged:
    """A database with a mistake in it."""

    bridge = None

    def __getattr__(self, name: str) -> Any:
        return breaks()


def access() -> Access:
    """One role; a database that breaks."""
    database: Any = Unplugged()
    return Access(Roles([Role("editor", allow=["media:read", "poster:edit:own"])]), database)


def by_policy(opened: ExitStack) -> list[Middleware]:
    """A policy that breaks."""
    deciding = access()
    deciding.policy("media:*")(breaks)
    return [authentication(lambda request: ANN), authorization(deciding, {"/media": "media:read"})]


def by_token(opened: ExitStack) -> list[Middleware]:
    """A database that breaks while a token is looked up."""
    database: Any = Unplugged()
    tokens = bearer_tokens(opened.enter_context(AccessTokens(database, access())))

    async def who(request: Any) -> Any:
        return await tokens(request)

    return [authentication(who, required=True)]


def by_session(opened: ExitStack) -> list[Middleware]:
    """A store that breaks while the visitor's session is looked up."""
    store = opened.enter_context(SessionStore(Broken(), RING))

    async def who(request: Any) -> Any:
        session = await request.state["session"]
        return None if session.user_id is None else ANN

    return [sessions(store), authentication(who)]


def by_form(opened: ExitStack) -> list[Middleware]:
    """The same, while a form's token is compared with the session."""
    store = opened.enter_context(SessionStore(Broken(), RING))
    return [sessions(store), csrf(keys=RING, token="always")]


def limited(opened: ExitStack, make: Callable[..., Middleware], limit: Any) -> list[Middleware]:
    """A store that breaks while requests are counted."""
    return [make(opened.enter_context(RateLimiter(Broken())), limit)]


CHECKERS: dict[str, Callable[[ExitStack], list[Middleware]]] = {
    "who asks": lambda opened: [authentication(breaks)],
    "a policy": by_policy,
    "a token": by_token,
    "a session": by_session,
    "a form's token": by_form,
    "a rate limit's key": lambda opened: [rate_limit(RateLimiter(MemoryStore()), "9/minute", by=breaks)],
    "a rate limit": lambda opened: limited(opened, rate_limit, "9/minute"),
    "a concurrency limit": lambda opened: limited(opened, concurrency_limit, 9),
}


def headers() -> list[tuple[bytes, bytes]]:
    """A request that has all that is asked for: each checker has something to look at."""
    with SessionStore(MemoryStore(), RING) as store:
        session = store.load(None)
        session.login("ann")
        cookie = store.save(session)
    return [
        (b"authorization", f"Bearer {policy.token(secrets.choice)}".encode()),
        (b"cookie", f"__Host-session={cookie}".encode()),
        (b"x-csrf-token", b"A" * 64),
        (b"sec-fetch-site", b"same-origin"),
    ]


@pytest.mark.parametrize("checker", CHECKERS)
def test_who_cannot_decide_lets_nobody_pass(checker: str) -> None:
    """The application is not reached; the answer is an error or a refusal, without a word of what broke."""
    BROKE.clear()
    reached = []
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/media", "query_string": b"", "headers": headers()}
    with ExitStack() as opened:
        app = Pipeline([errors(), *CHECKERS[checker](opened)]).asgi(application)
        asyncio.run(app({**scope, "scheme": "https", "client": ("192.0.2.7", 1)}, receive, send))
    assert BROKE
    assert reached == []
    assert sent[0]["status"] >= 400
    assert CANARY not in str(sent)
    assert "ZeroDivisionError" not in str(sent)


def test_a_login_is_not_tried_where_it_cannot_be_counted() -> None:
    """The throttle raises rather than admits."""
    with RateLimiter(Broken()) as limiter, pytest.raises(ZeroDivisionError):
        LoginThrottle(limiter, RING).admit("ann", "192.0.2.7")


def test_an_owner_that_cannot_be_found_is_another() -> None:
    """Own objects need an owner: who cannot say whose it is opens it to nobody."""
    deciding = access()
    assert deciding.check(ANN, "poster:edit", {"owner_id": "ann"})
    deciding.owner("poster")(breaks)
    assert not deciding.check(ANN, "poster:edit", {"owner_id": "ann"})
