"""Passwords without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from collections.abc import Container
from concurrent.futures import Future

from postrmagic_core.security.passwords import Argon2Cost, Verified, policy
from postrmagic_core.security.passwords.hashing import Hashing
from postrmagic_core.security.passwords.slots import Slots

_ask = Slots._ask
_MORE = 6


def eight_at_once(slots: Slots) -> Future[None]:
    """Six more places than were asked for: enough to show, and not so many that the machine runs out of memory."""
    if slots._size == 2:
        slots._size += _MORE
        slots._free += _MORE
    return _ask(slots)


def nothing_for_nobody(hashing: Hashing, password: str, stored: str | None) -> Verified:
    """Where nothing is stored nothing is computed."""
    right = None if policy.is_disabled(stored) else hashing._right(password, stored or "")
    return Verified(bool(right))


def any_cost(cost: Argon2Cost, max_cost: Argon2Cost | None) -> Argon2Cost:
    """Up to a gigabyte and a hundred passes, for whoever can write a hash into the table."""
    return Argon2Cost(2**20, 100, 255)


def cut(password: str) -> bytes:
    """Only the first 72 bytes count, as for bcrypt."""
    return password.encode(errors="replace")[:72]


def exact_only(folded: str, common: Container[str]) -> bool:
    """Only what stands in the list, as it stands there."""
    return folded in common
