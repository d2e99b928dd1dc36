"""Clients of others complete every grant against a running application, under ASGI and WSGI, over a real socket."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import requests
import uvicorn
from authlib.integrations.requests_client import (  # type: ignore[import-untyped]  # ships no types
    OAuth2Session as AuthlibSession,
)
from flask import Flask
from oauthlib.oauth2 import (  # type: ignore[import-untyped]  # ships no types
    BackendApplicationClient,
    InvalidGrantError,
    WebApplicationClient,
)
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]  # ships no types
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.authentication import REFUSED, authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.bearer import bearer_tokens, owner
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.oauth_endpoints import oauth_endpoints
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.oauth import AuthorizationServer, Introspector, IssuedClient, Scope, Scopes, ServerTerms
from postrmagic_core.security.signed_tokens import RemoteKeys, TokenVerifier
from postrmagic_core.security.tables import metadata
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore

BACK = "https://client.example/back"
ROLES = Roles([Role("editor", allow=["media:read", "media:edit"])])
SCOPES = Scopes([Scope("media.read", ["media:read"], "See posters"), Scope("media.edit", ["media:*"], "Change them")])
RULES = {"GET /media": "media:read", "POST /media": "media:edit"}


class House:
    """The application: its server, its clients, and where it runs."""

    def __init__(self, database: DatabaseManager, opened: ExitStack, url: str) -> None:
        ring = KeyRing([secrets.token_urlsafe(32)])
        self.url = url
        access = opened.enter_context(Access(ROLES, database))
        server = AuthorizationServer(database, access, ring, terms=ServerTerms(url), scopes=SCOPES)
        self.server = opened.enter_context(server)
        store = opened.enter_context(SessionStore(MemoryStore(), ring))
        web: dict[str, Any] = {"redirect_uris": [BACK], "scopes": ["media.read", "media.edit"]}
        code = ["authorization_code", "refresh_token"]
        self.public = server.clients.add("App", **web, grant_types=code, public=True)
        self.web = server.clients.add("Web", **web, grant_types=code)
        self.machine = server.clients.add("Machine", scopes=["media.read"], grant_types=["client_credentials"])
        self.resource = server.clients.add("API", scopes=[], grant_types=[], introspects=True)
        for user in ("7", f"client:{self.machine.info.id}"):
            access.grant(user, "editor", actor=None)
        tokens = bearer_tokens(server, audit=access.audit)

        async def who(request: Request) -> Any:
            found = await tokens(request)
            return found if found is None or found is REFUSED else await owner(request, access, found)

        self.pipeline = Pipeline(
            [
                errors(),
                oauth_endpoints(server),
                sessions(store, cookie_secure=False),
                csrf(keys=ring, cookie_secure=False),
                authentication(who),
                authorization(access, RULES, scopes=SCOPES),
            ]
        )

    def agree(self, url: str, scopes: list[str] | None = None) -> str:
        """What the browser does: user 7 agrees to what the URL asks for. Where it is sent then."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/oauth/authorize"
        return self.server.approve(self.server.ask(parts.query), "7", scopes=scopes)

    def media(self, token: str, method: str = "GET") -> requests.Response:
        """A request to the API."""
        return requests.request(method, f"{self.url}/media", headers={"Authorization": f"Bearer {token}"}, timeout=10)


@contextmanager
def _by_uvicorn(house: House, port: int) -> Iterator[None]:
    async def media(request: StarletteRequest) -> JSONResponse:
        return JSONResponse({"user": request.state.identity.id})

    app: Any = house.pipeline.asgi(Starlette(routes=[Route("/media", media, methods=["GET", "POST"])]))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def _by_wsgiref(house: House, port: int) -> Iterator[None]:
    flask = Flask(__name__)

    @flask.route("/media", methods=["GET", "POST"])
    def media() -> Any:
        from flask import request

        return {"user": request.environ["postrmagic.state"]["identity"].id}

    app: Any = house.pipeline.wsgi(flask)
    with make_server("127.0.0.1", port, app, _Threads, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["sqlite", pytest.param("mariadb_server", marks=pytest.mark.mysql, id="mariadb")])
