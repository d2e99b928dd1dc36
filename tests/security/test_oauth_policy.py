"""What a request to the authorization server may say: addresses, proofs, scopes, and who is told what is wrong."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, OAuthRefused
from postrmagic_core.security.access import Access
from postrmagic_core.security.oauth import (
    AuthorizationServer,
    IssuedClient,
    OAuthPolicy,
    Scope,
    Scopes,
    ServerTerms,
    policy,
    redirects,
    texts,
)
from postrmagic_core.security.tables import metadata
from tests.security.oauth_rig import BACK, ISSUER, MACHINE, ROLES, SCOPES, TERMS, WEB, Rig, answer, challenge, refusal

KEY = "an-old-master-value-0123456789-abcdefghij"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A server whose database is of no matter here."""
    url = f"sqlite:///{tmp_path_factory.mktemp('oauth') / 'app.db'}"
    with DatabaseManager(url) as database, Access(ROLES, database) as access:
        with database.write() as tx:
            metadata.create_all(tx.connection)
        with AuthorizationServer(database, access, KeyRing([KEY]), terms=TERMS, scopes=SCOPES) as server:
            yield Rig(server)


@pytest.fixture(scope="module")
def client(rig: Rig) -> IssuedClient:
    """A client of it."""
    return rig.add()


# Addresses: registered.


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example/back",
        "https://client.example",
        "https://client.example:8443/a/b?tenant=1&x=",
        "https://xn--bcher-kva.example/%C3%BC",
        "https://192.0.2.7/back",
        "http://127.0.0.1/back",
        "http://127.0.0.1:8080/back",
        "http://[::1]/",
        "http://[::1]:65535/back?x=1",
        "com.example.app:/back",
        "com.example.app:/",
        "org.example-2.x:/a/b",
    ],
)
def test_may_be_registered(uri: str) -> None:
    """https, this machine, and schemes named after a domain."""
    assert redirects.check_registered([uri, uri]) == (uri,)
    assert redirects.matches(uri, [uri])


BAD_ADDRESSES: list[Any] = [
    "",
    "/back",
    "//client.example/back",
    "client.example/back",
    "http://client.example/back",
    "http://localhost/back",
    "https://localhost/back",
    "https://app.localhost/back",
    "http://127.0.0.1",
    "http://127.0.0.1:0/back",
    "http://127.0.0.1:65536/back",
    "http://127.0.0.1:080/back",
    "http://127.0.0.2/back",
    "http://127.1/back",
    "http://127.0.0.1./back",
    "http://0.0.0.0/back",
    "http://[::ffff:127.0.0.1]/back",
    "http://[0:0:0:0:0:0:0:1]/back",
    "http://[::1%25lo]/back",
    "http://::1/back",
    "http://127.0.0.1:80@attacker.example/back",
    "http://127.0.0.1@attacker.example/back",
    "http://127.0.0.1.attacker.example/back",
    "http://127.0.0.1\\@attacker.example/back",
    "http://[::1]@attacker.example/back",
    "http://127.0.0.1//attacker.example",
    "HTTP://127.0.0.1/back",
    "HTTPS://client.example/back",
    "https://Client.example/back",
    "https:/client.example/back",
    "https:client.example",
    "https:///back",
    "https://user@client.example/back",
    "https://user:password@client.example/back",
    "https://client.example@attacker.example/back",
    "https://client.example\\@attacker.example/back",
    "https://client.example/back#",
    "https://client.example/back#here",
    "https://*.client.example/back",
    "https://client.example/*",
    "https://client.example/a b",
    "https://client.example/a\nb",
    "https://client.example/\x00",
    "https://client.example/\u00fc",
    "https://client.example/%zz",
    "https://client.example:port/back",
    "https://[::1/back",
    "https://client.example/?code=1",
    "https://client.example/?x=1&state=2",
    "http://127.0.0.1/back?iss=x",
    "com.example.app:/back?error=x",
    "com.example.app:back",
    "com.example.app://back",
    "com.example.app:",
    "app:/back",
    "myapp://back",
    "javascript:alert(1)",
    "javascript.x:/%0aalert(1)//\n",
    "data:text/html,x",
    "file:///etc/passwd",
    "urn:ietf:wg:oauth:2.0:oob",
    "https://client.example/" + "a" * 1000,
    None,
    7,
    b"https://client.example/back",
]


@pytest.mark.parametrize("uri", BAD_ADDRESSES, ids=lambda uri: repr(uri)[:60])
def test_may_not_be_registered(uri: Any) -> None:
    """Everything else, and each by itself."""
    with pytest.raises(ValueError, match="redirect_uri"):
        redirects.check_registered([uri])


