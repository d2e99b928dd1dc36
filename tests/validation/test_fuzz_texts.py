"""Texts under fire: names, tags, HTML, cells and headers keep their promises for any text, in linear time."""

from __future__ import annotations

import csv
import email.message
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from types import GenericAlias
from typing import Annotated, Any
from urllib.parse import unquote

import pytest
from hypothesis import strategies as st

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation.html import HtmlPolicy, clean_html
from postrmagic_core.validation.output import content_disposition, csv_cell, escape_html, json_for_script, safe_redirect
from postrmagic_core.validation.rules import Filename, PlainText, SafeHtml, Slug, Tag
from postrmagic_core.validation.text import display_name, has_control
from tests.validation.fuzzing import FRAGMENTS, checker, fuzz, hostile_texts, runs

RULES: dict[str, Any] = {
    "plain text": Annotated[str, PlainText(max=60)],
    "lines": Annotated[str, PlainText(max=60, lines=True)],
    "HTML": Annotated[str, SafeHtml()],
    "slug": Slug,
    "tag": Tag,
    "file name": Filename,
}
SIZES = (8_000, 16_000)


@pytest.mark.parametrize("examples", runs(40))
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_gives_the_same_again(rule: str, examples: int) -> None:
    """Given any text: refused, or changed to a text that passes unchanged, in a list and by itself."""
    one, many = checker(RULES[rule]), checker(GenericAlias(list, (RULES[rule],)))

    def check(text: str) -> None:
        value = one.validate(text)
        assert one.validate(value) == value
        assert many.validate([text, value]) == [value, value]

    fuzz(check, hostile_texts, examples, ValidationFailed)


@pytest.mark.parametrize("examples", runs(80))
def test_any_name_becomes_one_to_show(examples: int) -> None:
    """No path, no control, no device, at most 200 bytes, and nothing without a name."""

    def check(raw: str) -> None:
        name = display_name(raw)
        assert name
        assert name not in {".", ".."}
        assert len(name.encode()) <= 201  # an underscore may stand before a device's name
        assert not set(name) & set('/\\<>:"|?*%')
        assert not has_control(name)
        assert display_name(name) == name

    fuzz(check, hostile_texts, examples)


@pytest.mark.parametrize("examples", runs(40))
def test_any_name_becomes_one_header(examples: int) -> None:
    """One line of printable ASCII; whoever parses it finds the name that is shown, and no other parameter."""

    def check(raw: str) -> None:
        value = content_disposition(raw)
        assert value.isascii()
        assert value.isprintable()
        message = email.message.Message()
        message["Content-Disposition"] = value
        parameters = message.get_params(header="content-disposition", unquote=False)
        assert parameters is not None
        assert [name for name, _ in parameters[1:]] in (["filename"], ["filename", "filename*"], ["filename"] * 2)
        starred = value.partition("filename*=UTF-8''")[2]
        plain = value.partition('filename="')[2].partition('"')[0]
        assert (unquote(starred, errors="strict") or plain) == display_name(raw)

    fuzz(check, hostile_texts, examples)


@pytest.mark.parametrize("examples", runs(40))
def test_any_cells_come_back_as_cells(examples: int) -> None:
    """A CSV file of hostile texts has the rows that were written, none of them a formula."""

    def check(texts: list[str]) -> None:
        output = io.StringIO(newline="")
        csv.writer(output).writerow([csv_cell(text) for text in texts])
        (row,) = csv.reader(io.StringIO(output.getvalue(), newline=""))
        sent = ["".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text) for text in texts]
        bare = str.maketrans("", "", "'")  # apostrophes are all that may be put in
        assert [cell.translate(bare) for cell in row] == [text.translate(bare) for text in sent]
        for cell in row:
            assert cell.lstrip(" \u00a0\ufeff")[:1] not in set("=+-@\t\r\n|")

    starts = st.sampled_from(["=", "+", "-", "@", "|", "\t", "\r", "\n", "\uff1d", " ", "\ufeff", "'", ""])
    cells = st.tuples(starts, starts, hostile_texts.filter(lambda text: "\0" not in text)).map("".join)
    fuzz(check, st.lists(cells, min_size=1, max_size=4), examples)


class Seen(HTMLParser):
    """What another parser finds in the result."""

    def reset(self) -> None:
        """Nothing yet."""
        super().reset()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")


