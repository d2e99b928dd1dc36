"""pm_recovery_codes: what lets a user in who has lost the second factor."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import BinaryKey, Key
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0074"
down_revision = "0073"


def upgrade() -> None:
    create_table(
        "pm_recovery_codes",
        Column("user_id", Key(190), primary_key=True),
        Column("digest", BinaryKey(32), primary_key=True),
    )


def downgrade() -> None:
    drop_table("pm_recovery_codes")
