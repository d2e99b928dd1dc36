"""Who has which role: granted and revoked in a transaction with its audit row, seen in time by every process."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import NotOpen, OutcomeUnknown, UsageError
from postrmagic_core.security.access import Access, AccessDenied, AuditLog, LastHolder, Role, Roles, User
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.process import spawn

ROLES = Roles([Role("user", allow=["media:read"]), Role("admin", allow=["*:*"], keep_one=True)])
Opener = Callable[..., Access]


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()


@pytest.fixture
def open_access(database: DatabaseManager, clock: FakeClock) -> Iterator[Opener]:
    """A factory of managers over the same database, each as in a process of its own."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(Access(ROLES, database, clock=clock, **options))


@pytest.fixture
def access(open_access: Opener) -> Access:
    """One of them."""
    return open_access()


def told(access: Access, **wanted: Any) -> list[tuple[str | None, str, str | None, object]]:
    """The audit log, the oldest first."""
    return [(row.actor, row.action, row.subject, row.detail.get("role")) for row in access.audit.find(**wanted)][::-1]


def test_a_role_is_granted_and_revoked_once(access: Access) -> None:
    """What changed nothing is said so and leaves no audit row."""
    assert access.grant("7", "user", actor="1") is True
    assert access.grant("7", "user", actor="2") is False
    assert access.grant("7", "admin", actor="1") is True
    assert access.grant("8", "admin", actor="7") is True
    assert access.roles_of("7") == ["admin", "user"]
    assert access.users_with("admin") == ["7", "8"]
    assert access.identity("7") == User("7", frozenset({"user", "admin"}))
    assert access.revoke("7", "admin", actor="8") is True
    assert access.revoke("7", "admin", actor="8") is False
    assert access.identity("7").roles == {"user"}, "at once, in this process"
    assert told(access) == [
        ("1", "role.granted", "7", "user"),
        ("1", "role.granted", "7", "admin"),
        ("7", "role.granted", "8", "admin"),
        ("8", "role.revoked", "7", "admin"),
    ]


def test_a_change_and_its_audit_row_are_one(access: Access, database: DatabaseManager) -> None:
    """Of a transaction that is rolled back neither stays, nor is anything kept in this process."""

    def failing(tx: Any) -> None:
        access.grant("7", "admin", actor="1", tx=tx)
        assert access.identity("7").roles == {"admin"}, "as the transaction sees it"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.transact(failing)
    assert access.identity("7").roles == frozenset()
    assert told(access) == []
    with database.write() as tx:
        access.grant("7", "admin", actor="1", tx=tx)
    assert access.identity("7").roles == {"admin"}
    assert len(told(access)) == 1


