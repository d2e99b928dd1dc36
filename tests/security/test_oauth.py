"""The authorization server: each grant, alike on each database and face; ended it is refused from the next call on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from sqlalchemy import func, select

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, NotOpen, OutsideUnit
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.manager import Security
from postrmagic_core.security.oauth import AuthorizationServer, Endpoints, OAuthPolicy, Scope, Scopes, ServerTerms
from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys, TokenVerifier
from postrmagic_core.security.tables import metadata, oauth_codes, oauth_grants, oauth_refresh_tokens
from postrmagic_core.security.terms import SecurityTerms
from postrmagic_core.testing import FakeClock
from tests.security.oauth_rig import (
    BACK,
    ISSUER,
    MACHINE,
    RESOURCE_SERVER,
    ROLES,
    SCOPES,
    TERMS,
    WEB,
    Rig,
    answer,
    basic,
    refusal,
)

DAY = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    """Time, as the test says."""
    return FakeClock()


@pytest.fixture
def access(database: DatabaseManager, clock: FakeClock) -> Iterator[Access]:
    """Roles, and the audit log."""
    with Access(ROLES, database, clock=clock) as opened:
        yield opened


@pytest.fixture
def make(
    database: DatabaseManager, access: Access, ring: KeyRing, clock: FakeClock
) -> Iterator[Callable[..., AuthorizationServer]]:
    """A factory: ``make()`` opens a server on the database, as another process does."""
    with ExitStack() as opened:

        def server(policy: OAuthPolicy | None = None, **options: Any) -> AuthorizationServer:
            terms = TERMS if policy is None else ServerTerms(ISSUER, policy=policy)
            how: dict[str, Any] = {"terms": terms, "scopes": SCOPES, "clock": clock, **options}
            return opened.enter_context(AuthorizationServer(database, access, ring, **how))

        yield server


@pytest.fixture(params=["sync", "async"])
def either(request: pytest.FixtureRequest, make: Callable[..., AuthorizationServer]) -> Iterator[Callable[..., Rig]]:
    """A factory of rigs, by each of the faces."""
    with ExitStack() as opened:

        def rig(**options: Any) -> Rig:
            runner = opened.enter_context(asyncio.Runner()) if request.param == "async" else None
            return Rig(make(**options), runner)

        yield rig


@pytest.fixture
def rig(make: Callable[..., AuthorizationServer]) -> Rig:
    """The sync face, by the default policy."""
    return Rig(make())


# By a code.


def test_a_user_lets_a_client_act_for_them(either: Callable[..., Rig], clock: FakeClock) -> None:
    """Asked, agreed to, redeemed: an access token that says who acts and how far, good for ten minutes."""
    rig = either()
    client = rig.add()
    request = rig.face.ask(rig.query(client, scope="media.edit media.read", state="a b&c=d\u00e4"))
    assert [scope.about for scope in request.scopes] == ["See your posters", "Change your posters"]
    assert (request.client.name, request.redirect_uri) == ("Posters to go", BACK)
    location = rig.face.approve(request, "7")
    assert location.startswith(BACK + "?code=pmc_")
    assert answer(location) | {"code": ""} == {"code": "", "state": "a b&c=d\u00e4", "iss": ISSUER}
    got = rig.redeem(client, answer(location)["code"])
    assert {"token_type": "Bearer", "expires_in": 600, "scope": "media.read media.edit"}.items() <= got.items()
    assert got["refresh_token"].startswith("pmr_")
    found = rig.verify(got["access_token"])
    assert found is not None
    assert (found.user_id, found.subject, found.client_id) == ("7", "7", client.info.id)
    assert found.scopes == {"media.read", "media.edit"}
    assert found.permissions == {"media:read:own", "media:edit:own"}
    assert found.expires_at == clock.now + timedelta(minutes=10)


def test_a_token_may_what_its_user_may_and_its_scopes(rig: Rig, access: Access) -> None:
    """What neither a role nor a scope allows it may not; who else comes with it is refused."""
    access.grant("7", "editor", actor=None)
    found = rig.verify(rig.tokens(rig.add(), scope="media.read")["access_token"])
    assert found is not None
    who = found.restrict(access.identity(found.subject))
    assert (who.id, who.token_id) == ("7", found.grant_id)
    mine, theirs = {"owner_id": "7"}, {"owner_id": "8"}
    assert access.check(who, "media:read", mine)
    assert not access.check(who, "media:read", theirs)
    assert not access.check(who, "media:edit", mine)
    assert not access.check(who, "job:read")
    for other in (access.identity("8"), who):
        with pytest.raises(ValueError, match="subject"):
            found.restrict(other)


def test_a_user_may_leave_scopes_out(either: Callable[..., Rig]) -> None:
    """Not all of them, and none that were not asked for."""
    rig = either()
    client = rig.add()
    got = rig.tokens(client, scopes=["media.read"])
    assert got["scope"] == "media.read"
    assert rig.grants()[0].scopes == ("media.read",)
    request = rig.face.ask(rig.query(client, scope="media.read"))
    wrong: list[Any] = [[], ["media.edit"], ["media.read", "job.read"], "media.read"]
    for scopes in wrong:
        with pytest.raises(ValueError, match="scope"):
            rig.face.approve(request, "7", scopes=scopes)
    for user in ("", "client:x", 7, "u" * 191):
        with pytest.raises(ValueError, match="user"):
            rig.face.approve(request, user)


def test_a_user_does_not_agree(either: Callable[..., Rig]) -> None:
    """The client is told, and the audit log."""
    rig = either()
    client = rig.add()
    told = answer(rig.face.deny(rig.face.ask(rig.query(client)), "7"))
    assert told | {"error_description": ""} == {
        "error": "access_denied",
        "error_description": "",
        "state": "a state",
        "iss": ISSUER,
    }
    assert rig.audited()[1:] == [("oauth.denied", "7", "7")]


def test_a_code_is_good_once(either: Callable[..., Rig]) -> None:
    """Who comes with it again ends what it gave: the access token, the refresh token and their successors."""
    rig = either()
    client, code = rig.add(), ""
    code = rig.code(client)
    first = rig.redeem(client, code)
    second = rig.refresh(client, first["refresh_token"])
    assert refusal(rig.redeem, client, code).error == "invalid_grant"
    assert [rig.verify(each["access_token"]) for each in (first, second)] == [None, None]
    assert refusal(rig.refresh, client, second["refresh_token"]).error == "invalid_grant"
    assert rig.grants() == []
    revoked = [entry for entry in rig.audited() if entry[0] == "oauth.grant_revoked"]
    assert revoked == [("oauth.grant_revoked", client.info.id, "7")]


def test_a_code_is_good_for_a_minute(either: Callable[..., Rig], clock: FakeClock) -> None:
    """Just before its end, not at it."""
    rig = either()
    client = rig.add()
    early, late = rig.code(client), rig.code(client)
    clock.advance(59.999999)
    assert rig.redeem(client, early)
    clock.advance(0.000001)
    assert refusal(rig.redeem, client, late).error == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "b" * 43},
        {"code_verifier": "short"},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": "https://attacker.example/back"},
    ],
    ids=["verifier", "no-verifier", "prefix", "elsewhere"],
)
def test_shown_with_the_wrong_proof_a_code_is_used_up(rig: Rig, changes: dict[str, str]) -> None:
    """Nobody tries a second one; the right one comes too late."""
    client = rig.add()
    code = rig.code(client)
    assert refusal(rig.redeem, client, code, **changes).error == "invalid_grant"
    assert refusal(rig.redeem, client, code).error == "invalid_grant"
    assert rig.grants() == []


def test_another_client_s_code_is_not_used_up(rig: Rig) -> None:
    """Neither by a client that got hold of it nor by one that lacks what belongs to it."""
    client, thief = rig.add(), rig.add(name="Thief")
    code = rig.code(client)
    assert refusal(rig.redeem, thief, code).error == "invalid_grant"
    for name in ("code", "redirect_uri", "code_verifier"):
        assert refusal(rig.redeem, client, **{"code": code, name: ""}).error == "invalid_request"
    assert rig.redeem(client, code)


def test_a_client_without_a_secret(either: Callable[..., Rig]) -> None:
    """An app on the user's device: its own code, its verifier and its name are its proof."""
    rig = either()
    app = rig.add(public=True, redirect_uris=["http://127.0.0.1/back", "com.example.app:/back"])
    assert app.secret is None
    for uri in ("http://127.0.0.1:51234/back", "com.example.app:/back"):
        code = rig.code(app, redirect_uri=uri)
        got = rig.redeem(app, code, redirect_uri=uri)
        assert rig.verify(got["access_token"]) is not None
        assert rig.refresh(app, got["refresh_token"])


