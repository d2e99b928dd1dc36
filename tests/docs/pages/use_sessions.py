"""A key, a cookie, and a store."""

from __future__ import annotations

import secrets

from postrmagic_core.sessions import Client
from postrmagic_core.stores import open_store
from tests.docs.playing import Page


def play(page: Page) -> None:
    """A session is kept; devices are told, and ended; what an older version wrote is read."""
    page.instead["redis://localhost/1"] = page.urls["redis"]
    page.names.update(key=secrets.token_urlsafe(48), cookie=None)
    shown = page.run(1)
    sessions, visit = shown["sessions"], shown["value"]
    assert sessions.load(visit).data.cart == [7]
    other, session = (
        sessions.load(cookie, Client(address="203.0.113.7", agent="Mozilla/5.0")) for cookie in (None, visit)
    )
    for each in (other, session):  # on two devices
        each.login("alice")
        sessions.save(each)
    page.names["session"] = session
    (page.names["device_id"],) = (
        device.id for device in sessions.devices("alice", current=session) if not device.is_current
    )
    page.run(1)
    assert not sessions.devices("alice")
    fresh = sessions.load(None)
    fresh.data.cart.append(9)
    cookie = sessions.save(fresh)
    store = open_store(page.urls["redis"])
    page.names.update(store=store, cookie=cookie, tell_the_user=lambda incident: None)
    shown = page.run()
    with shown["later"] as later, shown["bound"], sessions:
        assert later.load(cookie).data.cart == {"9": 1}
    assert shown["small"].load(None).is_new