@pytest.mark.parametrize("examples", runs(40))
def test_any_markup_is_cleaned_for_good(examples: int) -> None:
    """Refused, or clean: cleaning again changes nothing, and no script, handler or scheme is left."""
    tags = ["<b>", "</b>", "<p>", "<a href='java\tscript:x'>", "<a href=data:x onclick=x>", "<svg><style>", "<table>"]
    foreign = [
        "<math><mtext><table><mglyph><style>",
        "<noscript><p title='</noscript><img src=x onerror=x>'>",
        "<select>",
    ]
    markup = st.lists(st.sampled_from([*tags, *foreign, *FRAGMENTS]), max_size=16).map("".join)

    def check(html: str) -> None:
        cleaned = clean_html(html, HtmlPolicy())
        assert clean_html(cleaned, HtmlPolicy()) == cleaned
        seen = Seen(convert_charrefs=True)
        seen.feed(cleaned)
        seen.close()
        assert seen.tags <= HtmlPolicy().tags
        assert seen.attributes.keys() <= {"href", "title", "rel"}
        for address in seen.attributes.get("href", []):
            assert re.match(r"(?:https?|mailto):|[^:]*(?:[/?#]|\Z)", address)

    fuzz(check, markup, examples, ValidationFailed)


@pytest.mark.parametrize("examples", runs(40))
def test_any_text_can_be_put_out(examples: int) -> None:
    """Encoders take every text, and nothing in their results has a meaning to HTML or to a browser's address bar."""

    def check(text: str) -> None:
        assert not set("<>\"'") & set(escape_html(text))
        assert not set("<>&\u2028\u2029") & set(json_for_script({text: [text]}))
        target = safe_redirect(text, hosts=["a.example"])
        assert target.startswith(("/", "http://a.example", "https://a.example"))
        assert not target.startswith(("//", "/\\"))

    addresses = st.sampled_from(
        ["https://a.example", "//", "/", "\\", "@", ":", "javascript:", "http:", "a.example", "\t"]
    )
    fuzz(check, hostile_texts | st.lists(addresses | st.sampled_from(FRAGMENTS), max_size=6).map("".join), examples)


TEXTS: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "a" * n,
    "accents": lambda n: "a" + "\u0301" * n,
    "as many accents as may be": lambda n: ("a" + "\u0301" * 30) * (n // 31),
    "accents without end in the wrong order": lambda n: "a" + "\u0301\u0323" * (n // 2),
    "accents in the wrong order": lambda n: ("a" + "\u0301\u0323" * 15) * (n // 31),
    "direction marks": lambda n: "\u202e" * n,
    "dots": lambda n: "." * n,
    "slashes": lambda n: "/" * n,
    "hyphens": lambda n: "a-" * (n // 2),
    "blanks": lambda n: "a" + " " * n + "a",
    "line ends": lambda n: "\r" * n,
    "tags": lambda n: "<b>" * (n // 3),
    "less-than signs": lambda n: "<" * n,
    "references": lambda n: "&#x" * (n // 3),
    "comments": lambda n: "<!--" * (n // 4),
    "attributes": lambda n: "<a " + "a=1 " * (n // 4),
    "percent signs": lambda n: "%" * n,
    "hangul": lambda n: "\u1100\u1161\u11a8" * (n // 3),
}
READERS: dict[str, Callable[[str], object]] = {
    "plain text": checker(Annotated[str, PlainText(max=1_000_000, lines=True)]).validate,
    "HTML": checker(Annotated[str, SafeHtml()]).validate,
    "slug": checker(Slug).validate,
    "tag": checker(Tag).validate,
    "file name": checker(Filename).validate,
    "header": content_disposition,
    "cell": csv_cell,
    "element": escape_html,
    "script": json_for_script,
    "redirect": safe_redirect,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_text_takes_linear_time(reader: str) -> None:
    """Twice the hostile text takes less than three times as long, whatever its shape."""
    slower = []
    for shape, make in TEXTS.items():
        texts = {size: make(size) for size in SIZES}

        def read(size: int, texts: dict[int, str] = texts) -> None:
            try:
                READERS[reader](texts[size])
            except ValidationFailed:
                return

        if growth(read, SIZES[0]) >= 3:
            slower.append(shape)
    assert slower == []
