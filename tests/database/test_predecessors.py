"""A release before can start on tables that a newer one has expanded, and on no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from postrmagic_core.database import DatabaseManager, Migrations
from postrmagic_core.database.migrating.migrator import Migrator
from postrmagic_core.database.schema import refuse_outdated
from postrmagic_core.database.tables import schema_predecessors
from postrmagic_core.errors import SchemaMismatch
from tests.copies import packaged
from tests.database.histories import written

Open = Callable[..., DatabaseManager]
UPS = {
    "one": 'op.create_table("shops", sa.Column("id", sa.Integer, primary_key=True))',
    "two": 'op.add_column("shops", sa.Column("street", sa.String(9)))',
    "three": 'op.add_column("shops", sa.Column("town", sa.String(9)))',
    "four": 'op.add_column("shops", sa.Column("land", sa.String(9)))',
}


class Releases:
    """The code of release ``one``, ``two``, …, each with a revision more, and the database that they share."""

    def __init__(self, database: DatabaseManager, folder: Path) -> None:
        self.database = database
        self._folder = folder

    def code(self, release: str) -> Migrations:
        """What that release brings along."""
        names = list(UPS)
        held = names[: names.index(release) + 1]
        return written(self._folder / release, {name: (UPS[name], "pass") for name in held})

    def upgrade(self, release: str, *, excused: bool | None = False) -> None:
        """Bring the database to where that release is; ``None``: without asking whether others can live with it."""
        told = None if excused is None else {"application": excused}
        Migrator(self.database.backend, self.code(release)).upgrade(excused=told)

    def starts(self, release: str) -> bool:
        """Whether its processes start in production."""
        try:
            refuse_outdated(self.database.backend, self.code(release))
        except SchemaMismatch:
            return False
        return True


@pytest.fixture
def releases(database_url: str, open_database: Open, tmp_path: Path) -> Releases:
    """Release ``one`` runs."""
    packaged(database_url)
    found = Releases(open_database(), tmp_path)
    found.upgrade("one")
    return found


def test_a_release_starts_on_what_was_expanded_after_it(releases: Releases) -> None:
    """Given compatible revisions, when one of the releases before starts, then it does, each of them."""
    assert not releases.starts("two")
    releases.upgrade("two")
    assert [releases.starts(one) for one in ("one", "two")] == [True, True]
    releases.upgrade("three")
    assert [releases.starts(one) for one in ("one", "two", "three")] == [True, True, True]


def test_it_does_not_where_nobody_asked(releases: Releases) -> None:
    """Given revisions that were not judged, when the release before starts, then it is refused as ever."""
    releases.upgrade("two")
    releases.upgrade("three", excused=None)
    assert [releases.starts(one) for one in ("one", "two", "three")] == [False, False, True]
    releases.upgrade("four")
    assert [releases.starts(one) for one in ("one", "two", "three")] == [False, False, True]


def test_a_reason_speaks_for_the_release_that_runs(releases: Releases) -> None:
    """Given a revision let through for a reason, when a release older than the running one starts, then it fails."""
    releases.upgrade("two")
    releases.upgrade("three", excused=True)
    assert [releases.starts(one) for one in ("one", "two", "three")] == [False, True, True]


def test_a_release_without_revisions_is_deployed_on_what_was_expanded(releases: Releases) -> None:
    """Given a release that was rolled back, when a repair of the one before is upgraded, then nothing is to be done."""
    releases.upgrade("three")
    releases.upgrade("one")
    assert releases.starts("three")
    with pytest.raises(SchemaMismatch, match="newer than this code"):
        releases.upgrade("one", excused=None)


def test_it_is_noted_before_anything_changes(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a kill between the last revision and whatever comes after it, when the one before starts, then it does."""
    monkeypatch.setattr(Migrator, "_run", lambda *_: None)
    releases.upgrade("two")
    with releases.database.read() as tx:
        [row] = tx.execute(select(schema_predecessors))
    assert (row.history, bytes(row.heads), json.loads(row.admitted)) == ("application", b"two", ["one"])


def test_a_database_without_the_table_gets_it_and_the_note(releases: Releases) -> None:
    """Given a database of an earlier version of the package, when it is expanded, then code of that version starts."""
    migrator = Migrator(releases.database.backend, releases.code("one"))
    migrator.downgrade("0122", package=True)
    with releases.database.read() as tx:
        assert not inspect(tx.connection).has_table(schema_predecessors.name)
    migrator.upgrade(excused={})
    with releases.database.read() as tx:
        [row] = tx.execute(select(schema_predecessors))
    assert (row.history, json.loads(row.admitted)) == ("package", ["0122"])
