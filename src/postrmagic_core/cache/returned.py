"""The type that a function's return annotation promises, where storing the answer needs one."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import ConfigurationError


def kind_of(function: Callable[..., Any]) -> Any:
    """The annotation if a model, dataclass, enum or named tuple is in it; ``None``: plain values need no type.

    Raises :class:`ConfigurationError` for an annotation whose names cannot be found.
    """
    bare = inspect.unwrap(function)
    annotation = getattr(bare, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        annotation = _evaluated(bare, annotation)
    return annotation if _is_typed(annotation) else None


def _evaluated(function: Callable[..., Any], annotation: str) -> Any:
    # The parameters' annotations are nobody's business here: names that only a type checker imports do no harm there.
    only = SimpleNamespace(__annotations__={"return": annotation})
    try:
        return get_type_hints(only, getattr(function, "__globals__", {}), include_extras=True)["return"]
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise ConfigurationError(
            f"{function.__qualname__}() returns {annotation!r}, which means nothing where it is defined ({error}): "
            "import it there, or say cached(…, kind=the type), or kind=None for plain values"
        ) from None


def _is_typed(kind: Any) -> bool:
    alias = getattr(kind, "__value__", None)
    if alias is not None and not inspect.isclass(kind):
        return _is_typed(alias)
    origin = get_origin(kind) or kind
    if inspect.isclass(origin) and (
        dataclasses.is_dataclass(origin)
        or issubclass(origin, enum.Enum)
        or hasattr(origin, "__pydantic_validator__")
        or (issubclass(origin, tuple) and hasattr(origin, "_fields"))
    ):
        return True
    return any(_is_typed(one) for one in get_args(kind))
