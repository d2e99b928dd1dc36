"""Sessions alone: encrypted, typed, a new id at login, and dead after logout."""

import secrets

from pydantic import BaseModel

from postrmagic_core.sessions import KeyRing, SessionStore
from postrmagic_core.stores import open_store


class Visit(BaseModel):
    cart: list[int] = []


store = open_store("sqlite:///kv.db")
with SessionStore(store, KeyRing([secrets.token_urlsafe(32)]), Visit) as sessions:
    session = sessions.load(None)
    session.data.cart.append(7)
    cookie = sessions.save(session)
    session.login("alice")
    cookie, before = sessions.save(session), cookie
    print(sessions.load(before), sessions.load(cookie), sessions.load(cookie).data)
    sessions.revoke_all("alice")
    print(sessions.load(cookie))
store.close()
