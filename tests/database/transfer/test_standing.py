"""Whole moves of what is rare: tables whose rows the target has already, and files in UTF-16."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.planfile.file import read_plan, write_plan
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.verifying.verify import verify
from tests.database.transfer import oracle

pytestmark = pytest.mark.mysql

VERSIONS = "CREATE TABLE versions (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
TEXTS = ["", "a", "A", "é", "\u0101", "\uffee", "\U0001f600", "e\u0301", "z" * 150]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_rows_that_are_there_are_kept_and_verified(
    file: Path, fill: Callable[..., None], url: str, tmp_path: Path, encoding: str
) -> None:
    """The others move beside them; a row that is altered in the target afterwards is told, whosever it was."""
    fill(
        f"PRAGMA encoding = '{encoding}'; {VERSIONS}; INSERT INTO versions VALUES ('0007'), ('ä');"
        "CREATE TABLE words (word TEXT PRIMARY KEY, version TEXT REFERENCES versions);",
        ("INSERT INTO words VALUES (?, '0007')", [(text,) for text in TEXTS]),
    )
    if encoding == "UTF-8":
        oracle.asked(url, VERSIONS)
        oracle.asked(url, "INSERT INTO versions VALUES ('0007'), ('ä')")
    path = tmp_path / "plan.toml"
    write_plan(plan(file, url), path)
    made = read_plan(path)
    assert made.table("versions").kept == (encoding == "UTF-8")

    moved = run(made, url, RunOptions(batch_rows=2))
    assert moved.moved == len(TEXTS) + (0 if made.table("versions").kept else 2)
    oracle.compare(file, url, made)
    assert verify(made, url).equal

    oracle.asked(url, "UPDATE versions SET version_num = 'ö' WHERE version_num = 'ä'")
    (told, same) = verify(made, url).tables
    assert (told.name, told.equal, same.equal) == ("versions", False, True)


def test_what_was_found_in_the_target_is_part_of_what_is_run(file: Path, fill: Callable[..., None], url: str) -> None:
    """A transfer that keeps rows is another than one that moves them."""
    fill(f"{VERSIONS}; INSERT INTO versions VALUES ('0007')")
    moving = plan(file, url)
    assert run(moving, url).moved == 1
    keeping = plan(file, url)
    assert keeping.tables == (replace(keeping.tables[0], kept=True),)
    assert run(keeping, url).moved == 0
    assert verify(keeping, url).equal
