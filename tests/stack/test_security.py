"""What a Stack offers accounts: made when asked for, opened and closed with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from postrmagic_core.errors import NotOpen, UsageError
from postrmagic_core.security.access import Role, Roles, User
from postrmagic_core.security.tables import login_tokens
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock

ROLES = Roles([Role("editor", allow=["media:edit"])], permissions=["media:edit"])


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """On SQLite files, not opened."""
    return Stack(Settings(stack={"data_dir": tmp_path, "service": "posters"}), configure_logging=False)


def test_its_parts_work_together_and_close_with_it(stack: Stack) -> None:
    """A password, a token, a second factor and a role of one user; each part is one and the same."""
    security = stack.security
    security.use_roles(ROLES)
    assert security.access is security.access
    with pytest.raises(NotOpen):
        security.access.identity("alice")
    with stack:
        stored = security.passwords.hash("a good long passphrase")
        assert security.passwords.verify("a good long passphrase", stored).ok
        token = security.login_tokens.issue("alice", purpose="reset", lifetime=60)
        redeemed = security.login_tokens.redeem(token, purpose="reset")
        assert redeemed is not None
        assert redeemed.user_id == "alice"
        assert "posters" in security.factors.enrol("alice", "alice@example.org").uri
        assert security.throttle.admit("alice", "203.0.113.7")
        assert security.access.grant("alice", "editor", actor=None)
        assert security.access.check(security.access.identity("alice"), "media:edit")
        assert [entry.action for entry in security.audit.find()] == ["role.granted"]
        parts = [security.passwords, security.login_tokens, security.factors, security.access, security.audit]
    assert not any(part.is_open for part in parts)


def test_expired_tokens_are_swept_once_an_hour(tmp_path: Path, frozen_clock: FakeClock) -> None:
    """By whoever works off jobs."""
    stack = Stack(Settings(stack={"data_dir": tmp_path}), clock=frozen_clock, configure_logging=False)
    with stack:

        def left() -> int:
            with stack.database.read() as tx:
                return int(tx.scalar(select(func.count()).select_from(login_tokens)) or 0)

        stack.security.login_tokens.issue("alice", purpose="reset", lifetime=60)
        found = []
        for seconds in (0, 61, 3538, 1):
            frozen_clock.advance(seconds)
            for upkeep in stack.jobs.upkeep:
                upkeep()
            found.append(left())
        assert found == [1, 1, 1, 0]


def test_roles_come_before_their_first_use(stack: Stack) -> None:
    """Later they would count for some and not for others."""
    assert list(stack.security.access.roles.names) == []
    with pytest.raises(UsageError, match="before the first use"):
        stack.security.use_roles(ROLES)


def test_a_permission_that_does_not_exist_is_an_error_in_development_alone(tmp_path: Path) -> None:
    """In production it is denied."""
    for environment in ("development", "test", "production"):
        stack = Stack(
            Settings(
                stack={"data_dir": tmp_path, "environment": environment},
                security={"keys": ["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"]},
            ),
            configure_logging=False,
        )
        stack.security.use_roles(ROLES)
        if environment == "production":
            assert not stack.security.access.check(User("alice"), "media:eat")
        else:
            with pytest.raises(UsageError, match="media:eat"):
                stack.security.access.check(User("alice"), "media:eat")
