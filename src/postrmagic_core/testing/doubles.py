"""What takes a guard's place in ``python -m postrmagic_core.testing.guards``: it looks like one and guards nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


def noop(*args: object, **options: object) -> None:
    """Do nothing, return ``None``."""


async def async_noop(*args: object, **options: object) -> None:
    """Do nothing, asynchronously."""


def true(*args: object, **options: object) -> bool:
    """Always agree."""
    return True


def false(*args: object, **options: object) -> bool:
    """Never agree."""
    return False


def identity(*args: object, **options: object) -> object:
    """The last positional argument, unchanged and unchecked."""
    return args[-1]


@contextmanager
def unlocked(*args: object, **options: object) -> Iterator[None]:
    """A context manager that holds nothing."""
    yield


def wall_clock() -> float:
    """The time that operators set, in the place of the time that passes (seconds)."""
    return time.time()
