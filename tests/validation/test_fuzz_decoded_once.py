"""ASVS 1.1.1: what was encoded twice is decoded once, and the value that was checked is the value that is used."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import Field

from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.bodies import validate_body, validate_query
from postrmagic_core.validation.output import escape_html
from postrmagic_core.validation.rules import Filename, PlainText, SafeHtml, Slug, Tag
from tests.validation.fuzzing import checker, fuzz, hostile_texts, runs


class Note(Input):
    """Text as it came, and text by a rule."""

    raw: str = ""
    text: Annotated[str, PlainText(max=200)] = ""


NOTE = Validator(Note)
MULTIPART = "multipart/form-data; boundary=b"
ENCODED = [
    *("%27", "%2527", "%252527", "%252e%252e%252f", "%253Cscript%253E"),
    *("%00", "%2500", "%u003c", "%c0%ae", "+", "%2B", "a+b"),
    *("&lt;b&gt;", "&amp;lt;b&amp;gt;", "&#60;", "&amp;#x3c;"),
    *("&#x26;lt;", "\\u003c", "\\\\u003c", "\\x3c", "\\074", "=3C"),
    *("\uff1cscript\uff1e", "\ufe64b\ufe65", "\uff0e\uff0e\uff0f"),
    *("\u2024\u2024/", "\ufb01le", "\u212aelvin", "\uff07 OR 1=1"),
    *("PHNjcmlwdD4=", "+ADw-script+AD4-", "=?utf-8?q?=3Cb=3E?=", "xn--mnchen-3ya", "$%7Bx%7D", "{{7*7}}", "${7*7}"),
]  # fmt: skip


def through_json(text: str) -> Note:
    """In a JSON body."""
    return validate_body(NOTE, "application/json", json.dumps({"raw": text, "text": text}).encode())


def through_a_form(text: str) -> Note:
    """In an urlencoded body."""
    body = f"raw={quote_plus(text)}&text={quote(text, safe='')}".encode()
    return validate_body(NOTE, "application/x-www-form-urlencoded", body)


def through_a_query(text: str) -> Note:
    """In a query."""
    return validate_query(NOTE, f"raw={quote_plus(text)}&text={quote(text, safe='')}")


def through_parts(text: str) -> Note:
    """In a multipart body, where nothing is encoded."""
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    return validate_body(NOTE, MULTIPART, (part.format("raw", text) + part.format("text", text) + "--b--\r\n").encode())


WAYS = [through_json, through_a_form, through_a_query, through_parts]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_was_encoded_twice_is_decoded_once(way: Callable[[str], Note]) -> None:
    """The text is what was sent, whatever another decoding would make of it; plain text is at most composed (NFC)."""
    notes = [Note(raw=text, text=unicodedata.normalize("NFC", text)) for text in ENCODED]
    assert [way(text) for text in ENCODED] == notes


@pytest.mark.parametrize("examples", runs(60))
def test_every_way_brings_the_same_text(examples: int) -> None:
    """Any text that can be sent is, through each way, the very same."""

    def check(text: str) -> None:
        sent = text.encode("utf-8", "replace").decode()
        body = json.dumps({"raw": sent}).encode()
        assert validate_body(NOTE, "application/json", body).raw == sent
        assert validate_query(NOTE, f"raw={quote_plus(sent)}").raw == sent
        part = f'--b\r\nContent-Disposition: form-data; name="raw"\r\n\r\n{sent}\r\n--b--\r\n'
        if "--b" not in sent:
            assert validate_body(NOTE, MULTIPART, part.encode()).raw == sent

    fuzz(check, hostile_texts, examples)


# NFC makes ; of the first, ` of the second, and K of the third; case folding makes ss of the last.
COMPOSED = {"\u037e": ";", "\u1fef": "`", "\u212a": "K"}


@pytest.mark.parametrize("sent", COMPOSED)
def test_what_composing_makes_is_checked_too(sent: str, complaints: Any) -> None:
    """A rule behind ``PlainText`` sees the text that will be stored, not the one that was sent."""
    rule = checker(Annotated[str, PlainText(max=20), Field(pattern=r"^[^;`K]*$")])
    assert complaints(lambda: rule.validate(f"a{sent}b")) == [("", "string_pattern_mismatch")]
    assert checker(Annotated[str, PlainText(max=20)]).validate(sent) == COMPOSED[sent]


@pytest.mark.parametrize("sent", ["\u037e", "\u1fef", "a\uff1cb", "a/b", "a%2fb"])
def test_a_tag_is_checked_after_it_was_folded(sent: str, complaints: Any) -> None:
    """What folding makes must be of a tag's characters."""
    assert complaints(lambda: checker(Tag).validate(sent)) == [("", "tag.characters")]


@pytest.mark.parametrize("sent", ["\u212a", "\uff41", "%61", "a%2Db", "&#97;"])
def test_a_slug_is_its_characters(sent: str, complaints: Any) -> None:
    """No other spelling of a letter is one."""
    assert complaints(lambda: checker(Slug).validate(sent)) == [("", "string_pattern_mismatch")]


def test_a_file_name_is_not_decoded() -> None:
    """``%2e%2e%2f`` is no path to anybody, as it is never decoded again; what only looks like a slash stays apart."""
    assert checker(Filename).validate("%2e%2e%2fetc%2fpasswd") == "_2e_2e_2fetc_2fpasswd"
    assert checker(Filename).validate("..\u2215..\uff0fx") == "\u2215..\uff0fx"


@pytest.mark.parametrize("text", ["&amp;lt;b&amp;gt;", "&lt;script&gt;", "&amp;amp;"])
def test_references_in_markup_stay_references(text: str) -> None:
    """The sanitizer decodes once and encodes once: twice encoded markup does not become markup."""
    clean = checker(Annotated[str, SafeHtml()])
    assert clean.validate(text) == text
    assert clean.validate(clean.validate(text)) == text


def test_encoding_is_last() -> None:
    """What is stored is the text; encoding it for a page is done where it is shown, and only there (ASVS 1.1.2)."""
    stored = through_json("&lt;b&gt; & <b>").raw
    assert stored == "&lt;b&gt; & <b>"
    assert escape_html(stored) == "&amp;lt;b&amp;gt; &amp; &lt;b&gt;"
