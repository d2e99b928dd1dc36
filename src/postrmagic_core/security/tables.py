"""The tables of accounts' security: one-time tokens, second factors, roles, the audit log, access tokens, and OAuth.

A user is named by the application's own id, as a text; the accounts themselves are the application's.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, Table

from .._sql.types import TABLE_OPTIONS, BinaryKey, Blob, Key, Micros

metadata = MetaData()

# A token is named by its HMAC, and its row deleted when it is redeemed: who deletes it has redeemed it.
login_tokens = Table(
    "pm_login_tokens",
    metadata,
    Column("digest", BinaryKey(32), primary_key=True),
    Column("purpose", Key(32), nullable=False),
    Column("user_id", Key(190), nullable=False),
    Column("detail", Blob()),
    Column("expires_us", Micros(), nullable=False),
    Index("ix_pm_login_tokens_user", "user_id", "purpose"),
    Index("ix_pm_login_tokens_expires", "expires_us"),
    **TABLE_OPTIONS,
)

# A sealed TOTP secret; last_step is the newest time step that was consumed, whatever the host's clock says.
authenticators = Table(
    "pm_authenticators",
    metadata,
    Column("user_id", Key(190), primary_key=True),
    Column("secret", Blob(), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("confirmed_us", Micros()),
    Column("last_step", BigInteger(), nullable=False),
    **TABLE_OPTIONS,
)

# A recovery code is named by its HMAC, and its row deleted when it is used.
recovery_codes = Table(
    "pm_recovery_codes",
    metadata,
    Column("user_id", Key(190), primary_key=True),
    Column("digest", BinaryKey(32), primary_key=True),
    **TABLE_OPTIONS,
)

# Who has which role; what a role may do is declared in code.
user_roles = Table(
    "pm_user_roles",
    metadata,
    Column("user_id", Key(190), primary_key=True),
    Column("role", Key(64), primary_key=True),
    Column("granted_us", Micros(), nullable=False),
    Index("ix_pm_user_roles_role", "role"),
    **TABLE_OPTIONS,
)

# Denials, and changes of who may do what: by whom (actor), to whom or what (subject).
audit = Table(
    "pm_audit",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("at_us", Micros(), nullable=False),
    Column("actor", Key(190)),
    Column("action", Key(64), nullable=False),
    Column("subject", Key(190)),
    Column("outcome", Key(16), nullable=False),
    Column("detail", Blob(), nullable=False),
    Index("ix_pm_audit_at", "at_us"),
    Index("ix_pm_audit_actor", "actor", "at_us"),
    Index("ix_pm_audit_subject", "subject", "at_us"),
    **TABLE_OPTIONS,
)

# An access token is found by the id that stands in it; of all of it only the SHA-256 is here.
access_tokens = Table(
    "pm_access_tokens",
    metadata,
    Column("id", Key(16), primary_key=True),
    Column("digest", BinaryKey(32), nullable=False),
    Column("user_id", Key(190), nullable=False),
    Column("name", Key(256), nullable=False),
    Column("permissions", Blob()),
    Column("created_us", Micros(), nullable=False),
    Column("expires_us", Micros(), nullable=False),
    Column("used_us", Micros()),
    Column("revoked_us", Micros()),
    Index("ix_pm_access_tokens_user", "user_id", "created_us"),
    Index("ix_pm_access_tokens_expires", "expires_us"),
    Index("ix_pm_access_tokens_revoked", "revoked_us"),
    **TABLE_OPTIONS,
)

# A program that asks for users' consent; its secret as SHA-256, none for one that cannot keep any (RFC 6749, 2.1).
oauth_clients = Table(
    "pm_oauth_clients",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("name", Key(256), nullable=False),
    Column("secret_digest", BinaryKey(32)),
    Column("redirect_uris", Blob(), nullable=False),
    Column("scopes", Blob(), nullable=False),
    Column("grant_types", Blob(), nullable=False),
    Column("introspects", BigInteger(), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("disabled_us", Micros()),
    **TABLE_OPTIONS,
)

# What a user allowed a client: every code and token of it is good as long as this is.
oauth_grants = Table(
    "pm_oauth_grants",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("client_id", Key(64), nullable=False),
    Column("user_id", Key(190)),
    Column("scopes", Blob(), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("expires_us", Micros(), nullable=False),
    Column("used_us", Micros()),
    Column("revoked_us", Micros()),
    Column("reason", Key(32)),
    Index("ix_pm_oauth_grants_user", "user_id", "created_us"),
    Index("ix_pm_oauth_grants_client", "client_id", "created_us"),
    Index("ix_pm_oauth_grants_expires", "expires_us"),
    Index("ix_pm_oauth_grants_revoked", "revoked_us"),
    **TABLE_OPTIONS,
)

# A code is named by its SHA-256, and kept after it was redeemed: who comes with it again ends what it gave.
oauth_codes = Table(
    "pm_oauth_codes",
    metadata,
    Column("digest", BinaryKey(32), primary_key=True),
    Column("client_id", Key(64), nullable=False),
    Column("user_id", Key(190), nullable=False),
    Column("redirect_uri", Blob(), nullable=False),
    Column("scopes", Blob(), nullable=False),
    Column("challenge", Key(43), nullable=False),
    Column("expires_us", Micros(), nullable=False),
    Column("redeemed_us", Micros()),
    Column("grant_id", Key(36)),
    Index("ix_pm_oauth_codes_expires", "expires_us"),
    **TABLE_OPTIONS,
)

# A refresh token is good for one use; the answer to it is kept, sealed, for as long as a client may ask again.
oauth_refresh_tokens = Table(
    "pm_oauth_refresh_tokens",
    metadata,
    Column("digest", BinaryKey(32), primary_key=True),
    Column("grant_id", Key(36), nullable=False),
    Column("expires_us", Micros(), nullable=False),
    Column("used_us", Micros()),
    Column("request_digest", BinaryKey(32)),
    Column("reply", Blob()),
    Column("reply_until_us", Micros()),
    Index("ix_pm_oauth_refresh_tokens_grant", "grant_id"),
    Index("ix_pm_oauth_refresh_tokens_expires", "expires_us"),
    Index("ix_pm_oauth_refresh_tokens_reply", "reply_until_us"),
    **TABLE_OPTIONS,
)
