"""What a text begins with, ends with, contains, and what form it has. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_core import CoreSchema, SchemaError, SchemaValidator, core_schema

from ...errors import ConfigurationError
from ..rule import MAX_LENGTH, AnyText, Rule, TextRule, inside, limited, quoted, refused, require, texts

_PATTERN_LENGTH = 1_000
_MATCHED = 10_000  # the time grows with the text times the pattern: a fifth of a second at the worst


@dataclass(frozen=True, slots=True)
class StartsWith(AnyText):
    """Text that begins with one of ``prefixes``."""

    prefixes: str | tuple[str, ...]

    def __post_init__(self) -> None:
        self._checked()
        object.__setattr__(self, "prefixes", texts("StartsWith", self.prefixes))

    def _check(self, value: str) -> str:
        if not value.startswith(self.prefixes):
            raise refused("text.starts_with", expected=quoted(texts("StartsWith", self.prefixes)))
        return value


@dataclass(frozen=True, slots=True)
class EndsWith(AnyText):
    """Text that ends with one of ``suffixes``."""

    suffixes: str | tuple[str, ...]

    def __post_init__(self) -> None:
        self._checked()
        object.__setattr__(self, "suffixes", texts("EndsWith", self.suffixes))

    def _check(self, value: str) -> str:
        if not value.endswith(self.suffixes):
            raise refused("text.ends_with", expected=quoted(texts("EndsWith", self.suffixes)))
        return value


@dataclass(frozen=True, slots=True)
class Contains(AnyText):
    """Text that contains each of ``parts``."""

    parts: str | tuple[str, ...]

    def __post_init__(self) -> None:
        self._checked()
        object.__setattr__(self, "parts", texts("Contains", self.parts))

    def _check(self, value: str) -> str:
        if not all(part in value for part in self.parts):
            raise refused("text.contains", expected=quoted(texts("Contains", self.parts)))
        return value


@dataclass(frozen=True, slots=True)
class Excludes(AnyText):
    """Text that contains none of ``parts``."""

    parts: str | tuple[str, ...]

    def __post_init__(self) -> None:
        self._checked()
        object.__setattr__(self, "parts", texts("Excludes", self.parts))

    def _check(self, value: str) -> str:
        if any(part in value for part in self.parts):
            raise refused("text.excludes", expected=quoted(texts("Excludes", self.parts)))
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(TextRule):
    """Text of at most ``max`` words, and at least ``min``: what white space separates.

    The text itself has at most ``max_length`` characters.
    """

    max: int
    min: int = 0
    max_length: int = MAX_LENGTH

    def __post_init__(self) -> None:
        require(0 <= self.min <= self.max and self.max >= 1, "Words: max must be at least 1 and not below min")
        require(self.max_length >= 1, "Words: max_length must be at least 1")

    def _limit(self) -> int:
        return self.max_length

    def _check(self, value: str) -> str:
        count = len(value.split())
        if count > self.max:
            raise refused("words.too_many", max=self.max)
        if count < self.min:
            raise refused("words.too_few", min=self.min)
        return value


@dataclass(frozen=True, slots=True)
class Matches(Rule):
    """Text of at most ``max`` characters that ``pattern`` describes from its first to its last character.

    The engine is Rust's ``regex``, whose time is linear in the text: it has no look-around and no back-references.
    Raises :class:`ConfigurationError` for a pattern that it does not take, also one too large once its repetitions are
    written out.
    """

    pattern: str
    max: int = field(default=1_000, kw_only=True)

    def __post_init__(self) -> None:
        require(1 <= self.max <= _MATCHED, f"Matches: max must be from 1 to {_MATCHED}")
        require(len(self.pattern) <= _PATTERN_LENGTH, f"Matches: at most {_PATTERN_LENGTH} characters of pattern")
        for whole in (self.pattern, self._anchored()):  # alone first: "a)|(b" is a pattern only inside other brackets
            try:
                SchemaValidator(_pattern(whole))
            except SchemaError:
                problem = (
                    "Matches: not a pattern of the linear engine (no look-around, no back-references, not too large)"
                )
                raise ConfigurationError(problem) from None

    def _anchored(self) -> str:
        return f"^(?:{self.pattern})$"

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        matched = core_schema.custom_error_schema(
            _pattern(self._anchored()), custom_error_type="text.pattern", custom_error_message="text.pattern"
        )
        return inside(limited(schema, self.max), lambda inner: core_schema.chain_schema([inner, matched]))

    def _said(self) -> dict[str, Any]:
        return {"pattern": self._anchored()}


def _pattern(pattern: str) -> CoreSchema:
    return core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
