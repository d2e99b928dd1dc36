"""The rules of a form's definition: those with a name, those between fields, those on a whole object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

from pydantic import PydanticUserError
from pydantic_core import SchemaError

from ...errors import ConfigurationError, ValidationFailed
from ..between_fields import FieldRule, ModelRule
from ..messages import ENGLISH
from ..model import Input
from ..policy import entry, pointer_to
from ..rules.named import NAMED, NamedRule
from ..together import (
    AtLeastOneOf,
    AtMostOneOf,
    Compared,
    DifferentFrom,
    ExactlyOneOf,
    ForbiddenIf,
    ForbiddenWith,
    RequiredIf,
    RequiredUnless,
    RequiredWith,
    RequiredWithout,
    SameAs,
)
from ..validator import Validator
from . import model as form
from .pattern_cost import cost
from .types import KINDS

Path: TypeAlias = tuple[int | str, ...]
Fields: TypeAlias = Mapping[str, form.AnyField]
M = TypeVar("M", bound=Input)

UNUSABLE = (ConfigurationError, PydanticUserError, SchemaError, TypeError, ValueError, ArithmeticError)
"""What making a rule or a class from values beyond their range may raise."""

_COMPARISONS: Mapping[str, Callable[[str], FieldRule]] = {
    "same_as": SameAs,
    "different_from": DifferentFrom,
    "less_than": lambda other: Compared("<", other),
    "at_most": lambda other: Compared("<=", other),
    "greater_than": lambda other: Compared(">", other),
    "at_least": lambda other: Compared(">=", other),
}
_ANSWERS: Mapping[str, Callable[..., FieldRule]] = {
    "required_if": RequiredIf,
    "required_unless": RequiredUnless,
    "forbidden_if": ForbiddenIf,
}
_PRESENCE: Mapping[str, Callable[..., FieldRule]] = {
    "required_with": RequiredWith,
    "required_without": RequiredWithout,
    "forbidden_with": ForbiddenWith,
}
_WHOLE: Mapping[str, Callable[..., ModelRule]] = {
    "exactly_one_of": ExactlyOneOf,
    "at_least_one_of": AtLeastOneOf,
    "at_most_one_of": AtMostOneOf,
}
BETWEEN = frozenset({*_COMPARISONS, *_ANSWERS, *_PRESENCE})
"""The names of the rules between fields."""

_ORDERED = {"integer", "decimal", "number", "date", "datetime"}
_SAYS: Mapping[str, type] = {
    **dict.fromkeys(("text", "email", "url", "choice"), str),
    "integer": int,
    "boolean": bool,
}
_ONE_OTHER, _ONE_SAID, _SOME_OTHERS = Validator(form.OneOther), Validator(form.OneSaid), Validator(form.SomeOthers)

_LONGEST_PATTERN = 200
# All patterns of a definition together; each is compiled a few times, for some fifty milliseconds.
_MOST_STATES = 60_000


class Rules:
    """Makes rules, and collects what is wrong with the definition."""

    def __init__(self, limits: form.DefinitionLimits, data: object, further: Mapping[str, NamedRule]) -> None:
        self.limits = limits
        self._named = {**further, **NAMED}
        self.problems: list[dict[str, str]] = []
        self._data = data
        self._patterns = self._states = 0

    def refuse(self, code: str, path: Path, **context: object) -> None:
        """Note a problem at a place of the definition."""
        self.problems.append(entry(code, pointer_to(path, self._data), context, ENGLISH))

    def own(self, field: form.AnyField, path: Path, *, between: bool) -> Iterator[Any]:
        """The rules on the field alone; ``between``: leave those between fields to :meth:`others`."""
        for at, use in enumerate(field.rules):
            place = (*path, "rules", at)
            rule = self._named.get(use.rule)
            if use.rule in BETWEEN:
                if not between:
                    self.refuse("definition.kind", (*place, "rule"))
            elif rule is None:
                self.refuse("definition.rule", (*place, "rule"))
            elif KINDS.get(field.type) not in rule.kinds:
                self.refuse("definition.kind", (*place, "rule"))
            else:
                given = form.parameters(use)
                if not given.keys() <= rule.parameters.keys():
                    self.refuse("definition.parameters", place)
                elif use.rule != "matches" or self.pattern(given.get("pattern"), (*place, "pattern")):
                    yield from self._made(partial(rule.make, **given), place)

    def pattern(self, pattern: object, path: Path) -> bool:
        """Whether compiling a pattern costs what it may; what is wrong with it otherwise is found by compiling it."""
        self._patterns += 1
        if self._patterns > self.limits.patterns:
            self.refuse("definition.patterns", path, limit=self.limits.patterns)
            return False
        text = pattern if isinstance(pattern, str) and len(pattern) <= _LONGEST_PATTERN else None
        states = cost(text) if text is not None else None
        self._states += states or 0
        if states is None or self._states > _MOST_STATES:
            self.refuse("definition.pattern", path)
            return False
        return True

    def others(self, name: str, fields: Fields, path: Path) -> Iterator[FieldRule]:
        """The rules between the field ``name`` and others of its object."""
        for at, use in enumerate(fields[name].rules):
            place = (*path, "rules", at)
            if use.rule in _COMPARISONS:
                yield from self._comparison(use, name, fields, place)
            elif use.rule in _ANSWERS:
                yield from self._answer(use, name, fields, place)
            elif use.rule in _PRESENCE:
                some = self._parameters(_SOME_OTHERS, use, place)
                known = some is not None and self._known(some.fields, name, fields, (*place, "fields"))
                if some is not None and known and self._optional(name, fields, place):
                    yield _PRESENCE[use.rule](*some.fields)

    def whole(self, rule: form.WholeRule, fields: Fields, path: Path) -> Iterator[ModelRule]:
        """The rule on a whole object."""
        for name, build in _WHOLE.items():
            names: list[str] | None = getattr(rule, name)
            if names is not None and self._known(names, None, fields, (*path, name)):
                yield from self._made(partial(build, *names), (*path, name))

    def _comparison(self, use: form.RuleUse, name: str, fields: Fields, place: Path) -> Iterator[FieldRule]:
        given = self._parameters(_ONE_OTHER, use, place)
        if given is None or not self._known([given.field], name, fields, (*place, "field")):
            return
        ordered = use.rule in {"same_as", "different_from"} or fields[name].type in _ORDERED
        if not ordered or fields[name].type != fields[given.field].type:
            self.refuse("definition.kind", (*place, "rule"))
            return
        yield _COMPARISONS[use.rule](given.field)

    def _answer(self, use: form.RuleUse, name: str, fields: Fields, place: Path) -> Iterator[FieldRule]:
        given = self._parameters(_ONE_SAID, use, place)
        if given is None or not self._known([given.field], name, fields, (*place, "field")):
            return
        other = fields[given.field]
        kind = _SAYS.get(other.type)
        possible = other.of if isinstance(other, form.ChoiceField) else given.values
        if not all(type(value) is kind and value in possible for value in given.values):
            self.refuse("definition.kind", (*place, "values"))
        elif self._optional(name, fields, place):
            yield _ANSWERS[use.rule](given.field, *given.values)

    def _parameters(self, validator: Validator[M], use: form.RuleUse, place: Path) -> M | None:
        try:
            return validator.validate(form.parameters(use))
        except ValidationFailed as failed:
            here = pointer_to(place, self._data)
            self.problems += [{**error, "pointer": here + error["pointer"]} for error in failed.errors]
            return None

    def _known(self, names: list[str], own: str | None, fields: Fields, path: Path) -> bool:
        if len(set(names)) < len(names):
            self.refuse("definition.repeated", path)
            return False
        if own in names or not set(names) <= fields.keys():
            self.refuse("definition.field", path)
            return False
        return True

    def _optional(self, name: str, fields: Fields, place: Path) -> bool:
        if fields[name].required:
            self.refuse("definition.required", (*place, "rule"))
        return not fields[name].required

    def _made(self, make: Callable[[], Any], place: Path) -> Iterator[Any]:
        try:
            yield make()
        except UNUSABLE:
            self.refuse("definition.parameters", place)
