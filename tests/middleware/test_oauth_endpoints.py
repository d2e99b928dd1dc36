"""The authorization server's endpoints: a form that can be read in one way is answered as the standards have it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendTimeout, ConfigurationError, OAuthRefused, OutcomeUnknown
from postrmagic_core.limits import RateLimiter
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.cors import cors
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.oauth_endpoints import MAX_BYTES, oauth_endpoints, parsed_form
from postrmagic_core.middleware.rate_limit import by_user, rate_limit
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.oauth import AuthorizationServer, Endpoints, IssuedClient, Scope, Scopes, ServerTerms
from postrmagic_core.security.tables import metadata
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore

ISSUER, BACK = "https://app.example.org", "https://client.example/back"
ROLES = Roles([Role("editor", allow=["media:read", "media:edit"])])
SCOPES = Scopes([Scope("media.read", ["media:read"], "See posters")])
VERIFIER = "a-verifier.of~43_characters-0123456789abcdef"
FORM = "application/x-www-form-urlencoded"
WELL_KNOWN = "/.well-known/oauth-authorization-server"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The word for what is wrong; whatever is, it may not be kept, and is told as JSON."""
        assert self.headers["cache-control"] == "no-store"
        assert self.headers["content-type"] == "application/json"
        assert set(self.json) == {"error", "error_description"}
        return str(self.json["error"])


class Rig:
    """A server, a client with a secret, one without, a resource server, and the pipeline."""

    def __init__(self, database: DatabaseManager, opened: ExitStack) -> None:
        ring = KeyRing([secrets.token_urlsafe(32)])
        self.database = database
        self.access = opened.enter_context(Access(ROLES, database))
        server = AuthorizationServer(database, self.access, ring, terms=ServerTerms(ISSUER), scopes=SCOPES)
        self.server = opened.enter_context(server)
        web: dict[str, Any] = {"redirect_uris": [BACK], "scopes": ["media.read"]}
        code = ["authorization_code", "refresh_token"]
        self.client = server.clients.add("Web", **web, grant_types=[*code, "client_credentials"])
        self.public = server.clients.add("App", **web, grant_types=code, public=True)
        self.resource = server.clients.add("API", scopes=[], grant_types=[], introspects=True)
        store = opened.enter_context(SessionStore(MemoryStore(), ring))
        self.inner = [
            sessions(store, cookie_secure=False),
            csrf(keys=ring, cookie_secure=False),
            authentication(lambda request: None, required=True),
        ]
        self.pipeline = Pipeline([errors(), oauth_endpoints(server), *self.inner])

    def code(self, client: IssuedClient) -> dict[str, str]:
        """The form with which a code is redeemed that user 7 has given."""
        query = {
            "response_type": "code",
            "client_id": client.info.id,
            "redirect_uri": BACK,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())[:43].decode(),
            "code_challenge_method": "S256",
        }
        location = self.server.approve(self.server.ask(urlencode(query)), "7")
        [code] = parse_qs(urlsplit(location).query)["code"]
        return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}


@pytest.fixture
def rig(tmp_path: Any) -> Iterator[Rig]:
    """On SQLite."""
    with ExitStack() as opened:
        database = opened.enter_context(DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}"))
        with database.write() as tx:
            metadata.create_all(tx.connection)
        yield Rig(database, opened)


def _by_asgi(pipeline: Pipeline, method: str, path: str, query: str, headers: Any, chunks: list[bytes]) -> Answer:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"the application"})

    messages = [
        {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
        for index, chunk in enumerate(chunks)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "scheme": "https",
        "client": ("192.0.2.1", 1),
    }
    asyncio.run(pipeline.asgi(app)(scope, receive, send))
    told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))


def _by_wsgi(pipeline: Pipeline, method: str, path: str, query: str, headers: Any, chunks: list[bytes]) -> Answer:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("299 Other", [])
        return [b"the application"]

    body = b"".join(chunks)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "app.example.org",
        "SERVER_PORT": "443",
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]}, {value}" if key.startswith("HTTP_") and key in environ else value
    said: list[Any] = []
    result = pipeline.wsgi(app)(environ, lambda status, told, exc_info=None: said.append((int(status[:3]), told)))
    text = b"".join(result)
    getattr(result, "close", lambda: None)()
    return Answer(said[0][0], {name.lower(): value for name, value in said[0][1]}, text)


