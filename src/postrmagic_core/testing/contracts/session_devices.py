"""A user's sessions as they see them: listed, ended one by one, and not too many."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core.errors import UsageError
from postrmagic_core.stores import Store

from .session_rig import LAPTOP, PHONE, Face


class DevicePromises:
    """The list of a user's sessions."""

    def test_a_user_sees_their_devices(self, face: Face, clock: Any) -> None:
        """The last used first, with where and when, and which is this one; nobody else's, and no ids."""
        laptop = face.begun("alice", client=LAPTOP)
        clock.advance(120)
        phone = face.begun("alice", client=PHONE)
        face.begun("bob", client=PHONE)
        face.begun(a=1)
        devices = face.devices("alice", face.load(laptop))
        assert [(each.agent, each.network, each.is_current) for each in devices] == [
            ("Safari on iOS", "2001:db8:1::/48", False),
            ("Firefox on Linux", "203.0.113.0/24", True),
        ]
        assert devices[0].last_seen_at == clock.now
        assert not any(cookie in str(devices) for cookie in (laptop, phone))
        assert len({each.id for each in devices}) == 2

    def test_one_device_is_ended_alone(self, face: Face) -> None:
        """At its next request, also one in flight; twice is once, and others cannot end it."""
        laptop, phone = face.begun("alice", client=LAPTOP), face.begun("alice", client=PHONE)
        in_flight = face.load(laptop)
        [doomed] = [each for each in face.devices("alice") if each.agent == "Firefox on Linux"]
        assert not face.revoke("bob", doomed.id)
        assert not face.revoke("alice", "AAAAAAAAAAAAAAAA")
        assert face.revoke("alice", doomed.id)
        in_flight.data["a"] = 1
        assert face.save(in_flight) is None
        assert in_flight.ended
        assert face.is_dead(laptop)
        assert not face.revoke("alice", doomed.id)
        assert face.load(phone).user_id == "alice"
        assert [each.agent for each in face.devices("alice")] == ["Safari on iOS"]

    def test_all_others_are_ended_and_this_one_stays(self, face: Face) -> None:
        """Whatever is in flight on either; this one's own parallel requests lose nothing."""
        mine, others = face.begun("alice", a=1), [face.begun("alice") for _ in range(3)]
        session, parallel, theirs = face.load(mine), face.load(mine), face.load(others[0])
        face.revoke_others(session)
        theirs.data["a"] = 2
        face.save(theirs)
        parallel.data["b"] = 2
        assert face.save(parallel) is None
        session.data["c"] = 3
        assert face.save(session) is None
        assert all(face.is_dead(cookie) for cookie in others)
        assert face.load(mine).data == {"a": 1, "b": 2, "c": 3}
        assert [each.is_current for each in face.devices("alice", face.load(mine))] == [True]
        assert face.load(face.begun("alice")).user_id == "alice"

    def test_only_who_is_logged_in_can_end_the_others(self, face: Face) -> None:
        """Not a visitor, not a session that has ended meanwhile."""
        visitor = face.load(face.begun(a=1))
        gone = face.load(face.begun("alice"))
        face.delete(face.load(gone.id))
        for session in (face.load(None), visitor, gone):
            with pytest.raises(UsageError):
                face.revoke_others(session)

    def test_a_session_under_a_new_id_is_the_same_device_once(self, face: Face) -> None:
        """Neither a renewed nor a replaced id is listed twice."""
        session = face.load(face.begun("alice"))
        session.rotate()
        session = face.load(face.save(session))
        session.login("alice")
        face.save(session)
        assert len(face.devices("alice")) == 1

    def test_a_login_beyond_the_limit_ends_the_one_longest_unused(self, face: Face, clock: Any) -> None:
        """Of three, that which was not used; logged-out ones make room first."""
        limited = face.also(max_sessions=3)
        cookies = []
        for _ in range(3):
            clock.advance(120)
            cookies.append(limited.begun("alice"))
        clock.advance(120)
        limited.save(limited.load(cookies[0]))
        limited.delete(limited.load(cookies[2]))
        cookies.append(limited.begun("alice"))
        assert [limited.is_dead(cookie) for cookie in cookies] == [False, False, True, False]
        clock.advance(120)
        cookies.append(limited.begun("alice"))
        assert [limited.is_dead(cookie) for cookie in cookies] == [False, True, True, False, False]
        assert len(limited.devices("alice")) == 3

    def test_logins_at_once_are_all_listed(self, face: Face, store: Store) -> None:
        """A list that changed between reading and writing it is read again."""
        sessions = [face.load(None) for _ in range(5)]
        before = store.get(face.sessions.roster.lists("alice"))
        assert not any(before)
        for number, session in enumerate(sessions):
            session.data["number"] = number
            session.login("alice")
            face.save(session)
        assert len(face.devices("alice")) == 5
