"""Outside client libraries complete every grant against the running application, and what is not good is refused.

requests-oauthlib and Authlib are two of the clients that are out there; neither knows anything of this server but what
the standards and its metadata say.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # ships no types
from authlib.integrations.requests_client import (  # type: ignore[import-untyped]  # ships no types
    OAuth2Session as Authlib,
)
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # type: ignore[import-untyped]  # ships no types
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from oauthlib.oauth2 import (  # type: ignore[import-untyped]  # ships no types
    BackendApplicationClient,
    InvalidGrantError,
)
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]  # ships no types

from media_library.roles import ADMIN
from postrmagic_core.security.access import AuditEntry
from postrmagic_core.security.oauth import IssuedClient
from postrmagic_core.settings import Settings
from postrmagic_core.testing.capture import embedded_settings
from tests.app.house import small
from tests.app.oauth_around import API, Running, running
from tests.app.programs import BACK, Program, answered, register

SITE = "https://wall.example/back"
ELSEWHERE = [pytest.mark.mysql, pytest.mark.redis, pytest.mark.soak]  # the server's own races are in tests/security
BACKENDS = ["embedded", pytest.param("mysql+redis", marks=ELSEWHERE)]


def _settings(request: pytest.FixtureRequest, directory: Path) -> Settings:
    settings = embedded_settings(directory)
    if request.param == "embedded":
        return settings
    mysql, redis = request.getfixturevalue("mariadb_server"), request.getfixturevalue("redis_server")
    url = mysql.create_database()
    request.addfinalizer(lambda: mysql.drop_database(url))
    cache, sessions, jobs = ({"url": redis.create_database()} for _ in range(3))
    jobs["url"] += "?durability=none"  # the tests' server keeps nothing on a disk
    return settings.replace(database={"url": url}, cache=cache, sessions=sessions, jobs=jobs)


@pytest.fixture(scope="module", params=BACKENDS)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The running application on either set of backends, for the tests of this file."""
    directory = tmp_path_factory.mktemp("oauth")
    with running(directory, _settings(request, directory)) as opened:
        yield opened


# What is refused is decided where tests/security tries it on every database: here once, over sockets.
@pytest.fixture(params=["embedded", pytest.param("mysql+redis", marks=pytest.mark.soak)])
def own_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """The running application, for one test."""
    with running(tmp_path, _settings(request, tmp_path)) as opened:
        yield opened


def trusting(app: Running, session: Any) -> Any:
    """The session, by which the server's certificate is good, whatever the environment names."""
    session.verify, session.trust_env = app.authority, False
    return session


def by_oauthlib(app: Running, program: IssuedClient, **options: Any) -> Any:
    """A session of requests-oauthlib."""
    session = OAuth2Session(program.info.id, **options)
    return trusting(app, session)


def by_authlib(app: Running, program: IssuedClient, **options: Any) -> Any:
    """A session of Authlib."""
    session = Authlib(program.info.id, program.secret, **options)
    return trusting(app, session)


def discovered(app: Running) -> dict[str, Any]:
    """What the server says of itself, as Authlib understands it."""
    answer = requests.get(f"{app.origin}/.well-known/oauth-authorization-server", verify=app.authority, timeout=30)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    metadata = AuthorizationServerMetadata(answer.json())
    metadata.validate()
    assert metadata.issuer == app.origin
    return dict(metadata)


# Every grant, by clients of others


def test_requests_oauthlib_gets_a_user_s_posters(app: Running) -> None:
    """A site with a secret: a code with PKCE, the API, a refresh, and the end by revocation."""
    program = register(app.server, scopes=["media.read", "media.write"], redirect_uris=[SITE])
    client = by_oauthlib(app, program, redirect_uri=SITE, scope=["media.read", "media.write"], pkce="S256")
    url, state = client.authorization_url(app.oauth("authorize"))
    location = app.allowed(url)
    assert answered(location)["iss"] == app.origin
    first = client.fetch_token(app.oauth("token"), authorization_response=location, client_secret=program.secret)
    assert (answered(location)["state"], first["token_type"]) == (state, "Bearer")
    assert set(first["scope"]) == {"media.read", "media.write"}
    added = client.post(f"{app.origin}{API}/media", files={"file": ("a.jpeg", small())})
    assert added.status_code == 201
    assert added.json()["data"]["id"] in [one["id"] for one in client.get(f"{app.origin}{API}/media").json()["data"]]
    auth = HTTPBasicAuth(program.info.id, program.secret or "")
    second = client.refresh_token(app.oauth("token"), auth=auth)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert client.get(f"{app.origin}{API}/media").status_code == 200
    how = client._client.prepare_token_revocation_request(app.oauth("revoke"), second["refresh_token"], "refresh_token")
    revoked = requests.post(how[0], data=how[2], headers=how[1], auth=auth, verify=app.authority, timeout=30)
    assert revoked.status_code == 200
    for token in (first, second):
        sent = {"Authorization": f"Bearer {token['access_token']}"}
        assert (
            requests.get(f"{app.origin}{API}/media", headers=sent, verify=app.authority, timeout=30).status_code == 401
        )


