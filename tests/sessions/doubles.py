"""Sessions without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from postrmagic_core._crypto import KeyRing
from postrmagic_core._steps import Steps
from postrmagic_core.sessions.policy import Changes, Record
from postrmagic_core.sessions.rows import Swap


def last_write_wins(swaps: Sequence[Swap]) -> Callable[[Any], Any]:
    """Rows are written whatever is there, or is there no more; for the sync face."""

    def write(port: Any) -> list[int]:
        port.store.set({swap.key: swap.blob for swap in swaps}, 60_000)
        return [1, 0]

    return write


def unmerged(record: Record, changes: Changes, now_us: int) -> Record:
    """The last writer's own changes, and nothing of the others'."""
    return replace(record, fields=dict(changes.changed), touched_us=now_us)


def newest_key_only(ring: KeyRing, message: bytes, *, purpose: str) -> list[bytes]:
    """Older keys are forgotten at once."""
    return [ring.mac(message, purpose=purpose)]


def revoke_nobody(roster: Any, user_id: str) -> Steps[None]:
    """The user's generation stays as it is."""
    yield from ()
