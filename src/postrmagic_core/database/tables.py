"""The package's tables in the application's database that units and the relay need; migrations create them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, UniqueConstraint

from .._sql.types import TABLE_OPTIONS, Blob, Id, Key, Micros

metadata = MetaData()

# Rows that committed and wait for delivery. `okey` and `seq` are set for ordered rows; `dead` rows are kept to be seen.
outbox = Table(
    "pm_outbox",
    metadata,
    Column("id", Id(), primary_key=True),
    Column("topic", Key(64), nullable=False),
    Column("okey", Key(255)),
    Column("seq", BigInteger()),
    Column("payload", Blob(), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("due_us", Micros(), nullable=False),
    Column("attempts", Integer(), nullable=False),
    Column("dead", Integer(), nullable=False),
    Column("error", Key(64)),
    UniqueConstraint("okey", "seq", name="uq_pm_outbox_order"),
    # An id is a message's identity: it must not come again after its row was deleted.
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)
Index("ix_pm_outbox_ready", outbox.c.okey, outbox.c.dead, outbox.c.due_us)

# One row per key with waiting rows: its lock puts writers and relays in line, `last_seq` numbers, and `topic` and
# `due_us` are those of the key's first waiting row.
outbox_keys = Table(
    "pm_outbox_keys",
    metadata,
    Column("okey", Key(255), primary_key=True),
    Column("last_seq", BigInteger(), nullable=False),
    Column("topic", Key(64), nullable=False),
    Column("due_us", Micros(), nullable=False),
    **TABLE_OPTIONS,
)
Index("ix_pm_outbox_keys_due", outbox_keys.c.due_us)

# What has happened and must not happen again: deliveries of jobs and events, requests with an Idempotency-Key.
once = Table(
    "pm_once",
    metadata,
    Column("id", Key(191), primary_key=True),
    Column("kind", Key(32), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("expires_us", Micros(), nullable=False),
    Column("response", Blob()),
    **TABLE_OPTIONS,
)
Index("ix_pm_once_expires", once.c.expires_us)

# The application's revision under way on a server that commits at each DDL statement; see migrating/progress.py.
migration_progress = Table(
    "pm_migration_progress",
    metadata,
    Column("history", Key(64), primary_key=True),
    Column("revision", Key(64), nullable=False),
    Column("direction", Key(16), nullable=False),
    Column("done", Integer(), nullable=False),
    Column("begun", Integer(), nullable=False),
    Column("digest", Key(64), nullable=False),
    **TABLE_OPTIONS,
)

# The revisions whose code can use the tables at `heads` besides their own code; see predecessors.py.
schema_predecessors = Table(
    "pm_schema_predecessors",
    metadata,
    Column("history", Key(64), primary_key=True),
    Column("heads", Blob(), nullable=False),
    Column("admitted", Blob(), nullable=False),
    **TABLE_OPTIONS,
)
