"""Time that all processes of a machine share and nobody can set: for a store in a file of theirs."""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def start() -> str:
    """The name of the machine's present start, since which :func:`elapsed` counts; empty where the system tells none.

    Source: random(4).
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def elapsed() -> float:
    """Seconds since the machine started, its sleep included where the system counts that (clock_gettime(2))."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