def test_so_many_may_be_registered() -> None:
    """Twenty, in a list."""
    uris = [f"https://client.example/{number}" for number in range(21)]
    assert redirects.check_registered(uris[:20]) == tuple(uris[:20])
    for wrong in (uris, uris[0]):
        with pytest.raises(ValueError, match="redirect_uri"):
            redirects.check_registered(wrong)


# Addresses: asked for.


REGISTERED = ("https://client.example/back", "http://127.0.0.1/back", "http://[::1]:80/back", "com.example.app:/back")


@pytest.mark.parametrize(
    "uri",
    [
        *REGISTERED,
        "http://127.0.0.1:1/back",
        "http://127.0.0.1:65535/back",
        "http://[::1]/back",
        "http://[::1]:51234/back",
    ],
)
def test_is_the_one_that_was_registered(uri: str) -> None:
    """As a text; of this machine with any port."""
    assert redirects.matches(uri, REGISTERED)


@pytest.mark.parametrize(
    "uri",
    [
        *[uri for uri in BAD_ADDRESSES if isinstance(uri, str)],
        "https://client.example",
        "https://client.example/",
        "https://client.example/back/",
        "https://client.example/Back",
        "https://client.example/bac",
        "https://client.example/back/../back",
        "https://client.example/./back",
        "https://client.example//back",
        "https://client.example/b%61ck",
        "https://client.example/back?",
        "https://client.example/back?x=1",
        "https://client.example/back#",
        "https://client.example/back%23",
        "https://client.example/back\n",
        " https://client.example/back",
        "https://client.example:443/back",
        "https://client.example.attacker.example/back",
        "https://client.example@attacker.example/back",
        "https://attacker.example/https://client.example/back",
        "https://attacker.example\\.client.example/back",
        "https://user@client.example/back",
        "HTTPS://client.example/back",
        "https://CLIENT.example/back",
        "https://client.example./back",
        "http://client.example/back",
        "http://127.0.0.1:80@attacker.example/back",
        "http://127.0.0.1:80#@attacker.example/back",
        "http://127.0.0.1:80\\@attacker.example/back",
        "http://127.0.0.1:8080/back/",
        "http://127.0.0.1:8080/BACK",
        "http://127.0.0.1:8080/back?x=1",
        "http://127.0.0.1:8080/back#",
        "http://127.0.0.1:99999/back",
        "http://127.0.0.1:08/back",
        "http://127.0.0.1:/back",
        "http://127.0.0.1:\u0661/back",
        "http://127.0.0.2:8080/back",
        "http://[::ffff:127.0.0.1]:8080/back",
        "http://[::1]]:8080/back",
        "http://localhost:8080/back",
        "com.example.app:/back/",
        "com.example.app://back",
        "COM.example.app:/back",
    ],
    ids=lambda uri: repr(uri)[:60],
)
def test_is_another_one(rig: Rig, uri: str) -> None:
    """Then nobody is sent there, whatever else is wrong."""
    assert not redirects.matches(uri, REGISTERED)
    client = rig.add(redirect_uris=REGISTERED)
    for changes in ({}, {"response_type": "token"}, {"scope": "x"}):
        assert refusal(rig.server.ask, rig.query(client, redirect_uri=uri, **changes)).location is None


def test_an_answer_goes_behind_the_address_s_own_query() -> None:
    """And nothing of it leaves its field."""
    sent = {"code": "a&b=c#d", "state": "\u00e4 \r\nSet-Cookie: x", "left": None}
    expected = "code=a%26b%3Dc%23d&state=%C3%A4+%0D%0ASet-Cookie%3A+x"
    assert redirects.answered("https://client.example/back", sent) == f"https://client.example/back?{expected}"
    assert redirects.answered("https://client.example/?x=1", sent) == f"https://client.example/?x=1&{expected}"
    assert redirects.answered("com.example.app:/back", sent) == f"com.example.app:/back?{expected}"


# What a client asks for.


