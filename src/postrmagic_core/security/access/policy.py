"""What permissions mean: their grammar, which rule covers what is asked, and who wins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Ownership = Literal[0, 1, 2]

OWN: Ownership = 0
"""The object belongs to who asks."""
OTHERS: Ownership = 1
"""It belongs to somebody else."""
UNKNOWN: Ownership = 2
"""There is no object, or nobody knows whose it is: then an allow for own objects does not hold, and a deny does."""

GRAMMAR = (
    "expected resource:action, each of a-z, 0-9, '_', '.' and '-', as in media:edit; a grant may have '*' in place of "
    "either, and ':own' at its end"
)
_SEGMENT = r"[a-z0-9_.-]+"
# \Z: `$` would let a line feed pass.
_ASKED = re.compile(rf"({_SEGMENT}):({_SEGMENT})(:own)?\Z")
_GRANT = re.compile(rf"({_SEGMENT}|\*):({_SEGMENT}|\*)(:own)?\Z")
_LONGEST = 128


class Asked(NamedTuple):
    """A permission that is asked for; ``own``: as of an object of one's own, where none is at hand."""

    resource: str
    action: str
    own: bool

    @property
    def name(self) -> str:
        """As catalogues list it."""
        return f"{self.resource}:{self.action}"


@dataclass(frozen=True, slots=True)
class Rule:
    """An allow or a deny of a role, or a scope of a credential."""

    text: str
    resource: str
    action: str
    own: bool

    def covers(self, asked: Asked) -> bool:
        """Whether it is about ``asked``, whoever owns the object."""
        return self.resource in ("*", asked.resource) and self.action in ("*", asked.action)


class Verdict(NamedTuple):
    """What rules say to one permission, by :data:`Ownership`: allowed, denied, or nothing."""

    own: bool | None
    others: bool | None
    unknown: bool | None


def asked(permission: object) -> Asked | None:
    """``resource:action`` or ``resource:action:own``; ``None`` for anything else, wildcards included."""
    if not isinstance(permission, str) or len(permission) > _LONGEST:
        return None
    found = _ASKED.match(permission)
    return None if found is None else Asked(found[1], found[2], found[3] is not None)


def rule(text: object) -> Rule | None:
    """A grant: as :func:`asked`, and with ``*`` for a whole segment; ``None`` if it is none."""
    found = _GRANT.match(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    return None if found is None else Rule(found[0], found[1], found[2], found[3] is not None)


def verdict(question: Asked, allow: Iterable[Rule], deny: Iterable[Rule]) -> Verdict:
    """A deny beats every allow. Nothing is allowed that no rule allows for this ownership."""
    allowing = [each for each in allow if each.covers(question)]
    denying = [each for each in deny if each.covers(question)]

    def of(ownership: Ownership) -> bool | None:
        if any(denies(each, ownership) for each in denying):
            return False
        return True if any(allows(each, ownership) for each in allowing) else None

    return Verdict(of(OWN), of(OTHERS), of(UNKNOWN))


def allows(given: Rule, ownership: Ownership) -> bool:
    """Whether an allow that covers what is asked holds for this object."""
    return not given.own or ownership == OWN


def denies(given: Rule, ownership: Ownership) -> bool:
    """Whether a deny that covers what is asked holds for this object: in doubt, yes."""
    return not given.own or ownership != OTHERS


def combined(by_roles: bool | None, opinions: Iterable[bool | None], in_scope: bool) -> bool:
    """Any deny denies, a scope limits, and somebody must allow."""
    said = [by_roles, *opinions]
    return False not in said and in_scope and True in said


def same_user(owner: object, user_id: object) -> bool | None:
    """Whether ``owner``, as an object names it, is the user; ``None`` where that cannot be said.

    Integers and UUIDs are compared as they are written: identities are texts.
    """
    if owner is None or isinstance(owner, (bool, float, bytes)) or not (isinstance(user_id, str) and user_id):
        return None
    if not isinstance(owner, (str, int)) and type(owner).__name__ != "UUID":
        return None
    return str(owner) == user_id