def test_a_client_that_may_not_refresh_gets_no_refresh_token(rig: Rig) -> None:
    """It asks its user again."""
    client = rig.add(grant_types=["authorization_code"])
    assert "refresh_token" not in rig.tokens(client)
    assert refusal(rig.refresh, client, "x").error == "unauthorized_client"


# By a refresh token.


def test_a_refresh_token_is_good_once(either: Callable[..., Rig], clock: FakeClock) -> None:
    """Its successor is another one; used again, the first one ends all of them."""
    rig = either()
    client = rig.add()
    got = [rig.tokens(client)]
    for _ in range(3):
        clock.advance(300.0)
        got.append(rig.refresh(client, got[-1]["refresh_token"]))
    assert len({each["refresh_token"] for each in got} | {each["access_token"] for each in got}) == 8
    assert rig.verify(got[3]["access_token"]) is not None
    assert rig.grants()[0].last_used_at == clock.now
    assert refusal(rig.refresh, client, got[1]["refresh_token"]).error == "invalid_grant"
    assert rig.verify(got[3]["access_token"]) is None
    assert refusal(rig.refresh, client, got[3]["refresh_token"]).error == "invalid_grant"
    assert [entry[0] for entry in rig.audited()].count("oauth.grant_revoked") == 1


def test_a_refresh_token_may_narrow_its_access_token(rig: Rig) -> None:
    """For once: the next one has all again, and never more than was agreed to."""
    client = rig.add()
    first = rig.tokens(client)
    narrow = rig.refresh(client, first["refresh_token"], scope="media.read")
    assert narrow["scope"] == "media.read"
    found = rig.verify(narrow["access_token"])
    assert found is not None
    assert found.scopes == {"media.read"}
    wide = rig.refresh(client, narrow["refresh_token"])
    assert wide["scope"] == "media.read media.edit"
    for scope in ("job.read", "media.read job.read", "x", "media.read  media.edit", " "):
        assert refusal(rig.refresh, client, wide["refresh_token"], scope=scope).error == "invalid_scope"
    assert rig.refresh(client, wide["refresh_token"])


