"""pm_releases: which versions of the application ran, since when."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0101"
down_revision = "0100"


def upgrade() -> None:
    create_table(
        "pm_releases",
        Column("version", Key(64), primary_key=True),
        Column("since_us", Micros(), nullable=False),
        Column("first_seen_us", Micros()),
        Column("marked_us", Micros()),
        Column("marked_by", Key(190), nullable=False),
        Column("note", Key(1000), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_releases")
