"""The authorization server while the database is away, and when a process dies in the middle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from postrmagic_core._crypto import KeyRing
from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError
from postrmagic_core.security.access import Access
from postrmagic_core.security.oauth import AuthorizationServer, IssuedClient, rows
from postrmagic_core.security.tables import metadata, oauth_grants, oauth_refresh_tokens
from postrmagic_core.testing import spawn
from postrmagic_core.testing.servers import MariaDBServer, require
from tests.security.oauth_rig import RESOURCE_SERVER, ROLES, SCOPES, TERMS, Rig, answer, refusal

KEY = "an-old-master-value-0123456789-abcdefghij"
SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)


@pytest.fixture
def rig(database: DatabaseManager) -> Iterator[Rig]:
    """A server by the machine's clock, as another process has."""
    with ExitStack() as opened:
        yield opened.enter_context(_Opened(database)).rig


class _Opened(ExitStack):
    def __init__(self, database: DatabaseManager) -> None:
        super().__init__()
        access = self.enter_context(Access(ROLES, database))
        server = AuthorizationServer(database, access, KeyRing([KEY]), terms=TERMS, scopes=SCOPES)
        self.rig = Rig(self.enter_context(server))


def calls(rig: Rig, client: IssuedClient, server: IssuedClient, got: dict[str, Any], code: str) -> list[Any]:
    """Everything that asks the database."""
    query = rig.query(client)
    return [
        lambda: rig.server.ask(query),
        lambda: rig.redeem(client, code),
        lambda: rig.refresh(client, got["refresh_token"]),
        lambda: rig.verify(got["access_token"]),
        lambda: rig.introspect(server, got["access_token"]),
        lambda: rig.server.revoke({"token": got["access_token"], **rig.shown(client)}),
        lambda: rig.grants("7"),
        lambda: rig.server.revoke_all("7"),
        lambda: rig.server.clients.all(),
        lambda: rig.server.sweep(),
    ]


