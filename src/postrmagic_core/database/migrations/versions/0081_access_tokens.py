"""pm_access_tokens: what scripts of users use the API with."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import BinaryKey, Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0081"
down_revision = "0080"


def upgrade() -> None:
    create_table(
        "pm_access_tokens",
        Column("id", Key(16), primary_key=True),
        Column("digest", BinaryKey(32), nullable=False),
        Column("user_id", Key(190), nullable=False),
        Column("name", Key(256), nullable=False),
        Column("permissions", Blob()),
        Column("created_us", Micros(), nullable=False),
        Column("expires_us", Micros(), nullable=False),
        Column("used_us", Micros()),
        Column("revoked_us", Micros()),
    )


def downgrade() -> None:
    drop_table("pm_access_tokens")