def test_a_grant_ends(either: Callable[..., Rig], clock: FakeClock) -> None:
    """A refresh token that is not used for thirty days; and after ninety all of it, however often it is used."""
    rig = either()
    client = rig.add()
    idle, used = rig.tokens(client), rig.tokens(client, "8")
    for _ in range(8):
        clock.advance(10 * DAY)
        used = rig.refresh(client, used["refresh_token"])
    assert refusal(rig.refresh, client, idle["refresh_token"]).error == "invalid_grant"
    clock.advance(10 * DAY - 5)
    used = rig.refresh(client, used["refresh_token"])
    assert used["expires_in"] == 5
    clock.advance(5)
    assert refusal(rig.refresh, client, used["refresh_token"]).error == "invalid_grant"
    assert rig.verify(used["access_token"]) is None
    assert rig.grants("8") == []


def test_another_client_s_refresh_token(rig: Rig) -> None:
    """It is not used up by it; but one that was used ends what it belongs to, whoever comes with it."""
    client, thief = rig.add(), rig.add(name="Thief")
    got = rig.tokens(client)
    assert refusal(rig.refresh, thief, got["refresh_token"]).error == "invalid_grant"
    second = rig.refresh(client, got["refresh_token"])
    assert refusal(rig.refresh, thief, got["refresh_token"]).error == "invalid_grant"
    assert rig.verify(second["access_token"]) is None
    assert ("oauth.grant_revoked", thief.info.id, "7") in rig.audited()


# By a client's own credentials.


def test_a_client_asks_for_itself(either: Callable[..., Rig], access: Access) -> None:
    """It has an id to which roles are granted, and is nobody's user."""
    rig = either()
    client = rig.add(MACHINE)
    got = rig.machine(client, scope="job.read")
    assert got.keys() == {"access_token", "token_type", "expires_in", "scope"}
    found = rig.verify(got["access_token"])
    assert found is not None
    assert (found.user_id, found.subject) == (None, f"client:{client.info.id}")
    who = found.restrict(access.identity(found.subject))
    assert not access.check(who, "job:read")
    access.grant(found.subject, "admin", actor="1")
    who = found.restrict(access.identity(found.subject))
    assert access.check(who, "job:read")
    assert not access.check(who, "media:delete")
    assert rig.machine(client)["scope"] == "media.read job.read"
    assert rig.grants(found.subject) == []


