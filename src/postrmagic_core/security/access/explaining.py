"""A decision taken again with everything looked at, to be read by people."""

from __future__ import annotations

from collections.abc import Iterator

from ..._protocols import Identity
from ...errors import UnknownPermission
from . import policy
from .deciding import Deciding
from .interface import Explanation, Step, shown
from .policy import OTHERS, OWN, Asked, Ownership, Rule

_OWNERSHIP = {
    OWN: "the object belongs to who asks",
    OTHERS: "the object belongs to somebody else",
}


class Explainer:
    """One question to one :class:`Deciding`."""

    def __init__(self, deciding: Deciding, who: Identity, question: Asked, obj: object) -> None:
        self._deciding = deciding
        self._who = who
        self._question = question
        self._given = obj is not None
        self._ownership: Ownership = deciding.ownership(who, question, obj)
        policies = [each for each in deciding.policies if each.rule.covers(question)]
        self._opinions = [(each.name, deciding.opinion(each, who, obj)) for each in policies]
        self._drawn: set[str] = set()

    def explanation(self, permission: str) -> Explanation:
        """All of it."""
        allowed, deciding = self._decided()
        steps = [Step("roles", below=self._roles())]
        if self._owners_matter():
            steps.append(Step(f"ownership: {self._owner()}", "told"))
        if self._opinions:
            steps.append(Step("policies", below=tuple(self._policies())))
        steps.append(self._scopes())
        return Explanation(self._who.id, permission, allowed, deciding, tuple(steps))

    def _decided(self) -> tuple[bool, str]:
        denials, grants = list(self._found("deny")), list(self._found("allow"))
        in_scope = self._deciding.in_scope(self._who, self._question, self._ownership)
        by_roles = False if denials else True if grants else None
        allowed = policy.combined(by_roles, [said for _, said in self._opinions], in_scope)
        if denials:
            return allowed, f"denied by {denials[0]}"
        for name, said in self._opinions:
            if said is False:
                return allowed, f"denied by policy {name}"
        if not (grants or any(said for _, said in self._opinions)):
            return allowed, "no role and no policy allows it"
        if not in_scope:
            return allowed, "the scopes of the credential do not cover it"
        if grants:
            return allowed, f"allowed by {grants[0]}"
        return allowed, f"allowed by policy {next(name for name, said in self._opinions if said)}"

    def _found(self, kind: str) -> Iterator[str]:
        """The rules that hold, each with the role whose it is and the one that inherits it."""
        for held in sorted(self._who.roles):
            for name in self._deciding.roles.line(held):
                for rule in self._deciding.roles.rules(name)[kind]:
                    if rule.covers(self._question) and self._holds(kind, rule):
                        inherited = "" if name == held else f", which {held} inherits"
                        yield f"role {name} ({kind} {rule.text}){inherited}"

    def _holds(self, kind: str, rule: Rule) -> bool:
        return (policy.denies if kind == "deny" else policy.allows)(rule, self._ownership)

    def _roles(self) -> tuple[Step, ...]:
        if not self._who.roles:
            return (Step("none"),)
        return tuple(self._role(name) for name in sorted(self._who.roles))

    def _role(self, name: str) -> Step:
        role = self._deciding.roles.get(name)
        if role is None:
            return Step(f"{shown(name)}: is not declared and says nothing")
        if name in self._drawn:
            return Step(f"{name}: as above")
        self._drawn.add(name)
        rules = self._deciding.roles.rules(name)
        said = [self._rule(kind, rule) for kind in ("deny", "allow") for rule in rules[kind]]
        parents = [self._role(parent) for parent in role.inherits]
        steps = [step for step in said if step is not None]
        return Step(name if steps or parents else f"{name}: says nothing", below=(*steps, *parents))

    def _rule(self, kind: str, rule: Rule) -> Step | None:
        if not rule.covers(self._question):
            return None
        if self._holds(kind, rule):
            return Step(f"{kind} {rule.text}", "denies" if kind == "deny" else "allows")
        return Step(f"{kind} {rule.text}: not for this object")

    def _owners_matter(self) -> bool:
        table = self._deciding.table(self._who.roles)
        scopes = () if self._who.scopes is None else self._deciding.scopes(frozenset(self._who.scopes))
        return any(rule.own and rule.covers(self._question) for rule in (*table.allow, *table.deny, *scopes))

    def _owner(self) -> str:
        if self._given:
            return _OWNERSHIP.get(self._ownership, "whose the object is cannot be said")
        return "asked as of an object of one's own" if self._question.own else "asked without an object"

    def _policies(self) -> Iterator[Step]:
        for name, said in self._opinions:
            if said is None:
                yield Step(f"{name}: no opinion")
            else:
                yield Step(f"{name}: {'allows' if said else 'denies'}", "allows" if said else "denies")

    def _scopes(self) -> Step:
        if self._who.scopes is None:
            return Step("scopes: the credential is not limited")
        named = ", ".join(sorted(map(shown, self._who.scopes))) or "none"
        if self._deciding.in_scope(self._who, self._question, self._ownership):
            return Step(f"scopes: {named}: cover it", "told")
        return Step(f"scopes: {named}: do not cover it", "denies")


def explain(deciding: Deciding, who: Identity | None, permission: str, obj: object) -> Explanation:
    """Why, or why not; nothing is raised for a permission that there is not."""
    permission = str(permission)  # whatever it is, it can be shown
    if who is None or not who.id:
        return Explanation(None, permission, False, "nobody is logged in", ())
    try:
        question = deciding.question(permission)
    except UnknownPermission as error:
        return Explanation(who.id, permission, False, "there is no such permission", (Step(str(error), "denies"),))
    return Explainer(deciding, who, question, obj).explanation(permission)
