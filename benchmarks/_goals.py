"""What is promised of a figure, and whether it is so; pure but for reading ``goals.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ._stats import better

FILE: Final = Path(__file__).with_name("goals.toml")
_GOAL = re.compile(r"(?:(at most|at least|below) )?(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Goal:
    """``goal``, whose figure it stands ``beside``, and ``what`` it is; each may be empty."""

    goal: str = ""
    beside: str = ""
    what: str = ""

    def __post_init__(self) -> None:
        if self.goal and _GOAL.fullmatch(self.goal) is None:
            raise ValueError(f"expected a goal such as 'at most 0.8', 'at least 10' or '0', got {self.goal!r}")

    def met(self, value: float) -> bool | None:
        """Whether ``value`` is what was promised; ``None`` where nothing was."""
        found = _GOAL.fullmatch(self.goal)
        if found is None:
            return None
        how, number = found[1], float(found[2])
        if how == "at most":
            return value <= number
        if how == "below":
            return value < number
        return value >= number if how == "at least" else value == number


def goals(path: Path = FILE) -> dict[str, dict[str, Goal]]:
    """By benchmark and figure, in the order of the file; raises :class:`ValueError` for what is no goal."""
    with path.open("rb") as file:
        found = tomllib.load(file)
    return {name: {figure: Goal(**told) for figure, told in figures.items()} for name, figures in found.items()}


def times_as_fast(figure: str, value: float) -> float | None:
    """A ratio so that above 1 is better, whichever way it counts; ``None`` for a figure that is no ratio."""
    if not is_ratio(figure) or value <= 0:
        return None
    return 1 / value if better(figure) == "lower" else value


def is_ratio(figure: str) -> bool:
    """Whether it says how many times: such figures carry over to other machines, more or less."""
    return figure.partition(".")[0].endswith(("_ratio", "_speedup"))
