"""Access tokens: shown once, unreadable in the table, limited, ended at once; the same on each database and face."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError, NotOpen, OutsideUnit
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.access_tokens import AccessTokens, TokenInfo, TokenPolicy, TooManyTokens, policy
from postrmagic_core.security.manager import Security
from postrmagic_core.security.tables import access_tokens
from postrmagic_core.security.terms import SecurityTerms
from postrmagic_core.testing import FakeClock
from tests.faces import Caller

ROLES = Roles([Role("editor", allow=["media:read", "media:edit:own"]), Role("admin", allow=["*:*"])])
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
def caller(database: DatabaseManager, access: Access, clock: FakeClock) -> Iterator[Callable[..., AccessTokens]]:
    """A factory: ``caller()`` opens tokens on the database, as another process does."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(AccessTokens(database, access, **{"clock": clock, **options}))


@pytest.fixture(params=["sync", "async"])
def either(request: pytest.FixtureRequest, caller: Callable[..., AccessTokens]) -> Iterator[Callable[..., Caller]]:
    """``caller()``, by each of the faces."""
    with ExitStack() as opened:

        def make(**options: Any) -> Caller:
            runner = opened.enter_context(asyncio.Runner()) if request.param == "async" else None
            return Caller(caller(**options), runner)

        yield make


@pytest.fixture
def tokens(caller: Callable[..., AccessTokens]) -> Any:
    """By the default policy."""
    return caller()


def rows(database: DatabaseManager) -> list[Any]:
    """What the table holds."""
    with database.read() as tx:
        return list(tx.execute(select(access_tokens)))


def test_a_token_says_whose_it_is_and_what_it_is_limited_to(either: Any, clock: FakeClock) -> None:
    """As often as it is used, until it ends."""
    tokens = either()
    issued = tokens.issue("7", "backup at night", permissions=["media:read", "media:edit:own"], lifetime=DAY)
    expires = clock.now + timedelta(days=1)
    listed = ("media:edit:own", "media:read")
    assert issued.info == TokenInfo(issued.info.id, "backup at night", listed, clock.now, expires)
    for _ in range(3):
        found = tokens.verify(issued.token)
        assert (found.id, found.user_id, found.expires_at) == (issued.info.id, "7", expires)
        assert found.permissions == {"media:read", "media:edit:own"}
    assert tokens.verify(tokens.issue("7", "all").token).permissions is None
    assert tokens.verify(tokens.issue("7", "nothing", permissions=[]).token).permissions == frozenset()


def test_a_token_is_its_owner_of_now(tokens: Any, access: Access) -> None:
    """A role that is revoked is revoked for the tokens, too; one that is granted is not beyond what they are for."""
    issued = tokens.issue("7", "x", permissions=["media:*"])
    verified = tokens.verify(issued.token)

    def may(permission: str) -> bool:
        return access.check(verified.restrict(access.identity("7")), permission, {"owner_id": "7"})

    assert not may("media:edit")
    access.grant("7", "editor", actor=None)
    assert may("media:edit")
    assert not may("media:delete")
    access.grant("7", "admin", actor=None)
    assert may("media:delete")
    assert not may("user:delete")
    for role in ("editor", "admin"):
        access.revoke("7", role, actor=None)
    assert not may("media:edit")


def test_a_token_ends_at_its_instant(tokens: Any, clock: FakeClock) -> None:
    """It is good just before, not at it, and not when the clock has passed it by far."""
    token = tokens.issue("7", "x", lifetime=10.0).token
    clock.advance(9.999999)
    assert tokens.verify(token) is not None
    clock.advance(0.000001)
    assert tokens.verify(token) is None
    assert tokens.tokens_of("7") == []
    clock.advance(1e7)
    assert tokens.verify(token) is None


def test_a_token_always_ends(caller: Any, clock: FakeClock) -> None:
    """After 90 days where nothing is said, after 365 at most, or less where the policy says so."""
    tokens, strict = caller(), caller(policy=TokenPolicy(lifetime=DAY, max_lifetime=2 * DAY))
    assert tokens.issue("7", "x").info.expires_at == clock.now + timedelta(days=90)
    assert tokens.issue("7", "x", lifetime=365 * DAY).info.expires_at == clock.now + timedelta(days=365)
    assert strict.issue("7", "x").info.expires_at == clock.now + timedelta(days=1)
    for lifetime in (0, -1.0, float("inf"), float("nan"), 365 * DAY + 0.1):
        with pytest.raises(ValueError, match="at most"):
            tokens.issue("7", "x", lifetime=lifetime)
    with pytest.raises(ValueError, match="at most"):
        strict.issue("7", "x", lifetime=3 * DAY)


