"""pm_oauth_clients: programs that ask for users' consent."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import BinaryKey, Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0085"
down_revision = "0084"


def upgrade() -> None:
    create_table(
        "pm_oauth_clients",
        Column("id", Key(64), primary_key=True),
        Column("name", Key(256), nullable=False),
        Column("secret_digest", BinaryKey(32)),
        Column("redirect_uris", Blob(), nullable=False),
        Column("scopes", Blob(), nullable=False),
        Column("grant_types", Blob(), nullable=False),
        Column("introspects", BigInteger(), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("disabled_us", Micros()),
    )


def downgrade() -> None:
    drop_table("pm_oauth_clients")
