"""Access tokens while others act at the same time, and while the database is away."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.access_tokens import AccessTokens, TokenPolicy, TooManyTokens
from postrmagic_core.security.tables import metadata
from postrmagic_core.testing import spawn
from postrmagic_core.testing.servers import MariaDBServer, require

ROLES = Roles([Role("admin", allow=["*:*"])])
SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)


@pytest.fixture
def open_tokens(database: DatabaseManager) -> Iterator[Callable[..., AccessTokens]]:
    """A factory of managers over the same database."""
    with ExitStack() as opened:
        access = opened.enter_context(Access(ROLES, database))
        yield lambda **options: opened.enter_context(AccessTokens(database, access, **options))


def at_once(*calls: Callable[[], None]) -> None:
    """Each in a thread of its own, begun together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        barrier.wait(30)
        call()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.fault
@pytest.mark.parametrize("before", [0, 2], ids=["the first", "the last"])
def test_of_two_at_the_limit_one_gets_it(open_tokens: Callable[..., AccessTokens], before: int) -> None:
    """Whoever issues at the same time: there are never more than the policy allows, and as many as it allows."""
    tokens = open_tokens(policy=TokenPolicy(max_per_user=before + 1))
    for number in range(4):
        user, got = f"u{number}", list[str]()
        for each in range(before):
            tokens.issue(user, f"{each}")

        def issue(user: str = user, got: list[str] = got) -> None:
            try:
                got.append(tokens.issue(user, "last").token)
            except TooManyTokens:
                got.append("")

        at_once(issue, issue, issue)
        assert sorted(map(bool, got)) == [False, False, True]
        assert len(tokens.tokens_of(user)) == before + 1


@pytest.mark.fault
def test_what_is_revoked_is_good_for_nobody_who_asks_later(open_tokens: Callable[..., AccessTokens]) -> None:
    """Requests that race the revocation are answered as of before or after it; each that begins after it, after it."""
    tokens = open_tokens()
    for _ in range(4):
        issued = tokens.issue("7", "x")
        revoked, late = threading.Event(), list[object]()

        def verify(token: str = issued.token, revoked: threading.Event = revoked, late: list[object] = late) -> None:
            ended = False
            while not ended:
                ended = revoked.is_set()
                found = tokens.verify(token)
                if ended:
                    late.append(found)

        def revoke(token_id: str = issued.info.id, revoked: threading.Event = revoked) -> None:
            assert tokens.revoke("7", token_id)
            revoked.set()

        at_once(verify, verify, verify, revoke)
        assert late == [None] * 3


@pytest.mark.fault
def test_of_many_who_revoke_at_once_one_did(open_tokens: Callable[..., AccessTokens]) -> None:
    """It ended once, and is told once."""
    tokens = open_tokens()
    for _ in range(5):
        issued, did = tokens.issue("7", "x"), list[bool]()

        def revoke(token_id: str = issued.info.id, did: list[bool] = did) -> None:
            did.append(tokens.revoke("7", token_id))

        def revoke_all(did: list[bool] = did) -> None:
            did.append(tokens.revoke_all("7") == 1)

        at_once(revoke, revoke, revoke_all)
        assert sorted(did) == [False, False, True]


def ask(url: str, place: str, token: str) -> None:
    """In a child: whether the token is good, before and after the parent's file is there."""
    with DatabaseManager(url) as database, Access(ROLES, database) as access, AccessTokens(database, access) as tokens:
        good = all(tokens.verify(token) for _ in range(3))
        sys.stdout.write(f"{good}\n")
        while not Path(place).exists():
            time.sleep(0.001)
        sys.stdout.write(f"{tokens.verify(token) is not None}\n")


@pytest.mark.fault
def test_a_revoked_token_ends_in_another_process_at_once(
    database_url: str, open_tokens: Callable[..., AccessTokens], tmp_path: Path
) -> None:
    """Though nobody told it, and though it has just known the token as good."""
    tokens, go = open_tokens(), tmp_path / "go"
    issued = tokens.issue("7", "x")
    with spawn(ask, database_url, str(go), issued.token) as child:
        assert child.line(60) == "True"
        tokens.revoke("7", issued.info.id)
        go.touch()
        assert child.line(60) == "False"


@pytest.mark.fault
def test_a_busy_database_delays_no_request(database_url: str, open_tokens: Callable[..., AccessTokens]) -> None:
    """Somebody else's long transaction holds up the note of a use, and not who uses the token."""
    tokens = open_tokens()
    token = tokens.issue("7", "x").token
    with DatabaseManager(database_url) as other, other.write() as tx:
        tx.execute(metadata.tables["pm_access_tokens"].update().values(name="held"))
        answered: list[Any] = []
        thread = threading.Thread(target=lambda: answered.append(tokens.verify(token)))
        thread.start()
        thread.join(30)
        assert answered
        assert answered[0] is not None
    tokens.flush()


@pytest.mark.fault
def test_a_database_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Who cannot be asked is not nobody: no answer, but an error."""
    with (
        DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database,
        Access(ROLES, database) as access,
        AccessTokens(database, access) as tokens,
    ):
        with database.write() as tx:
            metadata.create_all(tx.connection)
        token = tokens.issue("7", "x").token
        with database.write() as tx:
            metadata.tables["pm_access_tokens"].drop(tx.connection)
        calls: list[Callable[[], object]] = [
            lambda: tokens.verify(token),
            lambda: tokens.tokens_of("7"),
            lambda: tokens.revoke_all("7"),
            lambda: tokens.issue("7", "x"),
        ]
        for call in calls:
            with pytest.raises(BackendError):
                call()
        assert tokens.verify("x") is None


@pytest.mark.fault
@pytest.mark.mysql
def test_a_server_that_was_killed_is_an_error_until_it_is_back() -> None:
    """A token that was good a moment ago is neither good nor bad while nobody can say; then it is good again."""
    require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
    with (
        MariaDBServer() as server,
        DatabaseManager(server.create_database(), timeouts=SHORT) as database,
        Access(ROLES, database) as access,
        AccessTokens(database, access) as tokens,
    ):
        with database.write() as tx:
            metadata.create_all(tx.connection)
        token = tokens.issue("7", "x").token
        assert tokens.verify(token) is not None
        tokens.flush()
        server.kill()
        try:
            for _ in range(2):
                with pytest.raises(BackendError):
                    tokens.verify(token)
            tokens.flush()
        finally:
            server.start()
        assert tokens.verify(token) is not None
