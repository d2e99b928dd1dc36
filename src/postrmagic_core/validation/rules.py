"""Rules as annotations: ``title: Annotated[str, PlainText(200)]``, ``tags: list[Tag]``, ``name: Filename``.

Each limits the length before it looks at a character, runs in linear time, and gives the same when applied to its own
result. What a rule changes is the value from then on: validate first, store the result, encode on output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .html import HtmlPolicy, reduced
from .model import invalid
from .text import display_name, has_control, has_mark_run, is_tag, normalized, tag

_NFC_SHRINKS = 4  # a Greek letter with three marks is one character in NFC (UAX #15, table 10)
_TAG_LENGTH = 40


def _refuse(code: LiteralString) -> PydanticCustomError:
    return invalid(code, code)


def _text_schema(check: Callable[[str], str], longest: int) -> CoreSchema:
    return core_schema.no_info_after_validator_function(check, core_schema.str_schema(max_length=longest))


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text of at most ``max`` characters (code points), and at least ``min``, on one line or on several.

    Changed: composed to NFC, line ends become ``\\n``, surrounding white space goes. Refused, not removed, as removing
    would change what was meant: control and direction-changing characters, surrogates, noncharacters
    (``text.control``), more than 30 accents on one character (``text.marks``).
    """

    max: int
    min: int = 0
    lines: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The rule as pydantic runs it."""
        counted = core_schema.str_schema(min_length=self.min, max_length=self.max)
        cleaned = _text_schema(self._clean, self.max * _NFC_SHRINKS)
        return core_schema.chain_schema([cleaned, counted])

    def _clean(self, text: str) -> str:
        if has_control(text, "\n\r\t" if self.lines else ""):
            raise _refuse("text.control")
        if has_mark_run(text):
            raise _refuse("text.marks")
        return normalized(text)


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """HTML reduced to what ``policy`` allows (see :func:`.html.clean_html`); what is left is safe to show unescaped."""

    policy: HtmlPolicy = HtmlPolicy()  # noqa: RUF009 - frozen

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The rule as pydantic runs it."""
        return _text_schema(self._clean, self.policy.max_bytes)

    def _clean(self, html: str) -> str:
        cleaned = reduced(html, self.policy)
        if isinstance(cleaned, str):
            return cleaned
        raise PydanticCustomError(cleaned.code, "not acceptable", {"limit": cleaned.limit})


def _tag(text: str) -> str:
    if has_control(text):
        raise _refuse("text.control")
    if has_mark_run(text):
        raise _refuse("text.marks")
    folded = tag(text)
    if not folded:
        raise _refuse("text.required")
    if not is_tag(folded):
        raise _refuse("tag.characters")
    if len(folded) > _TAG_LENGTH:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": _TAG_LENGTH})
    return folded


Slug = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""1 to 80 of ``a-z 0-9``, parts joined by single hyphens: safe in a URL's path. (Pydantic's patterns are linear.)"""

Tag = Annotated[str, StringConstraints(max_length=_TAG_LENGTH * _NFC_SHRINKS), AfterValidator(_tag)]
"""1 to 40 letters, digits, spaces and ``- _ + . # & '``; changed to one spelling: NFC, lower case, single spaces."""

Filename = Annotated[str, StringConstraints(max_length=65_536), AfterValidator(display_name)]
"""A client's file name, changed by :func:`.text.display_name`: to be shown and offered, never a path to store under."""
