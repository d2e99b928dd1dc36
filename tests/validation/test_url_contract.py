"""URLs, cleaned text, cells and HTML keep every promise of a rule."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from postrmagic_core.testing.contracts.rule import RuleContract
from postrmagic_core.validation.html import LINKS
from postrmagic_core.validation.plain_text import CleanText, CsvText
from postrmagic_core.validation.safe_html import SafeHtml
from postrmagic_core.validation.urls import Url


class TestUrl(RuleContract):
    """A URL of an allowed scheme, in one spelling."""

    rule: ClassVar[Any] = Annotated[str, Url(hosts=("example.org",), ports=(443,))]
    valid = (("HTTPS://Example.org:443/a/../b", "https://example.org/b"),)
    invalid = (
        ("javascript:alert(1)", "url.scheme"),
        ("https://example.org/a b", "url.form"),
        ("https://user@example.org/", "url.userinfo"),
        ("https://0x7f.1/", "url.host"),
        ("https://evil.example/", "url.other_host"),
        ("https://example.org:99/", "url.port"),
        ("https://example.org/%", "url.escape"),
        ("https://example.org/" + "ü" * 400, "string_too_long"),
    )
    hostile = ("https://", "%41", "/..", "[", ":", "xn--", lambda size: "https://example.org/" + "/.." * size)
    longest = 2_048


class TestOptionalUrl(RuleContract):
    """The rule holds behind ``None``, and for an address."""

    rule: ClassVar[Any] = Annotated[str | None, Url(schemes=("http",), addresses=True)]
    valid = (
        (None, None),
        ("http://[0::1]:80", "http://[::1]/"),
    )
    invalid = (("http://127.1/", "url.host"),)
    longest = 2_048


class TestCleanText(RuleContract):
    """Text without what nobody sees."""

    rule: ClassVar[Any] = Annotated[str, CleanText(100, min=1)]
    valid = ((" a\u200bb\r\n\u202ec ", "ab c"), ("e\u200b\u0301", "\u00e9"))
    invalid = (
        ("\u200b", "string_too_short"),
        ("a" + "\u0301\u200b" * 31, "text.marks"),
        ("a" * 101, "string_too_long"),
    )
    hostile = ("\u200b", "\u0301", "\u0344", "\u00e9\u200d", "\r\n", " ")
    longest = 400


class TestCsvText(RuleContract):
    """Text that no spreadsheet runs."""

    rule: ClassVar[Any] = Annotated[str, CsvText()]
    valid = (("=1+1", "'=1+1"), ("a", "a"))
    invalid = (("=" * 32_767, "string_too_long"),)
    hostile = ("=", "\t=", ";=", "\n", " ")
    longest = 32_767


class TestSafeHtml(RuleContract):
    """HTML of a policy."""

    rule: ClassVar[Any] = Annotated[str, SafeHtml(LINKS)]
    valid = (("<p onclick=x>a<script>b</script>", "<p>a</p>"),)
    invalid = (("<p>" * 1_001, "html.elements"), ("&" * 20_000, "limit.bytes"))
    hostile = ("<b>", "<", "&", "<a href=x>", "</p>")
    longest = 65_536
