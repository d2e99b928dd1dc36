"""Who asks, by a token or the session's cookie; and the cookie by which a device is known that has logged in before."""

from __future__ import annotations

from typing import Any

from postrmagic_core.api.specification import PAGES
from postrmagic_core.middleware import Layer, Middleware, Request, middleware
from postrmagic_core.middleware.authentication import REFUSED, Authenticate, Refused
from postrmagic_core.middleware.bearer import bearer_tokens, owner
from postrmagic_core.security import User as Identity
from postrmagic_core.security.access_tokens import VerifiedToken
from postrmagic_core.security.oauth import VerifiedAccess

from .application import Application
from .specification import SPECIFICATION

# A device that has logged in to an account is told apart from those that guess; it logs nobody in.
DEVICE, DEVICE_SECONDS = "device", 90 * 86_400
_REFERENCE = frozenset(f"{SPECIFICATION.base}/{page}" for page in PAGES)
_TAKEN = (
    "You were logged out because somebody used an old key to your session: a copy of it may be in other hands. "
    "Log in, look at your devices, and change your password."
)
_MOVED = "You were logged out because your session was used from another place."
_CHANGED = "You were logged out because your password was changed."
# What is for some alone.
_ASKED = ("/api/", "/observability")


def who_asks(application: Application) -> Authenticate:
    """The function that finds a request's identity: whose token or session it is, with the roles they have now."""
    stack = application.stack
    accounts, logins = application.accounts, application.logins

    security = stack.security
    sources: list[Any] = [security.access_tokens, *([security.oauth] if security.has_oauth else [])]
    tokens = bearer_tokens(*sources, audit=security.audit)

    async def by_token(request: Request, verified: VerifiedToken | VerifiedAccess) -> Identity | Refused:
        """Who sends a token is asked by it alone, whatever cookies come along. An application for itself has none."""
        if verified.user_id is not None:
            user = await accounts.of_key(request.face(stack.database), verified.user_id)
            if user is None:
                return REFUSED
            request.state["user"] = user
        return await owner(request, security.access, verified)

    async def who(request: Request) -> Identity | Refused | None:
        # The page and its parts, and the reference, are everybody's: they need no session, and may be cached.
        if not request.path.startswith(_ASKED) or request.path in _REFERENCE:
            return None
        sent = await tokens(request)
        if sent is not None:
            return sent if isinstance(sent, Refused) else await by_token(request, sent)
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
    """Tell by which token the browser is known, and leave that of ``request.state["device_token"]`` with it.

    It opens nothing.
    """
    name, flags = (f"__Host-{DEVICE}", "; Secure") if secure else (DEVICE, "")

    @middleware(name="known_devices", before=["sessions"])
    def layer(request: Request) -> Layer:
        request.state["device"] = request.cookies.get(name)
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