def database(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[DatabaseManager]:
    """With the tables."""
    server: Any = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    url = f"sqlite:///{tmp_path / 'app.db'}" if server is None else server.create_database()
    with DatabaseManager(url) as opened:
        with opened.write() as tx:
            metadata.create_all(tx.connection)
        yield opened
    if server is not None:
        server.drop_database(url)


@pytest.fixture(params=[_by_uvicorn, _by_wsgiref], ids=["asgi", "wsgi"])
def house(request: Any, database: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """It runs."""
    for library in ("OAUTHLIB", "AUTHLIB"):  # as it is on this machine, it does without TLS
        monkeypatch.setenv(f"{library}_INSECURE_TRANSPORT", "1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with ExitStack() as opened:
        found = House(database, opened, f"http://127.0.0.1:{port}")
        opened.enter_context(request.param(found, port))
        yield found


class Outside:
    """What both libraries do, each in its own words."""

    def __init__(self, house: House, told: dict[str, Any], client: IssuedClient) -> None:
        self.house = house
        self.told = told
        self.client = client

    def start(self) -> str:
        """Where the browser is sent to ask the user."""
        raise NotImplementedError

    def finish(self, location: str) -> dict[str, Any]:
        """The tokens, given where the browser came back to."""
        raise NotImplementedError

    def refresh(self, token: str) -> dict[str, Any]:
        """New ones."""
        raise NotImplementedError

    def by_itself(self) -> dict[str, Any]:
        """A token for the client itself."""
        raise NotImplementedError


class ByAuthlib(Outside):
    """Authlib."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        public = self.client.info.public
        self.session: Any = AuthlibSession(
            self.client.info.id,
            self.client.secret,
            token_endpoint_auth_method="none" if public else "client_secret_basic",
            redirect_uri=BACK,
            code_challenge_method="S256",
            scope="media.read media.edit",
        )
        self.verifier = secrets.token_urlsafe(48)

    def start(self) -> str:
        """See above."""
        url, self.state = self.session.create_authorization_url(
            self.told["authorization_endpoint"], code_verifier=self.verifier
        )
        return str(url)

    def finish(self, location: str) -> dict[str, Any]:
        """See above."""
        return dict(
            self.session.fetch_token(
                self.told["token_endpoint"],
                authorization_response=location,
                state=self.state,
                code_verifier=self.verifier,
            )
        )

    def refresh(self, token: str) -> dict[str, Any]:
        """See above."""
        return dict(self.session.refresh_token(self.told["token_endpoint"], refresh_token=token))

    def by_itself(self) -> dict[str, Any]:
        """See above."""
        machine = self.house.machine
        given: Any = AuthlibSession(machine.info.id, machine.secret, scope="media.read")
        with given as session:
            return dict(session.fetch_token(self.told["token_endpoint"], grant_type="client_credentials"))

    def end(self, token: str) -> int:
        """Revoke one."""
        return int(self.session.revoke_token(self.told["revocation_endpoint"], token=token).status_code)

    def ask(self, token: str) -> Any:
        """Introspect one, as the resource server."""
        resource = self.house.resource
        given: Any = AuthlibSession(resource.info.id, resource.secret)
        with given as session:
            return session.introspect_token(self.told["introspection_endpoint"], token=token).json()


class ByOauthlib(Outside):
    """requests-oauthlib."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.session: Any = OAuth2Session(
            client=WebApplicationClient(self.client.info.id),
            redirect_uri=BACK,
            scope=["media.read", "media.edit"],
            pkce="S256",
        )

    def _shown(self) -> dict[str, Any]:
        if self.client.secret is None:
            return {"include_client_id": True}
        return {"auth": HTTPBasicAuth(self.client.info.id, self.client.secret)}

    def start(self) -> str:
        """See above."""
        url, self.state = self.session.authorization_url(self.told["authorization_endpoint"])
        return str(url)

    def finish(self, location: str) -> dict[str, Any]:
        """See above."""
        return dict(
            self.session.fetch_token(self.told["token_endpoint"], authorization_response=location, **self._shown())
        )

    def refresh(self, token: str) -> dict[str, Any]:
        """See above."""
        shown = self._shown()
        if "auth" not in shown:
            shown = {"client_id": self.client.info.id}
        return dict(self.session.refresh_token(self.told["token_endpoint"], refresh_token=token, **shown))

    def by_itself(self) -> dict[str, Any]:
        """See above."""
        machine = self.house.machine
        given: Any = OAuth2Session(client=BackendApplicationClient(machine.info.id, scope=["media.read"]))
        with given as session:
            return dict(
                session.fetch_token(
                    self.told["token_endpoint"], client_id=machine.info.id, client_secret=machine.secret
                )
            )

    def end(self, token: str) -> int:
        """Revoke one: the library has the request, and leaves it to be sent."""
        client: Any = self.session._client
        url, headers, body = client.prepare_token_revocation_request(self.told["revocation_endpoint"], token)
        sent = requests.post(url, headers=headers, data=body + self._named(), timeout=10, **self._proved())
        return sent.status_code

    def _named(self) -> str:
        return "" if self.client.secret else f"&client_id={self.client.info.id}"

    def _proved(self) -> dict[str, Any]:
        return {} if self.client.secret is None else {"auth": (self.client.info.id, self.client.secret)}

    def ask(self, token: str) -> Any:
        """The library has no introspection: by hand."""
        who = (self.house.resource.info.id, str(self.house.resource.secret))
        return requests.post(self.told["introspection_endpoint"], data={"token": token}, auth=who, timeout=10).json()


Library = Callable[[House, dict[str, Any], IssuedClient], Any]


@pytest.fixture
def told(house: House) -> dict[str, Any]:
    """What the server says of itself."""
    answer = requests.get(f"{house.url}/.well-known/oauth-authorization-server", timeout=10)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert found["issuer"] == house.url
    return found


@pytest.mark.parametrize("library", [ByAuthlib, ByOauthlib])
@pytest.mark.parametrize("kind", ["public", "web"])
def test_a_client_of_others_gets_along(library: Library, kind: str, house: House, told: dict[str, Any]) -> None:
    """A code by PKCE, the API, a refresh, introspection, revocation; and for itself, as a machine."""
    client = library(house, told, getattr(house, kind))
    location = house.agree(client.start())
    assert parse_qs(urlsplit(location).query)["iss"] == [house.url]
    got = client.finish(location)
    assert got["token_type"] == "Bearer"
    for method in ("GET", "POST"):
        answer = house.media(got["access_token"], method)
        assert (answer.status_code, answer.json()) == (200, {"user": "7"})

    new = client.refresh(got["refresh_token"])
    assert new["refresh_token"] != got["refresh_token"]
    assert client.ask(new["access_token"])["sub"] == "7"
    assert house.media(new["access_token"]).status_code == 200

    assert client.end(new["refresh_token"]) == 200
    assert client.ask(new["access_token"]) == {"active": False}
    refused = house.media(new["access_token"])
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="api", error="invalid_token"'

    alone = client.by_itself()
    assert house.media(alone["access_token"]).json() == {"user": f"client:{house.machine.info.id}"}
    limited = house.media(alone["access_token"], "POST")
    assert limited.status_code == 403
    assert limited.headers["www-authenticate"].endswith('error="insufficient_scope", scope="media.edit"')
    client.session.close()


def test_a_code_that_comes_twice_ends_what_it_gave(house: House, told: dict[str, Any]) -> None:
    """And a client of others understands the refusal (row A5)."""
    first, second = (ByOauthlib(house, told, house.public) for _ in range(2))
    location = house.agree(first.start())
    got = first.finish(location)
    second.session._client.code_verifier = first.session._client.code_verifier
    second.session._state = first.session._state
    second.session._code_verifier = first.session._code_verifier
    with pytest.raises(InvalidGrantError):
        second.finish(location)
    assert house.media(got["access_token"]).status_code == 401
    for client in (first, second):
        client.session.close()


def test_a_resource_server_elsewhere_verifies_by_keys_and_by_asking(house: House, told: dict[str, Any]) -> None:
    """With the keys that are published, and with the endpoint."""
    client = ByAuthlib(house, told, house.public)
    got = client.finish(house.agree(client.start()))
    who: dict[str, Any] = {"client_id": house.resource.info.id, "secret": str(house.resource.secret)}
    with (
        RemoteKeys(told["jwks_uri"]) as keys,
        Introspector(told["introspection_endpoint"], issuer=house.url, audience=house.url, max_age=0, **who) as asked,
    ):
        verifier = TokenVerifier(keys, issuer=house.url, audience=house.url)
        claims, found = verifier.verify(got["access_token"]), asked.verify(got["access_token"])
        assert claims is not None
        assert found is not None
        assert claims.subject == found.subject == "7"
        assert claims.scopes == found.scopes == {"media.read", "media.edit"}
        assert found.expires_at == claims.expires_at
        assert asked.verify(got["refresh_token"]) is None
        house.server.revoke_all("7")
        assert asked.verify(got["access_token"]) is None
    client.session.close()
