"""Our own faults.toml: every claim names tests and guards that exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from postrmagic_core.testing.faults import load_rows, locate

ROOT = Path(__file__).parents[2]
ROWS = [row for row in load_rows(ROOT / "tests/faults.toml") if row.claimed]


def test_every_claim_names_tests_that_exist() -> None:
    """pytest collects each of them; a test that was renamed or removed takes its claim along."""
    tests = sorted({test for row in ROWS for test in row.tests})
    if tests:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *tests]
        collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert collected.returncode == 0, collected.stdout[-3000:] + collected.stderr[-3000:]


def test_every_claim_names_a_guard_and_a_double_that_exist() -> None:
    """A guard that moved must move in the file too."""
    for row in ROWS:
        locate(row.guard)
        locate(row.double)
