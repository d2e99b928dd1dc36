"""Rules that compare fields, or make one depend on others: ``again: Annotated[str, SameAs("password")]``.

A rule stands on the field that gets the error, around its whole type; rules on a whole model are given to the class:
``class Login(Input, together=[ExactlyOneOf("code", "recovery_code")])``. All of them look at the fields that passed,
also when others failed, so that every problem is told at once.

*Absent* is a field that was not sent, or is ``None``, white space alone or an empty list: what a form sends for an
input left blank. A field whose presence is asked for has the default ``None``. Errors name the other field, never its
value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Annotated, Any, Literal, LiteralString

from pydantic import TypeAdapter
from pydantic_core import PydanticCustomError

from ..errors import ConfigurationError
from .between_fields import FieldRule, Gate, ModelRule, Siblings
from .database_rules import Exists, Unique

_FEWEST = 2

_COMPARED: dict[str, tuple[Callable[[Any, Any], bool], LiteralString]] = {
    "<": (operator.lt, "together.less"),
    "<=": (operator.le, "together.at_most"),
    ">": (operator.gt, "together.greater"),
    ">=": (operator.ge, "together.at_least"),
}


def _error(code: LiteralString, *names: str) -> PydanticCustomError:
    return PydanticCustomError(code, "does not fit the other fields", {"other": ", ".join(names) or "other fields"})


@dataclass(frozen=True, slots=True)
class SameAs(FieldRule):
    """Equal to the field ``other``: a repeated password. One of the two alone is refused."""

    other: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The other field."""
        return (self.other,)

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.same``."""
        if not siblings.knows(self.other) or siblings[name] == siblings[self.other]:
            return None
        return _error("together.same", self.other)


@dataclass(frozen=True, slots=True)
class DifferentFrom(FieldRule):
    """Not equal to the field ``other``, where both are there: a new password."""

    other: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The other field."""
        return (self.other,)

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.different``."""
        known = siblings.knows(self.other) and siblings.has(self.other) and siblings.has(name)
        return _error("together.different", self.other) if known and siblings[name] == siblings[self.other] else None


@dataclass(frozen=True, slots=True)
class Compared(FieldRule):
    """``starts: Annotated[date, Compared("<", "ends")]``: this field, ``<``, ``<=``, ``>`` or ``>=`` the other one.

    Holds where one of them is absent. Values that have no order, such as a time with a zone and one without, are
    refused.
    """

    how: Literal["<", "<=", ">", ">="]
    other: str

    def __post_init__(self) -> None:
        if self.how not in _COMPARED:
            raise ConfigurationError(f"Compared: expected one of {' '.join(_COMPARED)}, got {self.how!r}")

    @property
    def fields(self) -> tuple[str, ...]:
        """The other field."""
        return (self.other,)

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.less``, ``.at_most``, ``.greater``, ``.at_least``; ``.incomparable``."""
        if not (siblings.knows(self.other) and siblings.has(self.other) and siblings.has(name)):
            return None
        compare, code = _COMPARED[self.how]
        try:
            holds = compare(siblings[name], siblings[self.other])
        except (TypeError, InvalidOperation):
            return _error("together.incomparable", self.other)
        return None if holds else _error(code, self.other)


class _Presence(FieldRule):
    """Asks whether its own field is there."""

    __slots__ = ()

    @property
    def asks_own_presence(self) -> bool:
        """It does."""
        return True


class Required(_Presence):
    """Must be there. For :class:`When`: a field that is always required has no default."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.required``."""
        return None if siblings.has(name) else _error("together.required")


class Forbidden(_Presence):
    """Must be absent. For :class:`When`: a field that is always forbidden is left out of the model."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.forbidden``."""
        return _error("together.forbidden") if siblings.has(name) else None


@dataclass(frozen=True, slots=True, init=False)
class _Given(_Presence):
    """Depends on what one other field says."""

    other: str
    values: tuple[object, ...]

    def __init__(self, other: str, *values: object) -> None:
        if not values:
            raise ConfigurationError(f"{type(self).__name__}({other!r}): name the values that count after the field")
        object.__setattr__(self, "other", other)
        object.__setattr__(self, "values", values)

    @property
    def fields(self) -> tuple[str, ...]:
        """The other field."""
        return (self.other,)

    def _says(self, siblings: Siblings) -> bool:
        value = siblings[self.other]
        # 1 == True in Python, and the two are not the same answer.
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values)


class RequiredIf(_Given):
    """``company: Annotated[str | None, RequiredIf("kind", "firm")] = None``: there when ``kind`` is one of those."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.required``."""
        if siblings.has(name) or not siblings.knows(self.other) or not self._says(siblings):
            return None
        return _error("together.required", self.other)


class RequiredUnless(_Given):
    """There unless the other field is one of ``values``; also when that one is absent."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.required``."""
        if siblings.has(name) or not siblings.knows(self.other) or self._says(siblings):
            return None
        return _error("together.required", self.other)


class ForbiddenIf(_Given):
    """Absent when the other field is one of ``values``."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.forbidden``."""
        if not siblings.has(name) or not siblings.knows(self.other) or not self._says(siblings):
            return None
        return _error("together.forbidden", self.other)


