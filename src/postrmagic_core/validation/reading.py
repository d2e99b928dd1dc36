"""The phase of pydantic: from Python data, JSON or a form to the typed value, or to all that is wrong. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import isclass
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..errors import UsageError, ValidationFailed
from . import forms, strict_json
from .budget import over_data
from .interface import InputLimits
from .messages import Catalogue
from .policy import entry, failed, translate

T = TypeVar("T")
Problems: TypeAlias = list[dict[str, str]]
Context: TypeAlias = Mapping[str, frozenset[str]]
"""What each rule finds as pydantic's ``info.context``: the ``groups`` of the call."""


class Reading(Generic[T]):
    """Reads one type within limits. Each method raises :class:`ValidationFailed` with all problems."""

    def __init__(self, model: type[T], limits: InputLimits) -> None:
        self.adapter: TypeAdapter[T] = TypeAdapter(model)
        # Without the adapter's own method around it, which is a tenth of the time for a small value.
        self._validator = self.adapter.validator
        kind: Any = model
        self._fields = forms.plan(kind) if isclass(kind) and issubclass(kind, BaseModel) else None
        self._limits = limits

    def data(self, data: object, context: Context, messages: Catalogue) -> T:
        """The value of Python data."""
        if over := over_data(data, self._limits):
            raise failed(over[0], limit=over[1], catalogue=messages)
        try:
            value: T = self._validator.validate_python(data, context=context)
        except ValidationError as error:
            problems = _problems(error, data, self._limits, messages)
        except UnicodeEncodeError:
            problems = _untold(messages)
        else:
            return value
        # `from None`, and here: pydantic's own error holds the input.
        raise ValidationFailed(problems) from None

    def parsed(self, body: bytes, messages: Catalogue) -> Any:
        """The data of a JSON text."""
        return strict_json.parse(body, self._limits, messages)

    def json(self, body: bytes, data: object, context: Context, messages: Catalogue) -> T:
        """The value of a JSON text and its :meth:`parsed` data."""
        try:
            value: T = self._validator.validate_json(body, context=context)
        except ValidationError as error:
            problems = _problems(error, data, self._limits, messages)
        else:
            return value
        raise ValidationFailed(problems) from None

    def collected(self, pairs: Iterable[tuple[str, object]], messages: Catalogue) -> tuple[dict[str, Any], Problems]:
        """The data that a form's pairs stand for, and what is wrong with the pairs themselves."""
        if self._fields is None:
            raise UsageError("validate_form needs a model: give Validator a subclass of validation.Input")
        return forms.collect(pairs, self._fields, self._limits, messages)

    def form(self, data: dict[str, Any], wrong: Problems, context: Context, messages: Catalogue) -> T:
        """The value of a form's :meth:`collected` data."""
        problems = list(wrong)
        try:
            value: T = self._validator.validate_python(data, strict=False, context=context)
        except ValidationError as error:
            told = {problem["pointer"] for problem in wrong}
            problems += [one for one in _problems(error, data, self._limits, messages) if one["pointer"] not in told]
        except UnicodeEncodeError:
            problems += _untold(messages)
        else:
            if not problems:
                return value
        raise ValidationFailed(problems) from None


def _problems(error: ValidationError, data: object, limits: InputLimits, messages: Catalogue) -> Problems:
    if error.error_count() > limits.problems:  # ten thousand empty objects lack eight fields each
        return failed("limit.problems", limit=limits.problems, catalogue=messages).errors
    details: list[Any] = error.errors(include_url=False, include_input=False)
    return translate(details, data, messages)


def _untold(messages: Catalogue) -> Problems:
    """An application's own error quoted half a character, which pydantic cannot hold: of the whole, nothing is told."""
    return [entry("value_error", "", {}, messages)]
