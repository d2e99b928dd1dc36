"""What a run is told and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run a plan.

    ``tables``: only these, by the source's names; none: all. ``workers`` tables are moved at once, each in batches of
    ``batch_rows`` rows or about ``batch_bytes`` bytes. ``rows_per_second`` is not exceeded, over all tables. The
    snapshot is kept in ``directory``, or else beside the source. ``dry_run``: say what would be done, and write
    nothing. A server that is away is waited for, ``patience`` seconds at a time.
    """

    tables: tuple[str, ...] = ()
    workers: int = 2
    batch_rows: int = 5_000
    batch_bytes: int = 1_048_576
    rows_per_second: float | None = None
    directory: Path | None = None
    dry_run: bool = False
    patience: float = 60.0

    def __post_init__(self) -> None:
        if min(self.workers, self.batch_rows, self.batch_bytes) < 1:
            raise ValueError(f"workers, batch_rows and batch_bytes are at least 1, got {self}")
        if self.rows_per_second is not None and self.rows_per_second <= 0:
            raise ValueError(f"rows_per_second is above zero, got {self.rows_per_second}")

    def snapshots(self, source: str) -> Path:
        """The directory in which the snapshot of ``source`` is kept."""
        return self.directory or Path(source).resolve().parent


@dataclass(frozen=True, slots=True)
class TableRun:
    """A table of a run: ``rows`` are there now, or would be; ``moved`` were written by this run, in ``seconds``."""

    name: str
    target: str
    rows: int
    moved: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. ``transfer`` names it in the target's checkpoints; ``resumed``: another run had begun it.

    ``statements`` are those that a dry run would have executed, in their order.
    """

    transfer: str
    tables: tuple[TableRun, ...]
    seconds: float = 0.0
    resumed: bool = False
    snapshot: Path | None = None
    statements: tuple[str, ...] = ()

    @property
    def moved(self) -> int:
        """Rows written by this run."""
        return sum(table.moved for table in self.tables)
