"""Whoever issued a bearer token is asked about it, nobody else is told it, and what is not good is answered alike."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from wsgiref.util import setup_testing_defaults

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendUnavailable, ConfigurationError
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.authentication import REFUSED, Refused, authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.bearer import Tokens, bearer_tokens, owner
from postrmagic_core.middleware.errors import errors
from postrmagic_core.security.access import Access, Role, Roles, User
from postrmagic_core.security.access_tokens import AccessTokens, VerifiedToken, policy
from postrmagic_core.security.oauth import (
    AuthorizationServer,
    Introspector,
    Scope,
    Scopes,
    ServerTerms,
    VerifiedAccess,
)
from postrmagic_core.security.oauth.introspection import IntrospectedToken
from postrmagic_core.security.signed_tokens import RemoteKeys, SigningKeys, TokenClaims, TokenVerifier
from postrmagic_core.security.tables import access_tokens, metadata
from tests.security.little_server import LittleServer, says, serving

ISSUER, OTHER, THIRD = "https://app.example.org", "https://id.example.org", "https://third.example.org"
BACK = "https://client.example/back"
ROLES = Roles([Role("editor", allow=["media:read", "media:edit"])])
SCOPES = Scopes([Scope("media.read", ["media:read"], "See posters"), Scope("media.edit", ["media:*"], "Change them")])
RULES = {"GET /media": "media:read", "POST /media": "media:edit"}
VERIFIER = "a-verifier.of~43_characters-0123456789abcdef"
# Ways in which a token is spoilt, each of a good one.
SPOILT: dict[str, Callable[[str], str]] = {
    "cut": lambda token: token[:-1],
    "longer": lambda token: token + "A",
    "twice": lambda token: token + token,
    "another letter": lambda token: token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:],
    "without its signature": lambda token: token[: token.rfind(".") + 1],
    "without its head": lambda token: token[token.find(".") :],
    "an empty head": lambda token: "e30" + token[token.find(".") :],
    "unsigned": lambda token: f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': 'x'})}.{(token.split('.') * 2)[1]}.",
    "in other case": str.swapcase,
}


def encoded(document: object) -> str:
    """A segment of a token."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