Ask = Callable[..., Answer]


@pytest.fixture(params=[_by_asgi, _by_wsgi], ids=["asgi", "wsgi"])
def ask(request: Any, rig: Rig) -> Ask:
    """``ask(path, body, *headers)`` posts a form; ``method`` and all else may be another."""

    def run(
        path: str,
        body: bytes | str | dict[str, str] = b"",
        *headers: tuple[str, str],
        method: str = "POST",
        kind: str | None = FORM,
        query: str = "",
        pipeline: Pipeline | None = None,
        chunks: list[bytes] | None = None,
    ) -> Answer:
        data = urlencode(body) if isinstance(body, dict) else body
        data = data.encode() if isinstance(data, str) else data
        given = [("host", "app.example.org"), *headers, *([("content-type", kind)] if kind else [])]
        answer: Answer = request.param(pipeline or rig.pipeline, method, path, query, given, chunks or [data])
        return answer

    return run


def basic(client: IssuedClient, secret: str | None = None) -> tuple[str, str]:
    """The client's header."""
    both = f"{client.info.id}:{secret or client.secret}"
    return ("authorization", "Basic " + base64.b64encode(both.encode()).decode())


MACHINE = {"grant_type": "client_credentials"}


def test_a_client_gets_a_token_for_itself(rig: Rig, ask: Ask) -> None:
    """By its header or by the form; nobody may keep the answer, and it sets no cookie."""
    client = rig.client
    in_form = {"client_id": client.info.id, "client_secret": str(client.secret)}
    for answer in (ask("/oauth/token", MACHINE, basic(client)), ask("/oauth/token", MACHINE | in_form)):
        assert (answer.status, answer.json["token_type"]) == (200, "Bearer")
        assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
        assert answer.headers["content-type"] == "application/json"
        assert "set-cookie" not in answer.headers
        verified = rig.server.verify(answer.json["access_token"])
        assert verified is not None
        assert verified.user_id is None


def test_another_site_and_cookies_do_not_matter(rig: Rig, ask: Ask) -> None:
    """A client's credentials are in no cookie: a page that does not know them gets nothing that it could not have."""
    cross = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("cookie", "session=x")]
    assert ask("/oauth/token", MACHINE, basic(rig.client), *cross).status == 200
    answer = ask("/oauth/token", MACHINE, *cross)
    assert (answer.status, answer.error) == (401, "invalid_client")
    assert "access-control-allow-origin" not in answer.headers


def test_a_code_is_redeemed_refreshed_and_revoked(rig: Rig, ask: Ask) -> None:
    """By a client without a secret, from end to end."""
    who = {"client_id": rig.public.info.id}
    form = rig.code(rig.public)
    got = ask("/oauth/token", form | who)
    assert got.status == 200
    again = ask("/oauth/token", {"grant_type": "refresh_token", "refresh_token": got.json["refresh_token"], **who})
    assert again.status == 200
    told = ask("/oauth/introspect", {"token": again.json["access_token"]}, basic(rig.resource))
    assert (told.status, told.json["active"], told.json["sub"]) == (200, True, "7")
    assert told.headers["cache-control"] == "no-store"
    ended = ask("/oauth/revoke", {"token": again.json["refresh_token"], **who})
    assert (ended.status, ended.body, ended.headers["cache-control"]) == (200, b"", "no-store")
    told = ask("/oauth/introspect", {"token": again.json["access_token"]}, basic(rig.resource))
    assert told.json == {"active": False}
    replayed = ask("/oauth/token", form | who)
    assert (replayed.status, replayed.error) == (400, "invalid_grant")


