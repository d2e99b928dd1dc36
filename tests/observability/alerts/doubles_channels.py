"""Channels of alerts without a guard: ``make guards`` puts this in its place (tests/faults.toml)."""

from __future__ import annotations


def behind_the_first_plus(url: str) -> str:
    """Wherever that stands: a path may then say where to post to."""
    return url.partition("+")[2]
