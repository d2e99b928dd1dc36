"""What a rule is made of: a check behind pydantic's own, the length limited first, and its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, LiteralString

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from ..errors import ConfigurationError

MAX_LENGTH = 65_536
"""Characters of a text whose rule says no other limit."""

_DIGITS = 400  # more than a float has; a decimal of a million digits would be slow to compare


def refused(code: LiteralString, **context: object) -> PydanticCustomError:
    """The error ``code``; ``context`` is what its text names: the rule's own limits, never the input."""
    return PydanticCustomError(code, code, context or None)


def too_long(max_length: int) -> PydanticCustomError:
    """Pydantic's error for a text of more than ``max_length`` characters."""
    return PydanticCustomError("string_too_long", "too long", {"max_length": max_length})


def require(holds: bool, problem: str) -> None:
    """Raise :class:`ConfigurationError` about a rule's own parameters unless they hold."""
    if not holds:
        raise ConfigurationError(problem)


def texts(rule: str, given: str | tuple[str, ...]) -> tuple[str, ...]:
    """One text or several as a tuple; none of them may be empty."""
    several = (given,) if isinstance(given, str) else tuple(given)
    require(bool(several) and all(several), f"{rule}: give at least one text, and none that is empty")
    return several


def quoted(several: tuple[str, ...]) -> str:
    """The developer's texts as a message shows them."""
    return ", ".join(f"“{one}”" for one in several)


def inside(schema: CoreSchema, change: Callable[[CoreSchema], CoreSchema]) -> CoreSchema:
    """``schema`` with ``change`` made behind its ``None``, where it permits one."""
    if schema["type"] == "nullable":
        return {**schema, "schema": inside(schema["schema"], change)}
    return change(schema)


def after(schema: CoreSchema, check: Callable[[Any], Any]) -> CoreSchema:
    """``schema``, then ``check``."""
    return inside(schema, lambda inner: core_schema.no_info_after_validator_function(check, inner))


def limited(schema: CoreSchema, max_length: int) -> CoreSchema:
    """``schema`` for texts of at most ``max_length`` characters; anything but text is refused."""

    def limit(inner: CoreSchema) -> CoreSchema:
        if inner["type"] == "str":
            return {**inner, "max_length": min(max_length, inner.get("max_length") or max_length)}
        return core_schema.chain_schema([inner, core_schema.str_schema(max_length=max_length, strict=True)])

    return inside(schema, limit)


class Rule:
    """Metadata for ``Annotated``: the type's own checks and those of rules named before it run first."""

    __slots__ = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The rule as pydantic runs it."""
        return self._behind(handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What JSON Schema can say of it."""
        return {**handler(schema), **self._said()}

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        return after(schema, self._check)

    def _check(self, value: Any) -> Any:
        raise NotImplementedError

    def _said(self) -> dict[str, Any]:
        return {}


class TextRule(Rule):
    """A rule for text: subclasses check a text that is no longer than ``_limit()``, and return what is kept of it."""

    __slots__ = ()

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        return after(limited(schema, self._limit()), self._check)

    def _limit(self) -> int:
        return MAX_LENGTH

    def _check(self, value: str) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class AnyText(TextRule):
    """A rule for text of at most ``max`` characters, which it keeps as it is."""

    max: int = field(default=MAX_LENGTH, kw_only=True)

    def __post_init__(self) -> None:
        self._checked()

    def _checked(self) -> None:
        require(self.max >= 1, f"{type(self).__name__}: max must be at least 1")

    def _limit(self) -> int:
        return self.max


@dataclass(frozen=True, slots=True)
class TextFormat(TextRule):
    """A form of text that has a name: ``check`` returns the one spelling that is kept, or raises.

    ``pattern`` and ``format`` are for JSON Schema, and hold for what is sent, not only for what is kept.
    """

    name: str
    check: Callable[[str], str] = field(repr=False)
    max_length: int = MAX_LENGTH
    pattern: str = field(default="", repr=False)
    format: str = field(default="", repr=False)

    def _limit(self) -> int:
        return self.max_length

    def _check(self, value: str) -> str:
        return self.check(value)

    def _said(self) -> dict[str, Any]:
        return {name: said for name, said in (("pattern", self.pattern), ("format", self.format)) if said}


class NumberRule(Rule):
    """A rule for whole, floating and decimal numbers: subclasses decide on the exact value, and keep it as it is."""

    __slots__ = ()

    def _check(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise PydanticKnownError("float_type")
        number = exact(value)
        if number is None or not self._holds(number):
            raise self._error()
        return value

    def _holds(self, number: Fraction) -> bool:
        raise NotImplementedError

    def _error(self) -> PydanticCustomError:
        raise NotImplementedError


def exact(value: int | float | Decimal) -> Fraction | None:
    """The number as it is written (0.1 is a tenth); ``None`` for NaN, infinities and more than 400 digits."""
    if isinstance(value, int):
        return Fraction(value) if value.bit_length() < 4 * _DIGITS else None
    number = Decimal(repr(value)) if isinstance(value, float) else value
    if not number.is_finite() or abs(number.adjusted()) > _DIGITS or len(number.as_tuple().digits) > _DIGITS:
        return None
    return Fraction(number)
