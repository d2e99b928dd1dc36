"""Sessions in a store, around the application: what of them the shop uses."""

import atexit
from contextlib import ExitStack

from flask import Flask, g
from postrmagic_core import Pipeline
from postrmagic_core.integrations.flask import install
from postrmagic_core.limits import RateLimiter
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.rate_limit import by_address, rate_limit
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.sessions import KeyRing, Session, SessionStore
from postrmagic_core.stores import open_store
from pydantic import BaseModel


class Visit(BaseModel):
    """What a session keeps; every field has a default, for who comes new."""

    cart: list[str] = []


def use_sessions(app: Flask, url: str, secret: str) -> SessionStore[Visit]:
    """Keep sessions in the store at ``url``; what is opened is closed at exit, or by ``app.extensions["visits"]``."""
    opened = app.extensions["visits"] = ExitStack()
    atexit.register(opened.close)
    store = open_store(url)  # it connects with the first request, in each process
    opened.callback(store.close)
    kept = opened.enter_context(SessionStore(store, KeyRing([secret]), Visit, namespace="shop"))
    limiter = opened.enter_context(RateLimiter(store, namespace="shop"))
    install(
        app,
        Pipeline(
            [
                errors(),
                rate_limit(limiter, "5/minute", by=by_address(), routes=["POST /login"]),
                sessions(kept),
            ]
        ),
    )
    return kept


def session() -> Session[Visit]:
    """The session of this request."""
    found: Session[Visit] = g.postrmagic.session.get()
    return found
