"""What sessions promise, the same on every store and either face."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
from pydantic import BaseModel

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError, EncodeError, NotOpen
from postrmagic_core.sessions import SessionStore
from postrmagic_core.sessions.policy import write_id
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock


def begun(face: Any, user_id: str | None = None, **data: Any) -> str:
    """The cookie of a new session with these data."""
    session = face.load(None)
    session.data.update(data)
    if user_id is not None:
        session.login(user_id)
    cookie = face.save(session)
    assert isinstance(cookie, str)
    return cookie


def test_nothing_is_stored_before_something_is_written(face: Any) -> None:
    """A visitor who only looks gets no row and no cookie."""
    session = face.load(None)
    assert session.is_new
    assert session.id is None
    assert face.save(session) is None
    assert session.is_new


def test_data_come_back_with_their_types(face: Any) -> None:
    """By the cookie that save() answered, and once it is set it stays."""
    when = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    cookie = begun(face, seen=when, cart=[1, (2, 3)])
    session = face.load(cookie)
    assert not session.is_new
    assert session.id == cookie
    assert session.data == {"seen": when, "cart": [1, (2, 3)]}
    session.data["cart"].append(4)
    assert face.save(session) is None
    assert face.load(cookie).data["cart"] == [1, (2, 3), 4]


def test_a_field_taken_away_is_gone(face: Any) -> None:
    """And no other."""
    cookie = begun(face, a=1, b=2)
    session = face.load(cookie)
    del session.data["a"]
    face.save(session)
    assert face.load(cookie).data == {"b": 2}


@pytest.mark.parametrize("cookie", ["", "x", "A" * 59, write_id(b"\x01" * 44), "../../etc/passwd", "A" * 10_000])
def test_an_id_that_a_client_chose_is_never_adopted(face: Any, cookie: str) -> None:
    """Malformed or merely unknown: the session is new, and is stored under another id (session fixation)."""
    session = face.load(cookie)
    assert session.is_new
    session.data["a"] = 1
    issued = face.save(session)
    assert issued not in {None, cookie}
    assert face.load(cookie).is_new
    assert face.load(issued).data == {"a": 1}


def test_login_changes_the_id_and_the_old_one_is_dead(face: Any) -> None:
    """What was gathered before stays; who knew the old id has nothing."""
    before = begun(face, cart=[1])
    session = face.load(before)
    session.login("alice")
    after = face.save(session)
    assert after not in {None, before}
    assert face.load(before).is_new
    found = face.load(after)
    assert (found.user_id, found.data) == ("alice", {"cart": [1]})


def test_another_user_gets_nothing_of_the_first(face: Any) -> None:
    """Logging in as somebody else begins with empty data."""
    session = face.load(begun(face, "alice", secret="hers"))
    session.login("bob")
    found = face.load(face.save(session))
    assert (found.user_id, found.data) == ("bob", {})


def test_login_keeps_what_parallel_requests_added(face: Any) -> None:
    """The old row is read again in the trip that takes the user's generation."""
    cookie = begun(face, a=1)
    logging_in, other = face.load(cookie), face.load(cookie)
    other.data["b"] = 2
    face.save(other)
    logging_in.login("alice")
    logging_in.data["c"] = 3
    assert face.load(face.save(logging_in)).data == {"a": 1, "b": 2, "c": 3}


def test_logout_is_final(face: Any) -> None:
    """A request in flight that saves afterwards is refused: nothing comes back, and its cookie is left alone."""
    cookie = begun(face, "alice", a=1)
    leaving, in_flight, reading = face.load(cookie), face.load(cookie), face.load(cookie)
    leaving.logout()
    assert face.save(leaving) == ""
    in_flight.data["a"] = 2
    assert face.save(in_flight) is None
    assert in_flight.ended
    assert face.save(in_flight) is None
    assert face.save(reading) is None
    assert face.load(cookie).is_new


def test_data_set_after_a_logout_begin_a_new_session(face: Any) -> None:
    """A farewell message has its own, anonymous session; the old one is gone."""
    cookie = begun(face, "alice", secret="hers")
    session = face.load(cookie)
    session.logout()
    session.data["message"] = "bye"
    farewell = face.save(session)
    assert farewell not in {None, "", cookie}
    assert face.load(cookie).is_new
    found = face.load(farewell)
    assert (found.user_id, found.data) == (None, {"message": "bye"})


def test_delete_ends_a_session_now(face: Any) -> None:
    """Without waiting for save()."""
    cookie = begun(face, a=1)
    face.delete(face.load(cookie))
    assert face.load(cookie).is_new


def test_revoking_a_user_ends_all_their_sessions(face: Any) -> None:
    """On every device, also one that a request in flight saves afterwards; no one else's, and they may log in again."""
    cookies = [begun(face, "alice", device=number) for number in range(3)]
    bobs = begun(face, "bob")
    in_flight = face.load(cookies[0])
    face.revoke_all("alice")
    in_flight.data["a"] = 1
    face.save(in_flight)
    assert [face.load(cookie).is_new for cookie in cookies] == [True] * 3
    assert face.load(bobs).user_id == "bob"
    assert face.load(begun(face, "alice")).user_id == "alice"


def test_a_lost_generation_ends_sessions_and_revives_none(face: Any, store: Store) -> None:
    """Evicted between the logins: those before it are dead for good."""
    cookie = begun(face, "alice")
    store.delete(face.sessions.procedures._vault.guards("alice"))
    assert face.load(cookie).is_new
    begun(face, "alice")
    assert face.load(cookie).is_new