WRONG_REQUESTS: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": ""}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": "CODE"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "form_post"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": ""}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"code_challenge_method": "S256 "}, "invalid_request"),
    ({"code_challenge": challenge()[:-1]}, "invalid_request"),
    ({"code_challenge": challenge() + "="}, "invalid_request"),
    ({"code_challenge": challenge() + "A"}, "invalid_request"),
    ({"code_challenge": challenge()[:-1] + "+"}, "invalid_request"),
    ({"code_challenge": challenge()[:-1] + "\n"}, "invalid_request"),
    ({"scope": "x"}, "invalid_scope"),
    ({"scope": "media.read job.read"}, "invalid_scope"),
    ({"scope": "media.read  media.edit"}, "invalid_scope"),
    ({"scope": " "}, "invalid_scope"),
    ({"scope": "media.read\tmedia.edit"}, "invalid_scope"),
    ({"scope": "MEDIA.READ"}, "invalid_scope"),
    ({"scope": "media.read\n"}, "invalid_scope"),
    ({"resource": "https://other.example"}, "invalid_target"),
    ({"resource": ISSUER + "/"}, "invalid_target"),
    ({"request": "eyJ"}, "invalid_request"),
    ({"request_uri": "https://attacker.example/r"}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), WRONG_REQUESTS, ids=repr)
def test_what_is_wrong_is_told_to_the_client(
    rig: Rig, client: IssuedClient, changes: dict[str, str | None], error: str
) -> None:
    """By the browser, at its own address, with its state and who says so; at another address nobody is told."""
    refused = refusal(rig.server.ask, rig.query(client, **changes))
    assert (refused.error, refused.status) == (error, 400)
    assert refused.location is not None
    assert refused.location.startswith(BACK + "?error=")
    told = answer(refused.location)
    assert told == {"error": error, "error_description": refused.description, "state": "a state", "iss": ISSUER}
    assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]+", refused.description)  # RFC 6749, section 4.1.2.1
    for other in ("https://attacker.example/back", BACK + "/", None, ""):
        assert refusal(rig.server.ask, rig.query(client, **{**changes, "redirect_uri": other})).location is None
    for unknown in ("0" * 22, "x", "", None, "' OR 1=1 --", "\x00", "\u00e4"):
        assert refusal(rig.server.ask, rig.query(client, **{**changes, "client_id": unknown})).location is None


def test_what_is_there_twice(rig: Rig, client: IssuedClient) -> None:
    """Any parameter, known or not, equal or empty; of client and address nobody is told, of a state nothing is sent."""
    query = rig.query(client, scope="media.read")
    for name, value in [
        ("response_type", "code"),
        ("scope", "media.read"),
        ("scope", ""),
        ("state", "a state"),
        ("code_challenge", challenge()),
        ("code_challenge_method", "plain"),
        ("unknown", "x"),
    ]:
        more = urlencode([(name, value)] * (2 if name == "unknown" else 1))
        for twice in (f"{query}&{more}", f"{more}&{query}"):
            refused = refusal(rig.server.ask, twice)
            assert refused.error == "invalid_request"
            assert refused.location is not None
            assert answer(refused.location).get("state") == (None if name == "state" else "a state")
    for name, value in [("client_id", client.info.id), ("redirect_uri", BACK), ("redirect_uri", "https://x.example/")]:
        for twice in (f"{query}&{urlencode({name: value})}", f"{urlencode({name: value})}&{query}", f"{query}&{name}="):
            assert refusal(rig.server.ask, twice).location is None


def test_what_cannot_be_read(rig: Rig, client: IssuedClient) -> None:
    """A query that is too long, has too many fields, or bytes that are no text: nobody is told."""
    query = rig.query(client)
    hostile: list[Any] = ["", "?", "&&&", "x", query + "&x=%ff", query + "&%ff=x", query + "&x=" + "a" * 8192]
    hostile += [query + "&" + "&".join(f"x{n}=1" for n in range(60)), None, b"x", 7]
    for each in hostile:
        refused = refusal(rig.server.ask, each)
        assert (refused.error, refused.location) == ("invalid_request", None)


def test_what_is_not_known_is_ignored(rig: Rig, client: IssuedClient) -> None:
    """RFC 6749, section 3.1; what is empty is not there."""
    request = rig.server.ask(rig.query(client, prompt="login", nonce="x", scope="", state="", response_mode="query"))
    assert (request.state, [scope.name for scope in request.scopes]) == (None, ["media.read", "media.edit"])
    assert "state" not in answer(rig.server.approve(request, "7"))
    assert rig.server.ask(rig.query(client, resource=ISSUER)).resource == ISSUER


@pytest.mark.parametrize("state", ["x", " ", "a&b=c#d?e", "\u00e4\U0001f4be", "\x00\r\n", "%", "s" * 2048, "+", '"<>'])
def test_a_state_comes_back_unchanged(rig: Rig, client: IssuedClient, state: str) -> None:
    """With a code and with an error."""
    assert answer(rig.server.approve(rig.server.ask(rig.query(client, state=state)), "7"))["state"] == state
    refused = refusal(rig.server.ask, rig.query(client, state=state, scope="x"))
    assert answer(refused.location or "")["state"] == state


