"""Lists as a whole, and values out of a fixed choice. Nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import PydanticCustomError, PydanticKnownError

from ..rule import MAX_LENGTH, Rule, refused, require, too_long
from .identity import identity

_MANY = 10_000


class ListRule(Rule):
    """A rule for a list, tuple or set: subclasses check one of at most ``_most()`` items."""

    __slots__ = ()

    def _check(self, value: Any) -> Any:
        if not isinstance(value, Collection) or isinstance(value, (str, bytes, bytearray, Mapping)):
            raise PydanticKnownError("list_type")
        if len(value) > self._most():
            raise PydanticCustomError("too_long", "too long", {"max_length": self._most()})
        self._look(value)
        return value

    def _most(self) -> int:
        return _MANY

    def _look(self, items: Collection[Any]) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Distinct(ListRule):
    """A list of at most ``max`` items, none of which is there twice; with ``by``, none of whose fields of that name."""

    by: str = ""
    max: int = field(default=_MANY, kw_only=True)

    def __post_init__(self) -> None:
        require(self.max >= 1, "Distinct: max must be at least 1")

    def _most(self) -> int:
        return self.max

    def _look(self, items: Collection[Any]) -> None:
        if len({identity(_part(item, self.by) if self.by else item) for item in items}) < len(items):
            raise refused("list.distinct")

    def _said(self) -> dict[str, Any]:
        return {} if self.by else {"uniqueItems": True}


def _part(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


@dataclass(frozen=True, slots=True)
class ContainsAll(ListRule):
    """A list of at most ``max`` items that contains each of ``values``; the message does not tell which."""

    values: tuple[Any, ...]
    max: int = field(default=_MANY, kw_only=True)

    def __post_init__(self) -> None:
        require(bool(self.values) and self.max >= 1, "ContainsAll: give at least one value; max must be at least 1")
        object.__setattr__(self, "values", tuple(self.values))

    def _most(self) -> int:
        return self.max

    def _look(self, items: Collection[Any]) -> None:
        if not {identity(value) for value in self.values} <= {identity(item) for item in items}:
            raise refused("list.contains_all")


def _keys(rule: str, values: Collection[Any]) -> frozenset[str]:
    require(bool(values) and not isinstance(values, str), f"{rule}: give at least one value, in a tuple")
    return frozenset(identity(value) for value in values)


def _longest(values: Collection[Any]) -> int:
    return max((len(value) for value in values if isinstance(value, str)), default=0)


@dataclass(frozen=True, slots=True)
class OneOf(Rule):
    """One of ``values``; they are named in the message and the JSON Schema only if ``shown``, as they may be secret."""

    values: tuple[Any, ...] = field(repr=False)
    shown: bool = False
    _accepted: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_accepted", _keys("OneOf", self.values))
        object.__setattr__(self, "values", tuple(self.values))

    def _check(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > _longest(self.values):
            raise self._refused()
        if identity(value) not in self._accepted:
            raise self._refused()
        return value

    def _refused(self) -> PydanticCustomError:
        if self.shown:
            return refused("choice.expected", expected=", ".join(str(value) for value in self.values))
        return refused("choice.unknown")

    def _said(self) -> dict[str, Any]:
        return {"enum": list(self.values)} if self.shown else {}


@dataclass(frozen=True, slots=True)
class NoneOf(Rule):
    """None of ``values``; neither the message nor the JSON Schema names them."""

    values: tuple[Any, ...] = field(repr=False)
    _refusals: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_refusals", _keys("NoneOf", self.values))
        object.__setattr__(self, "values", tuple(self.values))

    def _check(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > MAX_LENGTH:
            raise too_long(MAX_LENGTH)
        if isinstance(value, str) and len(value) > _longest(self.values):
            return value
        if identity(value) in self._refusals:
            raise refused("choice.refused")
        return value