class House:
    """An application whose tokens are personal ones, its own server's, and two other servers'."""

    def __init__(self, database: DatabaseManager, ring: KeyRing, opened: ExitStack, asked: LittleServer) -> None:
        self.access = opened.enter_context(Access(ROLES, database))
        self.personal = opened.enter_context(AccessTokens(database, self.access))
        terms = ServerTerms(ISSUER)
        server = AuthorizationServer(database, self.access, ring, terms=terms, scopes=SCOPES)
        self.server = opened.enter_context(server)
        self.client = self.server.clients.add(
            "Program",
            redirect_uris=[BACK],
            scopes=["media.read", "media.edit"],
            grant_types=["authorization_code"],
            public=True,
        )
        self.signing = SigningKeys.of_ring(KeyRing([secrets.token_urlsafe(32)]))
        self.fetched: list[str] = []
        self.fetching: list[int] = []
        self.published: bytes | Exception = json.dumps(self.signing.jwks()).encode()
        self.remote = opened.enter_context(RemoteKeys(f"{OTHER}/jwks.json", fetch=self._fetch))
        self.verifier = TokenVerifier(self.remote, issuer=OTHER, audience="api")
        introspector = Introspector(asked.url, issuer=THIRD, client_id="api", secret="s")
        self.introspector = opened.enter_context(introspector)
        self.asked = asked
        self.found: Any = None
        for user in ("7", "8"):
            self.access.grant(user, "editor", actor=None)

    def _fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        self.fetching.append(threading.get_ident())
        if isinstance(self.published, Exception):
            raise self.published
        return self.published

    def tokens(self) -> Tokens[Any]:
        """Of all of them."""
        return bearer_tokens(self.personal, self.server, self.verifier, self.introspector, audit=self.access.audit)

    def pipeline(self) -> Pipeline:
        """The layers; a session, as it were, is user 8's."""
        tokens = self.tokens()

        async def who(request: Request) -> Any:
            self.found = found = await tokens(request)
            if found is None:
                return User("8", frozenset({"editor"})) if request.headers.get("cookie") else None
            if found is REFUSED:
                return REFUSED
            if isinstance(found, (VerifiedToken, VerifiedAccess)):
                return await owner(request, self.access, found)
            return User(f"elsewhere:{found.subject}", frozenset({"editor"}))

        guard = authorization(self.access, RULES, public=["/"], scopes=self.server.scopes)
        return Pipeline([errors(), authentication(who), guard])

    def own(self, *scopes: str, user: str = "7") -> str:
        """An access token of the server here."""
        query = {
            "response_type": "code",
            "client_id": self.client.info.id,
            "redirect_uri": BACK,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())[:43].decode(),
            "code_challenge_method": "S256",
        }
        request = self.server.ask(urlencode(query))
        location = self.server.approve(request, user, scopes=scopes or None)
        [code] = parse_qs(urlsplit(location).query)["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return str(self.server.token({**form, "client_id": self.client.info.id}, authorization=None)["access_token"])

    def signed(self, keys: SigningKeys | None = None, **more: object) -> str:
        """An access token of the other server."""
        now = int(time.time())
        claims = {"iss": OTHER, "aud": "api", "sub": "ann", "client_id": "c", "jti": "j", "iat": now, "exp": now + 60}
        return (keys or self.signing).sign({**claims, **more})

    def audited(self) -> list[tuple[str | None, str | None, int]]:
        """Denials that stand in the audit log: by whom, of what, how often."""
        self.access.audit.flush()
        found = [entry for entry in self.access.audit.find() if entry.outcome == "denied"]
        return [(entry.actor, entry.subject, int(str(entry.detail.get("count", 1)))) for entry in found]


@pytest.fixture
def ring() -> KeyRing:
    """A key ring."""
    return KeyRing([secrets.token_urlsafe(32)])


@pytest.fixture
def asked() -> Iterator[LittleServer]:
    """The third server: it calls every token good."""
    with serving(says(b'{"active": true, "sub": "eve"}')) as server:
        yield server


@pytest.fixture
def house(tmp_path: Any, ring: KeyRing, asked: LittleServer) -> Iterator[House]:
    """With users 7 and 8."""
    with ExitStack() as opened:
        database = opened.enter_context(DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}"))
        with database.write() as tx:
            metadata.create_all(tx.connection)
        yield House(database, ring, opened, asked)


Ask = Callable[..., tuple[int, dict[str, str], bytes]]


def _by_asgi(pipeline: Pipeline, method: str, path: str, headers: list[tuple[str, str]], query: str) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        who = scope["state"]["identity"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"" if who is None else who.id.encode()})

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "scheme": "http",
    }
    asyncio.run(pipeline.asgi(app)(scope, receive, send))
    told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:])


def _by_wsgi(pipeline: Pipeline, method: str, path: str, headers: list[tuple[str, str]], query: str) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        who = environ["postrmagic.state"]["identity"]
        start_response("200 OK", [])
        return [b"" if who is None else who.id.encode()]

    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    for name, value in headers:
        key = f"HTTP_{name.upper()}"
        environ[key] = f"{environ[key]}, {value}" if key in environ else value  # as servers do
    setup_testing_defaults(environ)
    said: list[Any] = []
    body = pipeline.wsgi(app)(environ, lambda status, told, exc_info=None: said.append((int(status[:3]), dict(told))))
    text = b"".join(body)
    getattr(body, "close", lambda: None)()
    return (*said[0], text)


@pytest.fixture(params=[_by_asgi, _by_wsgi], ids=["asgi", "wsgi"])
def ask(request: Any, house: House) -> Ask:
    """``ask(*headers, method=, path=, query=)`` sends one request."""
    pipeline = house.pipeline()

    def run(*headers: tuple[str, str], method: str = "GET", path: str = "/media", query: str = "") -> Any:
        return request.param(pipeline, method, path, list(headers), query)

    return run


def carrying(token: str, scheme: str = "Bearer") -> tuple[str, str]:
    """The header."""
    return ("authorization", f"{scheme} {token}")


INVALID = 'Bearer realm="api", error="invalid_token"'


