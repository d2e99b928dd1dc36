"""Who asks, by the session's cookie; and the cookie by which a device is known that has logged in before."""

from __future__ import annotations

from typing import Any

from postrmagic_core.middleware import Layer, Middleware, Request, middleware
from postrmagic_core.middleware.authentication import Authenticate
from postrmagic_core.security.access import User as Identity

from .application import Application
from .wire import DEVICE, DEVICE_SECONDS

_TAKEN = (
    "You were logged out because somebody used an old key to your session: a copy of it may be in other hands. "
    "Log in, look at your devices, and change your password."
)
_MOVED = "You were logged out because your session was used from another place."
_CHANGED = "You were logged out because your password was changed."


def who_asks(application: Application) -> Authenticate:
    """The function that finds a request's identity: whose session it is, with the roles they have now."""
    stack = application.stack
    accounts, logins = application.accounts, application.logins

    async def who(request: Request) -> Identity | None:
        # The page and its parts are everybody's: they need no session, and may be cached.
        if not request.path.startswith("/api/"):
            return None
        session = await request.state["session"]
        _tell(session)
        if session.user_id is None:
            return None
        face = request.face(stack.database)
        user = await accounts.of_session(face, session.user_id, logins.began_with(session))
        if user is None:
            session.logout()
            session.flash(_CHANGED, "warning")
            return None
        request.state["user"] = user
        identity: Identity = await request.face(stack.security.access).identity(user.key)
        return identity

    return who


def known_devices(*, secure: bool) -> Middleware:
    """Leave the token of ``request.state["device_token"]`` with the browser. It opens nothing."""
    name, flags = (f"__Host-{DEVICE}", "; Secure") if secure else (DEVICE, "")

    @middleware(name="known_devices", before=["sessions"])
    def layer(request: Request) -> Layer:
        head = yield
        token = request.state.get("device_token")
        if token is not None:
            head.add("set-cookie", f"{name}={token}; Path=/; Max-Age={DEVICE_SECONDS}; HttpOnly; SameSite=Lax{flags}")

    return layer


def _tell(session: Any) -> None:
    """Leave word for whoever was logged out for their own good."""
    incident = session.incident
    if incident is not None and incident.action == "revoked":
        session.flash(_TAKEN if incident.kind == "reused" else _MOVED, "warning")
