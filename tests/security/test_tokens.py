"""One-time tokens: good once, for one purpose, for a time; unreadable in the table; ended by a newer one."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.unit import Unit
from postrmagic_core.errors import (
    BackendError,
    ConfigurationError,
    EncodeError,
    NotOpen,
    OutsideUnit,
)
from postrmagic_core.security.logins import LoginTokens, Redeemed, policy
from postrmagic_core.security.tables import login_tokens
from postrmagic_core.testing import FakeClock, spawn
from tests.faces import Caller
from tests.security.conftest import KEY

NEWER = "a-newer-master-value-9876543210-qrstuvwxyz"
HOUR = 3600.0
R = TypeVar("R")


@pytest.fixture
def clock() -> FakeClock:
    """Time, as the test says."""
    return FakeClock()


@pytest.fixture(params=["sync", "async"])
def caller(
    request: pytest.FixtureRequest, database: DatabaseManager, clock: FakeClock
) -> Iterator[Callable[..., Caller]]:
    """A factory: ``caller([KEY])`` opens tokens on the database and gives each of their faces."""
    with ExitStack() as opened:

        def make(keys: list[str] | None = None, **options: Any) -> Caller:
            ring = KeyRing(keys or [KEY])
            tokens = opened.enter_context(LoginTokens(database, ring, **{"clock": clock, **options}))
            return Caller(tokens, opened.enter_context(asyncio.Runner()) if request.param == "async" else None)

        yield make


@pytest.fixture
def tokens(caller: Any) -> Any:
    """Under one key."""
    return caller()


def rows(database: DatabaseManager) -> list[Any]:
    """What the table holds."""
    with database.read() as tx:
        return list(tx.execute(select(login_tokens)))


def test_a_token_is_redeemed_once(tokens: Any, database: DatabaseManager) -> None:
    """It says whose it is and what was sealed with it; looked at before, never after."""
    token = tokens.issue("7", purpose="reset", lifetime=HOUR, detail={"email": "a@example.org", "n": 1, "raw": b"\x00"})
    assert len(token) == 43
    expected = Redeemed("7", {"email": "a@example.org", "n": 1, "raw": b"\x00"})
    assert tokens.peek(token, purpose="reset") == expected
    assert tokens.peek(token, purpose="reset") == expected
    assert tokens.redeem(token, purpose="reset") == expected
    assert tokens.redeem(token, purpose="reset") is None
    assert tokens.peek(token, purpose="reset") is None
    assert rows(database) == []
    assert "example" not in repr(expected)


@pytest.mark.parametrize("detail", [None, b"", b"\x00\xff", {}, {"deep": {"list": [1, None, "x"]}}], ids=repr)
def test_a_detail_comes_back_as_it_was(tokens: Any, detail: Any) -> None:
    """Bytes, a mapping, or nothing."""
    assert tokens.redeem(tokens.issue("7", purpose="reset", lifetime=HOUR, detail=detail), purpose="reset") == Redeemed(
        "7", detail
    )


def test_a_token_is_for_one_purpose(tokens: Any) -> None:
    """One that confirms an address resets no password, and is not used up by the attempt."""
    token = tokens.issue("7", purpose="verify-email", lifetime=HOUR)
    assert tokens.redeem(token, purpose="reset") is None
    assert tokens.peek(token, purpose="reset") is None
    assert tokens.redeem(token, purpose="verify-email") == Redeemed("7")


def test_a_token_ends_in_time(tokens: Any, clock: FakeClock) -> None:
    """It is good just before its end, and not at it."""
    one = tokens.issue("7", purpose="reset", lifetime=10.0)
    other = tokens.issue("8", purpose="reset", lifetime=10.0)
    clock.advance(9.999999)
    assert tokens.redeem(one, purpose="reset") == Redeemed("7")
    clock.advance(0.000001)
    assert tokens.peek(other, purpose="reset") is None
    assert tokens.redeem(other, purpose="reset") is None


def test_a_newer_token_ends_the_older_ones(tokens: Any, database: DatabaseManager) -> None:
    """Of the same user and purpose: other users and purposes keep theirs."""
    older = tokens.issue("7", purpose="reset", lifetime=HOUR)
    others = [
        ("reset", tokens.issue("8", purpose="reset", lifetime=HOUR)),
        ("verify", tokens.issue("7", purpose="verify", lifetime=1)),
    ]
    newer = tokens.issue("7", purpose="reset", lifetime=HOUR)
    assert len(rows(database)) == 3
    assert tokens.redeem(older, purpose="reset") is None
    assert tokens.redeem(newer, purpose="reset") == Redeemed("7")
    assert all(tokens.redeem(token, purpose=purpose) for purpose, token in others)


USERS = ["7", "7 ", "A", "a", "\u00e4", "a\u0308", "7\x00", "0", "x" * 190]


def test_users_are_told_apart_exactly(tokens: Any) -> None:
    """Case, accents, trailing spaces and NUL make other users, whatever a server's collation thinks."""
    issued = {user: tokens.issue(user, purpose="reset", lifetime=HOUR) for user in USERS}
    assert tokens.revoke("7") == 1
    assert [user for user in USERS if tokens.redeem(issued[user], purpose="reset") == Redeemed(user)] == USERS[1:]


