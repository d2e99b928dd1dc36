"""One execution that is looked at closely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .entry import Entry


@dataclass(slots=True)
class Execution:
    """What ran, from which line, in how many seconds.

    ``parameters`` are for EXPLAIN alone; ``context`` is SQLAlchemy's, where there is one.
    """

    entry: Entry
    seconds: float
    line: str
    failed: bool
    cursor: Any
    text: str
    parameters: Any
    context: Any

    def lasting(self, seconds: float) -> Self:
        """The same, with what fetching took."""
        return replace(self, seconds=seconds)
