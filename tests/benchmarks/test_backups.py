"""The benchmark of backups reports what it promises, from few rows and files."""

from __future__ import annotations

import pytest

from benchmarks import backups
from benchmarks._harness import Bench, Options


class Short(Bench):
    """Few rows, few files, one round."""

    def scaled(self, full: int, quick: int) -> int:
        """Thousands of times fewer."""
        return super().scaled(full, max(2, full // 5000))

    def repeats(self, full: int, quick: int) -> int:
        """Rounds, or tenths of a second."""
        return 1


@pytest.mark.soak
def test_every_figure_is_reported() -> None:
    """Of SQLite, of MariaDB where its tools are installed, and of a write meanwhile; and that the data were fewer."""
    bench = Short(Options(quick=True))
    backups.run(bench)
    sides = {"sqlite"} | (set() if "mariadb" in bench.missing else {"mariadb"})
    figures = ("backup_time_ratio", "restore_time_ratio", "size_ratio", "verify_mb_rate")
    assert set(bench.figures) == {f"{side}_{figure}" for side in sides for figure in figures} | {"write_p95_time_ratio"}
    assert all(value > 0 for value in bench.figures.values())
    assert bench.scale < 0.01
