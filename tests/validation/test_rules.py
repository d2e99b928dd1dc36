"""Rules for text and HTML: what they change, what they refuse, and that applying them again changes nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.html import HtmlPolicy, clean_html
from postrmagic_core.validation.rules import Filename, PlainText, SafeHtml, Slug, Tag
from postrmagic_core.validation.text import display_name
from tests.validation.fuzzing import quick


class Words(Input):
    """One field for each rule."""

    line: Annotated[str, PlainText(max=20, min=1)] = "x"
    lines: Annotated[str, PlainText(max=20_000, lines=True)] = ""
    slug: Slug = "x"
    tag: Tag = "x"
    html: Annotated[str, SafeHtml(HtmlPolicy())] = ""
    file: Filename = "x"


WORDS = Validator(Words)


def through(field: str, text: str) -> str:
    """The text as ``field`` keeps it."""
    return str(getattr(WORDS.validate({field: text}), field))


def code(field: str, text: str) -> str:
    """The code with which ``field`` refuses the text."""
    with pytest.raises(ValidationFailed) as caught:
        WORDS.validate({field: text})
    (error,) = caught.value.errors
    assert error["pointer"] == f"/{field}"
    assert "…" not in error["message"], "a text that lacks its number"
    return error["code"]


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("line", "  Cafe\u0301 ", "Caf\u00e9"),
        ("line", "\u1f00\u0300\u0345" * 20, "\u1f82" * 20),
        ("line", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("lines", "a\r\nb\rc\n\td ", "a\nb\nc\n\td"),
        ("slug", "summer-fair-2026", "summer-fair-2026"),
        ("tag", "  Straße   C++ ", "strasse c++"),
        ("tag", "हिन्दी", "हिन्दी"),
        ("file", "C:\\fakepath\\Poster 1.JPG", "Poster 1.JPG"),
        ("file", "../../etc/passwd", "passwd"),
        ("file", "a\r\nSet-Cookie: x", "aSet-Cookie_ x"),
        ("file", "invoice\u202egpj.exe", "invoicegpj.exe"),
        ("file", "CON.txt", "_CON.txt"),
        ("file", " ... ", "file"),
        ("file", "", "file"),
        ("file", "x" * 10_000 + ".png", "x" * 196 + ".png"),
        ("file", "é" * 10_000, "é" * 100),
    ],
)
def test_what_is_kept(field: str, given: str, kept: str) -> None:
    """The value from then on is the changed one."""
    assert through(field, given) == kept


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("line", "", "string_too_short"),
        ("line", "   ", "string_too_short"),
        ("line", "x" * 21, "string_too_long"),
        ("line", "x" * 10_000, "string_too_long"),
        ("line", "a\nb", "text.control"),
        ("line", "a\0b", "text.control"),
        ("line", "a\x85b", "text.control"),
        ("line", "a\u202eb", "text.control"),
        ("line", "a\u2028b", "text.control"),
        ("line", "a\ufffeb", "text.control"),
        ("lines", "a\x1b[2Jb", "text.control"),
        ("lines", "a" + "\u0301" * 31, "text.marks"),
        ("slug", "", "string_too_short"),
        ("slug", "Summer", "string_pattern_mismatch"),
        ("slug", "a--b", "string_pattern_mismatch"),
        ("slug", "a\n", "string_pattern_mismatch"),
        ("slug", "a/../b", "string_pattern_mismatch"),
        ("tag", " ", "text.required"),
        ("tag", "a,b", "tag.characters"),
        ("tag", "<b>", "tag.characters"),
        ("tag", "x" * 41, "string_too_long"),
        ("tag", "a\u202eb", "text.control"),
        ("html", "<p>" * 1_001, "html.elements"),
        ("html", "é" * 40_000, "limit.bytes"),
        ("html", "&" * 20_000, "limit.bytes"),
    ],
)
def test_what_is_refused(field: str, text: str, expected: str) -> None:
    """One code each."""
    assert code(field, text) == expected


ODD = st.text() | st.text(
    alphabet="aA\u00df\u0130\u0301\u0345\u1fb3\u0316\u200d .-_/\\:\u00b2CONcon\ud800", max_size=30
)


@quick
@given(ODD)
@pytest.mark.parametrize("field", ["line", "lines", "tag", "file"])
def test_text_rules_are_idempotent(field: str, text: str) -> None:
    """What a rule gave, it keeps."""
    try:
        once = through(field, text)
    except ValidationFailed:
        return
    assert through(field, once) == once


@pytest.mark.parametrize("plane", [0, 1, 2])  # the others have no assigned characters that fold
def test_every_character_folds_once(plane: int) -> None:
    """No single character of Unicode, alone or marked, has a tag or a name that changes again."""
    from postrmagic_core.validation.text import normalized, tag

    for point in range(plane << 16, (plane + 1) << 16):
        if 0xD800 <= point <= 0xDFFF:
            continue
        text = chr(point) + "\u0345"
        for rule in (tag, normalized):
            assert rule(rule(text)) == rule(text), hex(point)


@quick
@given(st.text())
def test_a_display_name_is_never_a_path(raw: str) -> None:
    """Whatever the client called it: one name of at most 200 bytes, neither hidden nor leading elsewhere."""
    name = display_name(raw)
    assert 0 < len(name.encode()) <= 201
    assert not set(name) & set('/\\\0\r\n"<>|:*?')
    assert name not in {".", ".."}
    assert not name.startswith(".")


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<p onclick=alert(1)>x</p>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" java\tscript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<svg><animate onbegin=alert(1)>",
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<textarea><p title="</textarea><img src=x onerror=alert(1)>">',
    "<!--><img src=x onerror=alert(1)>-->",
    "<p style=background:url(javascript:alert(1))>x",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<base href=//evil><meta http-equiv=refresh content=0;url=//evil>",
    "{{7*7}} ${7*7}",
    "<b\0onclick=alert(1)>x",
    "<a title='\"><img src=x onerror=alert(1)>'>x</a>",
    "\ud800<b>x",
]


class Seen(HTMLParser):
    """Collects what a browser would be given."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        self.tags.add(tag)
        self.attributes |= {name: value or "" for name, value in attrs}


