"""Whose an id is: never the client's choice, renewed, replaced when rights grow, and a thief's when used afterwards."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from postrmagic_core.sessions import Binding, Client, Incident
from postrmagic_core.stores import Store

from .session_rig import LAPTOP, PHONE, Face

# The time after which an id is renewed, and a minute: the store's clock is a little ahead of the one that is told.
HOUR, MINUTE = 3660.0, 60.0


class IdPromises:
    """Fixation, renewal, rotation, theft."""

    @pytest.mark.parametrize("cookie", ["", "x", "A" * 84, "../../etc/passwd", "A" * 10_000, "\x00" * 84, "ä" * 84])
    def test_an_id_that_a_client_chose_is_never_adopted(self, face: Face, cookie: str) -> None:
        """The session is new, and is stored under another id (session fixation)."""
        session = face.load(cookie)
        assert session.is_new
        session.data["a"] = 1
        issued = face.save(session)
        assert issued not in {None, cookie}
        assert face.is_dead(cookie)
        assert face.load(issued).data == {"a": 1}

    def test_an_id_that_was_issued_and_has_ended_is_not_adopted(self, face: Face) -> None:
        """What is saved then gets a new one."""
        cookie = face.begun(a=1)
        face.delete(face.load(cookie))
        session = face.load(cookie)
        session.data["a"] = 2
        assert face.save(session) not in {None, "", cookie}
        assert face.is_dead(cookie)

    def test_login_changes_the_id(self, face: Face) -> None:
        """What was gathered before stays."""
        before = face.begun(cart=[1])
        session = face.load(before)
        session.login("alice")
        after = face.save(session)
        assert after not in {None, before}
        found = face.load(after)
        assert (found.user_id, found.data) == ("alice", {"cart": [1]})

    def test_another_user_gets_nothing_of_the_first(self, face: Face) -> None:
        """Logging in as somebody else begins with empty data, and without the first one's messages."""
        hers = face.begun("alice", diary="hers")
        session = face.load(hers)
        session.flash("for alice")
        session.login("bob")
        found = face.load(face.save(session))
        assert (found.user_id, found.data, found.flashes()) == ("bob", {}, [])
        assert face.is_dead(hers)
        assert face.devices("alice") == []

    def test_login_keeps_what_parallel_requests_added(self, face: Face) -> None:
        """The old row is read again when its place is taken."""
        cookie = face.begun(a=1)
        logging_in, other = face.load(cookie), face.load(cookie)
        other.data["b"] = 2
        face.save(other)
        logging_in.login("alice")
        logging_in.data["c"] = 3
        assert face.load(face.save(logging_in)).data == {"a": 1, "b": 2, "c": 3}

    @pytest.mark.parametrize("user_id", [None, "alice"])
    def test_an_id_from_before_a_rotation_shows_what_it_showed_and_changes_nothing(
        self, face: Face, user_id: str | None
    ) -> None:
        """Requests under way with it are not logged out; whoever else knows it does not get what the new one may."""
        before = face.begun(user_id, a=1)
        rotating, late = face.load(before), face.load(before)
        rotating.rotate() if user_id else rotating.login("alice")
        rotating.data["diary"] = "since then"
        after = face.save(rotating)
        in_grace = face.load(before)
        assert (in_grace.user_id, in_grace.data) == (user_id, {"a": 1})
        assert face.save(in_grace) is None
        for session in (in_grace, late):
            session.data["a"] = 2
            assert face.save(session) is None
            assert session.ended
        assert face.load(after).data == {"a": 1, "diary": "since then"}

    @pytest.mark.parametrize("end", ["logout", "revoke_all", "revoke"])
    def test_it_shows_nothing_once_the_session_that_took_its_place_has_ended(self, face: Face, end: str) -> None:
        """Logout is final, also within the grace."""
        before = face.begun("alice", a=1)
        session = face.load(before)
        session.rotate()
        after = face.load(face.save(session))
        match end:
            case "logout":
                face.delete(after)
            case "revoke_all":
                face.revoke_all("alice")
            case _:
                [device] = face.devices("alice")
                assert face.revoke("alice", device.id)
        assert face.is_dead(before)

    def test_a_logout_with_the_id_from_before_ends_what_took_its_place(self, face: Face) -> None:
        """Two clicks at once: whoever logs out is logged out."""
        before = face.begun("alice", a=1)
        rotating = face.load(before)
        rotating.rotate()
        after = face.save(rotating)
        leaving = face.load(before)
        leaving.logout()
        assert face.save(leaving) == ""
        assert face.is_dead(after)

    @pytest.mark.parametrize("rights", ["grown", "as before"])
    def test_an_id_used_after_its_grace_ends_the_session(
        self, face: Face, rights: str, clock: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Somebody else holds it, or the new one: both are logged out, and it is told why."""
        told: list[Incident] = []
        strict = face.also(rotation_grace=0, on_incident=told.append)
        stolen = strict.begun(a=1) if rights == "grown" else strict.begun("alice", a=1)
        session = strict.load(stolen)
        if rights == "grown":
            session.login("alice")
        else:
            clock.advance(HOUR)
        current = strict.save(session)
        used = strict.load(current)
        assert used.user_id == "alice"
        strict.save(used)
        with caplog.at_level(logging.WARNING, "postrmagic_core.sessions"):
            thief = strict.load(stolen)
        assert thief.is_new
        assert strict.is_dead(current)
        assert [(incident.kind, incident.action, incident.user_id) for incident in told] == [
            ("reused", "revoked", "alice")
        ]
        assert thief.incident == told[0]
        assert caplog.records[0].event == "session.reused"  # type: ignore[attr-defined]  # an extra of the record
        assert not any(secret in caplog.text + str(told) for secret in (stolen, str(current)))

    def test_an_id_is_renewed_and_the_old_one_is_good_for_a_grace(self, face: Face, clock: Any) -> None:
        """The same session under both; who still sends the old one is given the new one again."""
        first = face.begun("alice", a=1)
        clock.advance(HOUR - 2 * MINUTE)
        assert face.save(face.load(first)) is None
        clock.advance(2 * MINUTE)
        offered = face.load(first)
        second = face.save(offered)
        assert second not in {None, "", first}
        assert offered.id == second
        parallel = face.load(first)
        assert face.save(parallel) == second
        renewed = face.load(second)
        renewed.data["b"] = 2
        assert face.save(renewed) is None
        late = face.load(first)
        late.data["c"] = 3
        assert face.save(late) == second
        found = face.load(second)
        assert (found.data, found.anchor) == ({"a": 1, "b": 2, "c": 3}, offered.anchor)
        assert face.save(found) is None

    def test_a_renewal_whose_answer_was_lost_logs_nobody_out(self, face: Face, clock: Any) -> None:
        """The old id counts until the new one is used, however long that takes."""
        strict = face.also(rotation_grace=0)
        first = strict.begun("alice", a=1)
        clock.advance(HOUR)
        lost = strict.save(strict.load(first))
        clock.advance(HOUR)
        again = strict.load(first)
        assert again.data == {"a": 1}
        assert strict.save(again) == lost

    def test_a_row_put_back_as_it_was_is_told(self, face: Face, store: Store, clock: Any) -> None:
        """A session as it was two renewals ago is not what its client holds."""
        cookie = face.begun("alice", a=1)
        session = face.load(cookie)
        [earlier] = store.get([session.anchor])
        assert earlier is not None
        for _ in range(2):
            clock.advance(HOUR)
            cookie = face.save(face.load(cookie))
            face.save(face.load(cookie))
            clock.advance(HOUR)
        store.set({session.anchor: earlier}, 60_000)
        found = face.load(cookie)
        assert found.is_new
        assert found.incident.kind == "rolled_back"

    @pytest.mark.parametrize(
        ("client", "reason"),
        [
            (Client(LAPTOP.address, PHONE.agent), "the agent was Firefox on Linux and is Safari on iOS"),
            (Client(PHONE.address, LAPTOP.agent), "the network was 203.0.113.0/24 and is 2001:db8:1::/48"),
        ],
    )
    def test_a_session_used_from_another_place_is_told_once(self, face: Face, client: Client, reason: str) -> None:
        """And remembered there; a newer browser or a neighbouring address is no other place."""
        cookie = face.begun("alice", client=LAPTOP)
        near = Client("203.0.113.200", str(LAPTOP.agent).replace("140", "141"))
        assert face.load(cookie, near).incident is None
        moved = face.load(cookie, client)
        assert (moved.user_id, moved.incident.action, moved.incident.reasons) == ("alice", "logged", (reason,))
        assert reason in str(moved.incident)
        face.save(moved)
        assert face.load(cookie, client).incident is None

    @pytest.mark.parametrize("binding", [Binding(agent="revoke"), Binding(agent="off", network="revoke")])
    def test_it_is_ended_where_the_binding_says_so(self, face: Face, binding: Binding) -> None:
        """For its rightful client too; who sends neither address nor agent is not judged."""
        bound = face.also(binding=binding)
        cookie = bound.begun("alice", client=LAPTOP)
        assert bound.load(cookie).user_id == "alice"
        assert bound.load(cookie, Client()).user_id == "alice"
        thief = bound.load(cookie, PHONE)
        assert (thief.is_new, thief.incident.kind, thief.incident.action) == (True, "moved", "revoked")
        assert bound.load(cookie, LAPTOP).is_new

    def test_a_visitor_without_a_name_is_bound_to_no_place(self, face: Face) -> None:
        """Nobody is there to be impersonated."""
        bound = face.also(binding=Binding("revoke", "revoke"))
        cookie = bound.begun(client=LAPTOP, cart=[1])
        assert bound.load(cookie, PHONE).data == {"cart": [1]}

    @pytest.mark.parametrize("place", [0, 20, 58, 62, -1])
    def test_an_id_changed_in_any_place_is_refused_unasked(
        self, face: Face, place: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its signature is wrong, and the store is not asked."""
        letters = list(face.begun(a=1))
        letters[place] = "B" if letters[place] == "A" else "A"
        monkeypatch.setattr(face.sessions.store, "get", lambda keys: pytest.fail("the store was asked"))
        assert face.is_dead("".join(letters))
