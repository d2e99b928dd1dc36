"""The package's own tables: made once, whoever comes first, and finished after a kill."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.migrating.environment import script
from postrmagic_core.database.schema import PACKAGE, revisions
from postrmagic_core.database.tables import metadata
from postrmagic_core.errors import SchemaMismatch
from tests.databases import made_by_migrations, schema


def test_the_migrations_make_what_the_code_declares(open_database: Callable[..., DatabaseManager]) -> None:
    """tables.py and the history cannot drift apart: types, keys and indexes are equal."""
    migrated, declared = made_by_migrations(open_database(), metadata)
    assert migrated == declared


def test_an_upgrade_tells_whether_it_is_needed(open_database: Callable[..., DatabaseManager]) -> None:
    """Opening migrates nothing; upgrading twice is upgrading once."""
    database = open_database()
    assert not database.schema_current()
    database.upgrade()
    assert database.schema_current()
    before = schema(database, metadata)
    database.upgrade()
    assert schema(database, metadata) == before


def test_the_newest_revision_is_known_without_alembic() -> None:
    """Reading the files as text gives what Alembic finds by importing them."""
    directory = script(PACKAGE)
    known = frozenset(revision.revision for revision in directory.walk_revisions())
    assert revisions(PACKAGE.versions) == (frozenset(directory.get_heads()), known)


def test_a_newer_schema_is_refused(open_database: Callable[..., DatabaseManager]) -> None:
    """An old process does not touch tables it does not know."""
    database = open_database()
    database.upgrade()
    with database.write() as tx:
        tx.execute(text("UPDATE pm_alembic_version SET version_num = '9999'"))
    assert not database.schema_current()
    with pytest.raises(SchemaMismatch, match="newer"):
        database.upgrade()


def test_the_history_is_one_line_of_single_statements() -> None:
    """MySQL commits each DDL statement: a revision with two could be left half done."""
    found = list(script(PACKAGE).walk_revisions())
    assert len([revision for revision in found if revision.is_head]) == 1
    assert all(not revision.is_merge_point and not revision.is_branch_point for revision in found)


def test_any_step_may_be_killed_and_is_done_again(open_database: Callable[..., DatabaseManager]) -> None:
    """Each revision runs over its own finished work, as after a kill between its statement and the note of it."""
    database = open_database()
    database.upgrade()
    whole = schema(database, metadata)
    with database.write() as tx:
        tx.execute(text("DELETE FROM pm_alembic_version"))
    assert not database.schema_current()
    database.upgrade()
    assert database.schema_current()
    assert schema(database, metadata) == whole
