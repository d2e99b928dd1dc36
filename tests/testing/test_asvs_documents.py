"""What the ASVS wants documented stands in the documentation as it is in the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store, open_store
from postrmagic_core.testing import FakeClock

DOCS = Path(__file__).parents[2] / "docs"
# NIST SP 800-63B, section 4.2.3: at AAL2 users authenticate again after 30 minutes without activity and after 12 hours.
AAL2_IDLE, AAL2_ABSOLUTE = 30 * 60, 12 * 60 * 60


def documented(page: str, name: str) -> float:
    """The default of an argument in seconds, as the page's table says."""
    (seconds,) = re.findall(rf"^\| `{name}` \| ([\d,]+) s \|", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
    return float(seconds.replace(",", ""))


def made_of(store: Store, clock: FakeClock, **options: Any) -> SessionStore[dict[str, Any]]:
    """Sessions of which nothing else is chosen."""
    return SessionStore(store, KeyRing(["a-master-value-of-these-tests-0123456789-abc"]), clock=clock, **options)


@pytest.fixture
def store(frozen_clock: FakeClock) -> Iterator[Store]:
    """An empty one."""
    opened = open_store("memory://", clock=frozen_clock)
    yield opened
    opened.close()


@pytest.fixture
def sessions(store: Store, frozen_clock: FakeClock) -> Iterator[SessionStore[dict[str, Any]]]:
    """A session store of which nothing is chosen."""
    with made_of(store, frozen_clock) as opened:
        yield opened


def login(sessions: SessionStore[dict[str, Any]], user_id: str = "alice") -> str:
    """The cookie of a user who has just logged in."""
    session = sessions.load(None)
    session.login(user_id)
    cookie = sessions.save(session)
    assert cookie
    return cookie


def test_a_session_lasts_as_long_without_a_request_as_documented(
    sessions: SessionStore[dict[str, Any]], frozen_clock: FakeClock
) -> None:
    """To the moment; it is no longer than at AAL2 of NIST SP 800-63B, so that no deviation needs a reason."""
    idle = documented("how-to/use-sessions.md", "idle_timeout")
    assert idle <= AAL2_IDLE
    cookie = login(sessions)
    frozen_clock.advance(idle - 0.001)
    assert not sessions.load(cookie).is_new
    frozen_clock.advance(0.001)
    assert sessions.load(cookie).is_new


def test_a_session_lasts_as_long_in_any_case_as_documented(
    sessions: SessionStore[dict[str, Any]], frozen_clock: FakeClock
) -> None:
    """However often it is used; no longer than at AAL2 of NIST SP 800-63B, so that no deviation needs a reason."""
    absolute = documented("how-to/use-sessions.md", "absolute_timeout")
    assert absolute <= AAL2_ABSOLUTE
    cookie: str | None = login(sessions)
    for _ in range(int(absolute / 600) - 1):
        frozen_clock.advance(600)
        session = sessions.load(cookie)
        cookie = sessions.save(session) or cookie
    frozen_clock.advance(absolute % 600 + 600 - 0.001)
    assert not sessions.load(cookie).is_new
    frozen_clock.advance(0.001)
    assert sessions.load(cookie).is_new


def test_a_user_has_as_many_sessions_as_documented(
    sessions: SessionStore[dict[str, Any]], frozen_clock: FakeClock
) -> None:
    """The number that the reference names; the login beyond it ends the session that was not used for the longest."""
    (number,) = re.findall(r"``max_sessions`` \((\d+)\)", SessionStore.__doc__ or "")
    cookies = []
    for _ in range(int(number)):
        cookies.append(login(sessions))
        frozen_clock.advance(0.001)
    assert not any(sessions.load(cookie).is_new for cookie in cookies)
    cookies.append(login(sessions))
    assert [sessions.load(cookie).is_new for cookie in cookies] == [True] + [False] * int(number)