def test_each_token_is_its_issuer_s(house: House, ask: Ask) -> None:
    """By its shape, and of signed ones by the issuer that it names."""
    personal = house.personal.issue("7", "x").token
    named_third = f"{encoded({})}.{encoded({'iss': THIRD})}.x"
    for token, who, kind in (
        (personal, "7", VerifiedToken),
        (house.own(), "7", VerifiedAccess),
        (house.signed(), "elsewhere:ann", TokenClaims),
        ("opaque", "elsewhere:eve", IntrospectedToken),
        ("opaque.with.dots", "elsewhere:eve", IntrospectedToken),
        (named_third, "elsewhere:eve", IntrospectedToken),
    ):
        assert ask(carrying(token))[::2] == (200, who.encode())
        assert type(house.found) is kind
    assert [parse_qs(body.decode())["token"][0] for _, _, body in house.asked.seen] == [
        "opaque",
        "opaque.with.dots",
        named_third,
    ]
    assert house.fetched == [f"{OTHER}/jwks.json"]
    assert house.audited() == []


def test_without_a_token_another_way_holds(house: House, ask: Ask) -> None:
    """The session's, where there is one; without an error in the challenge."""
    assert ask(("cookie", "s=1"))[::2] == (200, b"8")
    assert ask(("cookie", "s=1"), carrying("YTpi", "Basic"))[::2] == (200, b"8")
    status, headers, _ = ask()
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="api"')
    assert ask(path="/")[::2] == (200, b"")
    assert ask(query=f"access_token={house.personal.issue('7', 'x').token}")[0] == 401
    assert {subject for _, subject, _ in house.audited()} == {"media:read"}


@pytest.mark.parametrize("kind", ["personal", "own", "signed"])
def test_a_spoilt_token_is_refused_and_noted_once(kind: str, house: House, ask: Ask) -> None:
    """With one answer for all, whatever cookie comes along; and no other server is told it."""

    def noted() -> int:
        refusals = [entry for entry in house.audited() if entry[1] != "media:read"]
        assert {actor for actor, _, _ in refusals} <= {None}
        return sum(count for _, _, count in refusals)

    good = {"personal": lambda: house.personal.issue("7", "x").token, "own": house.own, "signed": house.signed}[kind]()
    house.asked.behaves(says(b'{"active": false}'))
    for way, spoil in SPOILT.items():
        before = noted()
        answer = ask(("cookie", "s=1"), carrying(spoil(good)))
        assert answer == ask(("cookie", "s=1"), carrying("no-token")), way
        assert (answer[0], answer[1]["www-authenticate"]) == (401, INVALID), way
        assert all(good not in body.decode() for _, _, body in house.asked.seen), way
        assert noted() - before == 2, way


def test_a_token_that_was_ended_is_refused_from_the_next_request_on(house: House, ask: Ask) -> None:
    """Of the server here by its grant, a personal one by its row."""
    own, issued = house.own(), house.personal.issue("7", "x")
    assert [ask(carrying(token))[0] for token in (own, issued.token)] == [200, 200]
    house.server.revoke_all("7")
    house.personal.revoke("7", issued.info.id)
    for token in (own, issued.token):
        status, headers, _ = ask(carrying(token))
        assert (status, headers["www-authenticate"]) == (401, INVALID)
    # It is nobody's, and no error, where nobody is needed.
    assert ask(carrying(own), path="/")[::2] == (200, b"")


def test_tokens_are_not_swapped(house: House, ask: Ask) -> None:
    """One signed by each other's key, for another audience, or of nobody known; and no refresh token or secret."""
    mine = SigningKeys.of_ring(KeyRing([secrets.token_urlsafe(32)]))
    for token in (
        house.signed(iss=ISSUER),
        house.signed(mine),
        house.signed(aud="other"),
        house.signed(iss="https://nobody.example.org"),
        house.signed(iss=None),
        house.signed(iss=[OTHER]),
        policy.token(secrets.choice),
        "pmr_" + "a" * 49,
        "pms_" + "a" * 49,
        "pmc_" + "a" * 49,
    ):
        before = sum(count for _, subject, count in house.audited() if subject != "media:read")
        assert ask(carrying(token))[0] == 401
        assert sum(count for _, subject, count in house.audited() if subject != "media:read") == before + 1
    told = {parse_qs(body.decode())["token"][0] for _, _, body in house.asked.seen}
    assert not any(text.startswith("pm") for text in told)


