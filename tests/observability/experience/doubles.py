"""Experience without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Any

NO_END = 10**9


def as_it_is(keys: Any, user: object) -> str:
    """Users are called what they are called."""
    return "" if user is None else str(user)


def as_it_was_written(text: str) -> str:
    """Nobody looks at what a comment says."""
    return text


def by_the_present_key(keys: Any, question: str, who: str) -> list[str]:
    """A new key knows nobody."""
    return [keys.mac(f"{question}\n{who}".encode(), purpose="survey-answer")[:16].hex()]


def without_end(buckets: Any, client: str, cost: float = 1.0) -> float:
    """Everybody may send anything at any time."""
    return 0.0


def whatever_it_is(pages: Any, told: str) -> str:
    """A page is what a client calls so."""
    return told
