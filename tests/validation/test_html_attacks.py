"""Attacks on sanitizers, and what is left of each: nothing but allowed markup, read again by an HTML5 parser."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Validator
from postrmagic_core.validation.html import FORMATTING, LINKS, NOTHING, POLICIES, HtmlPolicy, clean_html
from postrmagic_core.validation.safe_html import SafeHtml

RUN = "<img src=x onerror=alert(1)>"

ELEMENTS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script/x>alert(1)</script >",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>alert(1)//<</script>",
    "<script>/*<!--*/alert(1)/*-->*/</script>",
    "<script>alert(1)",
    "<script\0>alert(1)</script>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert(1)</script></svg>",
    "<svg><script href=data:,alert(1) />",
    "<svg><set attributeName=onload to=alert(1)>",
    "<svg><animate attributeName=href values=javascript:alert(1) begin=0s>",
    "<svg><a xlink:href=javascript:alert(1)><text y=9>x</text></a></svg>",
    "<svg><use href=data:image/svg+xml;base64,AAAA#x>",
    "<svg><foreignObject><iframe srcdoc=x></foreignObject>",
    "<svg><image href=x onerror=alert(1)>",
    "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<math href=javascript:alert(1)>x</math>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='&lt;script&gt;alert(1)&lt;/script&gt;'>",
    "<object data=javascript:alert(1)>",
    "<object type=text/x-scriptlet data=//evil.example></object>",
    "<embed src=javascript:alert(1)>",
    "<applet code=x></applet>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<button formaction=javascript:alert(1) form=x>x</button>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)><option>x",
    "<textarea autofocus onfocus=alert(1)>",
    "<keygen autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<video poster=javascript:alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<body onload=alert(1)>",
    "<frameset onload=alert(1)>",
    "<base href=javascript:alert(1)//><a href=x>x</a>",
    "<link rel=stylesheet href=javascript:alert(1)>",
    "<link rel=import href=data:text/html,x>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<style>@import '//evil.example/x.css';</style>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<isindex action=javascript:alert(1) type=image>",
    "<portal src=javascript:alert(1)>",
    "<dialog open onclose=alert(1)>x</dialog>",
    "<x-element onclick=alert(1)>x</x-element>",
    "<template shadowrootmode=open><script>alert(1)</script></template>",
    "<slot onslotchange=alert(1)>",
    "<bgsound src=javascript:alert(1)>",
    "<xml id=x><a><![CDATA[<img src=x onerror=alert(1)>]]></a></xml>",
    "<?xml version=1?><script>alert(1)</script>",
    "<!DOCTYPE x [<!ENTITY y '<script>'>]>&y;alert(1)",
    "<!--[if IE]><script>alert(1)</script><![endif]-->",
]

ATTRIBUTES = [
    "<p onclick=alert(1)>x</p>",
    "<p ONCLICK=alert(1)>x</p>",
    "<p/onclick=alert(1)>x</p>",
    "<p x=1onclick=alert(1)>x",
    '<p title="x"onclick=alert(1)>x</p>',
    "<p title='\"'onclick=alert(1)//'>x",
    "<p title=`x`onclick=alert(1)>x",
    "<p\x0conclick=alert(1)>x",
    "<p\nonclick\n=\nalert(1)>x",
    "<p =onclick=alert(1)>x",
    '<p "onclick=alert(1)>x',
    "<p on\0click=alert(1)>x",
    "<p style=position:fixed;inset:0>x",
    "<p style='behavior:url(x.htc)'>x",
    "<p style=-moz-binding:url(//evil.example)>x",
    "<p id=x name=y class=z>x",
    "<p is=x-element>x",
    "<p contenteditable autofocus onfocus=alert(1)>x",
    "<p popover onbeforetoggle=alert(1)>x",
    "<a href=# onmouseover=alert(1)>x</a>",
    "<a title='</a><script>alert(1)</script>'>x</a>",
    "<a title='--><script>alert(1)</script>'>x</a>",
    "<a title='</p></style></noscript></textarea><img src=x onerror=alert(1)>'>x</a>",
    "<a title='&lt;/a&gt;&lt;script&gt;alert(1)&lt;/script&gt;'>x</a>",
    '<a title="`${alert(1)}`">x</a>',
    "<a rel=opener target=_blank href=https://evil.example>x</a>",
    "<a ping=//evil.example href=https://evil.example>x</a>",
    '<a href=https://evil.example/" onclick=alert(1)>x</a>',
]

SCHEMES = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "\u00a0javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "java\r\nscript:alert(1)",
    "javascript\t:alert(1)",
    "java\0script:alert(1)",
    "java&#9;script:alert(1)",
    "java&Tab;script:alert(1)",
    "java&NewLine;script:alert(1)",
    "javascript&colon;alert(1)",
    "javascript&#58alert(1)",
    "javascript&#x3a;alert(1)",
    "&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;:alert(1)",
    "&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74:alert(1)",
    "&#0000106avascript:alert(1)",
    "&amp;#106avascript:alert(1)",
    "&#1;javascript:alert(1)",
    "javascript://example.org/%0aalert(1)",
    "javascript:/*--></title></style>*/alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "DATA:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:https://example.org/1",
    "filesystem:https://example.org/x",
    "view-source:javascript:alert(1)",
    "feed:javascript:alert(1)",
    "livescript:alert(1)",
    "mocha:alert(1)",
    "intent://evil.example#Intent;end",
    "ms-word:ofe|u|https://evil.example/x.docx",
    "\u017favascript:alert(1)",
    "\uff4aavascript:alert(1)",
    "x-javascript:alert(1)",
]

MUTATIONS = [
    # html5lib and libxml2 readers (bleach CVE-2020-6802, -6816, -23980), SVG and MathML (ammonia's advisories), and the
    # ways by which a serialized tree is read as another tree (DOMPurify's history).
    f"<noscript><style></noscript>{RUN}",
    f"<noscript><p title='</noscript>{RUN}'></noscript>",
    f"<math><style></math>{RUN}",
    f"<svg></p><style><a id='</style>{RUN}'>",
    f"<svg><style><p title='</style>{RUN}'>",
    f"<svg><p><style><g title='</style>{RUN}'>",
    f"<math></p><style><!--</style>{RUN}--></style>",
    f"<math><p></math><style><!--</style>{RUN}-->",
    f"<svg></p><title><a id='</title>{RUN}'>",
    f"<svg><title><style><!--</style>{RUN}--></title></svg>",
    f"<svg><desc><style><p title='</style>{RUN}'></desc>",
    f"<svg><foreignObject><style><p title='</style>{RUN}'>",
    f"<math><mtext><table><mglyph><style><!--</style>{RUN}--></table>",
    f"<math><mtext><table><mglyph><style><math>{RUN}",
    f"<math><mtext><mglyph><svg><mtext><textarea><path id='</textarea>{RUN}'>",
    f"<form><math><mtext></form><form><mglyph><style></math>{RUN}",
    f"<form><div></form><form><math><mtext></form><form><mglyph><style></math>{RUN}",
    f"<math><annotation-xml encoding=text/html><style><a title='</style>{RUN}'></annotation-xml></math>",
    f"<math><annotation-xml encoding=application/xhtml+xml><xmp><p title='</xmp>{RUN}'>",
    f"<math><mi><style><!--</style>{RUN}--></mi></math>",
    f"<table><math><p></table><style><!--</style>{RUN}-->",
    f"<table><tr><td><svg><desc><td><style><p title='</style>{RUN}'>",
    f"<select><template><style><!--</style>{RUN}--></template></select>",
    f"<select><svg><style><p title='</style>{RUN}'></select>",
    f"<template><p title='</template>{RUN}'></template>",
    f"<xmp><p title='</xmp>{RUN}'></xmp>",
    f"<iframe><p title='</iframe>{RUN}'></iframe>",
    f"<noembed><p title='</noembed>{RUN}'></noembed>",
    f"<noframes><p title='</noframes>{RUN}'></noframes>",
    f"<textarea><p title='</textarea>{RUN}'></textarea>",
    f"<title><p title='</title>{RUN}'></title>",
    f"<plaintext><p title='</plaintext>{RUN}'>",
    f"<style><p title='</style>{RUN}'></style>",
    f"<!--<p title='-->{RUN}'>",
    f"<!--!>{RUN}-->",
    f"<!-->{RUN}-->",
    f"<!--->{RUN}-->",
    f"<!-- --!>{RUN}-->",
    f"<!--<!-->{RUN}-->",
    f"<!-{RUN}->",
    f"</{RUN}>",
    f"</ p title='>{RUN}'>",
    f"<?p title='?>{RUN}'>",
    f"<![CDATA[><p title=']]>{RUN}'>]]>",
    f"<svg><![CDATA[><style><p title=']]></style>{RUN}'>]]>",
    f"<math><![CDATA[]]>{RUN}]]>",
    f"<a><a><table><a>{RUN}",
    f"<b><p><a href=x></b><svg><style>{RUN}",
    f"<p><table><p>{RUN}",
    f"<ul><li><ul></li></p><style>{RUN}",
    f"<pre>\n\n<style>{RUN}</pre>",
    f"<pre><listing>\n{RUN}</listing></pre>",
    f"<image><p title='</image>{RUN}'>",
    f"<br></br></p>{RUN}</br>",
    f"<dl><dt><dd></dl><math></dt>{RUN}",
    f"<h2><h3></h2><svg></h3>{RUN}",
    f"<font><p><svg><font color=x><style>{RUN}",
    f"<math><mtext><font face=x><style>{RUN}",
    f"&lt;script&gt;alert(1)&lt;/script&gt;{RUN}",
    "&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;",
    "&#60script&#62alert(1)&#60/script&#62",
    "&ltscript&gtalert(1)&lt/script&gt",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<\u017fcript>alert(1)</\u017fcript>",
    "<\u017fvg onload=alert(1)>",
    "<b\u2028onclick=alert(1)>x",
    "\ufeff<script>alert(1)</script>",
    "\ud800<script>alert(1)</script>\udfff",
    "<p>\0<script>\0alert(1)</script>",
]

ROOTS = ["svg", "math", "svg><desc", "svg><foreignObject", "math><mtext", "math><annotation-xml encoding=text/html"]
RAW = ["style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript", "template", "select"]
CROSSED = [f"<{root}><{raw}><a title='</{raw}>{RUN}'>x</a>" for root, raw in product(ROOTS, RAW)]
LINKED = [f'<a href="{url}">x</a>' for url in SCHEMES]
ATTACKS = [*ELEMENTS, *ATTRIBUTES, *LINKED, *MUTATIONS, *CROSSED]

WIDE = HtmlPolicy(
    tags=FORMATTING.tags | {"img", "table", "tbody", "tr", "td", "th", "details", "summary", "span", "div", "figure"},
    attributes={"a": frozenset({"href", "title"}), "img": frozenset({"src", "alt"}), "*": frozenset({"class"})},
    schemes=frozenset({"https"}),
)
PLACES = {"formatting": FORMATTING, "links": LINKS, "nothing": NOTHING, "wide": WIDE}

TOKEN = re.compile(r'<(?P<end>/?)(?P<tag>[a-z][a-z0-9]*)(?P<attributes>(?: [a-z]+="[^"]*")*)>|[^<>]+')
PAIR = re.compile(r' ([a-z]+)="([^"]*)"')
# Everything that runs or changes how text is read: allowed for the second reader, so that it would show it.
# fmt: off
DANGEROUS = {
    "script", "style", "svg", "math", "iframe", "object", "embed", "form", "input", "button", "textarea", "select",
    "img", "video", "audio", "base", "link", "meta", "template", "noscript", "title", "xmp", "plaintext", "table",
    "foreignObject", "mtext", "annotation-xml", "body", "frameset", "details", "marquee", "animate", "set",
}
HANDLERS = {
    "onerror", "onload", "onclick", "onfocus", "onstart", "ontoggle", "style", "srcdoc", "src", "xlink:href",
    "formaction",
}
# fmt: on


def complaints(cleaned: str, policy: HtmlPolicy) -> list[str]:
    """What stands in the text that ``policy`` does not allow, by the grammar in which it is written.

    Text holds no angle bracket, a value no quote, and each element is closed in turn: every parser reads that alike.
    """
    found: list[str] = []
    open_: list[str] = []
    end = 0
    for token in TOKEN.finditer(cleaned):
        if token.start() != end:
            break
        end = token.end()
        tag = token["tag"]
        if not tag:
            continue
        if tag not in policy.tags:
            found.append(f"<{tag}>")
        if not token["end"] and tag not in {"br", "hr", "img"}:
            open_.append(tag)
        elif token["end"] and (not open_ or open_.pop() != tag):
            found.append(f"</{tag}>")
        allowed = policy.attributes.get(tag, frozenset()) | policy.attributes.get("*", frozenset()) | {"rel"}
        for name, value in PAIR.findall(token["attributes"]):
            if name not in allowed:
                found.append(name)
            elif name in {"href", "src"} and not is_harmless(html.unescape(value), policy):
                found.append(f"{name}={value}")
    found += [f"open <{tag}>" for tag in open_]
    return found if end == len(cleaned) else [*found, f"no markup of ours: {cleaned[end : end + 20]}"]


def is_harmless(url: str, policy: HtmlPolicy) -> bool:
    """Whether a browser finds no scheme, or one that is allowed, in the URL (WHATWG URL, section 4.4)."""
    url = re.sub(r"[\t\r\n]", "", url).lstrip("".join(map(chr, range(33))))
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", url)
    return scheme is None or scheme[1].lower() in policy.schemes


def read_again(cleaned: str) -> tuple[str, list[str]]:
    """The text as an HTML5 parser writes it that would let everything through, and the attributes it saw."""
    seen: list[str] = []

    def note(tag: str, name: str, value: str) -> str:
        seen.append(name)
        return value

    tags = WIDE.tags | DANGEROUS
    again = nh3.clean(
        cleaned,
        tags=set(tags),
        clean_content_tags=set(),
        attributes={"*": HANDLERS | {"href", "title", "class", "alt", "rel"}},
        attribute_filter=note,
        url_schemes={"javascript", "data", "vbscript", "http", "https", "mailto"},
        link_rel=None,
        strip_comments=False,
    )
    return again, seen


def test_there_are_many_attacks() -> None:
    """At least 120, each of them once."""
    assert len(ATTACKS) == len(set(ATTACKS)) >= 250


def test_the_second_reader_would_see_an_attack() -> None:
    """It shows handlers, scripts and foreign content where they are."""
    again, seen = read_again(f"<script>x</script><svg></svg>{RUN}<a href=javascript:x>y</a>")
    assert {"onerror", "src", "href"} <= set(seen)
    assert "<script>" in again
    assert "<svg>" in again
    assert "javascript:" in again
    for harmful in (RUN, "<p onclick=x>", "<a href=javascript:x>y</a>", "a<b", 'x"<p title="', "<!-- -->"):
        assert complaints(harmful, WIDE)


@pytest.mark.parametrize("name", PLACES)
def test_nothing_is_left_of_an_attack(name: str) -> None:
    """Only what the policy allows, which the next parser reads as it is; cleaning it again changes nothing."""
    policy = PLACES[name]
    for attack in ATTACKS:
        cleaned = clean_html(attack, policy)
        again, seen = read_again(cleaned)
        assert (attack, complaints(cleaned, policy), complaints(again, policy)) == (attack, [], [])
        assert (attack, set(seen) & (HANDLERS - {"src"})) == (attack, set())
        assert clean_html(cleaned, policy) == cleaned


WORDS = [
    *ATTACKS,
    *("<p>", "</p>", "<b>", "</b>", "<a href=x>", "</a>", "<ul>", "<li>", "<table>", "<td>"),
    *("<tr>", "<pre>", "\n", "<svg>", "</svg>"),
    *("<math>", "</math>", "<mtext>", "<mglyph>", "<style>", "</style>", "<title>", "</title>"),
    *("<!--", "-->", "<![CDATA[", "]]>"),
    *("<select>", "<option>", "<template>", "</template>", "<form>", "</form>", "'", '"', "`", "="),
    *("/", ">", "<", "&", "&lt;", "\0"),
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=12).map("".join), st.sampled_from(sorted(PLACES))
)
def test_no_mixture_of_attacks_gets_through(text: str, name: str) -> None:
    """Attacks cut together, in any order, leave nothing either; what does not settle is refused."""
    policy = PLACES[name]
    with contextlib.suppress(ValidationFailed):
        cleaned = clean_html(text, policy)
        assert complaints(cleaned, policy) == []
        assert complaints(read_again(cleaned)[0], policy) == []
        assert clean_html(cleaned, policy) == cleaned


def test_named_policies() -> None:
    """Formatting keeps structure, links keep links, nothing keeps the text."""
    given_ = '<h2>A</h2><p>b <em>c</em> &amp; <a href="https://example.org/">d</a></p>'
    link = '<a href="https://example.org/" rel="noopener noreferrer nofollow">d</a>'
    assert clean_html(given_, FORMATTING) == f"<h2>A</h2><p>b <em>c</em> &amp; {link}</p>"
    assert clean_html(given_, LINKS) == f"A<p>b c &amp; {link}</p>"
    assert clean_html(given_, NOTHING) == "Ab c &amp; d"


@pytest.mark.parametrize("policy", [LINKS, "links"])
def test_a_policy_makes_a_type(policy: Any) -> None:
    """``SafeHtml[policy]``, by the policy or by its name."""
    kind: Any = SafeHtml
    assert Validator[Any](kind[policy]).validate("<h2>a</h2><br>") == "a<br>"
    assert Validator[Any](list[kind[policy]]).validate(["<b>a</b>"]) == ["a"]


@pytest.mark.parametrize("wrong", ["everything", None, 1, HtmlPolicy])
def test_only_a_policy_makes_a_type(wrong: Any) -> None:
    """What is none is told at once, with the names there are."""
    kind: Any = SafeHtml
    with pytest.raises(ConfigurationError, match=", ".join(POLICIES)):
        kind[wrong]


@pytest.mark.parametrize("attribute", ["srcset", "ACTION", "background", "ping", "xlink:href", "poster", "formaction"])
def test_urls_that_are_not_checked_cannot_be_allowed(attribute: str) -> None:
    """The schemes of a policy hold for every URL that it lets through."""
    with pytest.raises(ConfigurationError, match="not checked"):
        HtmlPolicy(attributes={"a": frozenset({attribute})})


PUMPS: dict[str, Callable[[int], str]] = {
    "nested": lambda n: "<b>" * n,
    "nested quotations": lambda n: "<blockquote>" * n,
    "unclosed links": lambda n: "<a href=x>" * n,
    "formatting over blocks": lambda n: "<b><p>" * n,
    "ends without beginnings": lambda n: "</p>" * n,
    "attributes": lambda n: "<p " + "a=1 " * n + ">",
    "one attribute": lambda n: "<a title='" + "<" * n,
    "references": lambda n: "&lt;" * n,
    "half references": lambda n: "&" * n,
    "comments": lambda n: "<!--" * n,
    "tables": lambda n: "<table><td>" * n,
    "foreign": lambda n: "<svg><desc>" * n,
    "questions": lambda n: "<?" * n,
}


@pytest.mark.parametrize("pump", PUMPS)
def test_cleaning_takes_linear_time_under_its_caps(pump: str) -> None:
    """Twice the markup takes less than three times as long; where a parser would take longer, a cap comes first."""
    texts = {size: PUMPS[pump](size) for size in (3_000, 6_000)}

    def clean(size: int) -> None:
        with contextlib.suppress(ValidationFailed):
            clean_html(texts[size], FORMATTING)

    assert growth(clean, 3_000) < 3


def test_the_caps_come_before_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large or has too many elements is never parsed."""
    monkeypatch.setattr(nh3, "clean", lambda *_, **__: pytest.fail("parsed"))
    for text in ("<b>" * 1_001, "é" * 40_000, "x" * 65_537):
        with pytest.raises(ValidationFailed):
            clean_html(text, FORMATTING)