def test_tokens_can_be_revoked(tokens: Any) -> None:
    """Of one purpose or of all; of one user only."""
    kept = tokens.issue("8", purpose="reset", lifetime=HOUR)
    reset, verify = (tokens.issue("7", purpose=purpose, lifetime=HOUR) for purpose in ("reset", "verify"))
    assert tokens.revoke("7", purpose="reset") == 1
    assert tokens.redeem(reset, purpose="reset") is None
    assert tokens.peek(verify, purpose="verify") is not None
    assert tokens.revoke("7") == 1
    assert tokens.revoke("7") == 0
    assert tokens.redeem(verify, purpose="verify") is None
    assert tokens.redeem(kept, purpose="reset") == Redeemed("8")


MALFORMED: list[Any] = [
    "",
    "x",
    "A" * 42,
    "A" * 44,
    "A" * 42 + "B",
    "A" * 42 + "=",
    "A" * 42 + "\n",
    "\u00e9" * 43,
    "\uff21" * 43,
    "A" * 43,
    "' OR 1=1 --" + "A" * 32,
    "A" * 1_000_000,
    "\ud800" * 43,
    None,
    0,
    False,
    True,
    [],
    {},
    b"A" * 43,
]


@pytest.mark.parametrize("token", MALFORMED, ids=lambda token: ascii(token)[:24])
def test_whatever_is_no_token_is_none(tokens: Any, token: Any) -> None:
    """Text of any kind, and what JSON may hold in its place: nothing is redeemed, nothing fails."""
    issued = tokens.issue("7", purpose="reset", lifetime=HOUR)
    assert tokens.redeem(token, purpose="reset") is None
    assert tokens.peek(token, purpose="reset") is None
    assert tokens.redeem(issued, purpose="reset") == Redeemed("7")


def test_no_letter_of_a_token_may_differ(tokens: Any) -> None:
    """Nor its case."""
    token = tokens.issue("7", purpose="reset", lifetime=HOUR)
    changed = {token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(43)}
    for other in {*changed, token.swapcase(), token.lower(), token.upper()} - {token}:
        assert tokens.peek(other, purpose="reset") is None
    assert tokens.peek(token, purpose="reset") == Redeemed("7")


@given(st.binary(min_size=0, max_size=40))
def test_only_one_text_stands_for_the_same_bytes(raw: bytes) -> None:
    """What is written is read again, and nothing else is: no second spelling of a used token."""
    text = policy.write(raw)
    assert policy.read(text, len(raw)) == raw
    assert policy.read(text + "=", len(raw)) is None
    assert policy.read(text, len(raw) + 1) is None


def test_the_table_holds_no_token_and_no_detail(tokens: Any, database: DatabaseManager) -> None:
    """Who reads it can redeem nothing: not by the digest, in whatever writing."""
    token = tokens.issue("7", purpose="reset", lifetime=HOUR, detail={"email": "secret@example.org"})
    (row,) = rows(database)
    assert token.encode() not in repr(row).encode()
    assert policy.read(token, 32) not in (bytes(row.digest), bytes(row.detail))
    assert b"secret@" not in bytes(row.detail)
    assert tokens.redeem(policy.write(bytes(row.digest)), purpose="reset") is None
    assert tokens.redeem(bytes(row.digest).hex(), purpose="reset") is None


