"""A task's arguments: checked against its signature when enqueued and again when run, kept as bytes in between."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints

from .._codec import decode, encode
from ..errors import DecodeError, UsageError, ValidationFailed

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Bound = tuple[tuple[Any, ...], dict[str, Any]]


class Arguments:
    """The parameters of ``function`` after the first, which is the job's context."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters or parameters[0].kind not in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            raise UsageError(
                f"{function.__qualname__}() needs a first parameter for the job's context: def job(ctx, …)"
            )
        self._function = function
        self._signature = inspect.Signature(parameters[1:])

    def encode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """The bytes of one call; :class:`ValidationFailed` when the signature refuses it."""
        try:
            given = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise ValidationFailed([{"pointer": "", "code": "arguments", "message": str(error)}]) from None
        checked = self._checked(given)
        return encode({name: self._adapters[name].dump_python(value) for name, value in checked.items()})

    def decode(self, payload: bytes) -> Bound:
        """Positional and keyword arguments; :class:`DecodeError` or :class:`ValidationFailed` when they are none."""
        given = decode(payload)
        if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
            raise DecodeError("the stored arguments are not a mapping of names")
        unknown = given.keys() - self._signature.parameters.keys()
        needed = {name for name, parameter in self._signature.parameters.items() if _required(parameter)}
        problems = [(name, "unexpected", "the task has no such parameter") for name in sorted(unknown)]
        problems += [(name, "missing", "the task needs it") for name in sorted(needed - given.keys())]
        if problems:
            raise ValidationFailed(
                [{"pointer": f"/{name}", "code": code, "message": text} for name, code, text in problems]
            )
        bound = inspect.BoundArguments(self._signature, self._checked(given))
        return bound.args, bound.kwargs

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        from pydantic import ValidationError

        checked: dict[str, Any] = {}
        problems: list[dict[str, str]] = []
        for name in self._signature.parameters:
            if name not in given:
                continue
            try:
                checked[name] = self._adapters[name].validate_python(given[name])
            except ValidationError as error:
                for item in error.errors(include_url=False, include_input=False, include_context=False):
                    pointer = "/".join(["", name, *(str(part) for part in item["loc"])])
                    problems.append({"pointer": pointer, "code": item["type"], "message": item["msg"]})
        if problems:
            raise ValidationFailed(problems)
        return checked

    @cached_property
    def _adapters(self) -> dict[str, TypeAdapter[Any]]:
        from pydantic import TypeAdapter

        # At first use, not at declaration: an annotation may name what its module defines further down.
        names = self._signature.parameters
        written = {name: hint for name, hint in self._function.__annotations__.items() if name in names}
        scope = getattr(self._function, "__globals__", {})
        try:
            hints = get_type_hints(SimpleNamespace(__annotations__=written), scope, include_extras=True)
        except NameError as error:
            raise UsageError(
                f"an annotation of {self._function.__qualname__}() cannot be resolved ({error}): import the name at "
                "run time, not under TYPE_CHECKING"
            ) from None
        return {name: TypeAdapter(_whole(names[name], hints.get(name, Any))) for name in names}


def _whole(parameter: inspect.Parameter, hint: Any) -> Any:
    """The type of what is bound to the parameter: a tuple for ``*args``, a dict for ``**kwargs``."""
    if parameter.kind is parameter.VAR_POSITIONAL:
        return tuple[hint, ...]
    return dict[str, hint] if parameter.kind is parameter.VAR_KEYWORD else hint


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )
