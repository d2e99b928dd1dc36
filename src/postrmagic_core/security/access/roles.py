"""The book of roles: declared in code, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from ...errors import ConfigurationError
from . import policy
from .interface import Role

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


class Roles:
    """Roles by name, and the permissions there are, if they are listed.

    Raises :class:`ConfigurationError` for a name used twice, a parent that is not declared, a circle of parents, a
    malformed permission and, where ``permissions`` lists them, one that none of them matches.
    """

    permissions: frozenset[str] | None

    def __init__(self, roles: Iterable[Role], permissions: Iterable[str] | None = None) -> None:
        self._roles: dict[str, Role] = {}
        for role in roles:
            if _NAME.match(role.name) is None:
                raise ConfigurationError(
                    f"role {role.name!r}: expected a name of 1 to 64 letters, digits, '_', '.' and '-'"
                )
            if role.name in self._roles:
                raise ConfigurationError(f"role {role.name} is declared twice: give one of them another name")
            self._roles[role.name] = role
        self.permissions = None if permissions is None else frozenset(map(_listed, permissions))
        self._check_parents()
        self._lines: dict[str, tuple[str, ...]] = {}
        for name in self._roles:
            self._line(name)
        self._allow: dict[str, tuple[policy.Rule, ...]] = {}
        self._deny: dict[str, tuple[policy.Rule, ...]] = {}
        for role in self._roles.values():
            self._allow[role.name] = tuple(self._rule(role, "allow", text) for text in role.allow)
            self._deny[role.name] = tuple(self._rule(role, "deny", text) for text in role.deny)

    def __iter__(self) -> Iterator[Role]:
        return iter(self._roles.values())

    def __contains__(self, name: object) -> bool:
        return name in self._roles

    def get(self, name: str) -> Role | None:
        """The role of this name."""
        return self._roles.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of their declaration."""
        return tuple(self._roles)

    def line(self, name: str) -> tuple[str, ...]:
        """The role itself and all that it inherits, each once; none for a role that is not declared."""
        return self._lines.get(name, ())

    def rules(self, name: str) -> Mapping[str, tuple[policy.Rule, ...]]:
        """The role's own rules, what it inherits left out, by ``"allow"`` and ``"deny"``."""
        return MappingProxyType({"allow": self._allow[name], "deny": self._deny[name]})

    def _rule(self, role: Role, kind: str, text: str) -> policy.Rule:
        return checked_rule(text, self.permissions, f"role {role.name}: the {kind} {text!r}")

    def _check_parents(self) -> None:
        for role in self:
            for parent in role.inherits:
                if parent not in self._roles:
                    near = get_close_matches(str(parent), self._roles, 1)
                    known = f"did you mean {near[0]}?" if near else f"declared are {', '.join(self._roles)}"
                    raise ConfigurationError(f"role {role.name} inherits {parent}, which is not declared; {known}")
        done: set[str] = set()
        for name in self._roles:
            self._refuse_circle(name, (), done)

    def _refuse_circle(self, name: str, above: tuple[str, ...], done: set[str]) -> None:
        if name in above:
            circle = " → ".join([*above[above.index(name) :], name])
            raise ConfigurationError(f"roles inherit in a circle: {circle}")
        if name not in done:
            for parent in self._roles[name].inherits:
                self._refuse_circle(parent, (*above, name), done)
            done.add(name)

    def _line(self, name: str) -> tuple[str, ...]:
        if name not in self._lines:
            above = [each for parent in self._roles[name].inherits for each in self._line(parent)]
            self._lines[name] = tuple(dict.fromkeys([name, *above]))
        return self._lines[name]


def checked_rule(pattern: str, listed: frozenset[str] | None, whose: str) -> policy.Rule:
    """``pattern`` as a rule; :class:`ConfigurationError`, which names ``whose`` it is, if it cannot be one.

    It covers one of the permissions that are ``listed``, if any are.
    """
    found = policy.rule(pattern)
    if found is None:
        raise ConfigurationError(f"{whose} is malformed: got {pattern!r}; {policy.GRAMMAR}")
    if listed is not None and not any(map(found.covers, map(_asked, listed))):
        near = get_close_matches(f"{found.resource}:{found.action}", listed, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(listed)) or 'none'}"
        raise ConfigurationError(f"{whose}: {pattern} matches no permission that is listed; {hint}")
    return found


def _listed(permission: str) -> str:
    found = policy.asked(permission)
    if found is None or found.own:
        raise ConfigurationError(f"the permission {permission!r} cannot be listed: expected resource:action")
    return permission


def _asked(permission: str) -> policy.Asked:
    resource, _, action = permission.partition(":")
    return policy.Asked(resource, action, own=False)
