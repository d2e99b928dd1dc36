"""What a unit has promised so far, so that a rolled-back savepoint can take its part back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from .interface import Staged

Hook: TypeAlias = Callable[[], None]
Mark: TypeAlias = tuple[int, int, int, int]

logger = logging.getLogger("postrmagic_core.database")


@dataclass(slots=True)
class Staging:
    """Outbox rows and hooks, in the order they were given."""

    rows: list[Staged] = field(default_factory=list)
    before_commit: list[Hook] = field(default_factory=list)
    after_commit: list[Hook] = field(default_factory=list)
    on_rollback: list[Hook] = field(default_factory=list)
    # Not taken back with a savepoint: they have happened.
    side_effects: list[str] = field(default_factory=list)

    def mark(self) -> Mark:
        """Where :meth:`rewind` goes back to."""
        return len(self.rows), len(self.before_commit), len(self.after_commit), len(self.on_rollback)

    def rewind(self, mark: Mark) -> list[Hook]:
        """Drop what came after ``mark``; returns the dropped rollback hooks, which are now to be called."""
        rows, before, after, rollback = mark
        del self.rows[rows:], self.before_commit[before:], self.after_commit[after:]
        undone = self.on_rollback[rollback:]
        del self.on_rollback[rollback:]
        return undone

    def run_before_commit(self) -> None:
        """Call the hooks, and those that they add."""
        done = 0
        while done < len(self.before_commit):
            self.before_commit[done]()
            done += 1


def run_hooks(hooks: Iterable[Hook], when: str) -> int:
    """Call each hook whatever the others do; errors are logged. Returns how many failed."""
    failed = 0
    for hook in hooks:
        try:
            hook()
        except Exception:
            failed += 1
            logger.exception("a hook of a unit failed", extra={"when": when})
    return failed