def test_the_longest_that_there_may_be_is_issued(database: DatabaseManager, access: Access) -> None:
    """As many permissions as there may be, each as long as it may be, and a long name: the audit log takes them."""
    permissions = [f"media:{number:0122d}" for number in range(50)]
    with Access(Roles([Role("x", allow=permissions)]), database) as book, AccessTokens(database, book) as tokens:
        issued = tokens.issue("\u00e4" * 95, "\U0001f4be" * 64, permissions=permissions, actor="\u00e4" * 95)
        found = tokens.verify(issued.token)
        assert found is not None
        assert found.permissions == frozenset(permissions)
        assert tokens.tokens_of("\u00e4" * 95)[0].name == "\U0001f4be" * 64
    assert access.audit.find()[0].detail["permissions"] == permissions


def test_what_cannot_be_issued_leaves_nothing(tokens: Any, database: DatabaseManager) -> None:
    """A wrong name, user or permission."""
    wrong: list[tuple[Any, Any, Any]] = [
        (7, "x", None),
        ("", "x", None),
        ("u" * 191, "x", None),
        ("7", "", None),
        ("7", "a\nb", None),
        ("7", "x", ["media"]),
        ("7", "x", "media:read"),
    ]
    for user_id, name, permissions in wrong:
        with pytest.raises(ValueError, match=r"expected|malformed"):
            tokens.issue(user_id, name, permissions=permissions)
    assert rows(database) == []


def test_revoked_it_is_refused_from_then_on_in_every_process(either: Any) -> None:
    """Nothing is remembered of a token that was good."""
    here, there = either(), either()
    issued, other = here.issue("7", "x"), here.issue("7", "y")
    for _ in range(3):
        assert there.verify(issued.token) is not None
    assert here.revoke("7", issued.info.id) is True
    assert there.verify(issued.token) is None
    assert here.verify(issued.token) is None
    assert there.verify(other.token) is not None
    assert here.revoke("7", issued.info.id) is False


def test_nobody_revokes_another_s_token(tokens: Any) -> None:
    """Its id is no secret; what is none is not found, and harms nothing."""
    issued = tokens.issue("7", "x")
    hostile: list[Any] = ["", "x" * 16, "' OR 1=1 --", "\ud800" * 16, "%" * 16, None, 0, True, [], "A" * 100_000]
    for user_id, token_id in [("8", issued.info.id), *(("7", each) for each in hostile)]:
        assert tokens.revoke(user_id, token_id) is False
    assert tokens.revoke("7", issued.token) is False
    assert tokens.verify(issued.token) is not None


def test_all_of_a_user_s_are_revoked_at_once(either: Any) -> None:
    """And nobody else's."""
    tokens = either()
    mine = [tokens.issue("7", f"{n}").token for n in range(3)]
    theirs = tokens.issue("7 ", "x").token
    assert tokens.revoke_all("7") == 3
    assert tokens.revoke_all("7") == 0
    assert [tokens.verify(token) for token in mine] == [None] * 3
    assert tokens.verify(theirs).user_id == "7 "


def test_a_user_sees_theirs(either: Any, clock: FakeClock) -> None:
    """The good ones, the newest first; asked for, those that have ended; of nobody else."""
    tokens = either()
    tokens.issue("8", "theirs")
    short = tokens.issue("7", "short", lifetime=30.0).info
    clock.advance(1.0)
    kept = tokens.issue("7", "kept").info
    clock.advance(1.0)
    revoked = tokens.issue("7", "revoked", permissions=["media:read"]).info
    assert [info.name for info in tokens.tokens_of("7")] == ["revoked", "kept", "short"]
    assert tokens.tokens_of("7", ended=True) == []
    tokens.revoke("7", revoked.id)
    at = clock.now
    clock.advance(60.0)
    assert tokens.tokens_of("7") == [kept]
    ended = tokens.tokens_of("7", ended=True)
    assert [(info.id, info.revoked_at) for info in ended] == [(revoked.id, at), (short.id, None)]
    assert ended[0].permissions == ("media:read",)


