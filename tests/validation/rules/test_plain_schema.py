"""What the JSON Schema of texts for people promises: all of it is taken."""

from __future__ import annotations

import re
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from postrmagic_core.validation.rules import PlainText, Tag

# Every character of the first plane that JSON can hold.
CHARACTERS = [chr(point) for point in range(0x10000) if not 0xD800 <= point <= 0xDFFF]


def schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of ``kind``."""
    return TypeAdapter(kind).json_schema()


def is_taken(kind: Any, text: str) -> bool:
    """Whether the rule takes ``text``."""
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("least", [0, 1])
def test_the_pattern_says_which_characters_are_taken(least: int, lines: bool) -> None:
    """Character by character: what the pattern lets through is taken, and nothing else is."""
    kind = Annotated[str, PlainText(max=9, min=least, lines=lines)]
    # ``$`` of ECMA 262 is the end, also where a line ends there.
    pattern, rule = re.compile(schema(kind)["pattern"].replace("$", r"\Z")), TypeAdapter(kind)

    def taken(text: str) -> bool:
        try:
            rule.validate_python(text)
        except ValidationError:
            return False
        return True

    assert [one for one in CHARACTERS if bool(pattern.search(one)) is not taken(one)] == []


def test_the_lengths_are_those_of_what_is_kept() -> None:
    """A reader is not told of four times as many characters as are kept."""
    assert {"maxLength": 40, "minLength": 2}.items() <= schema(Annotated[str, PlainText(max=40, min=2)]).items()
    assert is_taken(Annotated[str, PlainText(max=40)], "x" * 40)
    assert "minLength" not in schema(Annotated[str, PlainText(max=40)])


def test_a_tag_is_named_by_a_format() -> None:
    """Which letters there are, no regular expression says alike everywhere."""
    assert schema(Tag) == {"type": "string", "format": "tag", "minLength": 1, "maxLength": 40}
    assert [is_taken(Tag, text) for text in ("", "x", "x" * 40, "x" * 41)] == [False, True, True, False]
