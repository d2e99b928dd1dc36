"""What the rules say is true: a release's statements on a real database, before and after each revision."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.compatibility.compatible import dialects_of
from postrmagic_core.database.migrating.keys import keys_off
from postrmagic_core.errors import PostrMagicError
from tests.database.judged import SHOP, Shop, shop  # noqa: F401 - pytest looks for fixtures here
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here

# Let through: the release's statements go on as before.
EXPANDING = [
    'op.add_column("shops", sa.Column("street", sa.String(9)))',
    'op.add_column("shops", sa.Column("open", sa.Boolean, server_default="1", nullable=False))',
    'op.add_column("shops", sa.Column("code", sa.Integer))\nop.create_index("ux", "shops", ["code"], unique=True)',
    'op.add_column("shops", sa.Column("c", sa.Integer))\nop.create_index("ux", "shops", ["town", "c"], unique=True)',
    'op.create_index("ix", "shops", ["name", "town"])',
    'op.drop_index("ix_shops_town", "shops")',
    "op.execute(\"ALTER TABLE shops ADD COLUMN note VARCHAR(9) NOT NULL DEFAULT ''\")",
    'op.execute("CREATE TABLE visits (id INT, shop_id INT REFERENCES shops (id) ON DELETE CASCADE)")',
    "op.execute(\"UPDATE shops SET town = 'elsewhere'\")",
    'with op.batch_alter_table(\n    "items"\n) as batch:\n'
    '    batch.alter_column("price", type_=sa.Numeric(10, 2), existing_nullable=False, existing_server_default=None)',
    'with op.batch_alter_table("items") as batch:\n    batch.add_column(sa.Column("kind", sa.String(5)))',
]
# Refused: a statement of the release fails, or does something else.
CONTRACTING = [
    'op.drop_table("items")',
    'op.rename_table("shops", "stores")',
    'op.execute("ALTER TABLE shops RENAME COLUMN stars TO points")',
    'op.execute("CREATE UNIQUE INDEX ux ON shops (town)")',
    'with op.batch_alter_table("shops") as batch:\n'
    '    batch.add_column(sa.Column("street", sa.String(9), server_default="x", nullable=False))\n'
    '    batch.create_unique_constraint("uq", ["street"])',
    'with op.batch_alter_table("shops") as batch:\n'
    '    batch.alter_column("town", existing_type=sa.String(20), nullable=False)',
    'with op.batch_alter_table("shops") as batch:\n'
    '    batch.alter_column("stars", existing_type=sa.Integer, existing_nullable=False, server_default=None)',
    'with op.batch_alter_table("shops") as batch:\n'
    '    batch.alter_column("stars", existing_type=sa.Integer, existing_nullable=False, server_default="5")',
    'with op.batch_alter_table("shops") as batch:\n    batch.create_check_constraint("ck", "stars < 6")',
    'with op.batch_alter_table("shops") as batch:\n    batch.drop_constraint("uq_shops_name", type_="unique")',
    'with op.batch_alter_table("items") as batch:\n    batch.drop_constraint("fk_items_shop", type_="foreignkey")',
    'with op.batch_alter_table("shops") as batch:\n'
    '    batch.alter_column("town", new_column_name="city", existing_type=sa.String(20))',
]
UPSERT = {
    "sqlite": "INSERT INTO shops (id, name) VALUES (7, 'a') ON CONFLICT (name) DO UPDATE SET stars = 8",
    "mysql": "INSERT INTO shops (id, name) VALUES (7, 'a') ON DUPLICATE KEY UPDATE stars = 8",
}


def run(connection: Connection, body: str) -> None:
    """Run the body of a revision, as Alembic does."""
    with Operations.context(MigrationContext.configure(connection)):
        exec(body, {"op": op, "sa": sa})  # noqa: S102 - the bodies above
    connection.commit()


def tried(connection: Connection, statement: str, wanted: str = "SELECT 1") -> Any:
    """What ``wanted`` gives after ``statement``, which is taken back; the kind of error where one is raised."""
    try:
        connection.execute(text(statement))
        return [tuple(row) for row in connection.execute(text(wanted))]
    except (DBAPIError, PostrMagicError) as error:
        return type(error).__name__
    finally:
        connection.rollback()


def behaviour(connection: Connection, dialect: str) -> dict[str, Any]:
    """How a release fares that was made for ``SHOP``: each of its statements, and what comes of it."""
    doubles = "SELECT COUNT(*) FROM shops WHERE name = 'a'"
    statements = {
        "INSERT INTO shops (id, name) VALUES (2, 'b')": "SELECT stars FROM shops WHERE id = 2",
        f"INSERT INTO shops (id, name, town, stars) VALUES (3, '{'c' * 40}', NULL, 9)": "SELECT stars, name FROM shops",
        "INSERT INTO shops (id, name, town) VALUES (4, 'd', 'x'), (5, 'e', 'x')": "SELECT COUNT(*) FROM shops",
        "INSERT INTO shops (id, name) VALUES (6, 'a')": doubles,
        "INSERT INTO shops (id, name, stars) VALUES (8, 'f', -1)": doubles,
        UPSERT[dialect]: doubles,
        "INSERT INTO items (id, shop_id, price) VALUES (2, 1, 123456.78)": "SELECT price FROM items WHERE id = 2",
        "INSERT INTO items (id, shop_id, price) VALUES (3, 99, 1)": "SELECT COUNT(*) FROM items",
        "UPDATE shops SET town = NULL": "SELECT id, name, town, stars FROM shops",
        "DELETE FROM items": "SELECT COUNT(*) FROM items",
        "DELETE FROM shops": "SELECT COUNT(*) FROM shops",
    }
    return {statement: tried(connection, statement, wanted) for statement, wanted in statements.items()}


def effect(database: DatabaseManager, dialect: str, up: str) -> set[str]:
    """The statements of the release that come to something else after ``up``."""
    with database.backend.engine("write").connect() as connection:
        for table in ("visits", "items", "shops", "stores"):
            connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
            connection.commit()
        run(connection, SHOP)
        for statement in ("INSERT INTO shops VALUES (1, 'a', 'x', 0)", "INSERT INTO items VALUES (1, 1, 5)"):
            connection.execute(text(statement))
        connection.commit()
        before = behaviour(connection, dialect)
        assert before["INSERT INTO shops (id, name) VALUES (6, 'a')"] == "UniqueViolation"
        with keys_off(connection) if dialect == "sqlite" else nullcontext():
            run(connection, up)
        after = behaviour(connection, dialect)
    return {statement for statement, came in after.items() if came != before[statement]}


def test_what_is_let_through_changes_nothing_and_what_is_refused_does(
    open_database: Callable[..., DatabaseManager],  # noqa: F811 - the fixture imported
    shop: Shop,  # noqa: F811 - the fixture imported
) -> None:
    """Given a release's statements, when a revision has run, then they do as before just where it was let through."""
    database = open_database()
    [dialect] = dialects_of(database.backend.name)
    let_through = {up: shop.judge(up, dialects=[dialect]).compatible for up in (*EXPANDING, *CONTRACTING)}
    changed = {up: effect(database, dialect, up) for up in let_through}
    assert let_through == {up: up in EXPANDING for up in let_through}
    assert {up: found for up, found in changed.items() if bool(found) == let_through[up]} == {}