def test_a_user_has_at_most_so_many(caller: Any, clock: FakeClock) -> None:
    """Those that have ended do not count, nor do other users'."""
    tokens = caller(policy=TokenPolicy(max_per_user=3))
    issued = [tokens.issue("7", f"{n}", lifetime=10.0 + n) for n in range(3)]
    with pytest.raises(TooManyTokens) as caught:
        tokens.issue("7", "more")
    assert caught.value.code == "access_token.too_many"
    assert not caught.value.retryable
    tokens.issue("8", "theirs")
    tokens.revoke("7", issued[2].info.id)
    tokens.issue("7", "in its place")
    with pytest.raises(TooManyTokens):
        tokens.issue("7", "more")
    clock.advance(10.0)
    tokens.issue("7", "in the place of the first")
    assert len(tokens.tokens_of("7")) == 3
    assert TokenPolicy().max_per_user == 50


def test_whatever_is_no_good_token_is_none(caller: Any, clock: FakeClock) -> None:
    """Alike for the unknown, the ended, the revoked and the malformed; told apart for the operator alone."""
    metrics = Metrics()
    tokens = caller(metrics=metrics)
    good, ended, revoked = (tokens.issue("7", "x", lifetime=span) for span in (100.0, 1.0, 100.0))
    clock.advance(1.0)
    tokens.revoke("7", revoked.info.id)
    head = f"pm_{good.info.id}_{'0' * 43}"
    wrong = head + policy.checksum(head)
    bad = [policy.token(secrets.choice), ended.token, revoked.token, wrong, good.token[:-1], "", None, 7, "x" * 100_000]
    assert [tokens.verify(text) for text in bad] == [None] * len(bad)
    assert tokens.verify(good.token) is not None
    refused = [(labels, value) for name, labels, value in metrics.counters() if name == "access_tokens_refused_total"]
    assert {dict(labels)["reason"]: value for labels, value in refused} == {
        "unknown": 1,
        "expired": 1,
        "revoked": 1,
        "wrong": 1,
        "malformed": 5,
    }


def test_no_text_that_names_no_token_asks_the_database(database: DatabaseManager, access: Access) -> None:
    """What is malformed, or mistyped, is answered without it; and what is one, by one read."""
    asked: list[int] = []

    class Counting:
        database_id = database.database_id
        write, current = database.write, database.current

        def read(self) -> Any:
            asked.append(1)
            return database.read()

    with AccessTokens(Counting(), access) as tokens:
        issued = tokens.issue("7", "x")
        for text in ("", "x", issued.token[:-1], issued.token[:-1] + "_", issued.token.lower(), "pm_" + "0" * 66):
            assert tokens.verify(text) is None
        assert asked == []
        assert tokens.verify(issued.token) is not None
        assert asked == [1]


def test_the_table_holds_no_token(tokens: Any, database: DatabaseManager) -> None:
    """Who reads it can use nothing: not its digest, in whatever writing."""
    issued = tokens.issue("7", "x")
    (row,) = rows(database)
    secret = issued.token.split("_")[2]
    assert secret not in repr(row)
    assert secret.encode() not in bytes(row.digest)
    assert tokens.verify(bytes(row.digest).hex()) is None
    head = f"pm_{row.id}_{bytes(row.digest).hex()[:43]}"
    assert tokens.verify(head + policy.checksum(head)) is None


