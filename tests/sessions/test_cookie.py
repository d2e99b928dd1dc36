"""Sessions that are their cookie: sealed, typed, timed, not too large."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from postrmagic_core._crypto import KeyRing
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions as http_sessions
from postrmagic_core.sessions import CookieSessions, Flash, SessionTooLarge
from postrmagic_core.testing import FakeClock

NEW_KEY = "the-next-master-value-9876543210-klmnopqr"


@pytest.fixture
def sessions(ring: KeyRing, frozen_clock: FakeClock) -> CookieSessions[dict[str, Any]]:
    """With free data."""
    return CookieSessions(ring, clock=frozen_clock)


def begun(sessions: CookieSessions[dict[str, Any]], user_id: str | None = None, **data: object) -> str:
    """The cookie of a new session."""
    session = sessions.load(None)
    session.data.update(data)
    if user_id is not None:
        session.login(user_id)
    cookie = sessions.save(session)
    assert cookie
    return cookie


def test_data_come_back_from_the_cookie(sessions: CookieSessions[dict[str, Any]]) -> None:
    """With who is logged in, and messages; nothing is set before the first change."""
    assert sessions.save(sessions.load(None)) is None
    session = sessions.load(begun(sessions, "alice", cart=[1, (2, 3)]))
    assert (session.user_id, session.data) == ("alice", {"cart": [1, (2, 3)]})
    assert sessions.save(session) is None
    session.flash("saved")
    shown = sessions.load(sessions.save(session))
    assert shown.flashes() == [Flash("saved")]
    assert sessions.load(sessions.save(shown)).flashes() == []


def test_nothing_can_be_read_or_changed_in_it(sessions: CookieSessions[dict[str, Any]], ring: KeyRing) -> None:
    """Altered or cut anywhere, of another key, another application, another purpose: a new session."""
    cookie = begun(sessions, "alice", diary="canary")
    assert "canary" not in cookie
    for place in range(len(cookie)):
        changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
        for damaged in (changed, cookie[:place]):
            assert sessions.load(damaged).user_id is None or damaged == cookie
    for other in (CookieSessions(KeyRing([NEW_KEY])), CookieSessions(ring, namespace="other")):
        assert other.load(cookie).is_new
    for hostile in ("", "é" * 80, "A" * 100_000, "\x00", "=" * 40):
        assert sessions.load(hostile).is_new


def test_a_key_is_rotated_without_a_logout(
    sessions: CookieSessions[dict[str, Any]], ring: KeyRing, frozen_clock: FakeClock
) -> None:
    """New key first: it seals, both open."""
    cookie = begun(sessions, "alice")
    both = CookieSessions(KeyRing([NEW_KEY, "an-old-master-value-0123456789-abcdefghij"]), clock=frozen_clock)
    session = both.load(cookie)
    session.data["a"] = 1
    renewed = both.save(session)
    assert CookieSessions(KeyRing([NEW_KEY]), clock=frozen_clock).load(renewed).user_id == "alice"
    assert sessions.load(renewed).is_new


def test_it_ends_when_idle_and_in_any_case(sessions: CookieSessions[dict[str, Any]], frozen_clock: FakeClock) -> None:
    """To the second; a request that only reads prolongs it once a minute."""
    cookie = begun(sessions, "alice")
    frozen_clock.advance(59)
    assert sessions.save(sessions.load(cookie)) is None
    frozen_clock.advance(1741)
    assert sessions.load(cookie).is_new
    cookie = begun(sessions, "alice")
    for _ in range(24):
        frozen_clock.advance(1799)
        session = sessions.load(cookie)
        assert session.user_id == "alice"
        cookie = sessions.save(session) or cookie
    frozen_clock.advance(43_200 - 24 * 1799)
    assert sessions.load(cookie).is_new


def test_logout_drops_the_cookie(sessions: CookieSessions[dict[str, Any]]) -> None:
    """Of this browser: a copy stays good, as is said."""
    cookie = begun(sessions, "alice")
    session = sessions.load(cookie)
    session.logout()
    assert sessions.save(session) == ""
    assert sessions.load(cookie).user_id == "alice"
    session = sessions.load(cookie)
    sessions.delete(session)
    session.data["message"] = "bye"
    farewell = sessions.load(sessions.save(session))
    assert (farewell.user_id, farewell.data) == (None, {"message": "bye"})


def test_each_session_has_an_anchor_of_its_own(sessions: CookieSessions[dict[str, Any]]) -> None:
    """Tokens that are bound to one are no other's; a login begins another."""
    mine = sessions.load(begun(sessions, "alice"))
    assert mine.anchor != sessions.load(begun(sessions, "alice")).anchor
    before = mine.anchor
    mine.data["a"] = 1
    same = sessions.load(sessions.save(mine))
    assert same.anchor == before
    same.login("alice")
    assert sessions.load(sessions.save(same)).anchor != before


def test_more_than_a_cookie_holds_is_refused(sessions: CookieSessions[dict[str, Any]]) -> None:
    """With how much it is; nothing is cut."""
    session = sessions.load(None)
    session.data["a"] = secrets.token_bytes(4000)
    with pytest.raises(SessionTooLarge, match=r"5,\d\d\d bytes of cookie and 3,800 are allowed"):
        sessions.save(session)


def test_typed_data_are_migrated(ring: KeyRing) -> None:
    """As those of a store are."""

    class Visit(BaseModel):
        cart: dict[str, int] = {}

    session = CookieSessions(ring).load(None)
    session.data["cart"] = [7, 7]
    cookie = CookieSessions(ring).save(session)
    later = CookieSessions(ring, Visit, version=2, migrate=lambda version, data: {"cart": {"7": len(data["cart"])}})
    assert later.load(cookie).data == Visit(cart={"7": 2})
    unfit = CookieSessions(ring, Visit).load(cookie)
    assert (unfit.is_new, unfit.incident is not None) == (True, True)


def test_the_middleware_keeps_them(sessions: CookieSessions[dict[str, Any]]) -> None:
    """As it keeps those of a store, by both faces."""

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        session = await scope["state"]["session"]
        session.data["visits"] = session.data.get("visits", 0) + 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(session.data["visits"]).encode()})

    app = Starlette(routes=[Mount("/", Pipeline([errors(), http_sessions(sessions)]).asgi(counting))])
    with TestClient(app, base_url="https://testserver") as client:
        assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]

    async def gone() -> str | None:
        session = await sessions.aio.load(begun(sessions, "alice"))
        await sessions.aio.delete(session)
        return await sessions.aio.save(session)

    assert asyncio.run(gone()) == ""


def test_time_outs_that_contradict_each_other_are_refused(ring: KeyRing) -> None:
    """When they are given."""
    with pytest.raises(ValueError, match="touch_interval < idle_timeout <= absolute_timeout"):
        CookieSessions(ring, idle_timeout=60, absolute_timeout=30)
