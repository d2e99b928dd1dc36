"""One execution that is looked at closely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .entry import Entry


@dataclass(slots=True)
class Execution:
    """What ran, from which line, in how many seconds.

    ``parameters`` and the driver's ``connection`` are for EXPLAIN alone. ``context`` leads to SQLAlchemy's, where there
    is one: it is not kept alive, since its cursor would keep a result open that nobody reads any more.
    """

    entry: Entry
    seconds: float
    line: str
    failed: bool
    connection: Any
    text: str
    parameters: Any
    context: Callable[[], Any]

    def lasting(self, seconds: float) -> Self:
        """The same, with what fetching took."""
        return replace(self, seconds=seconds)
