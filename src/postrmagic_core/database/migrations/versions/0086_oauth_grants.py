"""pm_oauth_grants: what users allowed clients."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0086"
down_revision = "0085"


def upgrade() -> None:
    create_table(
        "pm_oauth_grants",
        Column("id", Key(36), primary_key=True),
        Column("client_id", Key(64), nullable=False),
        Column("user_id", Key(190)),
        Column("scopes", Blob(), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("expires_us", Micros(), nullable=False),
        Column("used_us", Micros()),
        Column("revoked_us", Micros()),
        Column("reason", Key(32)),
    )


def downgrade() -> None:
    drop_table("pm_oauth_grants")
