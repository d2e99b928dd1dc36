"""HTML from outside, reduced to an allow-list (nh3, the binding of ammonia)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import nh3

from ..errors import ConfigurationError
from .policy import failed

_OPENING = re.compile(r"<[a-zA-Z]")
# Written as &amp; by the sanitizer, each a microsecond of its time.
_BARE_AMPERSAND = re.compile(r"&(?!#?[0-9A-Za-z]{1,31};)")
# fmt: off
_FORMATTING = frozenset({
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "dl", "dt", "em", "h2", "h3", "h4", "hr", "i", "ins",
    "kbd", "li", "ol", "p", "pre", "q", "s", "small", "strong", "sub", "sup", "u", "ul",
})
# fmt: on
# Foreign content and raw text change how what follows is parsed: every mutation attack on sanitizers went through them
# (RUSTSEC-2025-0071, RUSTSEC-2026-0193, -0213). The rest runs code, loads documents or takes input.
# fmt: off
_NEVER = frozenset({
    "svg", "math", "style", "script", "noscript", "template", "textarea", "title", "xmp", "iframe", "noembed",
    "noframes", "plaintext", "select", "option", "object", "embed", "applet", "form", "input", "button", "base",
    "link", "meta", "frame", "frameset", "head", "html", "body",
})
# URLs in attributes that the sanitizer does not read as URLs, so that `schemes` would not hold for them.
_UNREAD_URLS = frozenset({
    "action", "archive", "background", "classid", "codebase", "formaction", "imagesrcset", "longdesc", "manifest",
    "ping", "poster", "profile", "srcset", "usemap", "xlink:href",
})
# fmt: on
_ACTIVE_SCHEMES = frozenset({"javascript", "data", "vbscript", "blob", "file"})
_PASSES = 4


@dataclass(frozen=True, slots=True)
class HtmlPolicy:
    """What may remain of HTML.

    ``tags`` and ``attributes`` (tag → names, ``*`` for every tag) are the allow-list; ``schemes`` those of URLs, while
    relative ones stay. ``max_bytes`` of UTF-8 and ``max_elements`` opening tags are refused *before* the parser sees
    the text: its time grows with the square of the nesting, which cannot exceed the number of elements. Raises
    :class:`ConfigurationError` for tags of foreign content, raw text or active content, and for event handlers and
    ``style``.
    """

    tags: frozenset[str] = _FORMATTING
    attributes: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: {"a": frozenset({"href", "title"})},
        hash=False,  # a mapping has none, and what stands in an annotation is hashed
    )
    schemes: frozenset[str] = frozenset({"http", "https", "mailto"})
    max_bytes: int = 65_536
    max_elements: int = 1_000

    def __post_init__(self) -> None:
        never = sorted(tag for tag in self.tags if tag.lower() in _NEVER or tag != tag.lower() or not tag.isalnum())
        if never:
            raise ConfigurationError(f"HtmlPolicy: never safe to allow, or not a lower-case tag: {', '.join(never)}")
        names = {name.lower() for allowed in self.attributes.values() for name in allowed}
        active = sorted(name for name in names if name.startswith("on") or name in {"style", "srcdoc", "rel"})
        if active:
            raise ConfigurationError(f"HtmlPolicy: never safe to allow (rel is set here): {', '.join(active)}")
        unread = sorted(names & _UNREAD_URLS)
        if unread:
            raise ConfigurationError(
                f"HtmlPolicy: never safe to allow, as their URLs are not checked: {', '.join(unread)}"
            )
        schemes = sorted({scheme.lower() for scheme in self.schemes} & _ACTIVE_SCHEMES)
        if schemes:
            raise ConfigurationError(f"HtmlPolicy: never safe to allow as URL schemes: {', '.join(schemes)}")


FORMATTING = HtmlPolicy()
"""Paragraphs, lists, quotations, code, small headings, emphasis, and links: what a description needs."""

LINKS = HtmlPolicy(tags=frozenset({"a", "br", "p"}))
"""Paragraphs of plain text with links: what a comment needs."""

NOTHING = HtmlPolicy(tags=frozenset(), attributes={}, schemes=frozenset())
"""No element at all. What is left is the text as HTML: ``&`` is ``&amp;``, so it is shown without escaping again."""

POLICIES: Mapping[str, HtmlPolicy] = {"formatting": FORMATTING, "links": LINKS, "nothing": NOTHING}
"""The named policies, for ``SafeHtml["links"]``."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a text was not cleaned: the error's code, and the limit it broke."""

    code: Literal["limit.bytes", "html.elements", "html.unstable"]
    limit: int


def clean_html(html: str, policy: HtmlPolicy) -> str:
    """``html`` with nothing but what ``policy`` allows; cleaning the result again gives the result.

    Elements that are not allowed leave their text, scripts and styles nothing; comments go; links get
    ``rel="noopener noreferrer nofollow"``. Raises :class:`ValidationFailed` for what is too large, and for markup
    that still changes after four passes.
    """
    cleaned = reduced(html, policy)
    if isinstance(cleaned, Refused):
        raise failed(cleaned.code, limit=cleaned.limit)
    return cleaned


def reduced(html: str, policy: HtmlPolicy) -> str | Refused:
    """:func:`clean_html` without raising. Each pass is limited, as one can make its text longer."""
    attributes = tuple((tag, frozenset(names)) for tag, names in policy.attributes.items())
    cleaner = _cleaner(policy.tags, attributes, policy.schemes)
    for _ in range(_PASSES):
        if len(html) > policy.max_bytes or len(html.encode(errors="replace")) > policy.max_bytes:
            return Refused("limit.bytes", policy.max_bytes)
        if len(html) + 4 * len(_BARE_AMPERSAND.findall(html)) > policy.max_bytes:
            return Refused("limit.bytes", policy.max_bytes)  # what it would be, without making it
        if sum(1 for _ in _OPENING.finditer(html)) > policy.max_elements:
            return Refused("html.elements", policy.max_elements)
        cleaned = cleaner.clean(html.encode(errors="replace").decode())  # nh3 takes no surrogates
        if cleaned == html:
            return cleaned
        html = cleaned
    return Refused("html.unstable", _PASSES)


@lru_cache(maxsize=64)
def _cleaner(
    tags: frozenset[str], attributes: tuple[tuple[str, frozenset[str]], ...], schemes: frozenset[str]
) -> nh3.Cleaner:
    """The sanitizer of a policy: making one takes longer than cleaning a small text."""
    return nh3.Cleaner(
        tags=set(tags),
        # "*": nh3 would otherwise allow lang and title everywhere.
        attributes={"*": set(), **{tag: set(names) for tag, names in attributes}},
        url_schemes=set(schemes),
        link_rel="noopener noreferrer nofollow",
    )
