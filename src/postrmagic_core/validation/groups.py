"""Rules that count in some calls only: ``validator.validate(data, groups={"create"})``.

``title: Annotated[str | None, In("create", PlainText(max=80, min=1))] = None``. A rule of no group always counts. The
names are the model's own: a call that names another one is a mistake, which :func:`phases` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from inspect import isclass
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ..errors import ConfigurationError, UsageError
from .between_fields import FieldRule, Gate, ModelRule, Siblings, groups_in, refuse_elsewhere


def _named(groups: str | Iterable[str], owner: object) -> frozenset[str]:
    names = frozenset([groups] if isinstance(groups, str) else groups)
    if not all(names) or not names:
        raise ConfigurationError(f"{type(owner).__name__}: name one group, or a set of them")
    return names


@dataclass(frozen=True, slots=True, init=False)
class _Gate(Gate):
    """A rule and the names of its groups: ``rule`` and ``groups``."""

    groups: frozenset[str]
    rule: Any

    def __init__(self, groups: str | Iterable[str], rule: Any) -> None:
        if isinstance(rule, Gate):
            raise ConfigurationError(f"{type(self).__name__}: one of these around another; name all groups in one")
        object.__setattr__(self, "groups", _named(groups, self))
        object.__setattr__(self, "rule", rule)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, and after it the rule's, which runs where its groups say so."""
        if isinstance(self.rule, ModelRule):
            raise ConfigurationError(
                f"{type(self.rule).__name__} is a rule on the model: give it to the class, together="
            )
        if isinstance(self.rule, FieldRule):
            refuse_elsewhere(self.rule, handler.field_name)
            return handler(source)
        ruled = handler.generate_schema(Annotated[source, self.rule])
        return core_schema.chain_schema(
            [handler(source), core_schema.with_info_wrap_validator_function(self._run, ruled)]
        )

    def _run(self, value: Any, rule: Callable[[Any], Any], info: ValidationInfo) -> Any:
        return rule(value) if self.applies(groups_in(info.context)) else value


class In(_Gate):
    """``rule`` counts in a call that names one of ``groups``: ``In("create", PlainText(max=80, min=1))``."""

    __slots__ = ()

    def applies(self, groups: Collection[str]) -> bool:
        """Whether one of the groups is named."""
        return not self.groups.isdisjoint(groups)


class Outside(_Gate):
    """``rule`` counts in a call that names none of ``groups``."""

    __slots__ = ()

    def applies(self, groups: Collection[str]) -> bool:
        """Whether none of the groups is named."""
        return self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True, init=False)
class RequiredIn(FieldRule):
    """``title: Annotated[str | None, RequiredIn("create")] = None``: must be there in a call that names the group."""

    groups: frozenset[str]

    def __init__(self, *groups: str) -> None:
        object.__setattr__(self, "groups", _named(groups, self))

    @property
    def asks_own_presence(self) -> bool:
        """It does."""
        return True

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """``group.required``."""
        if self.groups.isdisjoint(siblings.groups) or siblings.has(name):
            return None
        return PydanticCustomError("group.required", "is required")


@dataclass(frozen=True, slots=True, init=False)
class GroupSequence(Collection[str]):
    """Groups for one call, in order: the rules of each run only when those before it found nothing.

    ``validator.validate(data, groups=GroupSequence("basic", "costly"))``. Each step checks the input anew with one
    group more, so the cheap ones, which refuse most, stand first.
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        if len(set(names)) < len(names) or not names:
            raise UsageError("GroupSequence: name its groups, each once")
        object.__setattr__(self, "names", names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def phases(groups: Collection[str], known: Collection[str]) -> tuple[frozenset[str], ...]:
    """The sets of groups that one call checks with, one after the other until one of them fails.

    Raises :class:`UsageError` for a group that is none of ``known``, which :func:`groups_of` finds.
    """
    if isinstance(groups, str):
        raise UsageError("groups is a collection of names, such as {'create'}, not one text")
    unknown = sorted(map(repr, set(groups) - set(known)))
    if unknown:
        there = ", ".join(sorted(known)) or "it has none"
        raise UsageError(f"the model has no group {', '.join(unknown)}; its groups: {there}")
    if isinstance(groups, GroupSequence):
        return tuple(frozenset(groups.names[:count]) for count in range(1, len(groups) + 1))
    return (frozenset(groups),)


def groups_of(model: Any) -> frozenset[str]:
    """The names of all groups in a model or type, at any depth."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (Gate, RequiredIn)):
            found |= one.groups
        waiting += _within(one)
    return frozenset(found)


def _within(one: Any) -> list[Any]:
    """The types and metadata directly inside a type or metadata."""
    if isclass(one) and issubclass(one, BaseModel):
        fields = one.model_fields.values()
        return [*(info.annotation for info in fields), *(each for info in fields for each in info.metadata),
                *getattr(one, "__together__", ())]  # fmt: skip
    # Pydantic's typed dictionaries are those of typing_extensions, which typing does not know as such.
    if isclass(one) and (is_dataclass(one) or hasattr(one, "__total__")):
        return list(get_type_hints(one, include_extras=True).values())
    if isinstance(one, Gate):
        return [one.rule]
    inner = [getattr(one, "then", None), getattr(one, "__value__", None)]
    return [*get_args(one), *(each for each in inner if each is not None)]
