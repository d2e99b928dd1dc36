"""The tables, models and fixtures of the tests of database rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field
from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint, insert

from postrmagic_core.database import DatabaseManager
from postrmagic_core.validation import Input
from postrmagic_core.validation.database_rules import Exists, Unique
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here

# For what is decided before the database is asked, or after it answered.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

metadata = MetaData()
# As an application would declare them: the server's own engine, character set and collation.
users = Table(
    "stored_users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False, server_default="1"),
    Column("name", String(80), nullable=False),
    Column("email", String(120)),
    UniqueConstraint("tenant_id", "name", name="uq_stored_users_name"),
    UniqueConstraint("email"),
    mysql_charset="utf8mb4",
)
tag_table = Table(
    "stored_tags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False, server_default="1"),
    Column("label", String(80), nullable=False, index=True),
    mysql_charset="utf8mb4",
)


class SignUp(Input):
    """A new user of one tenant."""

    tenant_id: int = 1
    name: Annotated[str, Field(max_length=80), Unique(users.c.name, scope={"tenant_id": users.c.tenant_id})]
    email: Annotated[str, Unique(users.c.email)] | None = None


class Change(Input):
    """The change of a user that there is."""

    id: int
    email: Annotated[str, Unique(users.c.email, own=("id", users.c.id))] | None = None


class Poster(Input):
    """A thing with tags that must be there."""

    tags: list[Annotated[int, Exists(tag_table.c.id)]] = Field(default_factory=list)


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:  # noqa: F811 - the fixture imported
    """An open database with two users and three tags."""
    manager = open_database()
    with manager.write() as tx:
        metadata.create_all(tx.connection)
        tx.execute(
            insert(users),
            [{"id": 1, "name": "ann", "email": "ann@example.org"}, {"id": 2, "name": "bob", "email": None}],
        )
        tx.execute(insert(tag_table), [{"id": number, "label": f"tag {number}"} for number in (1, 2, 3)])
    return manager


Complaints = Callable[[Callable[[], Any]], list[tuple[str, str]]]