@pytest.mark.fault
@pytest.mark.parametrize("missing", ["pm_oauth_clients", "pm_oauth_grants", "pm_audit"])
def test_a_table_that_is_gone_is_an_error(tmp_path: Path, missing: str) -> None:
    """What cannot be asked about is neither good nor bad; nor is anything done of which no note can be taken."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database:
        with database.write() as tx:
            metadata.create_all(tx.connection)
        with _Opened(database) as opened:
            rig = opened.rig
            client, server = rig.add(), rig.add(RESOURCE_SERVER)
            got, code = rig.tokens(client), rig.code(client)
            with database.write() as tx:
                metadata.tables[missing].drop(tx.connection)
            failing = calls(rig, client, server, got, code)
            if missing == "pm_oauth_grants":
                failing = [each for at, each in enumerate(failing) if at in (1, 2, 3, 4, 5, 6, 7, 9)]
            elif missing == "pm_audit":
                failing = [failing[1], failing[5], failing[7]]
            else:
                failing = [each for at, each in enumerate(failing) if at != 9]
            for call in failing:
                with pytest.raises(BackendError):
                    call()
            with database.write() as tx:
                metadata.tables[missing].create(tx.connection)
            if missing == "pm_audit":
                assert rig.verify(got["access_token"]) is not None
                assert rig.redeem(client, code)


@pytest.mark.fault
@pytest.mark.mysql
def test_a_server_that_was_killed_is_an_error_until_it_is_back() -> None:
    """Codes and tokens that were good a moment ago are good again; none was used up by the attempts."""
    require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
    with MariaDBServer() as server, DatabaseManager(server.create_database(), timeouts=SHORT) as database:
        with database.write() as tx:
            metadata.create_all(tx.connection)
        with _Opened(database) as opened:
            rig = opened.rig
            client, asks = rig.add(), rig.add(RESOURCE_SERVER)
            got, code = rig.tokens(client), rig.code(client)
            server.kill()
            try:
                for call in calls(rig, client, asks, got, code)[:5]:
                    with pytest.raises(BackendError):
                        call()
            finally:
                server.start()
            assert rig.verify(got["access_token"]) is not None
            assert rig.refresh(client, got["refresh_token"])
            assert rig.redeem(client, code)


def die(url: str, client_id: str, secret: str, form: dict[str, str], where: str) -> None:
    """In a child: die in the middle of a token call, once everything of ``where`` is done."""
    kept: Callable[..., Any] = getattr(rows, where)

    def last(*arguments: Any) -> None:
        kept(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(rows, where, last)
    with DatabaseManager(url) as database, _Opened(database) as opened:
        opened.rig.server.token({**form, "client_id": client_id, "client_secret": secret})


@pytest.mark.fault
@pytest.mark.parametrize("where", ["redeem", "put_grant", "put_refresh"])
def test_whoever_dies_while_a_code_is_redeemed_has_done_nothing(
    rig: Rig, database: DatabaseManager, database_url: str, where: str
) -> None:
    """All of it or nothing: the code is good still, and there is no grant."""
    client = rig.add()
    code = rig.code(client)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.info.redirect_uris[0]}
    form["code_verifier"] = "a-verifier.of~43_characters-0123456789abcdef"
    with spawn(die, database_url, client.info.id, client.secret, form, where) as child:
        assert child.wait(60) == -signal.SIGKILL
    with database.read() as tx:
        for table in (oauth_grants, oauth_refresh_tokens):
            assert tx.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert rig.verify(rig.redeem(client, code)["access_token"]) is not None


@pytest.mark.fault
@pytest.mark.parametrize("where", ["use_refresh", "touch_grant", "put_refresh"])
def test_whoever_dies_while_a_token_is_refreshed_has_done_nothing(rig: Rig, database_url: str, where: str) -> None:
    """The refresh token is good still, and nobody is taken for a thief."""
    client = rig.add()
    got = rig.tokens(client)
    form = {"grant_type": "refresh_token", "refresh_token": got["refresh_token"]}
    with spawn(die, database_url, client.info.id, client.secret, form, where) as child:
        assert child.wait(60) == -signal.SIGKILL
    assert rig.verify(rig.refresh(client, got["refresh_token"])["access_token"]) is not None


@pytest.mark.fault
def test_what_is_revoked_is_good_for_nobody_who_asks_later(rig: Rig) -> None:
    """Requests that race the revocation are answered as of before or after it; each that begins after it, after it."""
    client = rig.add()
    for number in range(4):
        user = f"u{number}"
        token = rig.tokens(client, user)["access_token"]
        revoked, late = threading.Event(), list[object]()

        def verify(token: str = token, revoked: threading.Event = revoked, late: list[object] = late) -> None:
            ended = False
            while not ended:
                ended = revoked.is_set()
                found = rig.server.verify(token)
                if ended:
                    late.append(found)

        threads = [threading.Thread(target=verify) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert rig.server.revoke_all(user) == 1
        revoked.set()
        for thread in threads:
            thread.join(60)
        assert late == [None] * 2


@pytest.mark.fault
def test_a_busy_database_delays_no_verification(rig: Rig, database: DatabaseManager, database_url: str) -> None:
    """Somebody else's long transaction holds up who gets a token, and not who uses one."""
    client = rig.add()
    got = rig.tokens(client)
    with DatabaseManager(database_url) as other, other.write() as tx:
        tx.execute(oauth_grants.update().values(reason="held"))
        answered: list[Any] = []
        thread = threading.Thread(target=lambda: answered.append(rig.server.verify(got["access_token"])))
        thread.start()
        thread.join(30)
        assert answered
        assert answered[0] is not None


@pytest.mark.fault
def test_what_ends_a_grant_is_there_before_the_refusal_is_told(rig: Rig) -> None:
    """A refusal that was raised in the transaction would undo it."""
    client = rig.add()
    location = rig.server.approve(rig.server.ask(rig.query(client)), "7")
    code = answer(location)["code"]
    got = rig.redeem(client, code)
    refusal(rig.redeem, client, code)
    assert rig.grants() == []
    assert rig.verify(got["access_token"]) is None
