"""Flags without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import json
from typing import Any

from postrmagic_core.flags.interface import Rule
from postrmagic_core.flags.rows import Row, understood


def forgotten(standing: Any, error: Exception) -> None:
    """What was known is gone with the database."""
    standing.now = type(standing.now)({})


def taken_all_the_same(standing: Any, found: list[Row], changes: int, began: float) -> bool:
    """Whatever this process changed while the rows were read."""
    rules, _ = understood(found)
    standing.now = type(standing.now)({**standing.configured, **rules}, frozenset(rules))
    return True


def asked_alone(standing: Any) -> None:
    """A child of a fork reads nothing before its first answer."""
    if not standing.watched:
        standing.watched = True
        standing._errand.ask()


def read_each_time(standing: Any) -> None:
    """Whoever asks waits for the database."""
    standing.load()


def trusting(row: Row) -> Rule | str:
    """Rows are what this package wrote."""
    return Rule(**json.loads(row.rule))


def asked_first(standing: Any) -> None:
    """The thread of a child may be the first to read, and its first answer gives way to it."""
    if not standing.watched:
        standing.watched = True
        standing._errand.ask()
        standing.load()


def waited_for(standing: Any) -> None:
    """Closing takes as long as the server is silent."""
    standing.watched = False
    standing._errand.close(finish=False)
