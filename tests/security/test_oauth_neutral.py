"""Whatever is not good is answered alike and noted once; no secret stands anywhere but in its answer."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import OAuthRefused
from postrmagic_core.security.access import Access
from postrmagic_core.security.oauth import AuthorizationServer, IssuedClient
from postrmagic_core.security.oauth.texts import new
from postrmagic_core.security.signed_tokens import SigningKeys
from postrmagic_core.security.tables import metadata, oauth_clients, oauth_grants, oauth_refresh_tokens
from postrmagic_core.testing import FakeClock
from tests.security.oauth_rig import ISSUER, MACHINE, RESOURCE_SERVER, ROLES, SCOPES, TERMS, Rig, answer, basic, refusal

OTHER_KEY = "another-master-value-0123456789-klmnopqrst"


@pytest.fixture
def clock() -> FakeClock:
    """Time, as the test says."""
    return FakeClock()


@pytest.fixture
def make(database: DatabaseManager, clock: FakeClock) -> Iterator[Callable[..., Rig]]:
    """A factory of servers on the database, by their key ring."""
    with ExitStack() as opened:
        access = opened.enter_context(Access(ROLES, database, clock=clock))

        def rig(ring: KeyRing) -> Rig:
            server = AuthorizationServer(database, access, ring, terms=TERMS, scopes=SCOPES, clock=clock)
            return Rig(opened.enter_context(server))

        yield rig


@pytest.fixture
def rig(make: Callable[..., Rig], ring: KeyRing) -> Rig:
    """One of them."""
    return make(ring)


def noted(rig: Rig) -> list[tuple[str | None, str, object]]:
    """What the audit log has of refusals: the client, what was shown, and how often; each reason has one of its own."""
    log = rig.server._means.access.audit
    log.flush()
    found = [entry for entry in log.find(action="access.denied") if (entry.subject or "").startswith("oauth:")]
    assert [str(entry.subject).rpartition(":")[2] for entry in found] == [entry.detail["why"] for entry in found]
    return [(entry.actor, str(entry.subject).rpartition(":")[0], entry.detail["count"]) for entry in found]


def swapped(text: str, at: int) -> str:
    """Another letter in one place."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def no_letter(_: str) -> str:
    """Always the same one."""
    return "0"


BAD_TEXTS: dict[str, Callable[[str], Any]] = {
    "tampered": lambda text: swapped(text, 20),
    "tampered at its end": lambda text: swapped(text, -1),
    "truncated": lambda text: text[:-1],
    "longer": lambda text: text + "0",
    "made up": lambda text: new(text[:4], no_letter),
    "of another kind": lambda text: {"pmc_": "pmr_", "pmr_": "pmc_"}[text[:4]] + text[4:],
    "not ASCII": lambda text: text[:-1] + "\u0660",
    "a surrogate": lambda _: "\ud800",
    "with a line feed": lambda text: text + "\n",
    "long": lambda _: "0" * 15_000,
}


@pytest.mark.parametrize("how", BAD_TEXTS)
@pytest.mark.parametrize("what", ["code", "refresh_token"])
def test_a_bad_code_or_refresh_token_has_one_answer_and_one_note(rig: Rig, what: str, how: str) -> None:
    """Whatever is wrong with it; and what it was made from remains good."""
    client = rig.add()
    code = rig.code(client)
    good = code if what == "code" else rig.redeem(client, code)["refresh_token"]
    use = rig.redeem if what == "code" else rig.refresh
    refused = refusal(use, client, BAD_TEXTS[how](good))
    assert (refused.error, refused.description, refused.status, refused.location) == BAD_GRANT
    assert noted(rig) == [(client.info.id, f"oauth:{what}", 1)]
    assert use(client, good)


BAD_GRANT = ("invalid_grant", "the code or refresh token is not good for this client", 400, None)


@pytest.mark.parametrize("how", ["redeemed", "expired", "other client", "wrong verifier", "wrong address", "burnt"])
def test_a_code_that_is_not_good_any_more_has_the_same_answer(rig: Rig, clock: FakeClock, how: str) -> None:
    """One that ends a grant is told by that row, and not twice."""
    client, other = rig.add(), rig.add(name="Other")
    code = rig.code(client)
    changes = {"wrong verifier": {"code_verifier": "b" * 50}, "wrong address": {"redirect_uri": "https://x.example/"}}
    if how == "redeemed":
        rig.redeem(client, code)
    elif how == "burnt":
        refusal(rig.redeem, client, code, code_verifier="b" * 50)
    elif how == "expired":
        clock.advance(60.0)
    before = sum(int(str(count)) for *_, count in noted(rig))
    who = other if how == "other client" else client
    refused = refusal(rig.redeem, who, code, **changes.get(how, {}))
    assert (refused.error, refused.description, refused.status, refused.location) == BAD_GRANT
    revoked = [entry for entry in rig.audited() if entry[0] == "oauth.grant_revoked"]
    assert len(revoked) + sum(int(str(count)) for *_, count in noted(rig)) - before == 1
    assert len(revoked) == (how == "redeemed")