def test_a_row_that_was_tampered_with_is_none_and_told_of(
    tokens: Any, database: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """A detail moved to another token, or changed, does not open."""
    mine = tokens.issue("7", purpose="change-email", lifetime=HOUR, detail={"email": "mine@example.org"})
    theirs = tokens.issue("8", purpose="change-email", lifetime=HOUR, detail={"email": "theirs@example.org"})
    by_user = {row.user_id: row for row in rows(database)}
    with database.write() as tx:
        moved = update(login_tokens).where(login_tokens.c.user_id == "8").values(detail=by_user["7"].detail)
        tx.execute(moved)
    assert tokens.redeem(theirs, purpose="change-email") is None
    assert tokens.peek(mine, purpose="change-email") == Redeemed("7", {"email": "mine@example.org"})
    with database.write() as tx:
        tx.execute(update(login_tokens).values(detail=b"\x01broken"))
    assert tokens.redeem(mine, purpose="change-email") is None
    events = [record.__dict__["event"] for record in caplog.records if record.levelno == logging.ERROR]
    assert events == ["security.token_seal_broken"] * 2


def test_a_rotated_key_redeems_what_older_ones_issued(caller: Any) -> None:
    """As long as the old key is in the ring; without it the token is unknown."""
    old, rotated, new = caller([KEY]), caller([NEWER, KEY]), caller([NEWER])
    token = old.issue("7", purpose="reset", lifetime=HOUR, detail=b"x")
    assert new.redeem(token, purpose="reset") is None
    assert rotated.redeem(token, purpose="reset") == Redeemed("7", b"x")
    token = rotated.issue("7", purpose="reset", lifetime=HOUR)
    assert old.redeem(token, purpose="reset") is None
    assert new.redeem(token, purpose="reset") == Redeemed("7")


@pytest.mark.parametrize("lifetime", [0, -1.0, 86_400.1, float("inf"), float("nan"), 1e300], ids=repr)
def test_no_token_lives_for_ever(tokens: Any, lifetime: float) -> None:
    """A day at most, unless said otherwise, and 30 days in any case."""
    with pytest.raises(ValueError, match="seconds"):
        tokens.issue("7", purpose="reset", lifetime=lifetime)
    with pytest.raises(ConfigurationError, match=r"at most 2\.592e"):
        LoginTokens(tokens.manager.database, KeyRing([KEY]), max_lifetime=31 * 86_400.0)


@pytest.mark.parametrize("purpose", ["", "Reset", "x" * 33, "re set", "reset\n", "r\u00e9set", "1reset"], ids=ascii)
def test_a_purpose_is_a_short_name(tokens: Any, purpose: str) -> None:
    """One that the table could not tell apart from others is an error of the caller's."""
    calls: list[Callable[[], object]] = [
        lambda: tokens.issue("7", purpose=purpose, lifetime=HOUR),
        lambda: tokens.redeem("A" * 43, purpose=purpose),
        lambda: tokens.peek("A" * 43, purpose=purpose),
        lambda: tokens.revoke("7", purpose=purpose),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="as purpose"):
            call()


@pytest.mark.parametrize("user", ["", "x" * 191, "\u00e9" * 96, 7, None, True], ids=ascii)
def test_a_user_is_named_by_a_text(tokens: Any, user: Any) -> None:
    """A number would match other users' texts on MySQL."""
    with pytest.raises(ValueError, match="user_id"):
        tokens.issue(user, purpose="reset", lifetime=HOUR)
    with pytest.raises(ValueError, match="user_id"):
        tokens.revoke(user)


def test_a_detail_without_a_lossless_encoding_is_refused(tokens: Any, database: DatabaseManager) -> None:
    """And nothing is stored."""
    with pytest.raises(EncodeError):
        tokens.issue("7", purpose="reset", lifetime=HOUR, detail={"x": object()})
    assert rows(database) == []


def test_sweeping_takes_the_expired_alone(
    tokens: Any, database: DatabaseManager, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches, and says how many they were."""
    monkeypatch.setattr("postrmagic_core.security.logins.manager._BATCH", 3)
    for number in range(10):
        tokens.issue(f"u{number}", purpose="reset", lifetime=10.0 if number < 7 else 20.0)
    assert tokens.sweep() == 0
    clock.advance(10.0)
    assert tokens.sweep() == 7
    assert tokens.sweep() == 0
    assert len(rows(database)) == 3


# Inside the caller's transaction.


def undo(database: DatabaseManager, call: Callable[[Unit], R]) -> R:
    """What ``call`` returned in a unit that was then rolled back."""
    returned: list[R] = []
    with suppress(ZeroDivisionError), database.write() as tx:
        returned.append(call(tx))
        raise ZeroDivisionError
    return returned[0]


def test_in_a_unit_it_happens_with_the_unit(database: DatabaseManager, ring: KeyRing) -> None:
    """Rolled back, a token was neither issued nor used nor revoked; committed, it was. Nothing is told before."""
    with LoginTokens(database, ring) as tokens:
        never = undo(database, lambda tx: tokens.issue("7", purpose="reset", lifetime=HOUR, tx=tx))
        assert tokens.peek(never, purpose="reset") is None
        with database.write() as tx:
            token = tokens.issue("7", purpose="reset", lifetime=HOUR, detail=b"x", tx=tx)
        for undone in (
            lambda tx: tokens.redeem(token, purpose="reset", tx=tx),
            lambda tx: tokens.revoke("7", tx=tx),
            lambda tx: tokens.issue("7", purpose="reset", lifetime=HOUR, tx=tx),
        ):
            assert undo(database, undone)
            assert tokens.peek(token, purpose="reset") == Redeemed("7", b"x")
        with database.write() as tx:
            assert tokens.redeem(token, purpose="reset", tx=tx) == Redeemed("7", b"x")
            assert tokens.redeem(token, purpose="reset", tx=tx) is None
        assert tokens.peek(token, purpose="reset") is None


def test_in_a_unit_of_asyncio_it_happens_with_the_unit(database: DatabaseManager, ring: KeyRing) -> None:
    """The async face takes the async unit."""

    async def main() -> None:
        async with database.aio.write() as tx:
            token = await shared.aio.issue("7", purpose="reset", lifetime=HOUR, tx=tx)
        with suppress(ZeroDivisionError):
            async with database.aio.write() as tx:
                assert await shared.aio.redeem(token, purpose="reset", tx=tx) == Redeemed("7")
                raise ZeroDivisionError
        async with database.aio.write() as tx:
            assert await shared.aio.redeem(token, purpose="reset", tx=tx) == Redeemed("7")
            with pytest.raises(OutsideUnit):
                await shared.aio.issue("7", purpose="reset", lifetime=HOUR)

    with LoginTokens(database, ring) as shared:
        asyncio.run(main())


def test_an_open_unit_must_be_passed(database: DatabaseManager, ring: KeyRing) -> None:
    """A token used outside the transaction that relies on it would be a mistake nobody sees."""
    with LoginTokens(database, ring) as tokens, database.write():
        for call in (
            lambda: tokens.issue("7", purpose="reset", lifetime=HOUR),
            lambda: tokens.redeem("A" * 43, purpose="reset"),
            lambda: tokens.revoke("7"),
        ):
            with pytest.raises(OutsideUnit, match="tx="):
                call()


def test_tokens_are_opened_first(database: DatabaseManager, ring: KeyRing) -> None:
    """Used before they were opened, they say so."""
    with pytest.raises(NotOpen):
        LoginTokens(database, ring).issue("7", purpose="reset", lifetime=HOUR)


def test_events_are_logged_once_and_hold_no_token(
    caller: Any, caplog: pytest.LogCaptureFixture, database: DatabaseManager
) -> None:
    """Issued, redeemed, refused and revoked, with purpose and user."""
    caplog.set_level(logging.DEBUG, "postrmagic_core")
    metrics = Metrics()
    tokens = caller(metrics=metrics)
    token = tokens.issue("7", purpose="reset", lifetime=HOUR, detail=b"hush")
    tokens.redeem(token, purpose="reset")
    tokens.redeem(token, purpose="reset")
    again = tokens.issue("7", purpose="reset", lifetime=HOUR)
    tokens.revoke("7")
    told = [record.__dict__ for record in caplog.records if record.name == "postrmagic_core.security"]
    assert [(record["event"], record["purpose"], record["user_id"]) for record in told] == [
        ("security.token_issued", "reset", "7"),
        ("security.token_redeemed", "reset", "7"),
        ("security.token_refused", "reset", None),
        ("security.token_issued", "reset", "7"),
        ("security.token_revoked", "all", "7"),
    ]
    for secret in (token, again, "hush"):
        assert secret not in f"{told!r}{caplog.text}"
    counts = {name: value for name, _, value in metrics.counters()}
    assert counts["login_tokens_issued_total"] == 2
    assert counts["login_tokens_refused_total"] == 1


def test_tokens_are_random(tokens: Any) -> None:
    """No two are equal, none repeats a letter's place."""
    issued = [tokens.issue("7", purpose="reset", lifetime=HOUR) for _ in range(50)]
    assert len(set(issued)) == 50
    assert all(len({token[at] for token in issued}) > 10 for at in range(42))


# Many at once.


@pytest.mark.fault
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a unit"])
def test_of_many_who_redeem_at_once_one_gets_it(database: DatabaseManager, ring: KeyRing, inside: bool) -> None:
    """Eight rounds of eight threads, each with one token."""
    with LoginTokens(database, ring) as tokens:
        for number in range(8):
            token = tokens.issue(f"u{number}", purpose="reset", lifetime=HOUR)
            got: list[Redeemed | None] = []
            barrier = threading.Barrier(8)

            def redeem(
                token: str = token, barrier: threading.Barrier = barrier, got: list[Redeemed | None] = got
            ) -> None:
                barrier.wait(30)
                if inside:
                    got.append(database.transact(lambda tx: tokens.redeem(token, purpose="reset", tx=tx)))
                else:
                    got.append(tokens.redeem(token, purpose="reset"))

            threads = [threading.Thread(target=redeem) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert sorted(found is not None for found in got) == [False] * 7 + [True]


def redeem_all(url: str, tokens_: list[str]) -> None:
    """In a child: redeem each token as soon as the parent's line is there, and print which it got."""
    with DatabaseManager(url) as database, LoginTokens(database, KeyRing([KEY])) as tokens:
        sys.stdout.write("ready\n")
        go = Path(tokens_[0])
        while not go.exists():
            time.sleep(0.001)
        got = "".join("1" if tokens.redeem(token, purpose="reset") else "0" for token in tokens_[1:])
        sys.stdout.write(f"{got}\n")


@pytest.mark.fault
def test_of_many_processes_one_redeems(
    database_url: str, database: DatabaseManager, ring: KeyRing, tmp_path: Path
) -> None:
    """Three processes with the same thirty tokens: each token is redeemed by one of them."""
    with LoginTokens(database, ring) as tokens, ExitStack() as running:
        issued = [tokens.issue(f"u{number}", purpose="reset", lifetime=HOUR) for number in range(30)]
        arguments = [str(tmp_path / "go"), *issued]
        children = [running.enter_context(spawn(redeem_all, database_url, arguments)) for _ in range(3)]
        assert [child.line(60) for child in children] == ["ready"] * 3
        (tmp_path / "go").touch()
        got = [child.line(60) for child in children]
        assert [sum(int(each[at]) for each in got) for at in range(30)] == [1] * 30


@pytest.mark.fault
def test_of_many_who_ask_at_once_the_newest_token_is_left(database: DatabaseManager, ring: KeyRing) -> None:
    """Eight threads issue for one user, eight for others: one row is left of each, and one of the eight is good."""
    issued: list[str] = []
    with LoginTokens(database, ring) as tokens:
        barrier = threading.Barrier(16)

        def issue(user: str) -> None:
            barrier.wait(30)
            for _ in range(5):
                token = tokens.issue(user, purpose="reset", lifetime=HOUR)
                if user == "7":
                    issued.append(token)

        threads = [threading.Thread(target=issue, args=("7" if n < 8 else f"u{n}",)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert len(issued) == 40
        assert sum(tokens.peek(token, purpose="reset") is not None for token in issued) == 1
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(login_tokens)) == 9


@pytest.mark.fault
def test_a_database_that_is_gone_redeems_nothing(tmp_path: Path, ring: KeyRing) -> None:
    """Its error, not an answer."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database, LoginTokens(database, ring) as tokens:
        with pytest.raises(BackendError):
            tokens.redeem("A" * 43, purpose="reset")
        with pytest.raises(BackendError):
            tokens.issue("7", purpose="reset", lifetime=HOUR)
