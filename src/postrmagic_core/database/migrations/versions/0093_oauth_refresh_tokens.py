"""pm_oauth_refresh_tokens: what a client gets the next access token with."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import BinaryKey, Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0093"
down_revision = "0092"


def upgrade() -> None:
    create_table(
        "pm_oauth_refresh_tokens",
        Column("digest", BinaryKey(32), primary_key=True),
        Column("grant_id", Key(36), nullable=False),
        Column("expires_us", Micros(), nullable=False),
        Column("used_us", Micros()),
        Column("request_digest", BinaryKey(32)),
        Column("reply", Blob()),
        Column("reply_until_us", Micros()),
    )


def downgrade() -> None:
    drop_table("pm_oauth_refresh_tokens")
