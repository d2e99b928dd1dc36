"""Errors without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import delete, insert

from postrmagic_core.observability.errors.rows import Added
from postrmagic_core.observability.tables import error_counts, errors

NO_END = 10**9


def written_over(tx: Any, added: Sequence[Added], now_us: int) -> None:
    """What one process has counted takes the place of what others have."""
    for one in added:
        tx.execute(delete(errors).where(errors.c.fingerprint == one.fingerprint))
        tx.execute(insert(errors).values(**one.values, state="new", history=b"[]"))
        tx.execute(delete(error_counts).where(error_counts.c.fingerprint == one.fingerprint))
        for hour, count in one.hours.items():
            tx.execute(insert(error_counts).values(fingerprint=one.fingerprint, hour_us=hour, count=count))


def given_up(tracker: Any) -> bool:
    """What cannot be written is not kept."""
    written = [tracker._written(batch) for batch in tracker._batches]
    tracker._batches.clear()
    return all(written)


def noted_all_the_same(tracker: Any) -> AbstractContextManager[None]:
    """Errors of the writing itself are errors like others."""
    return nullcontext()


def never_soon(tracker: Any) -> None:
    """What is noted is written at the end."""


def any_other(release: str, than: str, since: Mapping[str, int]) -> bool:
    """Older releases bring an error back as well."""
    return release != than


def as_it_is(sentry: Any, event: Any, hint: Any) -> Any:
    """Nobody looks at what leaves."""
    return event
