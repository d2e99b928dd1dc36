"""What the HTTP interface promises, written down without a database: ``postrmagic api describe`` prints it."""

from __future__ import annotations

from postrmagic_core.api import Specification
from postrmagic_core.api.versions import Version, Versions

from .account_api import AccountApi, LoginApi
from .admin_api import AdminApi
from .authorization_api import AuthorizationApi
from .examples import EXAMPLES
from .media_api import MediaApi
from .problems import PROBLEMS
from .token_api import TokenApi

VERSIONS = Versions([Version("1")])

SPECIFICATION = Specification(
    [MediaApi, LoginApi, AccountApi, TokenApi, AuthorizationApi, AdminApi],
    title="PostrMagic media library",
    version="1.0.0",
    problems=PROBLEMS,
    description=(
        "A library of event posters: upload them, tag them, find them.\n\n"
        "Every answer has its data under ``data``; a list has the cursor of its next page under ``next``, or null; "
        "what is told beside stands under ``meta``. What goes wrong is told by a problem document (RFC 9457), whose "
        "``code`` is stable.\n\n"
        "Scripts send a token, made by POST /tokens, as ``Authorization: Bearer …``. Applications of others get theirs "
        "by OAuth 2.0, as ``/.well-known/oauth-authorization-server`` tells (RFC 8414), and do what a user allowed, no "
        "more. Browsers log in and keep the cookie of their session. A POST may carry an ``Idempotency-Key``: sent "
        "again with the same one, it is answered as before, and nothing happens twice."
    ),
    security={
        "token": {"type": "http", "scheme": "bearer", "description": "A token made by POST /tokens, or by OAuth 2.0."},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session", "description": "After POST /login."},
    },
    examples=EXAMPLES,
)