def test_a_client_whose_answer_was_lost_asks_again(rig: Rig, ask: Ask) -> None:
    """Under the same Idempotency-Key it gets the same answer; without it, all that it had ends (row A4)."""
    who, key = {"client_id": rig.public.info.id}, ("idempotency-key", "a-key-of-7")
    got = ask("/oauth/token", rig.code(rig.public) | who)
    form = {"grant_type": "refresh_token", "refresh_token": got.json["refresh_token"], **who}
    first, quoted = ask("/oauth/token", form, key), ask("/oauth/token", form, (key[0], f'"{key[1]}"'))
    assert (first.status, first.body) == (200, quoted.body) == (quoted.status, quoted.body)
    assert ask("/oauth/token", form).error == "invalid_grant"
    assert rig.server.verify(first.json["access_token"]) is None


@pytest.mark.parametrize("key", ["", "a,b", "a b", "x" * 256, '"', "é"], ids=ascii)
def test_a_key_that_is_none_is_no_key(key: str, rig: Rig, ask: Ask) -> None:
    """The client that relies on it is told."""
    answer = ask("/oauth/token", MACHINE, basic(rig.client), ("idempotency-key", key))
    assert (answer.status, answer.error) == (400, "invalid_request")


def test_the_keys_and_the_metadata_are_everybody_s(rig: Rig, ask: Ask) -> None:
    """For five minutes, and to HEAD without a body."""
    keys, told = ask("/oauth/jwks.json", method="GET"), ask(WELL_KNOWN, method="GET")
    assert keys.json == rig.server.jwks()
    assert all("d" not in key for key in keys.json["keys"])
    assert told.json == rig.server.metadata(Endpoints.under(ISSUER))
    assert told.json["token_endpoint"] == f"{ISSUER}/oauth/token"
    for answer in (keys, told):
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert answer.headers["content-type"] == "application/json"
    head = ask(WELL_KNOWN, method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(told.body)))


@pytest.mark.parametrize(
    ("path", "allowed", "others"),
    [
        ("/oauth/token", "POST", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "TRACE"]),
        ("/oauth/revoke", "POST", ["GET", "HEAD", "PUT"]),
        ("/oauth/introspect", "POST", ["GET", "HEAD", "PUT"]),
        ("/oauth/jwks.json", "GET, HEAD", ["POST", "PUT", "OPTIONS"]),
        (WELL_KNOWN, "GET, HEAD", ["POST", "PUT", "OPTIONS"]),
    ],
)
def test_another_method_is_told_which(path: str, allowed: str, others: list[str], rig: Rig, ask: Ask) -> None:
    """And is not carried out: a token in a URL would stand in logs."""
    for method in others:
        answer = ask(path, method=method, query=urlencode(MACHINE))
        assert (answer.status, answer.headers["allow"]) == (405, allowed)
        if method != "HEAD":
            assert answer.error == "invalid_request"


@pytest.mark.parametrize(
    "path",
    ["/", "/oauth", "/oauth/", "/oauth/authorize", "/oauth/token/", "/oauth/tokens", "/OAUTH/token", "//oauth/token"],
)
def test_all_other_paths_are_the_application_s(path: str, rig: Rig, ask: Ask) -> None:
    """With its session, its guard against other sites, and who asks."""
    answer = ask(path, MACHINE, basic(rig.client), ("sec-fetch-site", "same-origin"))
    assert (answer.status, answer.json["code"]) == (401, "authentication.required")