def test_authlib_finds_its_way_by_the_metadata_alone(app: Running) -> None:
    """An app on a device, without a secret: from the document of RFC 8414 to the end."""
    program = register(app.server, "Pocket Posters", public=True)
    metadata = discovered(app)
    client = by_authlib(app, program, redirect_uri=BACK, scope="media.read", code_challenge_method="S256")
    verifier = "v" * 64
    url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    location = app.allowed(url)
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert answered(location)["iss"] == metadata["issuer"]
    token = client.fetch_token(
        metadata["token_endpoint"], authorization_response=location, state=state, code_verifier=verifier
    )
    assert token["scope"] == "media.read"
    assert client.get(f"{app.origin}{API}/media").status_code == 200
    refused = client.post(f"{app.origin}{API}/media", files={"file": ("a.jpeg", small())})
    assert refused.status_code == 403
    told = 'Bearer realm="media-library", error="insufficient_scope", scope="media.write"'
    assert refused.headers["www-authenticate"] == told
    # Whoever else serves the API verifies it by the keys that are published.
    keys = jwt.PyJWKClient(metadata["jwks_uri"], ssl_context=ssl.create_default_context(cafile=app.authority))
    text = token["access_token"]
    claims = jwt.decode(
        text,
        keys.get_signing_key_from_jwt(text),
        algorithms=["EdDSA"],
        audience=app.origin,
        issuer=metadata["issuer"],
        options={"require": ["exp", "iat", "sub", "jti", "client_id"]},
    )
    assert jwt.get_unverified_header(text)["typ"] == "at+jwt"
    assert (claims["sub"], claims["client_id"]) == (str(app.house.user_id()), program.info.id)
    again = client.refresh_token(metadata["token_endpoint"])
    assert client.get(f"{app.origin}{API}/media").status_code == 200
    client.revoke_token(metadata["revocation_endpoint"], again["refresh_token"], "refresh_token")
    assert client.get(f"{app.origin}{API}/media").status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(metadata["token_endpoint"])


def test_a_program_asks_for_itself_by_either_library(app: Running) -> None:
    """Client credentials: it has no library, and may what roles an operator gave it, within its scopes."""
    how: dict[str, Any] = {"scopes": ["accounts.read"], "redirect_uris": [], "grant_types": ["client_credentials"]}
    plain, trusted = (register(app.server, name, **how) for name in ("Night Watch", "Day Watch"))
    app.house.application.stack.security.access.grant(f"client:{trusted.info.id}", ADMIN, actor=None)
    one = by_oauthlib(app, plain, client=BackendApplicationClient(plain.info.id))
    one.fetch_token(app.oauth("token"), client_secret=plain.secret, scope=["accounts.read"])
    assert one.get(f"{app.origin}{API}/admin/users").status_code == 403
    assert one.get(f"{app.origin}{API}/me").status_code == 403
    other = by_authlib(app, trusted, scope="accounts.read", token_endpoint_auth_method="client_secret_post")
    token = other.fetch_token(discovered(app)["token_endpoint"], grant_type="client_credentials")
    assert "refresh_token" not in token
    told = other.get(f"{app.origin}{API}/admin/users").json()["data"]
    assert "demo" in [user["name"] for user in told]
    assert other.get(f"{app.origin}{API}/admin/audit").status_code == 403


def test_a_resource_server_asks_about_tokens(app: Running) -> None:
    """Introspection by Authlib: whose a token is and until when; of a revoked one nothing."""
    program, guard = Program(app.house), register(
        app.server, "Gate", scopes=[], redirect_uris=[], grant_types=[], introspects=True
    )  # fmt: skip
    tokens, endpoint = program.connect(), discovered(app)["introspection_endpoint"]
    client = by_authlib(app, guard)

    def told(token: object) -> Any:
        answer = client.introspect_token(endpoint, token=token)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        return answer.json()

    active = told(tokens["access_token"])
    assert (active["active"], active["scope"], active["client_id"]) == (True, "media.read", program.id)
    assert active["sub"] == str(app.house.user_id())
    assert time.time() < active["exp"] <= time.time() + 600
    (grant,) = [one for one in app.server.grants_of(active["sub"]) if one.client_id == program.id]
    with app.person() as browser:
        assert browser.delete(f"{API}/authorizations/{grant.id}").status_code == 204
    assert told(tokens["access_token"]) == {"active": False}
    assert told("nothing") == {"active": False}


