"""The report of a migration: the whole way of a small library, and that it tells what did not arrive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.database.transfer import migration_report
from tests.database.transfer.library import Command
from tests.database.transfer.migration_report import Move


@pytest.mark.mysql
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_small_library_moves_and_works_as_before(mariadb_url: str, tmp_path: Path) -> None:
    """Every row arrives, all that was answered before is answered after, and the smoke passes on the server."""
    done = migration_report.move(50, mariadb_url, tmp_path)
    page = migration_report.report(done)
    assert done.clean, page
    assert f"{len(done.smoke)} of {len(done.smoke)} steps succeeded" in page
    assert mariadb_url not in page


@pytest.fixture
def finished() -> Move:
    """A move in which everything arrived."""
    table = {"name": "users", "source_rows": 2, "target_rows": 2, "source_hash": "ab", "target_hash": "ab"}
    counts = {"changed": 0, "missing": 0, "surplus": 0, "failures": [], "equal": True}
    lines = [f"postrmagic db transfer {name} /tmp/x/plan.toml" for name in ("run", "verify")]
    planned = "postrmagic db transfer plan /tmp/x/app.db mysql://root@127.0.0.1/t"
    commands = [Command(line, 0, 1.0, 40.0) for line in (planned, *lines)]
    return Move(
        2,
        "mariadb 10.11",
        commands=commands,
        verified={"equal": True, "tables": [table | counts]},
        checks=[("a list", True)],
        smoke=[("log in", "demo", True), ("log out", "done", True)],
    )


def test_the_page_names_no_place_of_this_machine(finished: Move) -> None:
    """Neither its paths nor its server."""
    page = migration_report.report(finished)
    assert "`postrmagic db transfer plan app.db mysql://…`" in page
    assert "`postrmagic db transfer run plan.toml`" in page


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"checks": [("a list", False)]}, "| a list | **no** |"),
        ({"smoke": [("log in", "demo", True), ("upload", "nothing came", False)]}, "failed at: upload"),
        ({"smoke": []}, "0 of 0 steps"),
    ],
)
def test_what_did_not_arrive_is_told(finished: Move, wrong: dict[str, Any], told: str) -> None:
    """The page says so, and the command ends with 1."""
    done = replace(finished, **wrong)
    assert not done.clean
    assert told in migration_report.report(done)


def test_a_difference_is_told(finished: Move) -> None:
    """A row that is not the same is counted in the summary."""
    (table,) = finished.verified["tables"]
    done = replace(finished, verified={"equal": False, "tables": [table | {"changed": 1, "equal": False}]})
    assert not done.clean
    assert "before | 1 |" in migration_report.report(done)
