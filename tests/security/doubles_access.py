"""Access without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Any

from postrmagic_core.security.access.interface import User
from postrmagic_core.security.access.policy import Asked, Rule, Verdict


def never_too_old(known: Any, user_id: str) -> User | None:
    """What was known once is known for ever."""
    found = known._users.get(user_id)
    return None if found is None else found[1]


def kept_all_the_same(known: Any, user: User, asked: tuple[int, float]) -> None:
    """Whatever changed while the database was asked."""
    known._users[user.id] = (asked[1] + known.max_age, user)


def nobody_holds(tx: object, role: str) -> set[str]:
    """The last holder is not looked for."""
    return set()


def no_opinion(deciding: object, given: Any, who: Any, obj: object) -> bool | None:
    """A policy that fails has no opinion."""
    try:
        said: bool | None = given.call(who, obj)
    except Exception:
        return None
    return said


def allow_wins(question: Asked, allow: list[Rule], deny: list[Rule]) -> Verdict:
    """Denies are not looked at where something allows."""
    said = True if any(rule.covers(question) for rule in allow) else None
    return Verdict(said, said, said)
