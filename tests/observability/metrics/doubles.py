"""What takes a guard's place when it is shown that the tests need it."""

from __future__ import annotations

from typing import Any

from postrmagic_core.observability.metrics.policy import Totals


class _Everything:
    def __contains__(self, item: object) -> bool:
        return True


everything = _Everything()


def forgets(before: Totals, *_: Any, **__: Any) -> tuple[Totals, int]:
    """Who ended takes its figures along."""
    return before, 0


def from_zero(*_: Any) -> Totals:
    """Nothing was told before."""
    return Totals()


def tells_nobody(hub: Any) -> tuple[Any, bool]:
    """What is shown was not published."""
    return hub._snapshot(), True


def admits_all(reader: Any, name: str, labels: Any) -> Any:
    """Every series, however many."""
    return name, labels
