"""The cache without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import secrets
from typing import Any

from postrmagic_core.stores import Lease, acquire


def lease_of_ones_own(port: Any, key: bytes) -> Lease | None:
    """Everyone gets a lease: processes do not know of each other."""
    return acquire(port.store, key + secrets.token_bytes(8), ttl=5.0)


def always_fresh(*args: object) -> str:
    """Generations and times are not looked at."""
    return "fresh"
