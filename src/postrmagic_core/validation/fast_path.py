"""The short way for small data of a closed type: no walk through it before pydantic's own.

As MessagePack each value and each name has a byte or more, and a text as many as it has characters or more: data short
in that form breaks no limit of number or size, which is found out in a fifth of the time of a walk. What a closed type
then accepts cannot be nested deeper than the type is; what it refuses goes the long way, limits first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from ormsgpack import (
    OPT_PASSTHROUGH_DATACLASS,
    OPT_PASSTHROUGH_ENUM,
    OPT_PASSTHROUGH_SUBCLASS,
    MsgpackEncodeError,
    packb,
)
from pydantic import TypeAdapter, ValidationError

from .depth import depth_of
from .interface import InputLimits

T = TypeVar("T")

# Objects whose own iteration may differ from their attributes have no such form here.
_AS_IT_IS = OPT_PASSTHROUGH_DATACLASS | OPT_PASSTHROUGH_SUBCLASS | OPT_PASSTHROUGH_ENUM


def _alone(value: object) -> None:
    """A byte for an object that holds no others; raises :class:`TypeError` for one that may."""
    if isinstance(value, Collection):
        raise TypeError


def fast_path(
    adapter: TypeAdapter[T], limits: InputLimits, context: Any, long: Callable[[object], T]
) -> Callable[[object], T]:
    """A check that is ``long`` for all data but what surely is within ``limits``."""
    depth = depth_of(adapter.core_schema)
    if depth is None or depth > limits.depth:
        return long
    validate, longest = adapter.validator.validate_python, min(limits.items, limits.bytes)

    def check(data: object) -> T:
        try:
            if len(packb(data, _alone, _AS_IT_IS)) <= longest:
                value: T = validate(data, context=context)
                return value
        except (MsgpackEncodeError, UnicodeEncodeError, ValidationError):
            pass
        return long(data)

    return check
