"""Our own faults.toml: every claim names tests and guards that exist."""

from __future__ import annotations

import pytest

from postrmagic_core.testing.faults import load_rows, locate
from tests.testing.collected import ROOT, absent

ROWS = [row for row in load_rows(ROOT / "tests/faults.toml") if row.claimed]


@pytest.mark.timeout(600)  # where only this is run, it collects them all anew
def test_every_claim_names_tests_that_exist(request: pytest.FixtureRequest) -> None:
    """A test that was renamed or removed takes its claim along."""
    assert absent((test for row in ROWS for test in row.tests), request.session) == []


def test_every_claim_names_a_guard_and_a_double_that_exist() -> None:
    """A guard that moved must move in the file too."""
    for row in ROWS:
        locate(row.guard)
        locate(row.double)