def test_a_row_that_was_tampered_with_opens_nothing(
    tokens: Any, database: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """A digest moved to another row, or a list of permissions that is none."""
    mine, theirs = tokens.issue("7", "x"), tokens.issue("8", "x")
    by_id = {row.id: row for row in rows(database)}
    with database.write() as tx:
        moved = {"digest": by_id[mine.info.id].digest}
        tx.execute(update(access_tokens).where(access_tokens.c.id == theirs.info.id).values(moved))
    assert tokens.verify(theirs.token) is None
    for broken in (b"", b"{", b"{}", b"[1]", b'"media:read"', b"\xff"):
        with database.write() as tx:
            tx.execute(update(access_tokens).where(access_tokens.c.id == mine.info.id).values(permissions=broken))
        assert tokens.verify(mine.token) is None
        assert tokens.tokens_of("7")[0].permissions == ()
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 6


USERS = ["7", "7 ", "A", "a", "\u00e4", "a\u0308", "7\x00", "0", "x" * 190]


def test_users_are_told_apart_exactly(tokens: Any) -> None:
    """Case, accents, trailing spaces and NUL make other users, whatever a server's collation thinks."""
    issued = {user: tokens.issue(user, "x").token for user in USERS}
    assert tokens.revoke_all("7") == 1
    assert [user for user in USERS if tokens.verify(issued[user])] == USERS[1:]


def test_no_two_tokens_are_equal(tokens: Any) -> None:
    """Neither their ids nor their secrets, and none repeats a letter's place."""
    issued = [tokens.issue(f"{n}", "x") for n in range(30)]
    assert len({each.info.id for each in issued}) == 30
    places = [*range(3, 19), *range(20, 63)]
    assert all(len({each.token[at] for each in issued}) > 5 for at in places)


# When it was used.


def test_its_last_use_is_told_to_the_minute(either: Any, clock: FakeClock) -> None:
    """Written at the first use, then not before a minute has passed."""
    tokens = either()

    def used() -> Any:
        tokens.flush()
        return tokens.tokens_of("7")[0].last_used_at

    token, begun = tokens.issue("7", "x").token, clock.now
    assert used() is None
    tokens.verify(token)
    assert used() == begun
    clock.advance(59.999999)
    tokens.verify(token)
    assert used() == begun
    clock.advance(0.000001)
    tokens.verify(token)
    assert used() == begun + timedelta(minutes=1)


def test_only_good_tokens_are_used(tokens: Any) -> None:
    """An attempt with a revoked one leaves no trace in its row."""
    issued = tokens.issue("7", "x")
    tokens.revoke("7", issued.info.id)
    tokens.verify(issued.token)
    tokens.flush()
    assert tokens.tokens_of("7", ended=True)[0].last_used_at is None


def test_of_two_processes_one_writes_it(caller: Any, clock: FakeClock, database: DatabaseManager) -> None:
    """What another wrote within the minute stays."""
    here, there = caller(), caller()
    token = here.issue("7", "x").token
    here._uses.close()  # what it notes from here on is not written by itself
    begun = clock.now_us()
    here.verify(token)
    there.verify(token)
    there.flush()
    clock.advance(30.0)
    here._write_uses({rows(database)[0].id: clock.now_us()})
    assert rows(database)[0].used_us == begun


def test_a_use_is_written_by_itself(tokens: AccessTokens, database: DatabaseManager) -> None:
    """Nobody has to ask for it: a thread does it, outside the caller's transaction, and closing waits for it."""
    token = tokens.issue("7", "x").token
    with suppress(ZeroDivisionError), database.write():
        assert tokens.verify(token) is not None
        raise ZeroDivisionError
    tokens.close()
    assert rows(database)[0].used_us is not None


def test_what_cannot_be_noted_fails_no_request(
    database: DatabaseManager, access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and told; the token's next use is noted."""
    metrics, away = Metrics(), threading.Event()

    class Failing:
        database_id = database.database_id
        read, current = database.read, database.current

        def write(self) -> Any:
            if away.is_set():
                raise RuntimeError("no room: " + "hush")
            return database.write()

    with AccessTokens(Failing(), access, metrics=metrics) as tokens:
        token = tokens.issue("7", "x").token
        away.set()
        for _ in range(3):
            assert tokens.verify(token) is not None
            tokens.flush()
        away.clear()
        assert rows(database)[0].used_us is None
        assert tokens.verify(token) is not None
        tokens.flush()
        assert rows(database)[0].used_us is not None
    assert {name: value for name, _, value in metrics.counters()}["access_tokens_unnoted_total"] == 3
    told = [record for record in caplog.records if getattr(record, "event", "") == "security.access_token.unnoted"]
    assert len(told) == 3
    assert "hush" not in caplog.text


def test_uses_that_wait_are_bounded(tokens: AccessTokens) -> None:
    """A thousand tokens wait at most, whatever holds up their writing."""
    taken: list[int] = []
    started, go_on = threading.Event(), threading.Event()

    def write(uses: Any) -> None:
        taken.append(len(uses))
        started.set()
        go_on.wait(30)

    tokens._uses._write = write
    tokens._uses.note("first", 1)
    assert started.wait(30)
    for number in range(5000):
        tokens._uses.note(f"{number}", 1)
    go_on.set()
    tokens.close()
    assert sum(taken) == 1001
    tokens._uses.note("late", 1)
    tokens._uses.flush()
    assert sum(taken) == 1001


# Kept clean, and told of.


def test_sweeping_takes_what_ended_long_ago(
    either: Any, database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty days after it expired or was revoked; in batches, and it says how many."""
    monkeypatch.setattr("postrmagic_core.security.access_tokens.manager._BATCH", 3)
    tokens = either()
    for number in range(10):
        issued = tokens.issue("7", f"{number}", lifetime=DAY if number < 5 else 300 * DAY)
        if number >= 7:
            tokens.revoke("7", issued.info.id)
    clock.advance(30 * DAY - 0.000001)
    assert tokens.sweep() == 0
    clock.advance(0.000001)
    assert tokens.sweep() == 3
    clock.advance(DAY)
    assert tokens.sweep() == 5
    assert tokens.sweep() == 0
    assert {row.name for row in rows(database)} == {"5", "6"}


def test_what_was_done_stands_in_the_audit_log(tokens: Any, access: Access) -> None:
    """Who issued and revoked which token of whom, and what it may; refusals are not rows, as anybody makes them."""
    own = tokens.issue("7", "backup", permissions=["media:read"])
    tokens.issue("7", "by support", actor="1")
    tokens.revoke("7", own.info.id)
    tokens.revoke_all("7", actor="1")
    tokens.revoke_all("7", actor="1")
    tokens.verify(own.token)
    entries = access.audit.find(subject="7")[::-1]
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("access_token.issued", "7"),
        ("access_token.issued", "1"),
        ("access_token.revoked", "7"),
        ("access_token.revoked", "1"),
    ]
    assert entries[0].detail == {
        "token": own.info.id,
        "name": "backup",
        "permissions": ["media:read"],
        "expires": own.info.expires_at.isoformat(),
    }
    assert entries[2].detail == {"token": own.info.id, "count": 1}
    assert entries[3].detail == {"token": "all", "count": 1}


def test_no_secret_is_told_to_anybody(
    tokens: Any, database: DatabaseManager, access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by a log, a repr, an audit row, an error or its traceback."""
    caplog.set_level(logging.DEBUG)
    issued = tokens.issue("7", "x", permissions=["media:read"])
    said = [repr(issued), str(issued), f"{issued!r}", repr(tokens.verify(issued.token)), repr(tokens.tokens_of("7"))]
    tokens.revoke("7", issued.info.id)
    tokens.verify(issued.token)
    tokens.verify(issued.token[:-1] + "_")
    tokens.flush()
    calls: list[Callable[[], object]] = [
        lambda: tokens.issue("7", issued.token),
        lambda: tokens.issue("7", "x", permissions=[issued.token]),
        lambda: tokens.issue("7", "x", permissions=issued.token),
        lambda: tokens.issue(issued.token * 3, "x"),
        lambda: tokens.tokens_of(issued.token * 3),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"expected|malformed") as caught:
            call()
        said += traceback.format_exception(caught.value)
    with database.write() as tx:
        access_tokens.drop(tx.connection)
    try:
        with pytest.raises(BackendError) as failed:
            tokens.verify(issued.token)
    finally:
        with database.write() as tx:
            access_tokens.create(tx.connection)
    said += traceback.format_exception(failed.value)
    said += [caplog.text, repr([record.__dict__ for record in caplog.records])]
    said += [repr(entry) for entry in access.audit.find()]
    secret = issued.token.split("_")[2]
    everything = "".join(said)
    for part in (secret, secret[:20], secret[-20:]):
        assert part not in everything


def test_events_are_logged_once(tokens: Any, caplog: pytest.LogCaptureFixture, clock: FakeClock) -> None:
    """Issued, revoked, and refused where the text is a token's; what is none is not worth a line."""
    caplog.set_level(logging.INFO, "postrmagic_core.security")
    issued, ended = tokens.issue("7", "x"), tokens.issue("7", "y", lifetime=1.0)
    clock.advance(1.0)
    tokens.revoke("7", issued.info.id, actor="1")
    for text in (issued.token, ended.token, policy.token(secrets.choice), "x"):
        tokens.verify(text)
    told = [record.__dict__ for record in caplog.records if record.name == "postrmagic_core.security"]
    assert [(each["event"], each["user_id"], each["access_id"], each.get("reason")) for each in told] == [
        ("security.access_token.issued", "7", issued.info.id, None),
        ("security.access_token.issued", "7", ended.info.id, None),
        ("security.access_token.revoked", "7", issued.info.id, None),
        ("security.access_token.refused", "7", issued.info.id, "revoked"),
        ("security.access_token.refused", "7", ended.info.id, "expired"),
    ]


# In the caller's transaction.


def test_in_a_unit_it_happens_with_the_unit(
    tokens: AccessTokens, database: DatabaseManager, access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    """Rolled back, nothing was issued, revoked or told; committed, it was."""
    caplog.set_level(logging.INFO, "postrmagic_core.security")
    kept = tokens.issue("7", "kept")
    caplog.clear()
    gone: list[str] = []
    with suppress(ZeroDivisionError), database.write() as tx:
        gone.append(tokens.issue("7", "x", tx=tx).token)
        assert tokens.revoke("7", kept.info.id, tx=tx)
        assert tokens.revoke_all("7", tx=tx) == 1
        raise ZeroDivisionError
    assert tokens.verify(gone[0]) is None
    assert tokens.verify(kept.token) is not None
    assert len(access.audit.find()) == 1
    assert [record for record in caplog.records if "was" in record.getMessage() and record.levelno == 20] == []
    with database.write() as tx:
        issued = tokens.issue("7", "x", tx=tx)
        assert tokens.revoke("7", kept.info.id, tx=tx)
    assert tokens.verify(issued.token) is not None
    assert tokens.verify(kept.token) is None


def test_refused_in_a_unit_it_leaves_nothing_there(database: DatabaseManager, access: Access, clock: FakeClock) -> None:
    """Who goes on in the unit commits no token beyond the limit, and no audit row of one."""
    with AccessTokens(database, access, policy=TokenPolicy(max_per_user=1), clock=clock) as tokens:
        tokens.issue("7", "x")
        with database.write() as tx, pytest.raises(TooManyTokens):
            tokens.issue("7", "more", tx=tx)
        assert [row.name for row in rows(database)] == ["x"]
        assert len(access.audit.find()) == 1


def test_in_a_unit_of_asyncio_it_happens_with_the_unit(tokens: AccessTokens, database: DatabaseManager) -> None:
    """The async face takes the async unit."""

    async def main() -> None:
        async with database.aio.write() as tx:
            issued = await tokens.aio.issue("7", "x", tx=tx)
        with suppress(ZeroDivisionError):
            async with database.aio.write() as tx:
                assert await tokens.aio.revoke("7", issued.info.id, tx=tx)
                raise ZeroDivisionError
        assert await tokens.aio.verify(issued.token) is not None
        async with database.aio.write() as tx:
            assert await tokens.aio.revoke_all("7", tx=tx) == 1
            with pytest.raises(OutsideUnit):
                await tokens.aio.issue("7", "x")
        assert await tokens.aio.verify(issued.token) is None

    asyncio.run(main())


def test_an_open_unit_must_be_passed(tokens: AccessTokens, database: DatabaseManager) -> None:
    """A token issued outside the transaction that relies on it would be a mistake nobody sees."""
    calls: list[Callable[[], object]] = [
        lambda: tokens.issue("7", "x"),
        lambda: tokens.revoke("7", "0" * 16),
        lambda: tokens.revoke_all("7"),
    ]
    with database.write():
        for call in calls:
            with pytest.raises(OutsideUnit, match="tx="):
                call()


def test_tokens_are_opened_first(database: DatabaseManager, access: Access) -> None:
    """Used before they were opened, they say so."""
    tokens = AccessTokens(database, access)
    calls: list[Callable[[], object]] = [
        lambda: tokens.issue("7", "x"),
        lambda: tokens.verify("x"),
        lambda: tokens.tokens_of("7"),
        lambda: tokens.revoke("7", "x"),
        lambda: tokens.revoke_all("7"),
        lambda: tokens.sweep(),
    ]
    for call in calls:
        with pytest.raises(NotOpen):
            call()


def test_the_faces_have_the_same_names() -> None:
    """What one can, the other can."""
    from postrmagic_core.security.access_tokens.aio import AsyncAccessTokens

    own = {"aio", "open", "close", "is_open", "ensure_open"}
    sync = {name for name in dir(AccessTokens) if not name.startswith("_")} - own
    assert sync == {name for name in dir(AsyncAccessTokens) if not name.startswith("_")}


def test_security_makes_and_sweeps_them(database: DatabaseManager, ring: Any, clock: FakeClock) -> None:
    """Made when asked for, with the application's roles; a worker's upkeep deletes what ended long ago."""
    limiter: Any = None
    how: dict[str, Any] = {"terms": SecurityTerms("Shop", 1.0, strict=True), "clock": clock, "metrics": Metrics()}
    with Security(database, limiter, ring, **how) as security:
        security.use_roles(ROLES)
        issued = security.access_tokens.issue("7", "x", permissions=["media:read"], lifetime=10.0)
        assert security.access_tokens is security.access_tokens
        assert security.access_tokens.verify(issued.token) is not None
        security.sweep()
        assert len(rows(database)) == 1
        clock.advance(31 * DAY)
        security.sweep()
        assert rows(database) == []
