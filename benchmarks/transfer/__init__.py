"""What it takes to move a SQLite file to MariaDB and to verify it, in time and memory, beside sqlite3-to-mysql.

Each side is a command, started as a process of its own, that moves the same file into an empty database of one private
MariaDB. The file's values are such that the other side moves them too: what it loses is no matter of speed.
"""

from __future__ import annotations

from .._harness import Bench

TAKES: frozenset[str] = frozenset()


def run(bench: Bench) -> None:
    """Report every figure."""
    from . import moving, watching

    moving.compared(bench)
    watching.read_all_along(bench)
    if not bench.options.quick:
        moving.memory(bench)
