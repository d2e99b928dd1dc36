"""Clients: registered, shown their secret once, and ended with all that they got."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import select

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.security.access import Access
from postrmagic_core.security.oauth import AuthorizationServer, ClientInfo
from postrmagic_core.security.tables import oauth_clients
from postrmagic_core.testing import FakeClock
from tests.security.oauth_rig import BACK, MACHINE, RESOURCE_SERVER, ROLES, SCOPES, TERMS, WEB, Rig, basic, refusal


@pytest.fixture
def clock() -> FakeClock:
    """Time, as the test says."""
    return FakeClock()


@pytest.fixture(params=["sync", "async"])
def either(
    request: pytest.FixtureRequest, database: DatabaseManager, ring: KeyRing, clock: FakeClock
) -> Iterator[Callable[[], Rig]]:
    """A factory of servers, by each of the faces."""
    with ExitStack() as opened:
        access = opened.enter_context(Access(ROLES, database, clock=clock))

        def rig() -> Rig:
            runner = opened.enter_context(asyncio.Runner()) if request.param == "async" else None
            made = AuthorizationServer(database, access, ring, terms=TERMS, scopes=SCOPES, clock=clock)
            return Rig(opened.enter_context(made), runner)

        yield rig


@pytest.fixture
def rig(either: Callable[[], Rig]) -> Rig:
    """One of them."""
    return either()


def test_a_client_is_told_its_secret_once(rig: Rig, clock: FakeClock) -> None:
    """All else is told again; the disabled ones stay in the list, the newest first."""
    web = rig.add(name="Posters to go \u2013 \u00fcber all")
    clock.advance(1.0)
    machine = rig.add(MACHINE)
    assert web.info == ClientInfo(
        web.info.id,
        "Posters to go \u2013 \u00fcber all",
        (BACK,),
        ("media.read", "media.edit"),
        ("authorization_code", "refresh_token"),
        public=False,
        introspects=False,
        created_at=web.info.created_at,
    )
    assert web.secret is not None
    assert web.secret not in repr(web)
    assert rig.clients.find(web.info.id) == web.info
    assert rig.clients.all() == [machine.info, web.info]
    for unknown in ("", "x", web.info.id.swapcase(), web.info.id + " ", "0" * 22, None, 7, "\ud800" * 22):
        assert rig.clients.find(unknown) is None
        assert rig.clients.renew_secret(unknown) is None
        assert rig.clients.disable(unknown) is False


def test_the_table_holds_no_secret(rig: Rig, database: DatabaseManager) -> None:
    """Its SHA-256 is none."""
    client = rig.add(MACHINE)
    with database.read() as tx:
        row = tx.execute(select(oauth_clients)).one()
    assert (client.secret or "")[4:] not in repr(row)
    stolen = "Basic " + basic(client, bytes(row.secret_digest).hex()).split()[1]
    assert refusal(rig.face.token, {"grant_type": "client_credentials"}, authorization=stolen).status == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "two\nlines"},
        {"name": "written \u202e backwards"},
        {"name": " - "},
        {"name": 7},
        {"scopes": []},
        {"scopes": ["unknown"]},
        {"scopes": "media.read"},
        {"grant_types": []},
        {"grant_types": ["password"]},
        {"grant_types": ["implicit", "authorization_code"]},
        {"grant_types": "authorization_code"},
        {"grant_types": ["refresh_token"]},
        {"grant_types": ["refresh_token", "client_credentials"]},
        {"grant_types": ["client_credentials"]},
        {"redirect_uris": []},
        {"redirect_uris": ["http://client.example/back"]},
        {"redirect_uris": BACK},
        {"public": True, "grant_types": ["authorization_code", "client_credentials"]},
        {"public": True, "introspects": True},
    ],
    ids=repr,
)
def test_a_client_that_cannot_be(rig: Rig, changes: dict[str, Any]) -> None:
    """It is refused, and nothing is kept of it."""
    name = changes.get("name", "x")
    how = {**WEB, **{each: value for each, value in changes.items() if each != "name"}}
    with pytest.raises(ValueError, match=r"expected|needs|goes with|can neither"):
        rig.clients.add(name, **how)
    assert rig.clients.all() == []


def test_a_resource_server_asks_for_nothing(rig: Rig) -> None:
    """It has a secret, and neither scopes nor a grant type."""
    server = rig.add(RESOURCE_SERVER)
    assert server.info.introspects
    for call in (rig.machine, lambda who: rig.redeem(who, "x"), lambda who: rig.refresh(who, "x")):
        assert refusal(call, server).error == "unauthorized_client"
    with pytest.raises(ValueError, match="scope"):
        rig.add(RESOURCE_SERVER, scopes=["media.read"])


def test_another_secret(rig: Rig) -> None:
    """The one before is refused at once; what was got by it stays good."""
    client = rig.add(MACHINE)
    token = rig.machine(client)["access_token"]
    renewed = rig.clients.renew_secret(client.info.id, actor="1")
    assert renewed.info == client.info
    assert renewed.secret != client.secret
    assert refusal(rig.machine, client).error == "invalid_client"
    assert rig.machine(renewed)
    assert rig.verify(token) is not None
    assert rig.clients.renew_secret(rig.add(public=True).info.id) is None


def test_disabled_a_client_has_nothing(either: Callable[[], Rig], clock: FakeClock) -> None:
    """From the next call on, in every process: neither what it got nor what it asks for."""
    here, there = either(), either()
    client, other, server = here.add(), here.add(name="Other"), here.add(RESOURCE_SERVER)
    got, theirs, waiting = here.tokens(client), here.tokens(other), here.code(client)
    request = here.face.ask(here.query(client))
    assert there.verify(got["access_token"]) is not None
    assert here.clients.disable(client.info.id, actor="1") is True
    assert here.clients.disable(client.info.id) is False
    assert there.verify(got["access_token"]) is None
    assert there.introspect(server, got["access_token"]) == {"active": False}
    assert there.grants("7") == [grant for grant in there.grants("7") if grant.client_id == other.info.id]
    assert refusal(there.refresh, client, got["refresh_token"]).error == "invalid_client"
    assert refusal(there.redeem, client, waiting).error == "invalid_client"
    assert refusal(there.face.ask, there.query(client)).location is None
    assert refusal(there.face.approve, request, "7").location is None
    assert refusal(there.face.revoke, {"token": "x", **there.shown(client)}).error == "invalid_client"
    assert there.clients.renew_secret(client.info.id) is None
    found = there.clients.find(client.info.id)
    assert (found.disabled_at, found.name) == (clock.now, client.info.name)
    assert there.verify(theirs["access_token"]) is not None