def test_without_its_audit_row_nothing_is_changed(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant that cannot be told of is none."""

    def full(*args: Any, **options: Any) -> str:
        raise OSError("full")

    monkeypatch.setattr(AuditLog, "record", full)
    with pytest.raises(OSError, match="full"):
        access.grant("7", "admin", actor="1")
    assert access.roles_of("7") == []


def test_users_are_told_apart_to_the_letter(access: Access) -> None:
    """Neither case, accents, blanks at the end nor a number make one user another (SECURITY: collations)."""
    access.grant("ann", "admin", actor=None)
    for other in ("Ann", "ann ", "änn", "0"):
        assert access.identity(other).roles == frozenset()
    for strange in (0, False, b"ann", None, "", "x" * 191, "\ud800"):
        with pytest.raises(ValueError, match="user_id a text of 1 to 190 bytes"):
            access.identity(strange)  # type: ignore[arg-type]  # what a careless caller passes


def test_only_declared_roles_are_granted_and_others_can_be_revoked(database: DatabaseManager, access: Access) -> None:
    """A role that the code has dropped gives no right, and can be cleared away."""
    with pytest.raises(UsageError, match=r"no role 'chief' to be granted; declared are user, admin"):
        access.grant("7", "chief", actor="1")
    with Access(Roles([Role("chief")]), database) as before:
        before.grant("7", "chief", actor="1")
    assert access.identity("7").roles == {"chief"}
    assert not access.check(access.identity("7"), "media:read")
    assert access.revoke("7", "chief", actor="1") is True
    for call in (lambda: access.revoke("7", "x" * 65, actor=None), lambda: access.users_with("")):
        with pytest.raises(ValueError, match="expected as role a text"):
            call()


def test_a_revoked_role_ends_elsewhere_within_the_age_though_nobody_told(open_access: Opener, clock: FakeClock) -> None:
    """Another process, to which the invalidation was lost, goes by what it knew for ``max_age`` and no longer."""
    here, there = open_access(), open_access(max_age=1.0)
    here.grant("7", "admin", actor="1")
    here.grant("8", "admin", actor="1")
    assert there.check(there.identity("7"), "user:delete")
    here.revoke("7", "admin", actor="1")
    assert not here.check(here.identity("7"), "user:delete")
    clock.advance(0.999)
    assert there.check(there.identity("7"), "user:delete"), "the stated bound"
    clock.advance(0.001)
    assert not there.check(there.identity("7"), "user:delete")


def test_the_age_is_counted_from_before_the_question(open_access: Opener, clock: FakeClock) -> None:
    """An answer that was long on its way is as old as the question."""
    access = open_access(max_age=1.0)
    access.grant("7", "user", actor=None)
    asked = access._known.asking()
    clock.advance(5)
    access._known.put(User("7", frozenset({"admin"})), asked)
    assert access.identity("7").roles == {"user"}


def test_an_answer_from_before_a_change_is_not_kept(access: Access) -> None:
    """A read that began before a revoke and ended after it would bring the role back for a second."""
    access.grant("7", "admin", actor=None)
    asked = access._known.asking()
    access.grant("8", "admin", actor=None)
    access.revoke("7", "admin", actor=None)
    access._known.put(User("7", frozenset({"admin"})), asked)
    assert access.identity("7").roles == frozenset()


def test_nothing_is_kept_with_an_age_of_zero(open_access: Opener) -> None:
    """Each request then asks the database."""
    here, there = open_access(), open_access(max_age=0.0)
    here.grant("7", "user", actor=None)
    assert there.identity("7").roles == {"user"}
    here.revoke("7", "user", actor=None)
    assert there.identity("7").roles == frozenset()


def test_others_can_be_told(open_access: Opener, database: DatabaseManager) -> None:
    """``on_change`` is called once it has committed, and not of what was rolled back."""
    here, there = open_access(), open_access()
    here.on_change.append(there.invalidate)
    assert there.identity("7").roles == frozenset()
    here.grant("7", "user", actor=None)
    assert there.identity("7").roles == {"user"}
    calls: list[str] = []
    here.on_change.append(calls.append)

    def failing(tx: Any) -> None:
        here.revoke("7", "user", actor=None, tx=tx)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.transact(failing)
    assert calls == []


def test_a_commit_of_unknown_outcome_is_not_trusted(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process knew of the user is forgotten, as the role may be gone."""
    access.grant("7", "user", actor=None)
    assert access.identity("7").roles == {"user"}

    def unknown(database: Any, tx: None, work: Any) -> bool:
        with database.write() as unit:
            work(unit)
            unit._staging.after_commit.clear()
        raise OutcomeUnknown("cut off")

    monkeypatch.setattr("postrmagic_core.security.access.manager.in_unit", unknown)
    with pytest.raises(OutcomeUnknown):
        access.revoke("7", "user", actor=None)
    assert access.identity("7").roles == frozenset()


def test_the_last_holder_keeps_the_role(access: Access) -> None:
    """Also from themselves; with a second one it can be revoked."""
    access.grant("1", "admin", actor=None)
    access.grant("client:reports", "admin", actor=None)  # a program is nobody who could let others in again
    with pytest.raises(LastHolder, match="nobody else has the role admin"):
        access.revoke("1", "admin", actor="1")
    assert access.revoke("2", "admin", actor="1") is False
    access.grant("2", "admin", actor="1")
    assert access.revoke("1", "admin", actor="2") is True


def revoking(url: str, mine: str, other: str, go: str) -> None:
    """A process of an administrator who revokes the other one's role when told."""
    with DatabaseManager(url) as database, Access(ROLES, database) as access:
        access.identity(mine)
        say("ready")
        await_file(Path(go))
        try:
            access.revoke(other, "admin", actor=mine)
            say("revoked")
        except LastHolder:
            say("refused")


def say(word: str) -> None:
    """To the test."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def await_file(path: Path) -> None:
    """Both processes leave within a moment of each other."""
    while not path.exists():
        time.sleep(0.001)


@pytest.mark.parametrize("_round", range(2))
def test_two_administrators_who_revoke_each_other_leave_one(
    access: Access, database_url: str, tmp_path: Path, _round: int
) -> None:
    """In two processes at once: exactly one of them succeeds."""
    access.grant("1", "admin", actor=None)
    access.grant("2", "admin", actor=None)
    go = tmp_path / "go"
    with (
        spawn(revoking, database_url, "1", "2", str(go)) as one,
        spawn(revoking, database_url, "2", "1", str(go)) as two,
    ):
        assert [one.line(), two.line()] == ["ready", "ready"]
        go.touch()
        assert sorted([one.line(), two.line()]) == ["refused", "revoked"]
    assert len(access.users_with("admin")) == 1


def test_threads_that_revoke_each_other_leave_one(access: Access) -> None:
    """Six holders, each revoked by another thread at the same moment: one is left, whoever waited for whom."""
    names = [str(number) for number in range(6)]
    for name in names:
        access.grant(name, "admin", actor=None)
    ready = threading.Barrier(len(names))
    failures: list[BaseException] = []

    def revoke(name: str) -> None:
        ready.wait()
        try:
            access.revoke(name, "admin", actor=None)
        except LastHolder as refused:
            failures.append(refused)

    threads = [threading.Thread(target=revoke, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(access.users_with("admin")) == 1
    assert len(failures) == 1


def test_a_denial_is_raised_logged_and_noted(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    """Once each; a mere question is neither logged nor noted."""
    who = User("7", frozenset({"user"}))
    assert not access.check(who, "media:delete")
    assert caplog.records == []
    with pytest.raises(AccessDenied, match=r"^user 7 may not media:delete$") as denied:
        access.require(who, "media:delete")
    assert (denied.value.permission, denied.value.hidden, denied.value.nobody) == ("media:delete", False, False)
    assert [getattr(record, "event", "") for record in caplog.records] == ["security.access.denied"]
    access.audit.flush()
    (row,) = access.audit.find(action="access.denied")
    assert (row.actor, row.subject, row.outcome, row.detail["count"]) == ("7", "media:delete", "denied", 1)
    with pytest.raises(AccessDenied, match="who is not logged in may not") as refused:
        access.require(None, "media:read", hidden=True)
    assert refused.value.nobody
    assert refused.value.hidden


def test_a_denial_stays_one_whatever_happens_to_its_note(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit log may fail as it likes, and an allowed call does not even come near it."""

    def broken(*args: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(AuditLog, "denied", broken)
    who = User("7", frozenset({"user"}))
    with pytest.raises(AccessDenied):
        access.require(who, "media:delete")
    access.require(who, "media:read")


def test_hostile_names_stay_in_their_line(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    """A user's id or a permission with line breaks and escapes forges no record, and breaks none."""
    with pytest.raises(AccessDenied):
        access.require(User("7\n\x1b[2Jroot", frozenset()), "media:delete\nx\ud800")
    assert "\n" not in caplog.records[-1].getMessage()
    assert "\x1b" not in caplog.records[-1].getMessage()
    access.audit.flush()
    assert len(access.audit.find()) == 1


def test_changes_are_security_events(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    """Each is logged once, after the commit, with who did it."""
    caplog.set_level(logging.INFO, "postrmagic_core.security")
    access.grant("7", "user", actor="1")
    access.revoke("7", "user", actor="2")
    found = [(getattr(r, "event", ""), getattr(r, "user_id", ""), getattr(r, "actor", "")) for r in caplog.records]
    assert found == [("security.role.granted", "7", "1"), ("security.role.revoked", "7", "2")]


def test_it_must_be_open(database: DatabaseManager) -> None:
    """What asks the database; a decision needs none."""
    access = Access(ROLES, database)
    for call in (access.identity, access.roles_of):
        with pytest.raises(NotOpen):
            call("7")
    assert access.check(User("7", frozenset({"user"})), "media:read")


def test_the_async_face_does_the_same(access: Access, database: DatabaseManager) -> None:
    """The same names; a unit of the async database is joined."""

    async def failing() -> None:
        async with database.aio.write() as tx:
            await access.aio.revoke("7", "user", actor="1", tx=tx)
            await access.audit.aio.record("x", actor=None, subject=None, tx=tx)
            raise RuntimeError

    async def work() -> None:
        aio = access.aio
        assert await aio.grant("7", "user", actor="1") is True
        assert aio.check(await aio.identity("7"), "media:read")
        assert aio.known("7") is not None
        with pytest.raises(AccessDenied):
            aio.require(await aio.identity("7"), "media:delete")
        assert aio.explain(None, "media:read").allowed is False
        with pytest.raises(RuntimeError):
            await failing()
        assert await aio.roles_of("7") == ["user"]
        assert await aio.users_with("user") == ["7"]
        async with database.aio.write() as tx:
            assert await aio.revoke("7", "user", actor="1", tx=tx) is True
        assert (await aio.identity("7")).roles == frozenset()
        await access.audit.aio.flush()
        assert len(await access.audit.aio.find(actor="7")) == 1

    asyncio.run(work())
