"""pm_alert_silences: what nobody is to be told of, until when."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0113"
down_revision = "0112"


def upgrade() -> None:
    create_table(
        "pm_alert_silences",
        Column("id", Key(36), primary_key=True),
        Column("until_us", Micros(), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("by_whom", Key(190), nullable=False),
        Column("data", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_alert_silences")