def test_a_state_may_be_so_long(rig: Rig, client: IssuedClient) -> None:
    """2,048 characters; what is longer is refused, and not sent on."""
    refused = refusal(rig.server.ask, rig.query(client, state="s" * 2049))
    assert refused.error == "invalid_request"
    assert "state" not in answer(refused.location or "")


def test_a_client_that_may_not_ask_users(rig: Rig) -> None:
    """It has no address, so that nobody is sent anywhere."""
    machine = rig.add(MACHINE)
    assert refusal(rig.server.ask, rig.query(machine)).location is None


# Proofs.


@pytest.mark.parametrize(
    ("verifier", "good"),
    [
        ("v" * 43, True),
        ("v" * 128, True),
        ("AZaz09-._~" * 5, True),
        ("v" * 42, False),
        ("v" * 129, False),
        ("v" * 42 + "+", False),
        ("v" * 42 + "\u00e4", False),
        ("v" * 43 + "\n", False),
        ("", False),
    ],
)
def test_a_verifier(verifier: str, good: bool) -> None:
    """43 to 128 unreserved characters (RFC 7636, section 4.1), of which the challenge was made."""
    assert policy.is_verifier(verifier, challenge(verifier)) is good
    assert not policy.is_verifier(verifier, challenge("w" * 43))
    assert not policy.is_verifier(challenge(verifier), challenge(verifier))


def test_the_example_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier, expected = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert policy.is_verifier(verifier, expected)


def header(client_id: str, secret: str) -> str:
    """What RFC 6749, section 2.3.1, makes of both."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("form", "authorization", "found"),
    [
        ({"client_id": "a", "client_secret": "b"}, None, ("a", "b")),
        ({"client_id": "a"}, None, ("a", None)),
        ({"client_id": "a", "client_secret": ""}, None, ("a", None)),
        ({}, header("a", "b"), ("a", "b")),
        ({}, header("a", ""), ("a", None)),
        ({}, header("a", "b:c"), ("a", "b:c")),
        ({}, header(quote("a:b"), quote("c d+%")), ("a:b", "c d+%")),
        ({}, header("a", "c+d"), ("a", "c d")),
        ({"client_id": "a"}, header("a", "b"), ("a", "b")),
        ({}, "  basic   " + header("a", "b")[6:], ("a", "b")),
    ],
)
def test_how_a_client_says_who_it_is(form: dict[str, str], authorization: str | None, found: tuple[str, str]) -> None:
    """In the form, or in a header whose parts are encoded as a form's are."""
    assert policy.credentials(form, authorization) == found


@pytest.mark.parametrize(
    ("form", "authorization", "error"),
    [
        ({}, None, "invalid_client"),
        ({"client_secret": "b"}, None, "invalid_client"),
        ({"client_id": "a"}, "", "invalid_client"),
        ({"client_id": "a"}, "Basic", "invalid_client"),
        ({"client_id": "a"}, "Basic ", "invalid_client"),
        ({"client_id": "a"}, "Bearer pm_x", "invalid_client"),
        ({"client_id": "a"}, header("a", "b") + ", " + header("a", "b"), "invalid_client"),
        ({}, header("", "b"), "invalid_client"),
        ({}, "Basic " + base64.b64encode(b"no colon").decode(), "invalid_client"),
        ({}, "Basic " + base64.b64encode(b"a:\xff").decode(), "invalid_client"),
        ({}, header("a", "%ff"), "invalid_client"),
        ({}, "Basic YT pi", "invalid_client"),
        ({}, "Basic \u00e4", "invalid_client"),
        ({}, header("a", "b" * 2000), "invalid_client"),
        ({"client_id": "a", "client_secret": "b"}, header("a", "b"), "invalid_request"),
        ({"client_secret": "b"}, header("a", "b"), "invalid_request"),
        ({"client_id": "c"}, header("a", "b"), "invalid_request"),
    ],
)
def test_how_it_does_not(form: dict[str, str], authorization: str | None, error: str) -> None:
    """In both ways at once, or in none."""
    with pytest.raises(OAuthRefused) as refused:
        policy.credentials(form, authorization)
    assert (refused.value.error, refused.value.status) == (error, 401 if error == "invalid_client" else 400)


@pytest.mark.parametrize(
    ("stands", "shown", "good"),
    [
        (b"a" * 32, b"a" * 32, True),
        (b"a" * 32, b"b" * 32, False),
        (b"a" * 32, None, False),
        (None, None, True),
        (None, b"a" * 32, False),
        (None, bytes(32), False),
        (bytes(32), None, False),
    ],
)
def test_a_secret_is_the_client_s(stands: bytes | None, shown: bytes | None, good: bool) -> None:
    """A client without one shows none."""
    assert policy.is_secret(stands, shown) is good


