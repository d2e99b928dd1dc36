"""The history without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select

from postrmagic_core.observability.history import rows

NO_END: Final = 10**18


def newest_of_all(tx: Any, step: int, until_us: int) -> int | None:
    """What a clock that was ahead has left is the newest."""
    del until_us
    found: int | None = tx.scalar(select(func.max(rows.c.at_us)).where(rows.c.step == step))
    return found
