"""Validation of one model or type, from Python data, JSON or a form, with every problem named at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import isclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..errors import ConfigurationError, UsageError, ValidationFailed
from . import forms, strict_json
from .budget import over_data
from .interface import Limits
from .messages import ENGLISH, Catalogue
from .policy import failed, translate

T = TypeVar("T")
_LIMITS = Limits()


class Validator(Generic[T]):
    """Checks input against ``model``: a pydantic model (see :class:`Input`) or any type pydantic knows.

    Build it once and keep it: it is immutable and shared by threads. ``catalogues`` maps further locales to their
    texts by error code; a code missing there is told in English. Raises :class:`ConfigurationError` for a ``locale``
    without a catalogue.

    Each method raises :class:`ValidationFailed` with *all* problems as ``pointer`` (RFC 6901), ``code`` (stable:
    pydantic's error type or ours, which has a dot) and ``message``. None repeats what was sent, but for the names of
    fields, where printable and at most 64 characters. A broken limit, or JSON that is none, is reported alone.
    """

    def __init__(
        self,
        model: type[T],
        *,
        locale: str = "en",
        limits: Limits = _LIMITS,
        catalogues: Mapping[str, Catalogue] | None = None,
    ) -> None:
        known = {"en": ENGLISH, **(catalogues or {})}
        if locale not in known:
            raise ConfigurationError(f"no messages for locale {locale!r}; known: {', '.join(sorted(known))}")
        self._adapter = TypeAdapter(model)
        self._fields = _form_fields(model)
        self._limits = limits
        self._messages = known[locale]

    def validate(self, data: object) -> T:
        """Check Python data: mappings, lists and plain values; ``limits.bytes`` counts its texts and keys."""
        if over := over_data(data, self._limits):
            raise failed(over[0], limit=over[1], catalogue=self._messages)
        return self._checked(lambda: self._adapter.validate_python(data), data)

    def validate_json(self, body: bytes) -> T:
        """Check a JSON text in UTF-8; size, depth and number of parts are limited before it is parsed.

        Refused, as parsers disagree about them: a name given twice in one object, NaN and infinities (written out or
        by overflow), a byte order mark, other encodings.
        """
        data = strict_json.parse(body, self._limits, self._messages)
        return self._checked(lambda: self._adapter.validate_json(body), data)

    def validate_form(self, pairs: Iterable[tuple[str, object]]) -> T:
        """Check the (name, text) pairs of an HTML form or a query string, in order, against a model's fields.

        A field of several values (list, tuple, set) collects its texts; any other sent twice is refused. An empty
        text counts as not sent where the field cannot be text. Numbers, dates and booleans are read from their usual
        writing even by strict models; numbers with ``_`` and dates as seconds are refused. A value that is no text
        (an uploaded file) is refused. Raises :class:`UsageError` when this validator's type is no model.
        """
        if self._fields is None:
            raise UsageError("validate_form needs a model: give Validator a subclass of validation.Input")
        data, wrong = forms.collect(pairs, self._fields, self._limits, self._messages)
        return self._checked(lambda: self._adapter.validate_python(data, strict=False), data, wrong)

    def _checked(self, check: Callable[[], T], data: object, wrong: Iterable[dict[str, str]] = ()) -> T:
        problems = list(wrong)
        try:
            value = check()
        except ValidationError as error:
            told = {problem["pointer"] for problem in problems}
            details: list[Any] = error.errors(include_url=False, include_input=False)
            problems += [one for one in translate(details, data, self._messages) if one["pointer"] not in told]
        else:
            if not problems:
                return value
        # `from None`: pydantic's own error holds the input.
        raise ValidationFailed(problems) from None


def _form_fields(model: Any) -> dict[str, forms.FormField] | None:
    return forms.plan(model) if isclass(model) and issubclass(model, BaseModel) else None


def errors_by_field(error: ValidationFailed) -> dict[str, list[str]]:
    """The messages of ``error`` by top-level field, for showing them beside a form's inputs; ``""`` is the whole."""
    fields: dict[str, list[str]] = {}
    for problem in error.errors:
        step = problem["pointer"][1:].split("/")[0].replace("~1", "/").replace("~0", "~")
        fields.setdefault(step, []).append(problem["message"])
    return fields
