"""A package `library` with an empty history, and the operations of a revision."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect, text

from postrmagic_core.database import DatabaseManager, Migrations
from postrmagic_core.stack import Stack
from tests.docs.given import settings
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The history is found by its name, and the column goes."""
    (Path("library") / "migrations" / "versions").mkdir(parents=True)
    (Path("library") / "__init__.py").touch()
    page.names.update(DatabaseManager=DatabaseManager, Migrations=Migrations, url="sqlite:///var/app.db")
    page.names["stack"] = Stack(settings(), configure_logging=False)
    page.run(1)
    page.names["tables"] = sys.modules["tables"]
    shown = page.run(1)
    for each in ("stack", "db"):
        with shown[each]:
            pass
    engine = create_engine("sqlite:///other.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE posters (id INTEGER, colour TEXT)"))
        page.names["op"] = Operations(MigrationContext.configure(connection))
        page.run()
        assert [column["name"] for column in inspect(connection).get_columns("posters")] == ["id"]
    engine.dispose()
