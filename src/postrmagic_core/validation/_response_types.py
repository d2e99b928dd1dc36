"""Which types may stand in a response model. Whatever is not known to be harmless is refused, when it is declared."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import isclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import AnyUrl, BaseModel, JsonValue, Secret, SecretBytes, SecretStr
from pydantic.fields import ComputedFieldInfo
from pydantic_core import PydanticUndefined

from ..errors import ConfigurationError
from ..log.policy import is_secret_name

_LEAVES = (
    str, int, float, bool, Decimal, date, time, timedelta, UUID, Enum, AnyUrl,
    IPv4Address, IPv4Network, IPv6Address, IPv6Network,
)  # fmt: skip
_CONTAINERS = frozenset({list, tuple, set, frozenset, dict, Sequence, Mapping, Union, types.UnionType})
_SECRETS = (Secret, SecretStr, SecretBytes)
_SETTLED = ("extra", "strict", "revalidate_instances", "polymorphic_serialization", "ser_json_inf_nan")
_OPEN = "is a type parameter that nobody filled: name the type in square brackets"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """Lets a field leave although its name says secret: ``token: Annotated[str, Disclosed("shown once")]``."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ConfigurationError("Disclosed() needs the reason why this may leave")


def check_model(declared: Any, base: type[BaseModel], *, filled: bool = True) -> None:
    """Raise :class:`ConfigurationError` where ``declared``, a type or a model, has a part that must not leave.

    Every model in it must be a ``base``. Type parameters that are still open pass where it need not be ``filled``.
    """
    for place, problem in _problems(declared, base, getattr(declared, "__name__", "the type"), set()):
        if filled or problem is not _OPEN:
            raise ConfigurationError(f"response model: {place} {problem}")


def names_of(declared: Any) -> frozenset[str]:
    """The names and aliases of every field in ``declared``."""
    return frozenset(_names(declared, set()))


def _problems(declared: Any, base: type[BaseModel], place: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if _is_model(declared):
        yield from _of_model(declared, base, seen)
    elif (isclass(declared) and issubclass(declared, _SECRETS)) or get_origin(declared) in _SECRETS:
        yield place, "holds a secret: leave it out"
    elif isclass(declared) and issubclass(declared, (bytes, bytearray, memoryview)):
        yield place, "is bytes, which JSON cannot say: declare text, such as Base64, and encode it"
    elif isinstance(declared, TypeVar):
        yield place, _OPEN
    elif (parts := _parts(declared, seen)) is not None:
        for part in parts:
            yield from _problems(part, base, place, seen)
    elif not _is_leaf(declared):
        yield place, "may be anything, so that anything would leave: declare an Output, or a plain type"


def _of_model(model: type[BaseModel], base: type[BaseModel], seen: set[int]) -> Iterator[tuple[str, str]]:
    if id(model) in seen:
        return
    seen.add(id(model))
    name = model.__name__
    if not issubclass(model, base):
        yield name, f"is no {base.__name__}: derive it from {base.__name__}"
        return
    for key in _SETTLED:
        if model.model_config.get(key) != base.model_config.get(key):
            yield name, f"sets {key}=, on which it depends what leaves: leave it as {base.__name__} has it"
    if model.__pydantic_decorators__.model_serializers:
        yield name, "has a model_serializer, past which fields leave: declare them"
    for field_name, field in model.model_fields.items():
        if field.exclude is True:
            continue
        spoken = {field_name, field.serialization_alias or field_name}
        disclosed = any(isinstance(mark, Disclosed) for mark in field.metadata)
        if any(map(is_secret_name, spoken)) and not disclosed:
            yield f"{name}.{field_name}", "is named like a secret: leave it out, or say why it leaves by Disclosed()"
        yield from _problems(field.annotation, base, f"{name}.{field_name}", seen)
    for field_name, computed in model.model_computed_fields.items():
        if any(map(is_secret_name, (field_name, computed.alias or field_name))):
            yield f"{name}.{field_name}", "is named like a secret: make it a field with Disclosed()"
        yield from _problems(_returned(computed), base, f"{name}.{field_name}", seen)


def _names(declared: Any, seen: set[int]) -> Iterator[str]:
    if not _is_model(declared):
        for part in _parts(declared, seen) or ():
            yield from _names(part, seen)
    elif id(declared) not in seen:
        seen.add(id(declared))
        for name, field in declared.model_fields.items():
            yield name
            yield from (alias for alias in (field.validation_alias,) if isinstance(alias, str))
            yield from _names(field.annotation, seen)


def _is_model(declared: Any) -> bool:
    return isclass(declared) and issubclass(declared, BaseModel)


def _is_leaf(declared: Any) -> bool:
    if declared is None or declared is JsonValue or get_origin(declared) is Literal:
        return True
    return isclass(declared) and issubclass(declared, (*_LEAVES, type(None)))


def _returned(computed: ComputedFieldInfo) -> Any:
    """The type of a computed field, as declared; ``Any`` where it says none."""
    if computed.return_type is not PydanticUndefined:
        return computed.return_type
    getter = getattr(computed.wrapped_property, "fget", None) or getattr(computed.wrapped_property, "func", None)
    try:
        return get_type_hints(getter, include_extras=True).get("return", Any)
    except NameError:  # a name of a function's own: return_type= says it
        return Any


def _parts(declared: Any, seen: set[int]) -> tuple[Any, ...] | None:
    """What a composed type is composed of; ``None``: it is not composed, or of what nobody knows."""
    if declared is JsonValue:
        return None
    if type(declared).__name__ == "TypeAliasType":  # typing's own, and the one of typing_extensions
        known = id(declared) in seen
        seen.add(id(declared))
        return () if known else (declared.__value__,)
    if (supertype := getattr(declared, "__supertype__", None)) is not None:
        return (supertype,)
    origin = get_origin(declared)
    if origin is Annotated:
        return get_args(declared)[:1]
    if origin in _CONTAINERS:
        return tuple(part for part in get_args(declared) if part is not Ellipsis)
    return None