def test_a_user_leaves_out_what_a_program_need_not_do(app: Running) -> None:
    """It gets what is left, is told so, and no refresh brings the rest."""
    program = register(app.server, scopes=["media.read", "media.write"], redirect_uris=[SITE])
    client = by_authlib(app, program, redirect_uri=SITE, code_challenge_method="S256")
    url, _ = client.create_authorization_url(app.oauth("authorize"), code_verifier="v" * 64)
    location = app.allowed(url, scopes=["media.read"])
    token = client.fetch_token(app.oauth("token"), code=answered(location)["code"], code_verifier="v" * 64)
    assert token["scope"] == "media.read"
    with pytest.raises(OAuthError, match="invalid_scope"):
        client.refresh_token(app.oauth("token"), scope="media.read media.write")
    assert client.refresh_token(app.oauth("token"))["scope"] == "media.read"


def test_a_code_is_good_once_for_either_library(app: Running) -> None:
    """Shown again by its own client, the tokens that came of it are out as well."""
    program = register(app.server, redirect_uris=[SITE])
    client = by_oauthlib(app, program, redirect_uri=SITE, scope=["media.read"], pkce="S256")
    url, _ = client.authorization_url(app.oauth("authorize"))
    location = app.allowed(url)
    how = {"authorization_response": location, "client_secret": program.secret}
    client.fetch_token(app.oauth("token"), **how)
    assert client.get(f"{app.origin}{API}/media").status_code == 200
    with pytest.raises(InvalidGrantError):
        client.fetch_token(app.oauth("token"), **how)
    assert client.get(f"{app.origin}{API}/media").status_code == 401


# What is not good: one answer, one entry


def posted(app: Running, form: dict[str, Any], endpoint: str = "token") -> requests.Response:
    """What the endpoint answers to a form."""
    return requests.post(app.oauth(endpoint), data=form, verify=app.authority, timeout=30)


def turned(text: str, at: int) -> str:
    """The text with another letter there."""
    return text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]


def entries_about(entries: list[AuditEntry], what: str, reason: str) -> int:
    """How often it is told that something of this kind was refused, or ended for this reason."""
    told = [each for each in entries if each.action == "access.denied" and (each.subject or "").startswith(what)]
    ended = [entry for entry in entries if entry.action == "oauth.grant_revoked" and entry.detail["reason"] == reason]
    return sum(int(str(entry.detail["count"])) for entry in told) + len(ended)


