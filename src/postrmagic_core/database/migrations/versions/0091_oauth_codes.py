"""pm_oauth_codes: what a browser brings a client, to be redeemed once."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import BinaryKey, Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0091"
down_revision = "0090"


def upgrade() -> None:
    create_table(
        "pm_oauth_codes",
        Column("digest", BinaryKey(32), primary_key=True),
        Column("client_id", Key(64), nullable=False),
        Column("user_id", Key(190), nullable=False),
        Column("redirect_uri", Blob(), nullable=False),
        Column("scopes", Blob(), nullable=False),
        Column("challenge", Key(43), nullable=False),
        Column("expires_us", Micros(), nullable=False),
        Column("redeemed_us", Micros()),
        Column("grant_id", Key(36)),
    )


def downgrade() -> None:
    drop_table("pm_oauth_codes")
