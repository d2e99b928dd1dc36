"""The package's own revisions and the media library's leave the release before them working."""

from __future__ import annotations

from pathlib import Path

from postrmagic_core.database import Migrations
from postrmagic_core.database.compatibility.compatible import judge
from postrmagic_core.database.compatibility.rules import table
from postrmagic_core.database.schema import PACKAGE
from tests.database.histories import written
from tests.database.judged import SHOP

ROOT = Path(__file__).parents[2]
LIBRARY = Migrations(ROOT / "examples" / "media_library" / "migrations")
PAGE = ROOT / "docs" / "explanation" / "expand-and-contract.md"

# What was done before anybody ran a release. Nothing comes to these: a new revision says its reason on its line.
PACKAGE_BEFORE = {
    ("0041", "rename-table", "table pm_jobs is renamed to pm_jobs_before"),
    ("0048", "drop-table", "table pm_jobs_before is dropped"),
    ("0051", "drop-table", "table pm_workers is dropped"),
}
LIBRARY_BEFORE = {
    ("20261123002342", "asks-offline", "it asks whether its SQL is only written down"),
    ("20261128143100", "drop-column", "column users.is_admin is dropped"),
}


def refused(history: Migrations) -> set[tuple[str, str, str]]:
    """What the release before each revision breaks on."""
    found = judge(history, ["base"], each=True).findings
    return {(one.revision, one.rule.name, one.what) for one in found if one.refused}


def test_the_packages_revisions_leave_the_release_before_working() -> None:
    """Given each of ours as a release of its own, when judged on both dialects, then nothing new is refused."""
    assert refused(PACKAGE) == PACKAGE_BEFORE


def test_the_media_librarys_revisions_do_too() -> None:
    """The application that shows how it is done does it."""
    assert refused(LIBRARY) == LIBRARY_BEFORE


def test_a_revision_that_breaks_would_be_seen(tmp_path: Path) -> None:
    """Given a history that makes a table and drops it later, when each is a release, then the drop is refused."""
    history = written(tmp_path / "app", {"shop": (SHOP, ""), "r1": ('op.drop_table("items")', "")})
    assert refused(history) == {("r1", "drop-table", "table items is dropped")}


def test_the_page_shows_the_rules() -> None:
    """The table of the explanation is the catalogue: ``python -m tests.project.test_revisions`` writes it."""
    assert table() in PAGE.read_text(encoding="utf-8")


def write() -> None:
    """Put the catalogue into the page, in place of the table that is there."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index("| rule |")
    end = text.index("\n\n", start) + 1
    PAGE.write_text(text[:start] + table() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    write()
