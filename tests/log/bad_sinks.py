"""Sinks that break one promise each, on a list that all sinks of a test share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from postrmagic_core.testing.contracts.log_sink_rig import Outlet


class Good:
    """Keeps them all."""

    broken: ClassVar[set[str]] = set()
    lines: ClassVar[list[bytes]] = []
    refuses: ClassVar[bool] = False

    def write(self, lines: Sequence[bytes]) -> int:
        """All, unless it is told to refuse."""
        if Good.refuses:
            raise OSError("refused")
        self.lines.extend(lines)
        return len(lines)

    def idle(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Twice(Good):
    """Writes the last line of each batch again."""

    broken: ClassVar[set[str]] = {"lines_arrive_whole_and_in_order", "threads_write_through_one_writer", "two_at_once"}

    def write(self, lines: Sequence[bytes]) -> int:
        """One too many."""
        return super().write([*lines, lines[-1]]) - 1


class Torn(Good):
    """Has room for 64 KiB."""

    broken: ClassVar[set[str]] = {"lines_arrive_whole_and_in_order"}

    def write(self, lines: Sequence[bytes]) -> int:
        """In pieces."""
        for line in lines:
            super().write([line[at : at + 65536] for at in range(0, len(line), 65536)])
        return len(lines)


class Backwards(Good):
    """Does not keep the order."""

    broken: ClassVar[set[str]] = {"lines_arrive_whole_and_in_order", "threads_write_through_one_writer"}

    def write(self, lines: Sequence[bytes]) -> int:
        """The last first."""
        return super().write(list(reversed(lines)))


class Silent(Good):
    """Does not say how many arrived."""

    broken: ClassVar[set[str]] = {"lines_arrive_whole_and_in_order", "it_may_idle_at_any_time"}

    def write(self, lines: Sequence[bytes]) -> Any:
        """Nothing to say."""
        super().write(lines)


class Swallows(Good):
    """Tells nobody that it failed."""

    broken: ClassVar[set[str]] = {"a_refusal_is_an_os_error", "what_is_urgent_survives_a_refusal"}

    def write(self, lines: Sequence[bytes]) -> int:
        """As if."""
        return len(lines) if Good.refuses else super().write(lines)


class Foreign(Good):
    """Fails in its own words."""

    broken: ClassVar[set[str]] = {"a_refusal_is_an_os_error"}

    def write(self, lines: Sequence[bytes]) -> int:
        """Not an OSError."""
        if Good.refuses:
            raise LookupError("refused")
        return super().write(lines)


class Keeps(Good):
    """Keeps what was refused, and writes it later."""

    broken: ClassVar[set[str]] = {"a_refusal_is_an_os_error", "what_is_urgent_survives_a_refusal"}

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def write(self, lines: Sequence[bytes]) -> int:
        """Once more."""
        if Good.refuses:
            self._kept += lines
        super().write([*self._kept, *lines])
        self._kept = []
        return len(lines)


class Idles(Good):
    """Writes while it is idle."""

    broken: ClassVar[set[str]] = {"it_may_idle_at_any_time"}

    def idle(self) -> None:
        """A mark."""
        self.lines.append(b"idle")


class Leaks(Good):
    """Leaves a descriptor open."""

    broken: ClassVar[set[str]] = {"closing_is_final_and_may_be_repeated"}

    def close(self) -> None:
        """The opposite."""
        os.open(os.devnull, os.O_RDONLY)


class Once(Good):
    """May be closed only once."""

    broken: ClassVar[set[str]] = {"closing_is_final_and_may_be_repeated"}
    _open = True

    def close(self) -> None:
        """Not again."""
        assert self._open
        self._open = False


@contextmanager
def _refusing() -> Iterator[None]:
    Good.refuses = True
    yield
    Good.refuses = False


def outlet(kind: type[Good]) -> Outlet:
    """Sinks of ``kind``, on an empty list."""
    Good.lines.clear()
    Good.refuses = False
    return Outlet(kind, lambda: list(Good.lines), _refusing)


BAD = {kind.__name__: kind for kind in Good.__subclasses__()}