@pytest.mark.parametrize("how", ["used", "expired", "other client", "revoked"])
def test_a_refresh_token_that_is_not_good_any_more_has_the_same_answer(rig: Rig, clock: FakeClock, how: str) -> None:
    """As a code."""
    client, other = rig.add(), rig.add(name="Other")
    token = rig.tokens(client)["refresh_token"]
    if how == "used":
        rig.refresh(client, token)
    elif how == "revoked":
        rig.server.revoke_all("7")
    elif how == "expired":
        clock.advance(30 * 86_400.0)
    before = len([entry for entry in rig.audited() if entry[0] == "oauth.grant_revoked"])
    refused = refusal(rig.refresh, other if how == "other client" else client, token)
    assert (refused.error, refused.description, refused.status, refused.location) == BAD_GRANT
    revoked = len([entry for entry in rig.audited() if entry[0] == "oauth.grant_revoked"]) - before
    assert revoked + len(noted(rig)) == 1
    assert revoked == (how == "used")


BAD_TOKENS: dict[str, Callable[[str], Any]] = {
    "a letter of its head": lambda token: swapped(token, 5),
    "a letter of its claims": lambda token: swapped(token, token.index(".") + 30),
    "a letter of its signature": lambda token: swapped(token, -20),
    "truncated": lambda token: token[:-1],
    "without a signature": lambda token: token.rpartition(".")[0] + ".",
    "two of three": lambda token: token.rpartition(".")[0],
    "nothing": lambda _: "",
    "long": lambda token: token * 30,
    "no text": lambda _: None,
    "a code": lambda _: new("pmc_", no_letter),
}


@pytest.mark.parametrize("how", BAD_TOKENS)
def test_a_bad_access_token_has_one_answer_and_one_note(rig: Rig, how: str) -> None:
    """Here, and where a resource server asks."""
    token = rig.tokens(rig.add())["access_token"]
    bad = BAD_TOKENS[how](token)
    assert rig.verify(bad) is None
    assert noted(rig) == [(None, "oauth:access_token", 1)]
    if bad and isinstance(bad, str):
        asked = rig.add(RESOURCE_SERVER)
        assert rig.introspect(asked, bad) == {"active": False}
        assert (asked.info.id, "oauth:access_token", 1) in noted(rig)
    assert rig.verify(token) is not None


def test_an_access_token_that_has_ended_has_the_same_answer(rig: Rig, clock: FakeClock) -> None:
    """Expired or revoked; and a note of its own, that no junk hides."""
    client = rig.add()
    token, other = (rig.tokens(client, user)["access_token"] for user in ("7", "8"))
    rig.server.revoke_all("7")
    assert rig.verify("junk") is None
    assert rig.verify(token) is None
    revoked = (client.info.id, "oauth:access_token", 1)
    assert set(noted(rig)) == {(None, "oauth:access_token", 1), revoked}
    clock.advance(600.0)
    assert rig.verify(other) is None
    assert sorted(noted(rig), key=str) == sorted([(None, "oauth:access_token", 1)] * 2 + [revoked], key=str)


def test_what_other_keys_signed_is_nobody_s(make: Callable[..., Rig], rig: Rig) -> None:
    """A ring of other keys alone knows none of the tokens; put behind the new one the old one still counts."""
    client = rig.add()
    token = rig.tokens(client)["access_token"]
    assert make(KeyRing([OTHER_KEY])).verify(token) is None
    assert make(KeyRing([OTHER_KEY, "an-old-master-value-0123456789-abcdefghij"])).verify(token) is not None
    assert noted(rig) == [(None, "oauth:access_token", 1)]


def test_a_signature_alone_is_not_enough(rig: Rig, ring: KeyRing, clock: FakeClock) -> None:
    """Whoever can sign must know a grant of just that client and user: its row is asked."""
    client, other = rig.add(), rig.add(MACHINE)
    token = rig.tokens(client)["access_token"]
    good = rig.verify(token)
    assert good is not None
    now = int(clock.now.timestamp())
    claims: dict[str, object] = {"iss": ISSUER, "aud": ISSUER, "sub": "7", "client_id": client.info.id, "jti": "x"}
    claims |= {"iat": now, "exp": now + 60, "scope": "media.read job.read", "grant": good.grant_id}
    keys = SigningKeys.of_ring(ring)
    found = rig.verify(keys.sign(claims))
    assert found is not None
    assert found.scopes == {"media.read"}  # job.read was never agreed to
    for name, value in [
        ("sub", "8"),
        ("sub", f"client:{client.info.id}"),
        ("client_id", other.info.id),
        ("grant", "01a22774-f4d0-72a7-80b7-314c009252af"),
        ("grant", ""),
        ("grant", None),
        ("grant", ["x"]),
        ("grant", good.grant_id.upper()),
    ]:
        assert rig.verify(keys.sign(claims | {name: value})) is None, (name, value)
    del claims["grant"]
    assert rig.verify(keys.sign(claims)) is None