@pytest.mark.soak
def test_a_code_that_is_not_good_gets_one_answer_and_one_entry(own_app: Running) -> None:
    """Tampered, truncated, of nobody, another client's, with the wrong proof or address, and replayed."""
    app = own_app
    mine, other = Program(app.house), Program(app.house)
    verifiers = {"code_verifier": mine.verifier}

    def shown(program: Program, code: str, **changed: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "client_id": program.id, "code": code, "redirect_uri": BACK}
        return posted(app, form | verifiers | changed)

    used = mine.code()
    assert shown(mine, used).status_code == 200
    code = mine.code()
    answers = [
        shown(mine, turned(code, 20)),
        shown(mine, turned(code, len(code) - 1)),
        shown(mine, code[:-1]),
        shown(mine, f"{code}0"),
        shown(mine, "pmc_"),
        shown(other, code),
        shown(mine, mine.code(), code_verifier=other.verifier),
        shown(mine, mine.code(), redirect_uri=f"{BACK}/"),
        shown(mine, used),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1, {answer.text for answer in answers}
    assert answers[0].json()["error"] == "invalid_grant"
    assert shown(mine, code).status_code == 200, "another client's try has not used it up"
    assert entries_about(app.ended(), "oauth:code", "code_replayed") == len(answers)


@pytest.mark.soak
def test_a_refresh_token_that_is_not_good_gets_one_answer_and_one_entry(own_app: Running) -> None:
    """Tampered, truncated, another client's, another kind of token, and replayed, which ends the whole grant."""
    app = own_app
    mine, other = Program(app.house), Program(app.house)

    def shown(program: Program, token: str) -> requests.Response:
        return posted(app, {"grant_type": "refresh_token", "client_id": program.id, "refresh_token": token})

    first = mine.connect()["refresh_token"]
    last = shown(mine, first).json()
    token = mine.connect()["refresh_token"]
    answers = [
        shown(mine, turned(token, 20)),
        shown(mine, token[:-1]),
        shown(mine, token + "0"),
        shown(mine, mine.code()),
        shown(mine, last["access_token"]),
        shown(other, token),
        shown(mine, first),
        shown(mine, last["refresh_token"]),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1, {answer.text for answer in answers}
    sent = {"Authorization": f"Bearer {last['access_token']}"}
    out = requests.get(f"{app.origin}{API}/media", headers=sent, verify=app.authority, timeout=30)
    assert out.status_code == 401
    assert shown(mine, token).status_code == 200, "the other grant of the same client stays"
    assert entries_about(app.ended(), "oauth:refresh_token", "refresh_replayed") == len(answers)


@pytest.mark.soak
def test_an_access_token_that_is_not_good_gets_one_answer_and_one_entry(own_app: Running) -> None:
    """Tampered, truncated, put together of two, signed with another key or none, of another server, and revoked."""
    app = own_app
    program = Program(app.house, scopes=("media.read", "media.write"))
    good, of_guest = program.connect()["access_token"], program.connect("guest")["access_token"]
    ended = program.connect("keeper")
    app.server.revoke({"token": ended["refresh_token"], "client_id": program.id}, authorization=None)
    head, claims, signature = good.split(".")
    wrong = {
        "a letter of its signature": turned(good, len(good) - 30),
        "a letter of its claims": turned(good, len(head) + 30),
        "truncated": good[:-1],
        "without its signature": f"{head}.{claims}.",
        "in two parts": f"{head}.{claims}",
        "another user's claims": f"{head}.{of_guest.split('.')[1]}.{signature}",
        "another user's signature": f"{head}.{claims}.{of_guest.split('.')[2]}",
        "by no algorithm": f"{_encoded({'alg': 'none', 'typ': 'at+jwt'})}.{claims}.",
        "by another key": _signed_by_another(good),
        "of another server": _signed_by_another(good, iss="https://evil.example"),
        "revoked": ended["access_token"],
    }
    answers = {why: _asked(app, token) for why, token in wrong.items()}
    assert {answer.status_code for answer in answers.values()} == {401}
    told = {
        json.dumps(answer.json() | {"request_id": ""}) + str(answer.headers["www-authenticate"])
        for answer in answers.values()
    }
    assert len(told) == 1, told
    assert answers["truncated"].headers["www-authenticate"].endswith('error="invalid_token"')
    assert _asked(app, good).status_code == 200
    entries = app.ended()
    count = sum(entries_about(entries, what, "none") for what in ("oauth:access_token", "bearer:token"))
    assert count == len(wrong)


@pytest.mark.soak
def test_a_secret_that_is_not_the_client_s_gets_one_answer_and_one_entry(own_app: Running) -> None:
    """Whoever it is of, and whether there is such a client or not."""
    app = own_app
    how: dict[str, Any] = {"grant_types": ["client_credentials"], "redirect_uris": [], "scopes": ["media.read"]}
    mine, other, closed = (register(app.server, **how) for _ in range(3))
    app.server.clients.disable(closed.info.id, actor=None)
    assert mine.secret is not None
    shown = [
        (mine, turned(mine.secret, 20)),
        (mine, mine.secret[:-1]),
        (mine, other.secret),
        (mine, ""),
        (closed, closed.secret),
    ]
    form = {"grant_type": "client_credentials"}
    answers = [posted(app, form | {"client_id": it.info.id, "client_secret": secret}) for it, secret in shown]
    answers.append(posted(app, form | {"client_id": "nobody", "client_secret": mine.secret}))
    answers.append(posted(app, form | {"client_id": mine.info.id, "client_secret": mine.secret}, "introspect"))
    *answers, introspected = answers
    assert introspected.status_code == 400, "a client that is known, and names no token"
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["www-authenticate"].partition(" ")[0] for answer in answers} == {"Basic"}
    assert entries_about(app.ended(), "oauth:client", "none") == len(answers)


def _asked(app: Running, token: str) -> requests.Response:
    sent = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{app.origin}{API}/media", headers=sent, verify=app.authority, timeout=30)


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed_by_another(token: str, **changed: object) -> str:
    """The same claims and the same name of a key, signed with a key of one's own."""
    claims = jwt.decode(token, options={"verify_signature": False}) | changed
    head = jwt.get_unverified_header(token)
    key = Ed25519PrivateKey.generate()
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": head["kid"], "typ": "at+jwt"})
