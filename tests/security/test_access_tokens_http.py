"""Requests with a token, a cookie or both: what another site, a script and a page may do."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.access_tokens import AccessTokens, bearer, not_by_token, policy
from postrmagic_core.security.tables import access_tokens, metadata
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore

ROLES = Roles([Role("editor", allow=["media:read", "media:edit"])])
RULES = {"GET /media": "media:read", "POST /media": "media:edit", "POST /tokens": "account:secure"}
Ask = Callable[..., tuple[int, dict[str, str], str]]


class House:
    """An application with sessions and tokens."""

    def __init__(self, database: DatabaseManager, ring: KeyRing, opened: ExitStack) -> None:
        self.access = opened.enter_context(Access(ROLES, database))
        self.access.policy("account:secure")(not_by_token)
        self.tokens = opened.enter_context(AccessTokens(database, self.access))
        self.store = opened.enter_context(SessionStore(MemoryStore(), ring))
        layers = [
            errors(),
            sessions(self.store, cookie_secure=False),
            csrf(keys=ring, cookie_secure=False),
            authentication(self.who),
            authorization(self.access, RULES, public=["POST /login"]),
        ]
        self.app = Pipeline(layers).asgi(self.answer)
        for user in ("7", "8"):
            self.access.grant(user, "editor", actor=None)

    async def who(self, request: Request) -> Any:
        """As the guide has it."""
        text = bearer(", ".join(request.headers.get_all("authorization")))
        if text is None:
            session = await request.state["session"]
            return None if session.user_id is None else await request.face(self.access).identity(session.user_id)
        verified = await request.face(self.tokens).verify(text)
        if verified is None:
            return None
        return verified.restrict(await request.face(self.access).identity(verified.user_id))

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Who asked; ``/login`` begins user 8's session."""
        state = scope["state"]
        if scope["path"] == "/login":
            (await state["session"]).login("8")
        who = state["identity"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"" if who is None else who.id.encode()})

    def ask(self, method: str, path: str, *headers: tuple[str, str]) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of the answer."""
        pairs = [(b"host", b"example.org"), *((name.encode(), value.encode("latin-1")) for name, value in headers)]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": pairs,
            "scheme": "http",
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]).decode()

    def cookie(self) -> str:
        """The cookie of user 8's session."""
        status, headers, _ = self.ask("POST", "/login", ("sec-fetch-site", "same-origin"))
        assert status == 200
        return headers["set-cookie"].partition(";")[0]


@pytest.fixture
def house(tmp_path: Any, ring: KeyRing) -> Iterator[House]:
    """With users 7 and 8."""
    with ExitStack() as opened:
        database = opened.enter_context(DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}"))
        with database.write() as tx:
            metadata.create_all(tx.connection)
        yield House(database, ring, opened)


def carrying(token: str, scheme: str = "Bearer") -> tuple[str, str]:
    """The header."""
    return ("authorization", f"{scheme} {token}")


CROSS, SAME = ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-origin")


def test_a_script_needs_a_token_and_nothing_else(house: House) -> None:
    """No cookie, no CSRF token; and none is set."""
    token = house.tokens.issue("7", "x").token
    for method in ("GET", "POST"):
        status, headers, body = house.ask(method, "/media", carrying(token))
        assert (status, body) == (200, "7")
        assert "set-cookie" not in headers


def test_of_both_the_token_says_who_asks(house: House) -> None:
    """From the same site; user 8's session is not asked."""
    token, cookie = house.tokens.issue("7", "x").token, house.cookie()
    assert house.ask("POST", "/media", ("cookie", cookie), SAME)[2] == "8"
    assert house.ask("POST", "/media", ("cookie", cookie), SAME, carrying(token))[2] == "7"
    assert house.ask("GET", "/media", ("cookie", cookie), carrying(token, "bearer"))[2] == "7"


def test_a_cookie_stands_in_for_no_token(house: House) -> None:
    """Beside a token that is not good, or a header that is not well formed, a good session is nobody's."""
    issued, cookie = house.tokens.issue("7", "x"), house.cookie()
    assert house.tokens.revoke("7", issued.info.id)
    bad = [issued.token, policy.token(secrets.choice), "", "x", "a b", issued.token + ", Bearer x", "x" * 10_000]
    for text in bad:
        status, headers, body = house.ask("GET", "/media", ("cookie", cookie), carrying(text))
        assert status == 401
        assert headers["www-authenticate"] == 'Bearer realm="api"'
        assert json.loads(body)["code"] == "authentication.required"
    twice = [carrying(house.tokens.issue("7", "y").token)] * 2
    assert house.ask("GET", "/media", ("cookie", cookie), *twice)[0] == 401
    assert house.ask("GET", "/media", ("cookie", cookie), carrying("YTpi", "Basic"))[2] == "8"


def test_every_token_that_is_not_good_is_answered_alike(house: House) -> None:
    """Unknown, revoked, expired, malformed: byte for byte."""
    revoked, ended = house.tokens.issue("7", "x"), house.tokens.issue("7", "y", lifetime=0.000001)
    house.tokens.revoke("7", revoked.info.id)
    texts = [revoked.token, ended.token, policy.token(secrets.choice), "x", ""]
    answers = {repr(house.ask("GET", "/media", carrying(text))) for text in texts}
    assert len(answers) == 1


def test_another_site_s_page_may_change_nothing(house: House) -> None:
    """With the visitor's cookie or without, with a token or without."""
    token, cookie = house.tokens.issue("7", "x").token, house.cookie()
    for headers in ([("cookie", cookie)], [carrying(token)], [("cookie", cookie), carrying(token)]):
        assert house.ask("POST", "/media", CROSS, *headers)[0] == 403


def test_a_script_with_cookies_is_taken_for_a_browser(house: House) -> None:
    """What carries a cookie and does not say where it is from needs the CSRF token, whatever else it has."""
    token, cookie = house.tokens.issue("7", "x").token, house.cookie()
    status, _, body = house.ask("POST", "/media", ("cookie", cookie), carrying(token))
    assert (status, json.loads(body)["code"]) == (403, "csrf.token")


def test_a_token_makes_no_other_token(house: House) -> None:
    """Though it is limited to nothing less than its owner may, and its owner has a session beside it."""
    token, cookie = house.tokens.issue("7", "x").token, house.cookie()
    assert house.ask("POST", "/tokens", ("cookie", cookie), SAME)[0] == 200
    assert house.ask("POST", "/tokens", carrying(token))[0] == 403
    assert house.ask("POST", "/tokens", ("cookie", cookie), SAME, carrying(token))[0] == 403


def test_a_limited_token_gets_no_further(house: House) -> None:
    """Its owner may edit; it may read."""
    token = house.tokens.issue("7", "x", permissions=["media:read"]).token
    assert house.ask("GET", "/media", carrying(token))[0] == 200
    assert house.ask("POST", "/media", carrying(token))[0] == 403


def test_with_the_database_away_nobody_is_told_to_log_in(house: House) -> None:
    """It is 503, not 401."""
    token = house.tokens.issue("7", "x").token
    with house.tokens.database.write() as tx:
        access_tokens.drop(tx.connection)
    status, _, body = house.ask("GET", "/media", carrying(token))
    assert status == 503
    assert token not in body