# Texts.


def test_texts_are_told_apart() -> None:
    """By what they begin with; a letter that differs, or two in the wrong order, is told without a database."""
    for prefix in (texts.CODE, texts.REFRESH, texts.SECRET):
        text = texts.new(prefix, secrets.choice)
        assert re.fullmatch(texts.PATTERN, text)
        assert texts.digest(prefix, text) == texts.sha256(text)
        for other in {texts.CODE, texts.REFRESH, texts.SECRET} - {prefix}:
            assert texts.digest(other, text) is None
            assert texts.digest(other, other + text[4:]) is None
        for at in range(len(text)):
            changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
            assert texts.digest(prefix, changed) is None
    for hostile in ("", None, 7, "pmc_", "pmc_" + "\u0660" * 49, "pmc_" + "0" * 49 + "\n", "0" * 100_000, b"pmc_"):
        assert texts.digest(texts.CODE, hostile) is None
        assert not texts.is_client_id(hostile)
        assert not texts.is_grant_id(hostile)
    assert texts.is_client_id(texts.new_client_id(secrets.choice))


# What is declared.


def test_scopes_are_checked() -> None:
    """When they are declared."""
    wrong: list[Callable[[], object]] = [
        lambda: Scopes([]),
        lambda: Scopes([Scope("a", ["x:y"], "A"), Scope("a", ["x:y"], "B")]),
        lambda: Scopes([Scope("", ["x:y"], "A")]),
        lambda: Scopes([Scope("a b", ["x:y"], "A")]),
        lambda: Scopes([Scope("a\n", ["x:y"], "A")]),
        lambda: Scopes([Scope('a"', ["x:y"], "A")]),
        lambda: Scopes([Scope("a" * 65, ["x:y"], "A")]),
        lambda: Scopes([Scope("a", [], "A")]),
        lambda: Scopes([Scope("a", ["x:y"], " ")]),
        lambda: Scopes([Scope(f"a{n}", ["x:y"], "A") for n in range(51)]),
    ]
    for make in wrong:
        with pytest.raises(ConfigurationError, match="scope"):
            make()
    text: Any = "x:y"
    with pytest.raises(TypeError, match="list"):
        Scope("a", text, "A")
    assert [scope.name for scope in SCOPES] == list(SCOPES.names)
    assert (len(SCOPES), SCOPES[0].name, [scope.name for scope in SCOPES[1:]]) == (
        3,
        "media.read",
        ["media.edit", "job.read"],
    )
    assert SCOPES.permissions(["job.read", "gone"]) == {"job:read"}


@pytest.mark.parametrize(
    "issuer",
    [
        "https://app.example.org",
        "https://app.example.org:8443/tenant",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "http://localhost:8000",
    ],
)
def test_may_be_an_issuer(issuer: str) -> None:
    """RFC 8414, section 2."""
    assert ServerTerms(issuer).resource == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "app.example.org",
        "http://app.example.org",
        "http://127.0.0.1.attacker.example",
        "https://",
        "https://app.example.org/",
        "https://app.example.org?x",
        "https://app.example.org#x",
        "https://user@app.example.org",
        "https://app.example.org:port",
        "https://app.example.org/a b",
        "https://\u00fc.example.org",
        "https://app.example.org/" + "a" * 200,
        "ftp://app.example.org",
        "https://[::1",
    ],
)
def test_may_be_no_issuer(issuer: str) -> None:
    """It is compared as a text, and stands in every token."""
    with pytest.raises(ConfigurationError, match="issuer"):
        ServerTerms(issuer)


def test_terms_are_checked() -> None:
    """A policy's numbers, and an audience."""
    wrong: list[dict[str, Any]] = [
        {"access_token_lifetime": 3600.1},
        {"access_token_lifetime": 0},
        {"code_lifetime": 601.0},
        {"code_lifetime": float("nan")},
        {"refresh_idle": -1.0},
        {"grant_lifetime": float("inf")},
        {"retry_window": 61.0},
        {"keep": -1.0},
        {"max_grants": 0},
        {"max_grants": True},
        {"max_grants": 1.5},
    ]
    for changes in wrong:
        with pytest.raises(ValueError, match=next(iter(changes))):
            OAuthPolicy(**changes)
    for audience in ("", "a" * 191):
        with pytest.raises(ConfigurationError, match="audience"):
            ServerTerms(ISSUER, audience)
    assert WEB["grant_types"]