def test_clients_ask_only_as_they_may(rig: Rig) -> None:
    """What is not among a client's grant types, and what is no grant here."""
    web, machine = rig.add(), rig.add(MACHINE)
    assert refusal(rig.machine, web).error == "unauthorized_client"
    assert refusal(rig.redeem, machine, "x").error == "unauthorized_client"
    for kind in ("password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "x"):
        form = {"grant_type": kind, "username": "7", "password": "x"}
        assert refusal(rig.post, web, form).error == "unsupported_grant_type"
    assert refusal(rig.post, web, {}).error == "invalid_request"
    assert refusal(rig.machine, machine, scope="media.edit").error == "invalid_scope"
    assert refusal(rig.machine, machine, resource="https://other.example").error == "invalid_target"
    assert rig.machine(machine, resource=ISSUER)


# Ended.


def test_revoked_by_its_user_it_is_refused_from_the_next_call_on(either: Callable[..., Rig]) -> None:
    """By every process; and another user's stays."""
    here, there = either(), either()
    client = here.add()
    mine, theirs = here.tokens(client), here.tokens(client, "8")
    asked = here.add(RESOURCE_SERVER)
    assert there.verify(mine["access_token"]) is not None
    assert there.introspect(asked, mine["access_token"])["active"] is True
    (grant,) = here.grants()
    assert grant.client_name == "Posters to go"
    assert here.face.revoke_grant("8", grant.id) is False
    assert here.face.revoke_grant("7", grant.id, actor="1") is True
    assert there.verify(mine["access_token"]) is None
    assert there.introspect(asked, mine["access_token"]) == {"active": False}
    assert refusal(there.refresh, client, mine["refresh_token"]).error == "invalid_grant"
    assert here.face.revoke_grant("7", grant.id) is False
    assert there.verify(theirs["access_token"]) is not None
    hostile: list[Any] = ["", "x" * 36, "' OR 1=1 --", "\ud800" * 36, None, 0, [], "A" * 100_000]
    assert [here.face.revoke_grant("8", each) for each in hostile] == [False] * len(hostile)


def test_all_of_a_user_s_end_at_once(either: Callable[..., Rig]) -> None:
    """Codes that wait to be redeemed too."""
    rig = either()
    client, other = rig.add(), rig.add(name="Other")
    got = [rig.tokens(each) for each in (client, client, other)]
    waiting, theirs = rig.code(client), rig.code(client, "8")
    assert rig.face.revoke_all("7", actor="1") == 3
    assert rig.face.revoke_all("7") == 0
    assert [rig.verify(each["access_token"]) for each in got] == [None] * 3
    assert refusal(rig.redeem, client, waiting).error == "invalid_grant"
    assert rig.redeem(client, theirs)
    assert ("oauth.grant_revoked", "1", "7") in rig.audited()


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoked_by_its_client(either: Callable[..., Rig], which: str) -> None:
    """Either token ends both (RFC 7009); another client's, and what is none, is no error and changes nothing."""
    rig = either()
    client, other = rig.add(), rig.add(name="Other")
    got = rig.tokens(client)

    def revoke(by: Any, token: str) -> None:
        assert rig.face.revoke({"token": token, "token_type_hint": "x", **rig.shown(by)}) is None

    for token in (got[which][:-1], "x", "pmr_", "\ud800"):
        revoke(client, token)
    revoke(other, got[which])
    assert rig.verify(got["access_token"]) is not None
    revoke(client, got[which])
    assert rig.verify(got["access_token"]) is None
    assert refusal(rig.refresh, client, got["refresh_token"]).error == "invalid_grant"
    revoke(client, got[which])
    assert refusal(rig.face.revoke, rig.shown(client)).error == "invalid_request"
    assert refusal(rig.face.revoke, {"token": got[which]}).error == "invalid_client"


def test_beyond_so_many_the_oldest_ends(either: Callable[..., Rig], clock: FakeClock) -> None:
    """Of one user and one client; others' are not counted."""
    rig = either(policy=OAuthPolicy(max_grants=3))
    client, other = rig.add(), rig.add(name="Other")
    got = []
    kept = [rig.tokens(client, "8"), rig.tokens(other)]
    for _ in range(5):
        clock.advance(1.0)
        got.append(rig.tokens(client))
    assert [rig.verify(each["access_token"]) is not None for each in got] == [False, False, True, True, True]
    assert all(rig.verify(each["access_token"]) for each in kept)
    assert OAuthPolicy().max_grants == 20


# Told.


def test_who_may_know_of_a_token(either: Callable[..., Rig], clock: FakeClock) -> None:
    """A resource server of each access token, a client of its own ones; a refresh token is its client's business."""
    rig = either()
    client, other, server = rig.add(), rig.add(name="Other"), rig.add(RESOURCE_SERVER)
    got = rig.tokens(client)
    now = int(clock.now.timestamp())
    told = rig.introspect(server, got["access_token"])
    assert told == rig.introspect(client, got["access_token"])
    assert told | {"jti": "", "grant": ""} == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "7",
        "client_id": client.info.id,
        "scope": "media.edit media.read",
        "iat": now,
        "exp": now + 600,
        "jti": "",
        "grant": "",
    }
    mine = rig.introspect(client, got["refresh_token"])
    assert (mine["active"], mine["sub"], "token_type" in mine) == (True, "7", False)
    assert mine["exp"] == now + 30 * 86_400
    unknown = [(other, got["access_token"]), (other, got["refresh_token"]), (server, got["refresh_token"])]
    unknown += [(server, each) for each in ("x", "pmr_x", got["access_token"][:-4], "pmc_" + "0" * 49)]
    assert [rig.introspect(who, token) for who, token in unknown] == [{"active": False}] * len(unknown)
    rig.refresh(client, got["refresh_token"])
    assert rig.introspect(client, got["refresh_token"]) == {"active": False}
    public = rig.add(public=True)
    assert refusal(rig.introspect, public, got["access_token"]).status == 401
    assert refusal(rig.face.introspect, rig.shown(server)).error == "invalid_request"
    clock.advance(600.0)
    assert rig.introspect(server, got["access_token"]) == {"active": False}