def test_a_header_that_is_used_wrongly_is_nobody_s_token(house: House, ask: Ask) -> None:
    """Twice, in a list, too long, or not as the standard writes it; a good token beside it does not help."""
    good = house.personal.issue("7", "x").token
    for headers in (
        [carrying(good), carrying(good)],
        [carrying("YTpi", "Basic"), carrying(good)],
        [carrying(f"{good}, {good}")],
        [carrying(good + " x")],
        [carrying("")],
        [carrying("a" * 8_193)],
        [carrying("a" * 100_000)],
        [carrying("é")],
    ):
        status, told, _ = ask(("cookie", "s=1"), *headers)
        assert (status, told["www-authenticate"]) == (401, INVALID)
    assert house.asked.seen == []
    assert ask(carrying(good, "bEARER"))[0] == 200


def test_a_long_token_is_read(house: House, ask: Ask) -> None:
    """Signed ones have more than 512 characters, and up to 8,192."""
    token = house.signed(more="x" * 5_000)
    assert 6_000 < len(token) <= 8_192
    assert ask(carrying(token))[::2] == (200, b"elsewhere:ann")


def test_a_scope_that_is_missing_is_named(house: House, ask: Ask) -> None:
    """As the client has to ask for it."""
    status, headers, _ = ask(carrying(house.own("media.read")), method="POST")
    assert status == 403
    assert headers["www-authenticate"] == 'Bearer realm="api", error="insufficient_scope", scope="media.edit"'
    assert ask(carrying(house.own("media.edit")), method="POST")[0] == 200


def test_who_cannot_be_asked_is_not_nobody(house: House, ask: Ask) -> None:
    """503, whichever of them is away; and nothing of the token is told."""
    own = house.own()
    house.published = BackendUnavailable("away")
    house.asked.behaves(says(b"", 500))
    with house.personal.database.write() as tx:
        access_tokens.drop(tx.connection)
    for token in (policy.token(secrets.choice), house.signed(), "opaque"):
        status, headers, body = ask(carrying(token))
        assert (status, headers.get("www-authenticate")) == (503, None)
        assert token.encode() not in body
    assert ask(carrying(own))[0] == 200
    assert house.audited() == []


def test_made_up_names_of_keys_cost_no_fetch(house: House, ask: Ask) -> None:
    """However many; the server's own tokens do not lead to the other's keys either."""
    assert ask(carrying(house.signed()))[0] == 200
    for _ in range(20):
        stranger = SigningKeys.of_ring(KeyRing([secrets.token_urlsafe(32)]))
        assert ask(carrying(house.signed(stranger)))[0] == 401
    assert ask(carrying(house.own()))[0] == 200
    assert len(house.fetched) == 1


def test_the_loop_never_waits_for_keys(house: House) -> None:
    """They are fetched by a thread, whoever needs them; without a loop by who asks."""
    headers = [carrying(house.signed())]
    assert _by_asgi(house.pipeline(), "GET", "/media", headers, "")[0] == 200
    [thread] = house.fetching
    assert thread != threading.get_ident()


def test_what_is_no_source_is_refused_when_it_is_made(house: House) -> None:
    """Nothing, something else; and two to which every opaque token would be told."""
    with pytest.raises(ConfigurationError, match="got Access"):
        bearer_tokens(house.access)  # type: ignore[call-overload]  # what is asked
    with pytest.raises(ConfigurationError, match="at least one source"):
        bearer_tokens()
    with pytest.raises(ConfigurationError, match="at most one Introspector"):
        bearer_tokens(house.introspector, house.introspector)


def test_one_source_is_enough(house: House) -> None:
    """Then whatever is not of its shape is refused without asking it; its audit log need not be given."""
    request = Request({"type": "http", "headers": []})

    def found(tokens: Tokens[Any], token: str) -> Any:
        request.scope["headers"] = [(b"authorization", f"Bearer {token}".encode())]
        return asyncio.run(tokens(request))  # type: ignore[arg-type]  # a coroutine, as is known here

    good = {"personal": house.personal.issue("7", "x").token, "own": house.own(), "signed": house.signed()}
    for name, source in (("personal", house.personal), ("own", house.server), ("signed", house.verifier)):
        tokens: Tokens[Any] = bearer_tokens(source)
        said = {kind: not isinstance(found(tokens, token), Refused) for kind, token in good.items()}
        assert said == {kind: kind == name for kind in good}
    assert found(bearer_tokens(house.introspector), "x") is not REFUSED
    assert len(house.asked.seen) == 1
