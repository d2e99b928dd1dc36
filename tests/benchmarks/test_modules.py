"""Each benchmark is a command of its own: `python -m benchmarks.NAME`."""

from __future__ import annotations

import pytest

from benchmarks._names import FOLDER, available
from tests.commands import run


@pytest.mark.parametrize("name", sorted(available()))
def test_a_benchmark_is_a_command(name: str) -> None:
    """It takes the options that `run` takes."""
    shown = run("--help", module=f"benchmarks.{name}", directory=FOLDER.parent)
    assert shown.status == 0, shown.stderr
    assert "--quick" in shown.stdout
