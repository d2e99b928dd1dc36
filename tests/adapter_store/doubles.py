"""The store of files without its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Any


def unchecked(data: bytes) -> bytes:
    """The body, whatever its checksum."""
    return data[16:]


def one_by_one(store: Any, pending: dict[bytes, Any]) -> None:
    """Several keys are written without a journal."""
    for key, entry in pending.items():
        store._apply(key, entry)


def set_by_hand(store: Any, held: object) -> int:
    """The wall clock, for a store that was given one."""
    return int(store._elapsed.__self__.now_us())
