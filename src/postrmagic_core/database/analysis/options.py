"""What the query log is told when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class QueryLogOptions:
    """Durations are seconds.

    ``directory``: where each process keeps a file of its statistics, at most every ``interval``; ``None``: nowhere. A
    statement that takes ``slow`` is told with its plan. A request or job whose statements take more than ``budget`` in
    all is told, and each statement that it ran ``repeated`` times. ``fingerprints``: how many statements are kept
    apart; further ones are counted together.
    """

    directory: Path | None = None
    slow: float = 0.2
    budget: float | None = None
    repeated: int = 20
    fingerprints: int = 1000
    interval: float = 10.0

    def __post_init__(self) -> None:
        if min(self.slow, self.interval, 1.0 if self.budget is None else self.budget) <= 0:
            raise ValueError(f"expected slow, budget and interval above zero (seconds), got {self}")
        if self.repeated < 2 or self.fingerprints < 1:
            raise ValueError(f"expected repeated >= 2 and fingerprints >= 1, got {self}")
