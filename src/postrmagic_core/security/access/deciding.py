"""The decision itself, on tables that are made once for each set of roles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, NamedTuple

from ..._protocols import Identity
from ...errors import ConfigurationError, UnknownPermission, UsageError
from . import policy
from .interface import OwnerFunction, PolicyFunction, shown
from .policy import OTHERS, OWN, UNKNOWN, Asked, Ownership, Rule, Verdict
from .roles import Roles, checked_rule

_log = logging.getLogger("postrmagic_core.security")

_TABLES = 1024
_ANSWERS = 4096


class Policy(NamedTuple):
    """A policy function and the permissions that it is asked about."""

    name: str
    rule: Rule
    call: PolicyFunction


class Answer(NamedTuple):
    """All that is known of a permission for a set of roles before there is an object."""

    asked: Asked
    verdict: Verdict
    policies: tuple[Policy, ...]
    plain: bool | None
    """What the roles say whoever owns the object, where no policy has a say; ``None``: there is more to look at."""


class Table(dict[str, Answer]):
    """Answers for one set of roles, by permission, each made when it is asked for first."""

    def __init__(self, deciding: Deciding, roles: frozenset[str]) -> None:
        self._deciding = deciding
        lines = [deciding.roles.rules(name) for role in sorted(roles) for name in deciding.roles.line(role)]
        self.allow = [rule for line in lines for rule in line["allow"]]
        self.deny = [rule for line in lines for rule in line["deny"]]

    def __missing__(self, permission: str) -> Answer:
        question = self._deciding.question(permission)
        verdict = policy.verdict(question, self.allow, self.deny)
        policies = tuple(each for each in self._deciding.policies if each.rule.covers(question))
        plain = (verdict.own is True) if len(set(verdict)) == 1 and not policies else None
        answer = Answer(question, verdict, policies, plain)
        if len(self) < _ANSWERS:
            self[permission] = answer
        return answer


class Deciding:
    """Whether somebody may: pure, but for what policy and owner functions do. Whatever fails in it denies."""

    def __init__(self, roles: Roles, *, strict: bool) -> None:
        self.roles = roles
        self.policies: list[Policy] = []
        self.owners: dict[str, OwnerFunction] = {}
        self._strict = strict
        self._tables: dict[frozenset[str], Table] = {}
        self._scopes: dict[frozenset[str], tuple[Rule, ...]] = {}
        self._told: set[str] = set()

    def add_policy(self, pattern: str, function: PolicyFunction) -> None:
        """Ask ``function`` about the permissions that ``pattern`` covers."""
        name = f"{function.__module__}.{function.__qualname__}"
        if iscoroutinefunction(function) or isasyncgenfunction(function):
            raise ConfigurationError(f"policy {name} is async: a policy is a plain function that does not wait")
        rule = checked_rule(pattern, self.roles.permissions, f"policy {name}: {pattern!r}")
        if rule.own:
            raise ConfigurationError(f"policy {name}: {pattern!r}: leave out ':own', it is given the object itself")
        self.policies.append(Policy(name, rule, function))
        self._tables.clear()

    def add_owner(self, resource: str, function: OwnerFunction) -> None:
        """Find the owner of a ``resource``'s objects by ``function``."""
        if policy.asked(f"{resource}:x") is None:
            raise ConfigurationError(f"expected the resource of a permission, as media in media:edit, got {resource!r}")
        self.owners[resource] = function

    def allowed(self, who: Identity | None, permission: str, obj: object = None) -> bool:
        """The decision."""
        if who is None or not who.id:
            return False
        try:
            answer = self.table(who.roles)[permission]
        except UnknownPermission:
            return self._unknown(permission)
        if answer.plain is not None:
            return answer.plain and (who.scopes is None or self._in_scope(who, answer.asked, obj))
        ownership = self.ownership(who, answer.asked, obj)
        by_roles = answer.verdict[ownership]
        if by_roles is False:
            return False
        opinions = map(partial(self.opinion, who=who, obj=obj), answer.policies)
        return policy.combined(by_roles, opinions, self.in_scope(who, answer.asked, ownership))

    def table(self, roles: frozenset[str]) -> Table:
        """What these roles may do."""
        found = self._tables.get(roles)
        if found is None:
            if not isinstance(roles, frozenset):
                raise UsageError(f"an identity's roles are a frozenset, got {type(roles).__name__}")
            found = Table(self, roles)
            if len(self._tables) >= _TABLES:
                self._tables.clear()
            self._tables[roles] = found
        return found

    def question(self, permission: str) -> Asked:
        """The permission, taken apart; :class:`UnknownPermission` if it cannot be asked for."""
        question = policy.asked(permission)
        if question is None:
            raise UnknownPermission(
                f"{shown(str(permission))!r} cannot be asked for: expected resource:action, each of a-z, 0-9, '_', '.' "
                "and '-', without '*', perhaps with ':own' at its end"
            )
        listed = self.roles.permissions
        if listed is not None and question.name not in listed:
            raise UnknownPermission(f"{question.name} is not among the permissions that Roles(permissions=…) lists")
        return question

    def ownership(self, who: Identity, question: Asked, obj: object) -> Ownership:
        """Whose the object is; unknown where its owner cannot be found."""
        if obj is None:
            return OWN if question.own else UNKNOWN
        try:
            find: OwnerFunction = self.owners.get(question.resource, _owner)
            same = policy.same_user(find(obj), who.id)
        except Exception as error:
            self._failed("owner_failed", f"the owner of an object could not be found, of {question.resource}", error)
            same = None
        return UNKNOWN if same is None else OWN if same else OTHERS

    def opinion(self, given: Policy, who: Identity, obj: object) -> bool | None:
        """What a policy says; one that fails, or answers otherwise than it may, denies (OWASP ASVS 16.5.3)."""
        try:
            said: Any = given.call(who, obj)
        except Exception as error:
            self._failed("policy_failed", f"policy {given.name} failed and so denies", error)
            return False
        if said is None or said is True or said is False:
            return said
        self._failed("policy_failed", f"policy {given.name} answered neither True, False nor None and so denies", said)
        return False

    def scopes(self, scopes: frozenset[str]) -> tuple[Rule, ...]:
        """The scopes that are permissions; those of another kind (``openid``) permit nothing here."""
        found = self._scopes.get(scopes)
        if found is None:
            found = tuple(rule for rule in map(policy.rule, sorted(scopes)) if rule is not None)
            if len(self._scopes) >= _TABLES:
                self._scopes.clear()
            self._scopes[scopes] = found
        return found

    def in_scope(self, who: Identity, question: Asked, ownership: Ownership) -> bool:
        """Whether the credential extends to it."""
        if who.scopes is None:
            return True
        covering = [rule for rule in self.scopes(frozenset(who.scopes)) if rule.covers(question)]
        return any(policy.allows(rule, ownership) for rule in covering)

    def _in_scope(self, who: Identity, question: Asked, obj: object) -> bool:
        return self.in_scope(who, question, self.ownership(who, question, obj))

    def _unknown(self, permission: str) -> bool:
        if self._strict:
            self.question(permission)
        name = shown(str(permission))
        if name not in self._told and len(self._told) < _TABLES:
            self._told.add(name)
            _log.warning(
                "permission %r is asked for, which does not exist: denied",
                name,
                extra={"event": "security.access.unknown_permission", "permission": name},
            )
        return False

    def _failed(self, event: str, sentence: str, what: object) -> None:
        # Of an error its kind and place, not its text: it may hold what the object does.
        kind = type(what).__qualname__
        _log.error("%s: %s", sentence, kind, extra={"event": f"security.access.{event}", "error": kind})


def _owner(obj: Any) -> object:
    if isinstance(obj, Mapping):
        return obj["owner_id"] if "owner_id" in obj else obj.get("user_id")
    return obj.owner_id if hasattr(obj, "owner_id") else getattr(obj, "user_id", None)
