"""Who has a feature: whoever is named, and those whose bucket is below the percentage."""

from __future__ import annotations

from hashlib import sha256

from .._protocols import Identity
from .interface import Reason, Rule

BUCKETS = 10_000
"""Hundredths of a percent."""

ON: frozenset[Reason] = frozenset({"user", "role", "everybody", "bucket"})
"""Reasons for which a feature is on."""

_NOBODY: frozenset[str] = frozenset()


def bucket(name: str, user_id: str) -> int:
    """Where a user stands among the percentages of a flag, 0 to 9,999.

    The first eight bytes of the SHA-256 of the flag's name, a zero byte and the user's id, modulo 10,000. It is the
    same in every process and release, and that of another flag tells nothing of it.
    """
    digest = sha256(f"{name}\0{user_id}".encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def reason(name: str, rule: Rule, user_id: str | None, roles: frozenset[str] = _NOBODY) -> Reason:
    """What decides whether the flag is on for a user, or for ``None``: it is for those in :data:`ON`."""
    if user_id is None:
        return "everybody" if rule.limit == BUCKETS else "nobody"
    if user_id in rule.off_for:
        return "off_for"
    if user_id in rule.users:
        return "user"
    if roles and not rule.roles.isdisjoint(roles):
        return "role"
    if rule.limit == BUCKETS:
        return "everybody"
    return "bucket" if rule.limit and bucket(name, user_id) < rule.limit else "beyond"


def parted(who: Identity | str | None) -> tuple[str | None, frozenset[str]]:
    """The user's id and roles. An id alone has no roles; an empty one is nobody. :class:`TypeError` for what is none.

    A number is refused, as no rule would name it: ids are texts.
    """
    if who is None or isinstance(who, str):
        return who or None, _NOBODY
    user_id, roles = getattr(who, "id", None), getattr(who, "roles", None)
    if not isinstance(user_id, str) or roles is None:
        raise TypeError(f"expected an Identity, a user's id as text, or None for nobody; got {type(who).__name__}")
    return user_id or None, roles
