"""URLs under fire: refused, or one spelling of an allowed scheme that everybody reads alike, in linear time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

import pytest
from hypothesis import strategies as st

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation.urls import Url
from tests.validation.fuzzing import FRAGMENTS, checker, fuzz, hostile_texts, runs

URL = checker(Annotated[str, Url()])
WEB = checker(Annotated[str, Url(schemes=("https", "http"))])
LISTED = checker(Annotated[str, Url(hosts=("a.example",))])
PARTS = [
    *("https:", "HTTPS://", "http://", "//", "/", "\\", "@", ":"),
    *("?", "#", "[", "]", ".", "..", "%2e", "%2F", "%", "%zz"),
    *("a.example", "A.EXAMPLE", "a.example.", "xn--", "xn--mnchen-3ya.de"),
    *("münchen.de", "127.1", "0x7f000001", "0177.0.0.1"),
    *("[::1]", "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", ":443"),
    *(":80", ":0", ":99999", ":080", "user:pass@", "localhost"),
    *("java\tscript:", "javascript:", "data:", "file:///", "vbscript:"),
    *("blob:https://a.example/", " ", "\t", "\n", "\u00ad"),
]  # fmt: skip


@pytest.mark.parametrize("examples", runs(80))
def test_any_text_is_refused_or_becomes_one_url(examples: int) -> None:
    """Of plain ASCII, with an allowed scheme and a host, without a user; the same when read again."""

    def check(text: str) -> None:
        for validator, schemes in ((URL, {"https"}), (WEB, {"https", "http"}), (LISTED, {"https"})):
            with contextlib.suppress(ValidationFailed):
                url = validator.validate(text)
                assert url.isascii()
                assert url.isprintable()
                assert not set(url) & set(' \\"<>`{}|^')
                parts = urlsplit(url)
                assert parts.scheme in schemes
                assert parts.hostname
                assert "@" not in parts.netloc
                assert parts.netloc == parts.netloc.lower()
                assert validator is not LISTED or parts.hostname == "a.example"
                assert validator.validate(url) == url

    built = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)
    prefixed = st.tuples(st.sampled_from(["https://a.example", "https://", "https:"]), built | hostile_texts).map(
        "".join
    )
    fuzz(check, built | prefixed | st.lists(st.sampled_from([*PARTS, *FRAGMENTS]), max_size=8).map("".join), examples)


SHAPES: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "a" * n,
    "a host": lambda n: "https://" + "a." * (n // 2),
    "a label": lambda n: "https://" + "a" * n,
    "an encoded host": lambda n: "https://xn--" + "a" * n,
    "a path": lambda n: "https://a.example/" + "a/" * (n // 2),
    "steps up": lambda n: "https://a.example/" + "../" * (n // 3),
    "percent signs": lambda n: "https://a.example/" + "%" * n,
    "escapes": lambda n: "https://a.example/" + "%41" * (n // 3),
    "at signs": lambda n: "https://" + "@" * n,
    "brackets": lambda n: "https://" + "[" * n,
    "colons": lambda n: "https://[" + ":" * n + "]",
    "digits of a port": lambda n: "https://a.example:" + "0" * n,
    "a query": lambda n: "https://a.example/?" + "a=b&" * (n // 4),
    "hash signs": lambda n: "https://a.example/" + "#" * n,
    "slashes": lambda n: "https:" + "/" * n,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_url_takes_linear_time(shape: str) -> None:
    """Twice the text takes less than three times as long, also where the rule admits a long one."""
    texts = {size: SHAPES[shape](size) for size in (50_000, 100_000)}
    long = checker(Annotated[str, Url(max=1_000_000)])

    def read(size: int) -> None:
        for validator in (URL, long):
            with contextlib.suppress(ValidationFailed):
                validator.validate(texts[size])

    assert growth(read, 50_000) < 3
