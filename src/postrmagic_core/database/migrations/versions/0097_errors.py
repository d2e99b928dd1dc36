"""pm_errors: errors in groups, with what people did about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0097"
down_revision = "0096"


def upgrade() -> None:
    create_table(
        "pm_errors",
        Column("fingerprint", Key(64), primary_key=True),
        Column("service", Key(64), nullable=False),
        Column("logger", Key(190), nullable=False),
        Column("kind", Key(190), nullable=False),
        Column("message", Key(1000), nullable=False),
        Column("place", Key(255), nullable=False),
        Column("words", Key(2000), nullable=False),
        Column("count", BigInteger(), nullable=False),
        Column("first_us", Micros(), nullable=False),
        Column("last_us", Micros(), nullable=False),
        Column("first_release", Key(64), nullable=False),
        Column("last_release", Key(64), nullable=False),
        Column("sample", Blob(), nullable=False),
        Column("state", Key(16), nullable=False),
        Column("changed_us", Micros()),
        Column("changed_by", Key(190)),
        Column("resolved_in", Key(64)),
        Column("until_us", Micros()),
        Column("until_count", BigInteger()),
        Column("history", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_errors")
