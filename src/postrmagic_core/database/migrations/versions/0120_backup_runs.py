"""pm_backup_runs: backups and drills, and which of them is under way."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0120"
down_revision = "0119"


def upgrade() -> None:
    create_table(
        "pm_backup_runs",
        Column("id", Key(36), primary_key=True),
        Column("kind", Key(16), nullable=False),
        Column("began_us", Micros(), nullable=False),
        Column("until_us", Micros(), nullable=False),
        Column("ended_us", Micros()),
        Column("outcome", Key(16)),
        Column("backup", Key(128)),
        Column("size", BigInteger()),
        Column("detail", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_backup_runs")
