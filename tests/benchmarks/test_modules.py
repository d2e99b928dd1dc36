"""Each benchmark is a command of its own: `python -m benchmarks.NAME`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.__main__ import FOLDER, available


@pytest.mark.parametrize("name", sorted(available()))
def test_a_benchmark_is_a_command(name: str) -> None:
    """It takes the options that `run` takes."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    shown = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "--quick" in shown
