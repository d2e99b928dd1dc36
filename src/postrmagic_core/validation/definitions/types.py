"""The type of value behind each type of field in a form's definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, WithJsonSchema

from ..rules import EmailAddress, OneOf, PlainText
from ..urls import Url
from . import model as form

_DIGITS = 50

KINDS: Mapping[str, str] = {
    **dict.fromkeys(("text", "email", "url", "choice"), "text"),
    **dict.fromkeys(("integer", "decimal", "number"), "number"),
    **dict.fromkeys(("date", "datetime"), "date"),
    "list": "list",
}
"""Which rules by name fit a type of field: :attr:`.rules.named.NamedRule.kinds`."""


def _text(field: form.TextField) -> Any:
    return Annotated[str, PlainText(max=field.max, min=max(field.min, int(field.required)), lines=field.lines)]


def _address(field: form.AddressField) -> Any:
    return EmailAddress if field.type == "email" else Annotated[str, Url(schemes=("https", "http"))]


def _integer(field: form.IntegerField) -> Any:
    return Annotated[int, Field(ge=field.min, le=field.max)]


def _decimal(field: form.DecimalField) -> Any:
    # Without a number of digits, 1e999999999 is a value that nobody can write out.
    return Annotated[Decimal, Field(ge=field.min, le=field.max, decimal_places=field.places, max_digits=_DIGITS)]


def _number(field: form.NumberField) -> Any:
    return Annotated[float, Field(ge=field.min, le=field.max)]


def _date(field: form.DateField) -> Any:
    return Annotated[date, Field(ge=field.min, le=field.max)]


def _datetime(field: form.DatetimeField) -> Any:
    return Annotated[AwareDatetime, Field(ge=field.min, le=field.max)]


def _choice(field: form.ChoiceField) -> Any:
    # Not named in the error: many wrong items of a list would make an answer of many megabytes.
    return Annotated[str, OneOf(tuple(field.of)), WithJsonSchema({"type": "string", "enum": list(field.of)})]


def _image(field: form.ImageField) -> Any:
    from ..images import ImageUpload, ReceivedImage

    return Annotated[ReceivedImage, ImageUpload(max_pixels=field.max_pixels, max_bytes=field.max_bytes)]


SIMPLE: Mapping[type[form.BaseField], Callable[[Any], Any]] = {
    form.TextField: _text,
    form.AddressField: _address,
    form.IntegerField: _integer,
    form.DecimalField: _decimal,
    form.NumberField: _number,
    form.BooleanField: lambda field: bool,
    form.DateField: _date,
    form.DatetimeField: _datetime,
    form.ChoiceField: _choice,
    form.ImageField: _image,
}
"""How the type is made; lists and objects hold others, and are made by their builder."""
