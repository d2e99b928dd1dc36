"""Rules that break one promise each, and the tests of their contract that must notice."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from postrmagic_core.validation.messages import Catalogue
from postrmagic_core.validation.rule import Rule, TextRule

_PLATE = re.compile(r"[A-Z]{1,3}-[A-Z]{1,2} [0-9]{1,4}\Z")
CATALOGUES: Mapping[str, Catalogue] = {
    "en": {"plate.form": "must be a number plate"},
    "de": {"plate.form": "muss ein Kennzeichen sein"},
}


@dataclass(frozen=True, slots=True)
class Good(TextRule):
    """A number plate: accepted in any case, kept in capitals."""

    def _limit(self) -> int:
        return 20

    def _check(self, value: str) -> str:
        if not _PLATE.match(value.upper()):
            raise PydanticCustomError("plate.form", "plate.form")
        return value.upper()

    def _said(self) -> dict[str, Any]:
        return {"maxLength": 20}


class Lax(Good):
    """Refuses nothing."""

    def _check(self, value: str) -> str:
        return value.upper()


class Narrow(Good):
    """Takes only what is in capitals already."""

    def _check(self, value: str) -> str:
        if not _PLATE.match(value):
            raise PydanticCustomError("plate.form", "plate.form")
        return value


class Converting(Good):
    """Keeps another type than was told."""

    def _check(self, value: str) -> str:
        return Told(Good._check(self, value))


class Told(str):
    """A text of another type."""

    __slots__ = ()


class Miscoded(Good):
    """Refuses with a code that nobody was told."""

    def _check(self, value: str) -> str:
        if not _PLATE.match(value.upper()):
            raise PydanticCustomError("tag.characters", "tag.characters")
        return value.upper()


class Unsettled(Good):
    """Changes what it gave."""

    def _check(self, value: str) -> str:
        return Good._check(self, value) + "0"


class Echoing(Good):
    """Quotes what was sent."""

    def _check(self, value: str) -> str:
        if not _PLATE.match(value.upper()):
            raise PydanticCustomError("plate.quoted", "no {given}", {"given": value})
        return value.upper()


class Pointing(Good):
    """Reports the wrong place."""

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        return core_schema.typed_dict_schema({"plate": core_schema.typed_dict_field(Good._behind(self, schema))})


class Endless(Good):
    """Reads on and on."""

    def _limit(self) -> int:
        return 100_000_000

    def _check(self, value: str) -> str:
        return value


class Quadratic(Good):
    """Looks at each character once for each."""

    def _limit(self) -> int:
        return 100_000

    def _check(self, value: str) -> str:
        for at in range(0, len(value), 4):
            value[at:].upper()
        return Good._check(self, value)


class Crashing(Good):
    """Takes for granted that a text is text."""

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(lambda value: Good._check(self, value))


class Schemaless(Good):
    """Cannot be described."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Fails."""
        raise TypeError("no schema")


class Overstating(Good):
    """Describes less than it takes."""

    def _said(self) -> dict[str, Any]:
        return {"pattern": "^[A-Z]"}


@dataclass
class Remembering(Rule):
    """Keeps what was sent."""

    seen: list[Any] = field(default_factory=list)

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        return Good()._behind(core_schema.no_info_before_validator_function(self._note, schema))

    def _note(self, value: Any) -> Any:
        self.seen.append(value)
        return value


@dataclass
class Uncopied(Rule):
    """Holds what cannot be copied."""

    _made: Any = field(default_factory=threading.Lock, repr=False)

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        return Good()._behind(schema)


@dataclass(frozen=True)
class Bad:
    """A broken rule, the tests that must be red (without ``test_``), and what the contract is told of it."""

    rule: Callable[[], Any]
    tests: set[str]
    catalogues: Mapping[str, Catalogue] = field(default_factory=lambda: CATALOGUES)
    invalid: Sequence[tuple[Any, str]] = (("", "plate.form"), ("B-AB", "plate.form"), ("b-ab 12345", "plate.form"))

    @property
    def annotation(self) -> Any:
        """The rule as it is annotated."""
        return Annotated[str, self.rule()]


BAD = {
    "Lax": Bad(Lax, {"it_refuses_with_the_code_told"}),
    "Narrow": Bad(Narrow, {"it_keeps_what_is_told"}),
    "Converting": Bad(Converting, {"it_keeps_what_is_told"}),
    "Miscoded": Bad(Miscoded, {"it_refuses_with_the_code_told"}),
    "Unsettled": Bad(Unsettled, {"it_keeps_what_is_told", "what_it_keeps_it_keeps_again"}),
    "Echoing": Bad(
        Echoing,
        {"nothing_of_the_input_is_told"},
        {"en": {"plate.quoted": "is no plate: {given}"}, "de": {"plate.quoted": "ist kein Kennzeichen: {given}"}},
        (("B-AB", "plate.quoted"),),
    ),
    "Wordless": Bad(Good, {"each_code_has_a_message_in_every_language"}, {"en": CATALOGUES["en"]}),
    "Gapped": Bad(
        Good,
        {"each_code_has_a_message_in_every_language"},
        {**CATALOGUES, "en": {"plate.form": "must be a plate of {country}"}},
    ),
    "Endless": Bad(Endless, {"a_text_without_end_is_refused"}),
    "Quadratic": Bad(Quadratic, {"it_takes_linear_time"}),
    "Crashing": Bad(Crashing, {"other_types_are_refused_in_good_order"}),
    "Remembering": Bad(Remembering, {"it_remembers_nothing"}),
    "Uncopied": Bad(Uncopied, {"it_remembers_nothing"}),
    "Schemaless": Bad(Schemaless, {"json_schema_says_no_more_than_is_true"}),
    "Overstating": Bad(Overstating, {"json_schema_says_no_more_than_is_true"}),
    "Pointing": Bad(Pointing, {"it_keeps_what_is_told"}),
}
