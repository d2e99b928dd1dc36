"""How a session ends: for good, whatever is in flight, and with nothing to read in the store."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from postrmagic_core.stores import Store, SupportsScan

from .session_rig import Face


class EndPromises:
    """Logout, revocation, lost and planted rows."""

    def test_logout_is_final(self, face: Face) -> None:
        """A request in flight that saves afterwards is refused: nothing comes back, and its cookie is left alone."""
        cookie = face.begun("alice", a=1)
        leaving, in_flight, reading = face.load(cookie), face.load(cookie), face.load(cookie)
        leaving.logout()
        assert face.save(leaving) == ""
        in_flight.data["a"] = 2
        assert face.save(in_flight) is None
        assert in_flight.ended
        assert face.save(in_flight) is None
        assert face.save(reading) is None
        assert face.is_dead(cookie)

    def test_data_set_after_a_logout_begin_a_new_session(self, face: Face) -> None:
        """A farewell message has its own, anonymous session; the old one is gone."""
        cookie = face.begun("alice", diary="hers")
        session = face.load(cookie)
        session.logout()
        session.data["message"] = "bye"
        farewell = face.save(session)
        assert farewell not in {None, "", cookie}
        assert face.is_dead(cookie)
        found = face.load(farewell)
        assert (found.user_id, found.data) == (None, {"message": "bye"})

    def test_delete_ends_a_session_now(self, face: Face) -> None:
        """Without waiting for save()."""
        cookie = face.begun(a=1)
        face.delete(face.load(cookie))
        assert face.is_dead(cookie)

    def test_revoking_a_user_ends_all_their_sessions(self, face: Face) -> None:
        """On every device, also one that a request in flight saves afterwards; no one else's; they may log in again."""
        cookies = [face.begun("alice", device=number) for number in range(3)]
        bobs = face.begun("bob")
        in_flight = face.load(cookies[0])
        face.revoke_all("alice")
        in_flight.data["a"] = 1
        face.save(in_flight)
        assert all(face.is_dead(cookie) for cookie in cookies)
        assert face.devices("alice") == []
        assert face.load(bobs).user_id == "bob"
        assert face.load(face.begun("alice")).user_id == "alice"

    def test_everybodys_sessions_are_ended_and_nobody_elses(self, face: Face, scanning: SupportsScan) -> None:
        """Users' and visitors', also what is in flight; those of another application on the same store stay."""
        cookies = [face.begun("alice"), face.begun("bob"), face.begun(a=1)]
        other = face.also(namespace="other")
        theirs = other.begun("alice")
        in_flight = face.load(cookies[0])
        assert face.revoke_everyone() == 3
        in_flight.data["a"] = 1
        assert face.save(in_flight) is None
        assert in_flight.ended
        assert all(face.is_dead(cookie) for cookie in cookies)
        assert other.load(theirs).user_id == "alice"
        assert face.load(face.begun("alice")).user_id == "alice"

    def test_revoking_reaches_a_session_that_is_in_no_list(self, face: Face, store: Store) -> None:
        """A list that was lost, whatever lost it, hides nothing from it."""
        cookie = face.begun("alice")
        store.delete(face.sessions.roster.lists("alice"))
        assert face.devices("alice") == []
        face.revoke_all("alice")
        assert face.is_dead(cookie)

    def test_a_lost_generation_ends_sessions_and_revives_none(self, face: Face, store: Store) -> None:
        """Evicted between the logins: those before it are dead for good."""
        cookie = face.begun("alice")
        store.delete(face.sessions.roster.guards("alice"))
        assert face.is_dead(cookie)
        face.begun("alice")
        assert face.is_dead(cookie)

    def test_a_planted_generation_lets_nobody_in(self, face: Face, store: Store) -> None:
        """Whatever is written there: no session, no error, and the next login makes a new one."""
        cookie = face.begun("alice")
        for planted in (b"", b"x", b"-1", b"1" * 400, b"\xff\xfe"):
            store.set(dict.fromkeys(face.sessions.roster.guards("alice"), planted), None)
            assert face.is_dead(cookie)
            assert face.devices("alice") == []
        assert face.load(face.begun("alice")).user_id == "alice"

    def test_neither_id_nor_data_nor_user_can_be_read_in_the_store(self, face: Face, store: Store) -> None:
        """Who reads the store can forge no cookie and learns nothing."""
        cookie = face.begun("alice@example.org", diary="canary-in-data")
        roster = face.sessions.roster
        keys = [face.load(cookie).anchor, *roster.guards("alice@example.org"), *roster.lists("alice@example.org")]
        values = store.get(keys)
        assert all(values)
        kept = b"".join(value or b"" for value in values) + b"".join(keys)
        for secret in (cookie.encode(), cookie[16:58].encode(), b"alice", b"canary"):
            assert secret not in kept

    def test_planted_bytes_are_absent_and_told(
        self, face: Face, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What would run code in another library is inert: no session, and a security event."""
        cookie = face.begun("alice", a=1)
        key = face.load(cookie).anchor
        for planted in (b"cos\nsystem\n(S'touch canary'\ntR.", b"", b"12345678", b"\x00" * 100):
            store.set({key: planted}, None)
            caplog.clear()
            with caplog.at_level(logging.WARNING, "postrmagic_core.sessions"):
                assert face.load(cookie).is_new
            [record] = caplog.records
            assert record.event == "session.seal_broken"  # type: ignore[attr-defined]  # an extra of the record
            assert cookie not in caplog.text

    def test_planted_lists_are_empty_and_the_next_login_mends_them(self, face: Face, store: Store) -> None:
        """No session is ended by it."""
        cookie = face.begun("alice", a=1)
        for planted in (b"", b"12345678", b"\x00" * 100):
            store.set(dict.fromkeys(face.sessions.roster.lists("alice"), planted), None)
            assert face.devices("alice") == []
        later = face.begun("alice")
        assert len(face.devices("alice", face.load(later))) == 1
        assert face.load(cookie).user_id == "alice"

    def test_a_session_shows_no_secret(self, face: Face) -> None:
        """Its text names neither id nor data."""
        session: Any = face.load(face.begun("alice", a="canary"))
        assert repr(session) == "<Session stored, logged in>"
        assert repr(face.load(None)) == "<Session new>"
