"""pm_login_tokens: links to reset a password or to prove an address, each good once."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import BinaryKey, Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0070"
down_revision = "0066"


def upgrade() -> None:
    create_table(
        "pm_login_tokens",
        Column("digest", BinaryKey(32), primary_key=True),
        Column("purpose", Key(32), nullable=False),
        Column("user_id", Key(190), nullable=False),
        Column("detail", Blob()),
        Column("expires_us", Micros(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_login_tokens")