def test_parallel_requests_keep_each_others_fields(face: Any) -> None:
    """Twenty requests load, each adds a field, all save: all twenty are there."""
    cookie = begun(face, start=0)
    sessions = [face.load(cookie) for _ in range(20)]
    for number, session in enumerate(sessions):
        session.data[f"field{number}"] = number
        assert face.save(session) is None
    assert face.load(cookie).data == {"start": 0, **{f"field{number}": number for number in range(20)}}


def test_a_second_save_does_not_undo_what_others_saved_between(face: Any) -> None:
    """What this request never saw it does not take away."""
    cookie = begun(face, a=1)
    mine, other = face.load(cookie), face.load(cookie)
    other.data["b"] = 2
    face.save(other)
    mine.data["c"] = 3
    face.save(mine)
    mine.data["d"] = 4
    face.save(mine)
    assert face.load(cookie).data == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_a_read_only_request_reads_once_and_writes_nothing(
    face: Any, monkeypatch: pytest.MonkeyPatch, store: Store, frozen_clock: FakeClock
) -> None:
    """Until the touch interval has passed; then it prolongs the session once."""
    cookie = begun(face, a=1)
    revisions = []
    for seconds in (0, 59.9, 0.1, 0):
        frozen_clock.advance(seconds)
        session = face.load(cookie)
        face.save(session)
        [key] = face.sessions.procedures._vault.rows(_raw(cookie))
        [blob] = store.get([key])
        assert blob is not None
        revisions.append(int.from_bytes(blob[:8], "big"))
    assert revisions == [1, 1, 2, 2]


def _raw(cookie: str) -> bytes:
    from postrmagic_core.sessions.policy import read_id

    raw = read_id(cookie)
    assert raw is not None
    return raw


def test_neither_id_nor_data_nor_user_can_be_read_in_the_store(face: Any, store: Store) -> None:
    """Who reads the store can forge no cookie and learns nothing."""
    cookie = begun(face, "alice@example.org", secret="canary-in-data")
    vault = face.sessions.procedures._vault
    keys = [*vault.rows(_raw(cookie)), *vault.guards("alice@example.org")]
    kept = b"".join(value or b"" for value in store.get(keys)) + b"".join(keys)
    for secret in (cookie.encode(), _raw(cookie), _raw(cookie)[12:], b"alice", b"canary"):
        assert secret not in kept


def test_planted_bytes_are_absent_and_told(face: Any, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """What would run code in another library is inert: no session, and a security event."""
    cookie = begun(face, a=1)
    [key] = face.sessions.procedures._vault.rows(_raw(cookie))
    for planted in (b"cos\nsystem\n(S'touch canary'\ntR.", b"", b"12345678", b"\x00" * 100):
        store.set({key: planted}, None)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "postrmagic_core.sessions"):
            assert face.load(cookie).is_new
        assert [record.getMessage() for record in caplog.records] == ["session.seal_broken"]
        assert cookie not in caplog.text


class Visit(BaseModel):
    """Typed data."""

    cart: list[int] = []
    since: dt.datetime | None = None


class LaterVisit(BaseModel):
    """The same after a deploy: one field fewer, one more."""

    cart: list[int] = []
    theme: str = "dark"


class Incompatible(BaseModel):
    """The same after a careless deploy."""

    cart: bool = False


def test_typed_data_come_back_typed_and_survive_a_deploy(store: Store, ring: KeyRing) -> None:
    """A field that the new version does not know is kept for the old one; data that do not fit are absent."""
    with SessionStore(store, ring, Visit) as sessions, SessionStore(store, ring, LaterVisit) as later:
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
    with SessionStore(store, ring, Incompatible) as careless:
        assert careless.load(cookie).is_new


def test_data_without_a_lossless_encoding_are_refused(face: Any) -> None:
    """At save(), and nothing of it is stored."""
    session = face.load(None)
    session.data["a"] = object()
    with pytest.raises(EncodeError, match="object"):
        face.save(session)
    session.data.clear()
    session.data[1] = 1
    with pytest.raises(EncodeError, match="strings"):
        face.save(session)


def test_what_sessions_cannot_work_with_is_refused(store: Store, ring: KeyRing) -> None:
    """A model that a new visitor cannot have, another type, time-outs that contradict each other, no open()."""

    class Needy(BaseModel):
        name: str

    with pytest.raises(ConfigurationError, match="give name a default"):
        SessionStore(store, ring, Needy)
    with pytest.raises(ConfigurationError, match="pydantic model or a dict"):
        SessionStore(store, ring, list)
    with pytest.raises(ValueError, match="touch_interval < idle_timeout <= absolute_timeout"):
        SessionStore(store, ring, idle_timeout=60, absolute_timeout=30)
    with pytest.raises(ValueError, match="user's id"), SessionStore(store, ring) as sessions:
        sessions.load(None).login("")
    with pytest.raises(NotOpen):
        SessionStore(store, ring).load(None)


def test_a_session_shows_no_secret(face: Any) -> None:
    """Its text names neither id nor data."""
    session = face.load(begun(face, "alice", a="canary"))
    assert repr(session) == "<Session stored, logged in>"
    assert repr(face.load(None)) == "<Session new>"