def test_clients_learn_what_the_server_can_do(either: Callable[..., Rig]) -> None:
    """RFC 8414 and RFC 9207; the keys are public ones."""
    rig = either()
    told = rig.face.metadata(Endpoints.under(ISSUER))
    assert told["issuer"] == ISSUER
    assert told["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert told["jwks_uri"] == f"{ISSUER}/oauth/jwks.json"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["scopes_supported"] == ["media.read", "media.edit", "job.read"]
    assert "none" in told["token_endpoint_auth_methods_supported"]
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]
    (key,) = rig.face.jwks()["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}


def test_others_verify_by_the_public_key_alone(rig: Rig, clock: FakeClock) -> None:
    """What a resource server of another program sees: RFC 9068's claims."""
    client = rig.add()
    token = rig.tokens(client)["access_token"]
    published: Any = rig.server.jwks()["keys"]
    (key,) = published
    keys = SigningKeys([SigningKey.from_jwk(key)])
    claims = TokenVerifier(keys, issuer=ISSUER, audience=ISSUER, clock=clock).verify(token)
    assert claims is not None
    assert (claims.subject, claims.client_id) == ("7", client.info.id)
    assert claims.scopes == {"media.read", "media.edit"}
    assert claims.extra["grant"] == rig.grants()[0].id


def test_keys_and_audience_of_one_s_own(make: Any) -> None:
    """A P-256 key in place of what is derived; tokens of one server are none of another."""
    private = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    terms = ServerTerms(ISSUER, "https://api.example.org", (private.decode(),))
    assert private.decode() not in repr(terms)
    mine, plain = Rig(make(terms=terms)), Rig(make())
    client = mine.add()
    got = mine.tokens(client, resource="https://api.example.org")
    assert mine.verify(got["access_token"]) is not None
    assert plain.verify(got["access_token"]) is None
    assert mine.verify(plain.tokens(client)["access_token"]) is None
    with pytest.raises(ConfigurationError):
        make(terms=ServerTerms(ISSUER, None, ("no key",)))


# With others.


def test_in_the_caller_s_transaction(rig: Rig, database: DatabaseManager) -> None:
    """What is rolled back did not happen; a unit that was not passed on is refused."""
    client = rig.add()
    request = rig.server.ask(rig.query(client))
    grant = rig.verify(rig.tokens(client)["access_token"])
    assert grant is not None
    location = BACK
    with suppress(ZeroDivisionError), database.write() as tx:
        location = rig.server.approve(request, "7", tx=tx)
        assert rig.server.revoke_grant("7", grant.grant_id, tx=tx)
        assert rig.server.clients.disable(client.info.id, tx=tx)
        raise ZeroDivisionError
    assert refusal(rig.redeem, client, answer(location)["code"]).error == "invalid_grant"
    assert len(rig.grants()) == 1
    with database.write() as tx:
        location = rig.server.approve(request, "7", tx=tx)
    assert rig.redeem(client, answer(location)["code"])
    with database.write(), pytest.raises(OutsideUnit):
        rig.machine(rig.add(MACHINE))


async def _in_unit(rig: Rig, database: DatabaseManager, request: Any, client: Any) -> str:
    async with database.aio.write() as tx:
        location = await rig.server.aio.approve(request, "7", tx=tx)
        await rig.server.aio.revoke_all("8", tx=tx)
        added = await rig.server.aio.clients.add("x", **MACHINE, tx=tx)
    async with database.aio.write():
        with pytest.raises(OutsideUnit):
            await rig.server.aio.token({"grant_type": "client_credentials", **rig.shown(added)})
    return location


def test_in_the_transaction_of_a_task(rig: Rig, database: DatabaseManager) -> None:
    """As in a thread's."""
    client = rig.add()
    rig.tokens(client, "8")
    location = asyncio.run(_in_unit(rig, database, rig.server.ask(rig.query(client)), client))
    assert rig.redeem(client, answer(location)["code"])
    assert rig.grants("8") == []


def test_used_only_while_open(database: DatabaseManager, access: Access, ring: KeyRing) -> None:
    """As everything that has a lifecycle."""
    server = AuthorizationServer(database, access, ring, terms=TERMS, scopes=SCOPES)
    calls: list[Callable[[], object]] = [
        lambda: server.ask(""),
        lambda: server.token({}),
        lambda: server.verify("x"),
        lambda: server.grants_of("7"),
        lambda: server.revoke_all("7"),
        lambda: server.sweep(),
    ]
    for call in calls:
        with pytest.raises(NotOpen):
            call()


def test_a_scope_stands_for_what_there_is(database: DatabaseManager, ring: KeyRing) -> None:
    """A permission that no role can give was misspelt."""
    with Access(Roles([Role("editor", allow=["media:read"])]), database) as access:
        for permissions in (["media:reed"], ["user:delete"], ["media"], ["media:read", "job:read"]):
            scopes = Scopes([Scope("x", permissions, "Whatever")])
            with pytest.raises(ConfigurationError, match="scope x"):
                AuthorizationServer(database, access, ring, terms=TERMS, scopes=scopes)


def test_the_application_has_one(database: DatabaseManager, ring: KeyRing, clock: FakeClock) -> None:
    """Made by Security, from its settings and scopes; swept with the rest."""
    terms = SecurityTerms("Posters", 1.0, strict=True, oauth=TERMS)
    limiter: Any = None
    with Security(database, limiter, ring, terms=terms, clock=clock, metrics=Metrics()) as security:
        assert security.has_oauth is False
        with pytest.raises(ConfigurationError, match="use_scopes"):
            _ = security.oauth
        security.use_roles(ROLES)
        security.use_scopes(SCOPES)
        rig = Rig(security.oauth)
        rig.tokens(rig.add())
        clock.advance(365 * DAY)
        security.sweep()
        with database.read() as tx:
            assert tx.execute(select(func.count()).select_from(oauth_grants)).scalar_one() == 0


def test_counted(make: Any) -> None:
    """What was issued, refused and revoked."""
    metrics = Metrics()
    rig = Rig(make(metrics=metrics))
    client = rig.add()
    code = rig.code(client)
    got = rig.refresh(client, rig.redeem(client, code)["refresh_token"])
    rig.verify(got["access_token"])
    rig.machine(rig.add(MACHINE))
    refusal(rig.redeem, client, code)
    refusal(rig.server.ask, "")
    rig.verify(got["access_token"])
    counted = {
        (name, *dict(labels).values()): value for name, labels, value in metrics.counters() if name.startswith("oauth")
    }
    assert counted == {
        ("oauth_tokens_issued_total", "authorization_code"): 1,
        ("oauth_tokens_issued_total", "refresh_token"): 1,
        ("oauth_tokens_issued_total", "client_credentials"): 1,
        ("oauth_access_verified_total",): 1,
        ("oauth_access_refused_total", "revoked"): 1,
        ("oauth_grants_revoked_total", "code_replayed"): 1,
        ("oauth_refused_total", "invalid_grant"): 1,
        ("oauth_refused_total", "invalid_request"): 1,
    }


def test_what_was_done_stands_in_the_audit_log(rig: Rig) -> None:
    """Who let which client do what, and who ended it; what is asked for anew every ten minutes is no row."""
    client = rig.add(actor="1")
    got = rig.tokens(client)
    rig.refresh(client, got["refresh_token"])
    rig.machine(rig.add(MACHINE))
    rig.server.revoke_all("7")
    rig.server.clients.renew_secret(client.info.id, actor="1")
    rig.server.clients.disable(client.info.id, actor="1")
    told = [entry for entry in rig.audited() if client.info.id in entry or "7" in entry]
    assert told == [
        ("oauth.client_added", "1", client.info.id),
        ("oauth.approved", "7", "7"),
        ("oauth.granted", "7", "7"),
        ("oauth.grant_revoked", "7", "7"),
        ("oauth.secret_renewed", "1", client.info.id),
        ("oauth.client_disabled", "1", client.info.id),
    ]


def test_sweeping_takes_what_ended_long_ago(
    either: Callable[..., Rig], database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty days after its end; in batches, and it says how many; kept answers as soon as nobody may ask for them."""
    monkeypatch.setattr("postrmagic_core.security.oauth.manager._BATCH", 2)
    rig = either()
    client = rig.add()
    got = [rig.tokens(client, f"u{number}") for number in range(3)]
    again = rig.refresh(client, got[0]["refresh_token"], "a request")
    rig.face.revoke_all("u1")

    def count(table: Any) -> int:
        with database.read() as tx:
            return int(tx.execute(select(func.count()).select_from(table)).scalar_one())

    def replies() -> int:
        with database.read() as tx:
            kept = oauth_refresh_tokens.c.reply.is_not(None)
            return int(tx.execute(select(func.count()).where(kept)).scalar_one())

    tables = (oauth_codes, oauth_refresh_tokens, oauth_grants)
    assert rig.face.sweep() == 0
    assert replies() == 1
    clock.advance(10.0)
    assert rig.face.sweep() == 0
    assert replies() == 0
    assert [count(table) for table in tables] == [3, 4, 3]
    clock.advance(30 * DAY)
    assert rig.face.sweep() == 1  # the revoked grant; a code's end is a minute later
    clock.advance(60.0)
    assert rig.face.sweep() == 1  # the code of that grant; those of the others end them when they come again
    clock.advance(30 * DAY)
    assert rig.face.sweep() == 1  # its refresh token
    assert again
    clock.advance(60 * DAY)
    assert rig.face.sweep() == 7
    assert [count(table) for table in tables] == [0, 0, 0]
    assert metadata.tables["pm_oauth_clients"] is not None
    assert rig.clients.all() == [client.info]


def test_a_client_proves_who_it_is_by_its_header(either: Callable[..., Rig]) -> None:
    """``client_secret_basic``, as ``client_secret_post``; both together are refused."""
    rig = either()
    client = rig.add(MACHINE)
    form = {"grant_type": "client_credentials"}
    assert rig.face.token(form, authorization=basic(client))
    assert rig.face.token({**form, "client_id": client.info.id}, authorization=basic(client))
    both = {**form, **rig.shown(client)}
    assert refusal(rig.face.token, both, authorization=basic(client)).error == "invalid_request"


def test_the_defaults_are_the_documented_ones() -> None:
    """Ten minutes, a minute, thirty and ninety days, ten seconds."""
    policy = OAuthPolicy()
    assert (policy.access_token_lifetime, policy.code_lifetime, policy.retry_window) == (600.0, 60.0, 10.0)
    assert (policy.refresh_idle, policy.grant_lifetime, policy.keep) == (30 * DAY, 90 * DAY, 30 * DAY)
    assert WEB["redirect_uris"] == [BACK]


@pytest.mark.parametrize("how", ["used", "revoked", "expired"])
def test_of_a_refresh_token_that_is_not_good_the_scope_says_nothing(rig: Rig, clock: FakeClock, how: str) -> None:
    """An unknown scope hides no replay, and tells nobody that the token is one."""
    client = rig.add()
    first = rig.tokens(client)
    latest = rig.refresh(client, first["refresh_token"])
    shown = first["refresh_token"] if how == "used" else latest["refresh_token"]
    if how == "revoked":
        rig.server.revoke_all("7")
    elif how == "expired":
        clock.advance(31 * DAY)
    form = {"grant_type": "refresh_token", "refresh_token": shown, "scope": "zzz", **rig.shown(client)}
    assert refusal(rig.server.token, form).error == "invalid_grant"
    assert rig.server.grants_of("7") == [] if how != "expired" else rig.server.grants_of("7")


def test_a_token_of_the_other_host_is_good_though_its_clock_is_ahead(rig: Rig, clock: FakeClock) -> None:
    """Two hosts behind one balancer are a moment apart."""
    token = rig.tokens(rig.add())["access_token"]
    clock.jump(-3.0)
    assert rig.server.verify(token) is not None


def test_a_replay_ends_the_grant_however_long_ago_it_was(rig: Rig, clock: FakeClock) -> None:
    """Sweeping forgets no token whose grant lives on."""
    client = rig.add()
    first = rig.tokens(client)
    latest = first["refresh_token"]
    for _ in range(4):
        clock.advance(20 * DAY)
        latest = rig.refresh(client, latest)["refresh_token"]
        rig.server.sweep()
    assert refusal(rig.refresh, client, first["refresh_token"]).error == "invalid_grant"
    assert rig.server.grants_of("7") == []


def test_what_a_client_got_for_itself_is_kept_for_a_day(rig: Rig, clock: FakeClock, database: DatabaseManager) -> None:
    """Each is a row: one that asks every minute must not fill the table for a month."""
    client = rig.add(MACHINE)
    for _ in range(3):
        rig.server.token({"grant_type": "client_credentials"}, authorization=basic(client))
    clock.advance(DAY)
    assert rig.server.sweep() == 0
    clock.advance(601.0)
    assert rig.server.sweep() == 3


def test_without_a_private_key_it_does_not_start(database: DatabaseManager, ring: KeyRing) -> None:
    """Rather than at the first token."""
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    terms = ServerTerms("https://app.example.org", signing_keys=(pem,))
    with pytest.raises(ConfigurationError, match="a private key"):
        AuthorizationServer(database, Access(ROLES, database), ring, terms=terms, scopes=SCOPES)


@pytest.mark.parametrize("state", ["\ud800", "é"])
def test_a_query_is_ascii_as_it_came(rig: Rig, state: str) -> None:
    """What no browser sends is refused before anything is kept that could not be answered."""
    query = rig.query(rig.add())
    assert refusal(rig.server.ask, f"{query}&x={state}").error == "invalid_request"


def test_a_scope_that_is_declared_no_more_is_not_told(make: Callable[..., AuthorizationServer], rig: Rig) -> None:
    """Neither here nor where a resource server asks: what it stood for is nothing any more."""
    token = rig.tokens(rig.add())["access_token"]
    before = rig.server.verify(token)
    assert before is not None
    assert before.scopes == {"media.read", "media.edit"}
    later = Rig(make(scopes=Scopes([scope for scope in SCOPES if scope.name != "media.edit"])))
    found = later.server.verify(token)
    assert found is not None
    assert found.scopes == {"media.read"}
    assert later.introspect(later.add(RESOURCE_SERVER), token)["scope"] == "media.read"


def test_guesses_write_no_lines_into_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A client's id stands in every address: whoever knows it fills no disk with guesses at its secret."""
    client = rig.add()
    caplog.clear()
    for guess in range(20):
        form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": client.info.id}
        assert refusal(rig.server.token, form | {"client_secret": f"pms_{guess}"}).error == "invalid_client"
    assert caplog.records == []
