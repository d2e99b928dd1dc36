"""Histories of an application, written into a folder: what tests of migrations run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import indent

from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, Migrations

HEAD = '''"""{name}"""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = {before!r}


def upgrade():
{up}


def downgrade():
{down}
'''

# Statements of every kind in one revision, none of which may run twice: rows counted, a number that grows, DDL between.
FIRST = """
bills = op.create_table(
    "bills",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("total", sa.Integer, nullable=False),
    sa.CheckConstraint("total >= 0", name="total_not_negative"),
    mysql_engine="InnoDB",
)
op.bulk_insert(bills, [{"id": 1, "total": 10}, {"id": 2, "total": 20}])
op.create_index("ix_bills_total", "bills", ["total"])
op.execute("UPDATE bills SET total = total + 1")
op.add_column("bills", sa.Column("paid", sa.Integer))
op.get_bind().execute(sa.text("INSERT INTO bills (id, total) VALUES (3, :n)"), {"n": 30})
op.create_table(
    "items",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("bill_id", sa.Integer, sa.ForeignKey("bills.id", ondelete="CASCADE", name="fk_items_bill")),
    mysql_engine="InnoDB",
)
op.execute("INSERT INTO items (id, bill_id) SELECT id, id FROM bills")
"""
FIRST_BACK = """
op.drop_table("items")
op.drop_index("ix_bills_total", "bills")
op.drop_table("bills")
"""
# SQLite makes the table anew for this one, under the rows that refer to it.
SECOND = """
with op.batch_alter_table(
    "bills", table_args=[sa.CheckConstraint("total >= 0", name="total_not_negative")]
) as batch:
    batch.alter_column("total", existing_type=sa.Integer, existing_nullable=False, type_=sa.BigInteger)
op.execute("UPDATE bills SET paid = total")
op.create_index("ix_bills_paid", "bills", ["paid"])
"""
SECOND_BACK = """
op.drop_index("ix_bills_paid", "bills")
with op.batch_alter_table(
    "bills", table_args=[sa.CheckConstraint("total >= 0", name="total_not_negative")]
) as batch:
    batch.alter_column("total", existing_type=sa.BigInteger, existing_nullable=False, type_=sa.Integer)
"""
BILLS = {"one": (FIRST, FIRST_BACK), "two": (SECOND, SECOND_BACK)}
# What must be there afterwards, each effect once.
BILLED = ([(1, 11, 11), (2, 21, 21), (3, 30, 30)], 3)


def written(folder: Path, revisions: Mapping[str, tuple[str, str]]) -> Migrations:
    """A history of these revisions, in order: name, then the bodies of ``upgrade`` and ``downgrade``."""
    migrations = Migrations(folder)
    migrations.versions.mkdir(parents=True, exist_ok=True)
    before: str | None = None
    for name, (up, down) in revisions.items():
        bodies = {"up": indent(up.strip() or "pass", "    "), "down": indent(down.strip() or "pass", "    ")}
        migrations.versions.joinpath(f"{name}.py").write_text(HEAD.format(name=name, before=before, **bodies))
        before = name
    return migrations


def billed(database: DatabaseManager) -> tuple[list[tuple[int, int, int]], int]:
    """What ``BILLS`` left in the tables."""
    with database.read() as tx:
        rows = tx.execute(text("SELECT id, total, paid FROM bills ORDER BY id"))
        return [(row.id, row.total, row.paid) for row in rows], int(tx.scalar(text("SELECT COUNT(*) FROM items")) or 0)