@dataclass(frozen=True, slots=True, init=False)
class _Named(_Presence):
    """Depends on whether other fields are there."""

    others: tuple[str, ...]

    def __init__(self, *others: str) -> None:
        if not others:
            raise ConfigurationError(f"{type(self).__name__}: name at least one other field")
        object.__setattr__(self, "others", others)

    @property
    def fields(self) -> tuple[str, ...]:
        """The other fields."""
        return self.others

    @property
    def asks_presence_of(self) -> tuple[str, ...]:
        """All of them."""
        return self.others

    def _there(self, siblings: Siblings) -> list[str]:
        return [other for other in self.others if siblings.has(other)]


class RequiredWith(_Named):
    """There when any of the other fields is there."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.required``."""
        there = self._there(siblings)
        return _error("together.required", *there) if there and not siblings.has(name) else None


class RequiredWithout(_Named):
    """There when any of the other fields is absent."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.required``."""
        absent = [other for other in self.others if not siblings.has(other)]
        return _error("together.required", *absent) if absent and not siblings.has(name) else None


class ForbiddenWith(_Named):
    """Absent when any of the other fields is there."""

    __slots__ = ()

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``together.forbidden``."""
        there = self._there(siblings)
        return _error("together.forbidden", *there) if there and siblings.has(name) else None


@dataclass(frozen=True, slots=True, init=False)
class When(FieldRule):
    """``then``, where ``test`` of the values of other fields holds.

    ``vat: Annotated[str | None, When("country", test=EU.__contains__, then=Required())] = None``. ``test`` gets one
    value for each name, ``None`` for what is absent, and runs when all of them passed. ``then`` is a rule between
    fields, or any other rule or constraint, which looks at a value that is there, and may change it. A database rule
    has no condition.
    """

    names: tuple[str, ...]
    test: Callable[..., bool]
    then: Any

    def __init__(self, *names: str, test: Callable[..., bool], then: Any) -> None:
        if not names:
            raise ConfigurationError("When: name the fields whose values the test gets")
        if isinstance(then, (Gate, Unique, Exists)):
            raise ConfigurationError("When: no condition for groups (put In around When) and none for database rules")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "test", test)
        object.__setattr__(self, "then", then)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the test, then those of the rule."""
        return tuple(dict.fromkeys((*self.names, *(self.then.fields if isinstance(self.then, FieldRule) else ()))))

    @property
    def asks_presence_of(self) -> tuple[str, ...]:
        """What the rule asks."""
        return self.then.asks_presence_of if isinstance(self.then, FieldRule) else ()

    @property
    def asks_own_presence(self) -> bool:
        """What the rule asks."""
        return isinstance(self.then, FieldRule) and self.then.asks_own_presence

    def bound(self, annotation: Any) -> FieldRule:
        """The rule for a field of this type."""
        then = self.then.bound(annotation) if isinstance(self.then, FieldRule) else _Value(annotation, self.then)
        return When(*self.names, test=self.test, then=then)

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """What ``then`` says."""
        if not siblings.knows(*self.names):
            return None
        said = [siblings[each] if siblings.has(each) else None for each in self.names]
        if not self.test(*said):
            return None
        error = self.then.problem(name, siblings)
        bare = isinstance(self.then, (Required, Forbidden))
        return _error(error.type, *self.names) if error is not None and bare else error


class _Value(FieldRule):
    """A rule that looks at its own field only, run when the others are known."""

    __slots__ = ("_adapter",)

    def __init__(self, annotation: Any, rule: Any) -> None:
        ruled: Any = Annotated[annotation, rule]
        self._adapter: TypeAdapter[Any] = TypeAdapter(ruled)

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """Raises :class:`pydantic.ValidationError` with the rule's own errors."""
        if siblings.has(name):
            context = {"groups": siblings.groups}
            siblings.replace(name, self._adapter.validate_python(siblings[name], context=context))
        return None


@dataclass(frozen=True, slots=True, init=False)
class _Counted(ModelRule):
    """How many of some fields are there."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        if len(names) < _FEWEST:
            raise ConfigurationError(f"{type(self).__name__}: name at least two fields")
        object.__setattr__(self, "names", names)

    @property
    def fields(self) -> tuple[str, ...]:
        """All of them."""
        return self.names

    def _count(self, siblings: Siblings) -> int:
        return sum(siblings.has(name) for name in self.names)


class ExactlyOneOf(_Counted):
    """One of the fields is there, and no other."""

    __slots__ = ()

    def problem(self, siblings: Siblings) -> PydanticCustomError | None:
        """``together.exactly_one``."""
        return None if self._count(siblings) == 1 else _error("together.exactly_one", *self.names)


class AtLeastOneOf(_Counted):
    """One of the fields is there, or more."""

    __slots__ = ()

    def problem(self, siblings: Siblings) -> PydanticCustomError | None:
        """``together.at_least_one``."""
        return None if self._count(siblings) else _error("together.at_least_one", *self.names)


class AtMostOneOf(_Counted):
    """One of the fields is there, or none."""

    __slots__ = ()

    def problem(self, siblings: Siblings) -> PydanticCustomError | None:
        """``together.at_most_one``."""
        return None if self._count(siblings) <= 1 else _error("together.at_most_one", *self.names)
