"""How a database rule stands on a type: on one plain value, with the columns it names and the fields beside it."""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import dataclasses
import sys
import types
from collections.abc import Callable
from inspect import isclass
from typing import Annotated, Any, Final, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from ...errors import ConfigurationError
from .nodes import Placed
from .rules import Conditional, database_rules

ORDERED = (list, tuple, collections.deque, collections.abc.Sequence, collections.abc.MutableSequence)
UNORDERED = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
MAPPINGS = (
    dict,
    collections.OrderedDict,
    collections.defaultdict,
    collections.abc.Mapping,
    collections.abc.MutableMapping,
)
_QUALIFIERS = (Required, NotRequired, Final)
_NUMBERS = (int, float)


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """Where a type stands: its name for messages, and the fields of the object around it."""

    label: str
    siblings: frozenset[str] = frozenset()
    read: Callable[[Any, str], Any] = getattr


def unwrapped(kind: Any, rules: list[Conditional]) -> tuple[Any, list[Conditional]]:
    """A type without its annotations, and the rules among them."""
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            rules += database_rules(kind.__metadata__)
            kind = get_args(kind)[0]
        elif origin in _QUALIFIERS:
            kind = get_args(kind)[0]
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif rules and hasattr(origin or kind, "__value__"):
            named = meant(origin or kind)
            kind = named[get_args(kind)] if get_args(kind) else named
        else:
            return kind, rules


def meant(alias: Any) -> Any:
    """What an alias stands for, with the names in it looked up in its module."""
    holder = types.SimpleNamespace(__annotations__={"type": alias.__value__})
    with contextlib.suppress(NameError):
        return get_type_hints(holder, vars(sys.modules[alias.__module__]), include_extras=True)["type"]
    return alias.__value__


def members(kind: Any) -> tuple[Any, ...]:
    """The members of a union; none for any other type."""
    return get_args(kind) if get_origin(kind) in {Union, types.UnionType} else ()


def is_record(kind: type) -> bool:
    """Whether a class is a dataclass or a typed dictionary."""
    return dataclasses.is_dataclass(kind) or (issubclass(kind, dict) and hasattr(kind, "__total__"))


def put(conditional: Conditional, kind: Any, around: Around) -> Placed:
    """The rule on a type; raises :class:`ConfigurationError` where it cannot be checked for sure."""
    rule, holders = conditional
    name = type(rule).__name__
    column = _column(rule.column, f"{around.label}: {name}")
    for member in members(kind) or (kind,):
        _require_plain(member, column, f"{around.label}: {name}")
    scope = tuple((sibling, _column(each, f"{around.label}: {name}.scope")) for sibling, each in rule.scope.items())
    own = None if rule.own is None else (rule.own[0], _column(rule.own[1], f"{around.label}: {name}.own"))
    for sibling, each in (*scope, *([own] if own else [])):
        if sibling not in around.siblings:
            known = ", ".join(sorted(around.siblings)) or "none"
            raise ConfigurationError(f"{around.label}: {name} names {sibling!r}, no field beside it; those: {known}")
        if each.table is not column.table:
            raise ConfigurationError(
                f"{around.label}: {name} takes columns of one table, got another's for {sibling!r}"
            )
    for holder in holders:
        if not callable(getattr(holder, "applies", None)):
            raise ConfigurationError(
                f"{around.label}: {name} cannot stand in {type(holder).__name__}: put it on the field, or in In() or "
                "Outside()"
            )
    return Placed(rule, column, scope, own, holders, around.read, around.label)


def _has_fields(kind: type) -> bool:
    return is_record(kind) or issubclass(kind, BaseModel)


def _column(given: Any, label: str) -> Any:
    """The Core column of what was given."""
    mapped = getattr(getattr(given, "property", None), "columns", None)
    column = mapped[0] if mapped else given
    if not hasattr(column, "type") or getattr(column, "table", None) is None:
        raise ConfigurationError(f"{label} needs a column of a table, such as users.c.name or User.name")
    return column


def _require_plain(kind: Any, column: Any, label: str) -> None:
    kind, _ = unwrapped(kind, [])
    origin: Any = get_origin(kind) or kind
    holds = bool(get_args(kind)) and get_origin(kind) is not Literal
    if holds or origin in (*ORDERED, *UNORDERED, *MAPPINGS) or (isclass(origin) and _has_fields(origin)):
        raise ConfigurationError(f"{label} is about one value: put it on the items, such as list[Annotated[int, …]]")
    stored = _python_type(column)
    if isclass(origin) and stored is not None:
        text, number = issubclass(origin, str), issubclass(origin, _NUMBERS)
        if (text and issubclass(stored, _NUMBERS)) or (number and issubclass(stored, str)):
            raise ConfigurationError(
                f"{label} compares {origin.__name__} with a column of {stored.__name__}: databases convert one of "
                "them, and take for equal what is not; give both one type"
            )


def _python_type(column: Any) -> type | None:
    if hasattr(column.type, "process_bind_param"):  # a type of the application's own, which converts
        return None
    try:
        python_type: type = column.type.python_type
    except NotImplementedError:
        return None
    return python_type