def is_harmless(html: str) -> bool:
    """Whether only allowed elements, attributes and schemes are left."""
    seen, policy = Seen(html), HtmlPolicy()
    url = seen.attributes.get("href", "")
    return (
        seen.tags <= policy.tags
        and seen.attributes.keys() <= {"href", "title", "rel"}
        and not re.match(r"\s*(?!https?:|mailto:)[a-z]+:", url, re.IGNORECASE)
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_leave_nothing(attack: str) -> None:
    """Read again, the result has nothing that was not allowed, and cleaning it changes nothing."""
    cleaned = clean_html(attack, HtmlPolicy())
    assert is_harmless(cleaned)
    assert clean_html(cleaned, HtmlPolicy()) == cleaned


def test_what_is_allowed_stays() -> None:
    """Ordinary markup passes, and links lose their power over this page."""
    given = '<h2>Fair</h2><p>See <a href="https://example.org/?a=1&amp;b=2">the <em>site</em></a></p><pre>\n\n x</pre>'
    cleaned = clean_html(given, HtmlPolicy())
    assert (
        '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer nofollow">the <em>site</em></a>' in cleaned
    )
    assert clean_html('<p title="x" lang="en">x</p>', HtmlPolicy()) == "<p>x</p>"
    assert clean_html("<p>1 &lt; 2 &amp; 3</p>", HtmlPolicy()) == "<p>1 &lt; 2 &amp; 3</p>"


WORDS_OF_HTML = (
    "<p> </p> <b> </b> <a_href=x> </a> <ul> <li> <table> <td> <pre> <svg> <style> </style> "
    "<!-- --> <br> x &lt; & < > <math>"
)
PIECES = st.lists(
    st.sampled_from([*WORDS_OF_HTML.replace("_", "\t").split(" "), "\n", '"', "<mtext>", "<select>"]), max_size=25
)


@quick
@given(PIECES.map("".join) | st.tuples(st.sampled_from(ATTACKS), st.text(max_size=5)).map("".join))
def test_cleaning_is_idempotent_and_safe(html: str) -> None:
    """Whatever the markup, the result is harmless and stays as it is."""
    cleaned = clean_html(html, HtmlPolicy())
    assert is_harmless(cleaned)
    assert clean_html(cleaned, HtmlPolicy()) == cleaned


@pytest.mark.parametrize(
    "bad",
    [
        {"tags": frozenset({"p", "svg"})},
        {"tags": frozenset({"math"})},
        {"tags": frozenset({"SCRIPT"})},
        {"tags": frozenset({"textarea"})},
        {"attributes": {"p": frozenset({"onclick"})}},
        {"attributes": {"p": frozenset({"style"})}},
        {"schemes": frozenset({"javascript"})},
        {"schemes": frozenset({"DATA"})},
    ],
)
def test_a_policy_cannot_allow_what_is_never_safe(bad: dict[str, Any]) -> None:
    """Foreign content, raw text, active content, event handlers and script URLs are refused at construction."""
    with pytest.raises(ConfigurationError, match="never safe"):
        HtmlPolicy(**bad)


PUMPS: dict[str, tuple[str, Callable[[int], str]]] = {
    "open elements": ("html", lambda n: "<b>" * n),
    "angle brackets": ("html", lambda n: "<" * n),
    "one attribute after another": ("html", lambda n: "<p " + "a=1 " * (n // 4) + ">"),
    "accents": ("lines", lambda n: "a" + "\u0345\u0316" * (n // 2)),
    "streams of accents": ("lines", lambda n: ("a" + "\u0345\u0316" * 14) * (n // 29)),
    "spaces": ("lines", lambda n: "a" + " " * n + "b"),
    "hyphens": ("slug", lambda n: "a-" * n),
    "tag spaces": ("tag", lambda n: " " * n),
    "slashes": ("file", lambda n: "/" * n),
    "dots": ("file", lambda n: "a" + "." * n + "a"),
}


@pytest.mark.parametrize("pump", PUMPS)
def test_rules_take_linear_time(pump: str) -> None:
    """Twice the hostile text takes less than three times as long, accepted or refused."""
    field, make = PUMPS[pump]
    texts = {size: make(size) for size in (8_000, 16_000)}

    def apply(size: int) -> None:
        with contextlib.suppress(ValidationFailed):
            WORDS.validate({field: texts[size]})

    assert growth(apply, 8_000) < 3
