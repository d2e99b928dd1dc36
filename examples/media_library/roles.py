"""Who may do what here: the roles, and what each route needs. What is declared nowhere is denied."""

from __future__ import annotations

from postrmagic_core.security.access import Role, Roles

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
            allow=["user:read", "user:grant", "audit:read"],
            keep_one=True,
            about="Sees who has which role and why, and changes it; sees nobody else's posters.",
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
    ],
)

# The permission that each route needs. Where it ends in ":own", the library then asks about the medium itself.
GUARDED = {
    "GET /api/v1/media": "media:read:own",
    "POST /api/v1/media": "media:create",
    "GET /api/v1/media/*": "media:read:own",
    "PATCH /api/v1/media/*": "media:edit:own",
    "DELETE /api/v1/media/*": "media:delete:own",
    "GET /api/v1/tags": "media:read:own",
    "GET /api/v1/stats": "media:read:own",
    "GET /api/v1/admin/users": "user:read",
    "GET /api/v1/admin/users/*": "user:read",
    "PUT /api/v1/admin/users/*": "user:grant",
    "DELETE /api/v1/admin/users/*": "user:grant",
    "GET /api/v1/admin/audit": "audit:read",
}

# For whoever is logged in, suspended or not: one's own account.
SIGNED_IN = [
    "GET /api/v1/notifications",
    "POST /api/v1/notifications/read",
    "POST /api/v1/account/password",
    "GET /api/v1/account/factor",
    "POST /api/v1/account/factor",
    "DELETE /api/v1/account/factor",
    "POST /api/v1/account/factor/confirm",
    "POST /api/v1/account/recovery-codes",
    "GET /api/v1/account/devices",
    "DELETE /api/v1/account/devices",
    "DELETE /api/v1/account/devices/*",
]

# Before anybody is logged in. `me` answers nobody with 401 itself: every visit begins with that question.
PUBLIC = [
    "/",
    "GET /static/*",
    "GET /health",
    "GET /api/v1/me",
    "POST /api/v1/signup",
    "POST /api/v1/login",
    "POST /api/v1/login/second-factor",
    "POST /api/v1/logout",
    "POST /api/v1/password-reset",
]