KINDS = [
    None,
    "",
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencodedx",
    f"{FORM}; charset=utf-16",
    f"{FORM}; charset=iso-8859-1",
    f"{FORM}; x=y",
    f"text/plain, {FORM}",
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_forms_alone_are_read(kind: str | None, rig: Rig, ask: Ask) -> None:
    """By every endpoint that takes any."""
    for path in ("token", "revoke", "introspect"):
        answer = ask(f"/oauth/{path}", MACHINE, basic(rig.client), kind=kind)
        assert (answer.status, answer.error) == (400, "invalid_request")


@pytest.mark.parametrize("kind", [FORM.upper(), f"{FORM};charset=UTF-8", f'{FORM} ; charset="utf-8"'])
def test_a_form_is_one_however_it_is_written(kind: str, rig: Rig, ask: Ask) -> None:
    """In any case, with the encoding that it has."""
    assert ask("/oauth/token", MACHINE, basic(rig.client), kind=kind).status == 200


BODIES: dict[str, bytes] = {
    "a parameter twice": b"grant_type=client_credentials&grant_type=client_credentials",
    "twice, once without a value": b"grant_type=client_credentials&grant_type=",
    "twice, written in two ways": b"grant_type=client_credentials&gr%61nt_type=password",
    "an unknown one twice": b"grant_type=client_credentials&x=1&x=2",
    "NUL": b"grant_type=client_credentials&scope=media.read%00",
    "NUL itself": b"grant_type=client_credentials&scope=media.read\0",
    "NUL in a name": b"grant_type=client_credentials&sc%00ope=x",
    "no UTF-8": b"grant_type=client_credentials&scope=%ff",
    "no UTF-8 itself": b"grant_type=client_credentials&scope=\xff",
    "a surrogate": b"grant_type=client_credentials&scope=%ed%a0%80",
    "half an escape": b"grant_type=client_credentials&scope=%f",
    "half an escape at the end": b"grant_type=client_credentials&scope=x%",
    "a wrong escape": b"grant_type=client_credentials&scope=%zz",
    "too many": b"grant_type=client_credentials&" + b"&".join(b"x%d=" % number for number in range(32)),
    "too many that are nothing": b"grant_type=client_credentials" + b"&" * 32,
    "a long name": b"grant_type=client_credentials&" + b"x" * 65 + b"=1",
    "a long value": b"grant_type=client_credentials&x=" + b"x" * 8_193,
    "no name": b"grant_type=client_credentials&=x",
    "nothing": b"",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_form_that_can_be_read_in_two_ways_is_not_read(body: bytes, rig: Rig, ask: Ask) -> None:
    """Nor one that is too much."""
    answer = ask("/oauth/token", body, basic(rig.client))
    assert (answer.status, answer.error) == (400, "invalid_request")


def test_parameters_belong_into_the_body(rig: Rig, ask: Ask) -> None:
    """In the URL they would stand in logs, and say something else than the body does."""
    for query in ("scope=media.read", "x"):
        answer = ask("/oauth/token", MACHINE, basic(rig.client), query=query)
        assert (answer.status, answer.error) == (400, "invalid_request")


def test_a_body_that_is_too_large_is_not_read(rig: Rig, ask: Ask) -> None:
    """Announced, in pieces, or never whole."""
    exact = b"grant_type=client_credentials&x=" + b"x" * 8_000 + b"&y="
    assert ask("/oauth/token", exact + b"y" * 8_000, basic(rig.client)).status == 200
    answer = ask("/oauth/token", b"x" * (MAX_BYTES + 1), basic(rig.client))
    assert (answer.status, answer.error) == (413, "invalid_request")
    answer = ask("/oauth/token", b"", basic(rig.client), chunks=[b"x" * 1_000] * 20)
    assert (answer.status, answer.error) == (413, "invalid_request")
    for announced in ("17000", "9" * 30):
        answer = ask("/oauth/token", b"", basic(rig.client), ("content-length", announced))
        assert answer.status == 413


def test_a_client_that_leaves_in_the_middle_gets_nothing(rig: Rig) -> None:
    """Its half of a form is none."""
    headers = [basic(rig.client), ("content-type", FORM), ("content-length", "500")]
    half = [urlencode(MACHINE).encode()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was asked")

    sent: list[Any] = []

    async def exchange() -> None:
        messages = [{"type": "http.request", "body": half[0], "more_body": True}]

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/oauth/token",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        await rig.pipeline.asgi(app)(scope, receive, send)

    asyncio.run(exchange())
    assert sent[0]["status"] == 400


def test_a_refused_client_is_challenged(rig: Rig, ask: Ask) -> None:
    """By the scheme that it may use (RFC 6749, section 5.2); unknown, wrong and without any alike."""
    unknown = ("authorization", "Basic " + base64.b64encode(b"nobody:x").decode())
    answers = [
        ask("/oauth/token", MACHINE, who) for who in (unknown, basic(rig.client, "pms_" + "a" * 49), ("accept", "*/*"))
    ]
    assert [(answer.status, answer.error) for answer in answers] == [(401, "invalid_client")] * 3
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Basic realm="oauth", charset="UTF-8"'}
    assert len({answer.body for answer in answers[:2]}) == 1


def test_one_way_to_say_who_asks(rig: Rig, ask: Ask) -> None:
    """Not two headers, not one without end, not a header and the form."""
    in_form = {"client_id": rig.client.info.id, "client_secret": str(rig.client.secret)}
    for body, headers in (
        (MACHINE, [basic(rig.client), basic(rig.client)]),
        (MACHINE, [("authorization", "Basic " + "A" * 5_000)]),
        (MACHINE | in_form, [basic(rig.client)]),
    ):
        answer = ask("/oauth/token", body, *headers)
        assert answer.status in (400, 401)
        assert answer.error in ("invalid_request", "invalid_client")


@pytest.mark.parametrize("error", [BackendTimeout("slow"), OutcomeUnknown("cut off")], ids=repr)
def test_a_database_that_is_away_is_not_a_refusal(error: Any, rig: Rig, ask: Ask, monkeypatch: Any) -> None:
    """The client is to come again, with the same key."""

    def away(*_: Any, **__: Any) -> Any:
        raise error

    for name in ("token", "revoke", "introspect"):
        monkeypatch.setattr(rig.server, name, away)
        answer = ask(f"/oauth/{name}", MACHINE, basic(rig.client))
        assert (answer.status, answer.error) == (503, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "1"


def test_a_real_database_that_is_away_is_not_a_refusal(rig: Rig, ask: Ask) -> None:
    """Its tables are gone, say."""
    with rig.database.write() as tx:
        metadata.drop_all(tx.connection)
    answer = ask("/oauth/token", MACHINE, basic(rig.client))
    assert (answer.status, answer.error) == (503, "temporarily_unavailable")


def test_what_is_told_of_an_error_fits_its_place(rig: Rig, ask: Ask, monkeypatch: Any) -> None:
    """``error_description`` has visible ASCII without quotes and backslashes alone (RFC 6749, section 5.2)."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OAuthRefused("invalid_scope", 'the "scope" \\ of é\n')

    monkeypatch.setattr(rig.server, "token", refuse)
    answer = ask("/oauth/token", MACHINE, basic(rig.client))
    assert answer.json == {"error": "invalid_scope", "error_description": "the ?scope? ? of ??"}


def test_a_fault_of_the_server_is_nobody_s_business(rig: Rig, ask: Ask, monkeypatch: Any) -> None:
    """``errors`` answers it."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("c4n4ry")

    monkeypatch.setattr(rig.server, "token", fail)
    answer = ask("/oauth/token", MACHINE, basic(rig.client))
    assert answer.status == 500
    assert b"c4n4ry" not in answer.body


def test_pages_of_other_origins_read_it_if_cors_lets_them(rig: Rig, ask: Ask) -> None:
    """A public client that runs in a browser; a preflight never gets as far."""
    layers = [cors(["https://spa.example"], headers=["idempotency-key"]), errors(), oauth_endpoints(rig.server)]
    pipeline = Pipeline(layers)
    page = ("origin", "https://spa.example")
    answer = ask("/oauth/token", rig.code(rig.public) | {"client_id": rig.public.info.id}, page, pipeline=pipeline)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://spa.example")
    answer = ask("/oauth/token", MACHINE, page, pipeline=pipeline)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, "https://spa.example")
    asked = [("access-control-request-method", "POST"), ("access-control-request-headers", "idempotency-key")]
    assert ask("/oauth/token", b"", page, *asked, method="OPTIONS", pipeline=pipeline).status == 204


def test_it_stands_inside_the_limits_and_outside_of_who_asks(rig: Rig) -> None:
    """In whatever order it is given."""
    limiter: Any = RateLimiter(MemoryStore())
    guard = rate_limit(limiter, "1/minute", routes=["POST /oauth/token"])
    own = oauth_endpoints(rig.server)
    names = Pipeline([*rig.inner, own, idempotency(None), guard, body_limit(1_000_000), errors()], arrange=True).names
    for outer in ("errors", "rate_limit", "body_limit"):
        assert names.index(outer) < names.index("oauth_endpoints")
    for inner in ("sessions", "csrf", "authentication", "idempotency"):
        assert names.index("oauth_endpoints") < names.index(inner)
    with pytest.raises(ConfigurationError, match="oauth_endpoints must stand outside csrf"):
        Pipeline([errors(), *rig.inner, own])
    # A limit by user counts further in: it is not among those that hold here.
    by_name = rate_limit(limiter, "1/minute", by=by_user(), name="users")
    assert "users" in Pipeline([errors(), own, *rig.inner, by_name]).names
    inside = oauth_endpoints(rig.server, inside=["token_limit"])
    named = rate_limit(limiter, "1/minute", by=by_user())
    limit = rate_limit(limiter, "1/minute", name="token_limit")
    assert Pipeline([errors(), limit, inside, *rig.inner, named]).names[1] == "token_limit"


def test_guesses_are_limited(rig: Rig, ask: Ask) -> None:
    """By address, whatever they guess."""
    limiter = RateLimiter(MemoryStore())
    with limiter:
        guard = rate_limit(limiter, "3/minute", routes=["POST /oauth/*"])
        pipeline = Pipeline([errors(), guard, oauth_endpoints(rig.server), *rig.inner])
        guesses = [basic(rig.client, f"guess-{number}") for number in range(4)]
        found = [ask("/oauth/token", MACHINE, guess, pipeline=pipeline).status for guess in guesses]
    assert found == [401, 401, 401, 429]


def test_it_may_be_elsewhere(rig: Rig, ask: Ask) -> None:
    """Under another path, at the root, and with what a proxy calls it."""
    for base, endpoints in (("/api/auth", None), ("", None), ("/in", Endpoints.under(ISSUER, "/outside"))):
        pipeline = Pipeline([errors(), oauth_endpoints(rig.server, base=base, endpoints=endpoints)])
        assert ask(f"{base}/token", MACHINE, basic(rig.client), pipeline=pipeline).status == 200
        told = ask(WELL_KNOWN, method="GET", pipeline=pipeline).json
        assert told["token_endpoint"] == f"{ISSUER}{'/outside' if endpoints else base}/token"
    for base in ("oauth", "/oauth/", "/a b", "/a?b", "https://x/oauth"):
        with pytest.raises(ConfigurationError, match="base"):
            oauth_endpoints(rig.server, base=base)


def test_an_issuer_with_a_path_is_found_where_the_standard_says(rig: Rig, ask: Ask) -> None:
    """The well-known part stands before the path (RFC 8414, section 3.1)."""
    ring = KeyRing([secrets.token_urlsafe(32)])
    terms = ServerTerms(f"{ISSUER}/shop")
    with AuthorizationServer(rig.database, rig.access, ring, terms=terms, scopes=SCOPES) as server:
        pipeline = Pipeline(
            [errors(), oauth_endpoints(server, base="/shop/oauth", endpoints=Endpoints.under(terms.issuer))]
        )
        assert ask(f"{WELL_KNOWN}/shop", method="GET", pipeline=pipeline).json["issuer"] == terms.issuer
        assert ask(WELL_KNOWN, method="GET", pipeline=pipeline).status == 299


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=20))
def test_what_a_client_writes_is_what_is_read(form: dict[str, str]) -> None:
    """Whatever is in it, but NUL; a parameter without a value is as if it were not there."""
    try:
        body = urlencode(form).encode()
    except UnicodeEncodeError:  # a lone surrogate, which no client can send
        return
    if any("\0" in name + value for name, value in form.items()):
        with pytest.raises(OAuthRefused):
            parsed_form(body)
    else:
        assert parsed_form(body) == {name: value for name, value in form.items() if value}


@given(st.binary(max_size=200) | st.text(alphabet="a%=&+0fF\x00é", max_size=60).map(str.encode))
def test_no_body_is_anything_but_read_or_refused(body: bytes) -> None:
    """No two parameters of one name, no NUL, no other error."""
    with suppress(OAuthRefused):
        assert all(name and value and "\0" not in name + value for name, value in parsed_form(body).items())
