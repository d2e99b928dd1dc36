"""What a session keeps: data with their types, of every request what it changed, messages, models that grow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from postrmagic_core.errors import EncodeError
from postrmagic_core.sessions import Flash
from postrmagic_core.stores import Store

from .session_rig import Face


class Visit(BaseModel):
    """Typed data."""

    cart: list[int] = []
    since: dt.datetime | None = None


class LaterVisit(BaseModel):
    """The same after a release: one field fewer, one more."""

    cart: list[int] = []
    theme: str = "dark"


class Basket(BaseModel):
    """Version 2: how many of what."""

    cart: dict[str, int] = {}


class Incompatible(BaseModel):
    """The same after a careless release."""

    cart: bool = False


def to_basket(version: int, data: dict[str, Any]) -> Mapping[str, Any]:
    """From a list of things to counts of them."""
    assert version == 1
    return {"cart": {str(thing): data["cart"].count(thing) for thing in data["cart"]}}


class DataPromises:
    """Saving and loading."""

    def test_nothing_is_stored_before_something_is_written(self, face: Face) -> None:
        """A visitor who only looks gets no row and no cookie."""
        session = face.load(None)
        assert session.is_new
        assert (session.id, session.anchor, session.user_id) == (None, None, None)
        assert face.save(session) is None
        assert session.is_new

    def test_data_come_back_with_their_types(self, face: Face) -> None:
        """By the cookie that save() answered, and once it is set it stays."""
        when = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        cookie = face.begun(seen=when, cart=[1, (2, 3)])
        session = face.load(cookie)
        assert not session.is_new
        assert session.id == cookie
        assert session.data == {"seen": when, "cart": [1, (2, 3)]}
        session.data["cart"].append(4)
        assert face.save(session) is None
        assert face.load(cookie).data["cart"] == [1, (2, 3), 4]

    def test_a_field_taken_away_is_gone(self, face: Face) -> None:
        """And no other."""
        cookie = face.begun(a=1, b=2)
        session = face.load(cookie)
        del session.data["a"]
        face.save(session)
        assert face.load(cookie).data == {"b": 2}

    def test_parallel_requests_keep_each_others_fields(self, face: Face) -> None:
        """Twenty requests load, each adds a field, all save: all twenty are there."""
        cookie = face.begun(start=0)
        sessions = [face.load(cookie) for _ in range(20)]
        for number, session in enumerate(sessions):
            session.data[f"field{number}"] = number
            assert face.save(session) is None
        assert face.load(cookie).data == {"start": 0, **{f"field{number}": number for number in range(20)}}

    def test_a_second_save_does_not_undo_what_others_saved_between(self, face: Face) -> None:
        """What this request never saw it does not take away."""
        cookie = face.begun(a=1)
        mine, other = face.load(cookie), face.load(cookie)
        other.data["b"] = 2
        face.save(other)
        mine.data["c"] = 3
        face.save(mine)
        mine.data["d"] = 4
        face.save(mine)
        assert face.load(cookie).data == {"a": 1, "b": 2, "c": 3, "d": 4}

    def test_a_message_is_for_the_next_page_that_asks(self, face: Face) -> None:
        """Once, with its category, the oldest first; a page that does not ask leaves it there."""
        cookie = face.begun(a=1)
        session = face.load(cookie)
        session.flash("saved")
        session.flash("but not all of it", "warning")
        face.save(session)
        face.save(face.load(cookie))
        shown = face.load(cookie)
        assert shown.flashes() == [Flash("saved"), Flash("but not all of it", "warning")]
        assert shown.flashes() == []
        face.save(shown)
        assert face.load(cookie).flashes() == []
        assert face.load(cookie).data == {"a": 1}

    def test_messages_of_parallel_requests_are_all_kept(self, face: Face) -> None:
        """Also where a third request has shown those before them."""
        cookie = face.begun(a=1)
        one, two = face.load(cookie), face.load(cookie)
        one.flash("one")
        two.flash("two")
        face.save(one)
        shown = face.load(cookie)
        assert shown.flashes() == [Flash("one")]
        face.save(two)
        face.save(shown)
        assert face.load(cookie).flashes() == [Flash("two")]

    def test_a_message_alone_begins_a_session(self, face: Face) -> None:
        """A visitor who is told something is remembered until they were."""
        session = face.load(None)
        session.flash("welcome")
        cookie = face.save(session)
        assert face.load(cookie).flashes() == [Flash("welcome")]

    def test_data_without_a_lossless_encoding_are_refused(self, face: Face) -> None:
        """At save(), and nothing of it is stored."""
        session = face.load(None)
        session.data["a"] = object()
        with pytest.raises(EncodeError, match="object"):
            face.save(session)
        for name in (1, "\x00flash:1"):
            session.data.clear()
            session.data[name] = 1
            with pytest.raises(EncodeError, match="strings"):
                face.save(session)

    def test_typed_data_survive_a_release(self, face: Face) -> None:
        """A field that the new version does not know is kept for the old one; data that do not fit are absent."""
        sessions, later = face.also(Visit), face.also(LaterVisit)
        session = sessions.load(None)
        session.data.cart.append(7)
        session.data.since = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        cookie = sessions.save(session)
        newer = later.load(cookie)
        assert newer.data == LaterVisit(cart=[7], theme="dark")
        newer.data.theme = "light"
        later.save(newer)
        assert sessions.load(cookie).data == session.data
        assert later.load(cookie).data.theme == "light"
        careless = face.also(Incompatible).load(cookie)
        assert careless.is_new
        assert careless.incident.kind == "data_unreadable"

    def test_data_of_an_earlier_version_are_migrated_once(self, face: Face) -> None:
        """At the first request after the release, which saves them; others of that moment lose nothing."""
        earlier, later = face.also(Visit), face.also(Basket, version=2, migrate=to_basket)
        session = earlier.load(None)
        session.data.cart.extend([7, 7, 9])
        cookie = earlier.save(session)
        one, two = later.load(cookie), later.load(cookie)
        assert one.data == Basket(cart={"7": 2, "9": 1})
        later.save(one)
        later.save(two)
        unmigrated = face.also(Basket, version=2, migrate=lambda version, data: pytest.fail("migrated again"))
        assert unmigrated.load(cookie).data == Basket(cart={"7": 2, "9": 1})

    def test_data_that_cannot_be_migrated_are_absent_and_kept(self, face: Face) -> None:
        """The release is taken back, and the session is as it was."""

        def fail(version: int, data: dict[str, Any]) -> Mapping[str, Any]:
            raise KeyError("careless")

        earlier = face.also(Visit)
        session = earlier.load(None)
        session.data.cart.append(7)
        cookie = earlier.save(session)
        broken = face.also(Basket, version=2, migrate=fail).load(cookie)
        assert broken.is_new
        assert "version 1" in str(broken.incident)
        assert earlier.load(cookie).data.cart == [7]

    def test_a_request_that_only_reads_writes_nothing(self, face: Face, store: Store, clock: Any) -> None:
        """Until the touch interval has passed; then it prolongs the session once."""
        cookie = face.begun(a=1)
        revisions = []
        for seconds in (0, 59.9, 0.1, 0):
            clock.advance(seconds)
            session = face.load(cookie)
            face.save(session)
            [blob] = store.get([session.anchor])
            assert blob is not None
            revisions.append(int.from_bytes(blob[:8], "big"))
        assert revisions == [1, 1, 2, 2]