@pytest.mark.parametrize(
    "how", ["unknown", "wrong", "none", "disabled", "of another", "no header", "other scheme", "no base64", "no colon"]
)
def test_who_is_no_client_has_one_answer_and_one_note(rig: Rig, how: str) -> None:
    """401, whatever is wrong; who sends nothing that can be a client's is told by nothing but the counter."""
    client, other = rig.add(MACHINE), rig.add(MACHINE, name="Other")
    if how == "disabled":
        rig.clients.disable(client.info.id)
    form: dict[str, str] = {"grant_type": "client_credentials"}
    said: dict[str, dict[str, Any]] = {
        "unknown": {"client_id": "0" * 22, "client_secret": client.secret},
        "wrong": {"client_id": client.info.id, "client_secret": swapped(client.secret or "", 9)},
        "none": {"client_id": client.info.id},
        "disabled": {"client_id": client.info.id, "client_secret": client.secret},
        "of another": {"client_id": client.info.id, "client_secret": other.secret},
    }
    headers = {"no header": None, "other scheme": "Bearer x", "no base64": "Basic {}", "no colon": "Basic eHh4eA=="}
    refused = refusal(rig.face.token, form | said.get(how, {}), authorization=headers.get(how))
    assert (refused.error, refused.status) == ("invalid_client", 401)
    assert refused.description == "the client is not known, or this is not how it proves who it is"
    known = how in said and how != "unknown"
    assert noted(rig) == ([(client.info.id if known else None, "oauth:client", 1)] if how in said else [])


def test_who_has_no_secret_shows_none(rig: Rig) -> None:
    """A public client that sends one is not what it seems; an empty one is none."""
    app = rig.add(public=True)
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    wrong = IssuedClient(app.info, "pms_x")
    assert refusal(rig.face.token, form, authorization=basic(wrong)).error == "invalid_client"
    empty = "Basic " + base64.b64encode(f"{app.info.id}:".encode()).decode()
    assert refusal(rig.face.token, form, authorization=empty).error == "invalid_grant"


def everything(database: DatabaseManager) -> bytes:
    """What stands in every table, as bytes."""
    with database.read() as tx:
        return b"\n".join(
            value if isinstance(value, bytes) else repr(value).encode()
            for table in metadata.sorted_tables
            for row in tx.execute(select(table))
            for value in row
        )


def test_no_secret_is_told_to_anybody(
    rig: Rig, database: DatabaseManager, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by a row, the database's file, a log, a repr, an error or its traceback."""
    caplog.set_level(logging.DEBUG)
    client = rig.add()
    request = rig.server.ask(rig.query(client, state="a-state-of-the-client"))
    code = answer(rig.server.approve(request, "7"))["code"]
    got = rig.redeem(client, code)
    more = rig.refresh(client, got["refresh_token"], "request 1")
    again = rig.refresh(client, got["refresh_token"], "request 1")
    said = [repr(client), repr(request), repr(rig.server), repr(TERMS), repr(rig.verify(more["access_token"]))]
    wrong: list[tuple[Callable[..., object], IssuedClient, str]] = [
        (rig.redeem, client, code),
        (rig.redeem, client, code + "x"),
        (rig.refresh, client, got["refresh_token"]),
        (rig.refresh, IssuedClient(client.info, "wrong"), more["refresh_token"]),
    ]
    for call, who, text in wrong:
        with pytest.raises(OAuthRefused) as refused:
            call(who, text)
        said += traceback.format_exception(refused.value)
    rig.verify(more["access_token"])
    rig.verify(more["access_token"][:-1])
    rig.audited()
    said += [caplog.text, repr([record.__dict__ for record in caplog.records])]
    secrets = [code, client.secret or "", *(got[name] for name in ("access_token", "refresh_token"))]
    secrets += [more["access_token"], more["refresh_token"]]
    assert again == more
    stored = everything(database)
    if database_url.startswith("sqlite"):
        for file in Path(database_url.removeprefix("sqlite:///")).parent.iterdir():
            stored += file.read_bytes()
    for secret in secrets:
        for part in (secret, secret[4:40], secret[-30:]):
            assert not any(part in text for text in said)
            assert part.encode() not in stored


def test_rows_that_were_tampered_with_open_nothing(rig: Rig, database: DatabaseManager) -> None:
    """Scopes that are no list allow nothing; a digest in another writing is no secret."""
    client = rig.add()
    got = rig.tokens(client)
    with database.read() as tx:
        digest = bytes(tx.execute(select(oauth_refresh_tokens.c.digest)).scalar_one()).hex()
    assert refusal(rig.refresh, client, "pmr_" + digest[:49]).error == "invalid_grant"
    for broken in (b"", b"{", b"{}", b"[1]", b'"media.read"', b"\xff"):
        with database.write() as tx:
            tx.execute(update(oauth_grants).values(scopes=broken))
        found = rig.verify(got["access_token"])
        assert found is not None
        assert found.permissions == frozenset()
        assert refusal(rig.refresh, client, got["refresh_token"]).error == "invalid_grant"
        with database.write() as tx:
            tx.execute(update(oauth_clients).values(redirect_uris=broken))
        assert refusal(rig.server.ask, rig.query(client)).location is None
