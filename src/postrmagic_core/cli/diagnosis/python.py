"""The interpreter, how it was started, and the SQLite library that it brings."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Iterator

from .interface import Finding, Patient, advice, graver, ok, problem

# UPSERT, which the outbox numbers rows by; and the window functions of the log search.
OLDEST_SQLITE = (3, 25)
# What reads a schema: `db transfer`, `db check`.
COMFORTABLE_SQLITE = (3, 37)
_SERIALIZED = 3


def look(patient: Patient) -> Iterator[Finding]:
    """The version and build, the flags, SQLite."""
    yield ok(f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")
    yield from build(patient.production)
    yield from sqlite(sqlite3.sqlite_version_info, getattr(sqlite3, "threadsafety", _SERIALIZED))


def build(production: bool) -> Iterator[Finding]:
    """What the interpreter is made of, and was started with."""
    gil = getattr(sys, "_is_gil_enabled", None)
    if gil is not None and not gil():
        yield advice(
            "this Python runs without its global lock, for which the package is not tested",
            "start it with PYTHON_GIL=1, or install the usual build",
        )
    if sys.flags.optimize:
        yield advice(
            f"Python runs with -{'O' * sys.flags.optimize}: assertions are not checked"
            + (", and commands have no help" if sys.flags.optimize > 1 else ""),
            "leave PYTHONOPTIMIZE and -O out: it saves nothing here",
        )
    if sys.flags.dev_mode and production:
        yield graver(
            False,
            "Python runs in its development mode (-X dev), which costs time and memory",
            "leave PYTHONDEVMODE and -X dev out where users are",
        )


def sqlite(version: tuple[int, ...], threadsafety: int) -> Iterator[Finding]:
    """Whether the library can do what this package asks of it."""
    name = ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        yield problem(
            f"SQLite {name} is too old for the outbox",
            f"use a Python with SQLite {'.'.join(map(str, COMFORTABLE_SQLITE))} or later",
            "how-to/write-a-unit.md",
        )
    elif version < COMFORTABLE_SQLITE:
        yield advice(
            f"SQLite {name}: `postrmagic db transfer` needs 3.37 or later",
            "use a Python with a newer SQLite",
            "how-to/move-from-sqlite-to-mysql.md",
        )
    else:
        yield ok(f"SQLite {name}")
    if threadsafety != _SERIALIZED:
        yield problem(
            f"SQLite is built without its locks (threadsafety {threadsafety}): connections move between threads here",
            "use a Python whose SQLite is built with SQLITE_THREADSAFE=1",
        )
