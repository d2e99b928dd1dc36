"""How many lines go into one write(2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

CHUNK = 1024 * 1024
"""Bytes of one write. After each system call busy callers may keep the interpreter for five milliseconds: with smaller
ones a burst would come in faster than it goes out. With larger ones other processes would wait for the file."""


def batches(lines: Iterable[bytes], limit: int = CHUNK) -> Iterator[list[bytes]]:
    """``lines`` (at least one) in groups of at most ``limit`` bytes; a longer line is a group of its own."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        if group and size + len(line) > limit:
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line)
    yield group
