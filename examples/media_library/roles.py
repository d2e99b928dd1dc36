"""Who may do what here: the roles, and the scopes by which applications of others get a part of it.

What each operation needs stands at it; what is declared nowhere is denied.
"""

from __future__ import annotations

from postrmagic_core.security import Access, Role, Roles
from postrmagic_core.security.access_tokens import not_by_token
from postrmagic_core.security.oauth import Scope, Scopes

USER, ADMIN = "user", "admin"

ROLES = Roles(
    [
        Role(
            USER,
            allow=["media:create", "media:read:own", "media:edit:own", "media:delete:own"],
            about="Has a library of their own. Everybody gets it at sign-up; without it an account is suspended.",
        ),
        Role(
            ADMIN,
            inherits=[USER],
            allow=["user:read", "user:grant", "audit:read", "observability:read", "observability:act"],
            keep_one=True,
            about="Sees who has which role and why, and changes it, and how the application does; sees nobody else's "
            "posters.",
        ),
    ],
    permissions=[
        "media:create",
        "media:read",
        "media:edit",
        "media:delete",
        "user:read",
        "user:grant",
        "audit:read",
        "account:manage",
        "notification:read",
        "observability:read",
        "observability:act",
    ],
)

# None of them is for the account: an application that could manage it could let itself do anything.
SCOPES = Scopes(
    [
        Scope("media.read", ["media:read:own"], "See your posters, their tags and figures"),
        Scope("media.write", ["media:create", "media:edit:own", "media:delete:own"], "Add, change and delete posters"),
        Scope("notifications.read", ["notification:read"], "Read your notifications, and mark them as read"),
        Scope("accounts.read", ["user:read"], "See who has an account here and which roles, if you may"),
    ]
)


def decide(access: Access) -> None:
    """Let everybody read what they are told, and manage their own account: suspended or not, the latter by no token.

    A token that could manage the account could make itself another.
    """
    access.policy("notification:read")(_whoever)
    access.policy("account:manage")(not_by_token)


def _whoever(who: object, obj: object = None) -> bool:
    return True


# Before anybody is logged in, beside what the interface says of itself.
PUBLIC = ["/", "GET /static/*", "GET /oauth/authorize"]

# The dashboard asks besides whether one may act.
RULES = {"/observability": "observability:read", "/observability/*": "observability:read"}
