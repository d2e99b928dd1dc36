"""How an HTML form, which knows only texts, becomes a model's fields. Pure."""

from __future__ import annotations

import collections.abc
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
)

from .interface import InputLimits
from .messages import Catalogue
from .policy import entry, failed, pointer_to

_MANY = {list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set}
_NUMBERS = {int, float, Decimal}
_MOMENTS: set[Any] = {
    *(date, datetime, time),
    # At run time these are classes of their own.
    *(AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime, PastDate, FutureDate),
}
_NOT_TEXT = _NUMBERS | _MOMENTS | {bool, timedelta, UUID}
# What pydantic would read as seconds since 1970. Linear: no two parts can match the same digits.
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?\Z")


@dataclass(frozen=True, slots=True)
class FormField:
    """How one field's texts are read: ``many`` values or one, and which of the texts cannot be meant."""

    many: bool
    blank_is_absent: bool
    numbers: bool
    moments: bool

    def refusal(self, value: object) -> str | None:
        """The code of what is wrong with one value before pydantic reads it, if anything."""
        if not isinstance(value, str):
            return "form.text_expected"
        if self.numbers and "_" in value:  # pydantic would read 1_000
            return "float_parsing"
        if self.moments and _NUMBER.match(value.strip()):
            return "datetime_parsing"
        return None


_OTHER = FormField(many=False, blank_is_absent=False, numbers=False, moments=False)


def plan(model: type[BaseModel]) -> dict[str, FormField]:
    """The fields of ``model`` by the names they have in a form (their alias where they have one)."""
    named = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias if isinstance(info.validation_alias, str) else info.alias
        named[alias or name] = _field(info.annotation)
    return named


def _field(annotation: Any) -> FormField:
    leaves = set(_leaves(annotation)) - {type(None)}
    many = {leaf for leaf in leaves if (get_origin(leaf) or leaf) in _MANY}
    items = {item for leaf in many for arg in get_args(leaf) if arg is not Ellipsis for item in _leaves(arg)}
    kinds = (leaves - many) | (items - {type(None)})
    return FormField(
        many=bool(many),
        blank_is_absent=bool(kinds) and kinds <= _NOT_TEXT,
        numbers=bool(kinds) and kinds <= _NUMBERS,
        moments=bool(kinds) and kinds <= _MOMENTS,
    )


def _leaves(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif origin is Union or origin is types.UnionType:
        for member in get_args(annotation):
            yield from _leaves(member)
    else:
        yield getattr(annotation, "__value__", annotation)


def collect(
    pairs: Iterable[tuple[str, object]], fields: Mapping[str, FormField], limits: InputLimits, catalogue: Catalogue
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The form as a mapping for pydantic, and what is wrong with it already.

    A field of several values collects them in order; any other field sent twice is refused. An empty text for a field
    that cannot be text counts as not sent, as browsers send every input that was left blank.
    """
    data: dict[str, Any] = {}
    wrong: dict[tuple[str, str], None] = {}
    size = 0
    for number, (name, value) in enumerate(pairs, 1):
        size += len(name) + (len(value) if isinstance(value, str) else 0)
        if number > limits.items:
            raise failed("limit.items", limit=limits.items, catalogue=catalogue)
        if size > limits.bytes:
            raise failed("limit.bytes", limit=limits.bytes, catalogue=catalogue)
        field = fields.get(name, _OTHER)
        if value == "" and field.blank_is_absent:
            continue
        code = field.refusal(value) or ("form.repeated" if name in data and not field.many else None)
        if code is not None:
            wrong[name, code] = None
        if field.many:
            data.setdefault(name, []).append(value)
        else:
            data.setdefault(name, value)
    return data, [entry(code, pointer_to((name,), data), {}, catalogue) for name, code in wrong]
