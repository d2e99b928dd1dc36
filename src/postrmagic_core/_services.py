"""What jobs and durable listeners are offered in their context, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Services(Mapping[str, Any]):
    """What a job's context offers besides its own: looked up when asked for, so that wiring stays lazy."""

    _managers = ("backups", "cache", "database", "events", "flags", "security", "settings")

    def __init__(self, stack: object, provided: Mapping[str, object]) -> None:
        self._stack = stack
        self._provided = provided

    def __getitem__(self, name: str) -> Any:
        return getattr(self._stack, name) if name in self._managers else self._provided[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._managers
        yield from self._provided

    def __len__(self) -> int:
        return len(self._managers) + len(self._provided)
