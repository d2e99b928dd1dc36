"""Waiting for what happens in another thread, task or process, which cannot tell the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")

SOON = 20.0
"""Seconds after which what must happen soon counts as never happening: far more than a busy machine needs."""
_EVERY = 0.01


def until(look: Callable[[], R | None], otherwise: str = "it did not come to hold", timeout: float | None = None) -> R:
    """What ``look()`` gives as soon as that is true; :class:`AssertionError` after ``timeout`` seconds (20).

    ``otherwise`` says there what has not happened. What ``look()`` raises is raised at once.
    """
    timeout = SOON if timeout is None else timeout
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{otherwise} within {timeout:g} s")
        time.sleep(_EVERY)
    return seen
