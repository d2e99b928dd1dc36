"""What a form's definition may say: its types of field, each checked as any input is. It is data from outside."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from ...errors import ConfigurationError
from ..model import Input, invalid
from ..rules import PlainText
from ..together import Compared, ExactlyOneOf


@dataclass(frozen=True, slots=True)
class DefinitionLimits:
    """What one definition may ask for.

    ``fields``: at any depth. ``nesting``: lists and objects inside each other, the form itself included. ``rules``: of
    one field. ``choices``: of one field. ``patterns``: regular expressions. ``bytes``: of the definition as JSON.
    """

    fields: int = 200
    nesting: int = 4
    rules: int = 10
    choices: int = 200
    patterns: int = 10
    bytes: int = 256 * 1024

    def __post_init__(self) -> None:
        smallest = min(self.fields, self.nesting, self.rules, self.choices, self.patterns, self.bytes)
        if smallest < 1 or self.nesting > _DEEPEST:
            raise ConfigurationError(f"DefinitionLimits: each must be at least 1, nesting at most {_DEEPEST}")


_DEEPEST = 16
_LONGEST = 100_000
_MOST = 1_000


def _usable(name: str) -> str:
    if keyword.iskeyword(name) or name.startswith("model_") or hasattr(Input, name):
        raise invalid("definition.name", "definition.name")
    return name


Name = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$"), AfterValidator(_usable)
]
"""The name of a field: an ASCII identifier that is no word of Python and no attribute of a model."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Names = Annotated[list[Code], Field(min_length=1, max_length=20)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RuleUse(Input):
    """One rule of a field by its name, and its parameters beside it."""

    model_config = ConfigDict(extra="allow")
    # As pydantic asks for it; the inherited annotation cannot be read where modules are loaded for their documentation.
    __pydantic_extra__: dict[str, Any] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]  # same
    rule: Code


class BaseField(Input):
    """What every type of field has."""

    required: bool = False
    label: Annotated[str, PlainText(max=200)] | None = None
    rules: list[RuleUse] = Field(default_factory=list)


class TextField(BaseField):
    """Text of ``min`` to ``max`` characters, on one line or several; ``pattern`` describes the whole of it."""

    type: Literal["text"]
    min: Annotated[int, Compared("<=", "max")] = Field(default=0, ge=0)
    max: int = Field(default=1_000, ge=1, le=_LONGEST)
    lines: bool = False
    pattern: Pattern | None = None


class AddressField(BaseField):
    """An e-mail address, or an http(s) URL."""

    type: Literal["email", "url"]


class IntegerField(BaseField):
    """A whole number."""

    type: Literal["integer"]
    min: Annotated[int | None, Compared("<=", "max")] = None
    max: int | None = None


class DecimalField(BaseField):
    """A decimal number, such as a price, with at most ``places`` behind the point."""

    type: Literal["decimal"]
    min: Annotated[Decimal | None, Compared("<=", "max")] = None
    max: Decimal | None = None
    places: int | None = Field(default=None, ge=0, le=30)


class NumberField(BaseField):
    """A floating-point number."""

    type: Literal["number"]
    min: Annotated[float | None, Compared("<=", "max")] = None
    max: float | None = None


class BooleanField(BaseField):
    """True or false."""

    type: Literal["boolean"]


class DateField(BaseField):
    """A date."""

    type: Literal["date"]
    min: Annotated[date | None, Compared("<=", "max")] = None
    max: date | None = None


class DatetimeField(BaseField):
    """A date and time with its zone."""

    type: Literal["datetime"]
    min: Annotated[AwareDatetime | None, Compared("<=", "max")] = None
    max: AwareDatetime | None = None


class ChoiceField(BaseField):
    """One of these texts."""

    type: Literal["choice"]
    of: list[Annotated[str, PlainText(max=80, min=1)]] = Field(min_length=1)


class ImageField(BaseField):
    """An uploaded image."""

    type: Literal["image"]
    max_bytes: int | None = Field(default=None, ge=1)
    max_pixels: int | None = Field(default=None, ge=1)


class ListField(BaseField):
    """``min`` to ``max`` values of one type."""

    type: Literal["list"]
    of: AnyField
    min: Annotated[int, Compared("<=", "max")] = Field(default=0, ge=0)
    max: int = Field(default=100, ge=1, le=_MOST)


class ObjectField(BaseField):
    """A form inside the form."""

    type: Literal["object"]
    fields: dict[Name, AnyField] = Field(min_length=1)
    together: list[WholeRule] = Field(default_factory=list, max_length=20)


class WholeRule(Input, together=[ExactlyOneOf("exactly_one_of", "at_least_one_of", "at_most_one_of")]):
    """A rule on all fields of an object together."""

    exactly_one_of: Names | None = None
    at_least_one_of: Names | None = None
    at_most_one_of: Names | None = None


AnyField: TypeAlias = Annotated[
    TextField
    | AddressField
    | IntegerField
    | DecimalField
    | NumberField
    | BooleanField
    | DateField
    | DatetimeField
    | ChoiceField
    | ImageField
    | ListField
    | ObjectField,
    Field(discriminator="type"),
]


class Definition(Input):
    """A form."""

    fields: dict[Name, AnyField] = Field(min_length=1)
    together: list[WholeRule] = Field(default_factory=list, max_length=20)


class OneOther(Input):
    """Parameters of a rule that compares with one field."""

    field: Code


class OneSaid(Input):
    """Parameters of a rule that asks what one field says."""

    field: Code
    values: list[str | int | bool] = Field(min_length=1, max_length=50)


class SomeOthers(Input):
    """Parameters of a rule that asks whether fields are there."""

    fields: Names


def parameters(use: RuleUse) -> dict[str, Any]:
    """The parameters of a rule, as they were given."""
    return dict(use.model_extra or {})


for _model in (ListField, ObjectField, Definition):
    _model.model_rebuild()
