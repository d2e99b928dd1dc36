"""Sealed rows: tampered, cut, moved or rolled to another key, a session is absent or whole, never wrong."""

from __future__ import annotations

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store

OLD_KEY = "an-old-master-value-0123456789-abcdefghij"
NEW_KEY = "the-next-master-value-9876543210-klmnopqr"


def started(sessions: SessionStore[dict[str, object]], user_id: str | None = None, **data: object) -> tuple[str, bytes]:
    """A new session's cookie and its row's key."""
    session = sessions.load(None)
    session.data.update(data)
    if user_id is not None:
        session.login(user_id)
    cookie = sessions.save(session)
    assert cookie is not None
    assert session.anchor is not None
    return cookie, session.anchor


def test_a_blob_flipped_or_cut_at_any_byte_is_absent(store: Store, ring: KeyRing) -> None:
    """The revision in front is authenticated too; other sessions are fine; the original still opens."""
    with SessionStore(store, ring) as sessions:
        cookie, key = started(sessions, a=1)
        other, _ = started(sessions, b=2)
        [blob] = store.get([key])
        assert blob is not None
        for place in range(len(blob)):
            flipped = bytearray(blob)
            flipped[place] ^= 0x01
            for damaged in (bytes(flipped), blob[:place]):
                store.set({key: damaged}, None)
                assert sessions.load(cookie).is_new
        assert sessions.load(other).data == {"b": 2}
        store.set({key: blob}, None)
        assert sessions.load(cookie).data == {"a": 1}


def test_a_blob_moved_to_another_id_is_absent(store: Store, ring: KeyRing) -> None:
    """Who can write the store cannot give their session to another's cookie, nor take it."""
    with SessionStore(store, ring) as sessions:
        mine, my_key = started(sessions, owner="mallory")
        hers, her_key = started(sessions, owner="alice")
        [my_blob, her_blob] = store.get([my_key, her_key])
        assert my_blob is not None
        assert her_blob is not None
        store.set({my_key: her_blob, her_key: my_blob}, None)
        assert sessions.load(mine).is_new
        assert sessions.load(hers).is_new


def test_a_save_that_meets_a_broken_blob_is_refused(store: Store, ring: KeyRing) -> None:
    """Merging with what does not open is not tried, and it is not written over."""
    with SessionStore(store, ring) as sessions:
        cookie, key = started(sessions, a=1)
        session = sessions.load(cookie)
        store.set({key: b"8 bytes!" + bytes(60)}, None)
        session.data["a"] = 2
        assert sessions.save(session) is None
        assert session.ended
        assert store.get([key]) == [b"8 bytes!" + bytes(60)]


def test_a_key_is_rotated_without_a_logout(store: Store) -> None:
    """New key first: old sessions are read and sealed anew at the next write; revoking reaches both."""
    with SessionStore(store, KeyRing([OLD_KEY])) as before:
        cookie, key = started(before, "alice", a=1)
        other, _ = started(before, "alice")
    both = KeyRing([NEW_KEY, OLD_KEY])
    with SessionStore(store, both) as during:
        session = during.load(cookie)
        assert session.data == {"a": 1}
        session.data["a"] = 2
        during.save(session)
        [blob] = store.get([key])
        assert blob is not None
        assert both.is_current(blob[8:])
        assert during.load(cookie).data == {"a": 2}
        newer, _ = started(during, "alice")
        during.revoke_all("alice")
        assert [during.load(one).is_new for one in (cookie, other, newer)] == [True] * 3


@pytest.mark.parametrize("keys", [[NEW_KEY], [NEW_KEY, "a-third-master-value-0246813579-stuvwxyz"]])
def test_a_session_of_an_unknown_key_is_absent(keys: list[str], store: Store) -> None:
    """A key taken from the ring ends what it sealed."""
    with SessionStore(store, KeyRing([OLD_KEY])) as before:
        cookie, _ = started(before, a=1)
    with SessionStore(store, KeyRing(keys)) as after:
        assert after.load(cookie).is_new
