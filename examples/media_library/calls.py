"""What operations ask of a call: who makes it, from where, in which session and in which language."""

from __future__ import annotations

from typing import Any

from postrmagic_core.api import Call
from postrmagic_core.errors import AccessDenied
from postrmagic_core.security import User as Identity
from postrmagic_core.validation.locales import negotiate

from .accounts import User
from .logins import Origin

LOCALES = ("en", "de")  # the first where the client asks for neither


async def session_of(call: Call) -> Any:
    """The session."""
    return await call.state["session"]


def user_of(call: Call) -> User:
    """The account of who asks; the operations that call this are guarded.

    :class:`AccessDenied` to an application that asks for itself (OAuth's client credentials): it has none.
    """
    user: User | None = call.state.get("user")
    if user is None:
        raise AccessDenied("who asks has no account here")
    return user


def identity_of(call: Call) -> Identity:
    """Who asks, with the roles they have now; the operations that call this are guarded."""
    identity: Identity = call.state["identity"]
    return identity


def origin_of(call: Call) -> Origin:
    """Where the call came from."""
    return Origin(call.client, call.state.get("device"))


def locale_of(call: Call) -> str:
    """The language in which whoever calls is told what is wrong."""
    return negotiate(call.headers.get("accept-language"), LOCALES)
