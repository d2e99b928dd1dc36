"""``Accept-Language`` under fire: always one of the known languages, in linear time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from postrmagic_core.testing.growth import growth
from postrmagic_core.validation.locales import negotiate
from tests.validation.fuzzing import FRAGMENTS, fuzz, runs

KNOWN: tuple[str, ...] = ("en", "de", "pt-BR", "zh-Hant-TW")
PARTS = [
    "de",
    "en",
    "pt",
    "BR",
    "zh-Hant",
    "*",
    "-",
    ";q=",
    ";",
    "q=",
    "0",
    "1",
    "0.5",
    "1.000",
    "2",
    ",",
    " ",
    "x",
    "i-klingon",
]


@pytest.mark.parametrize("examples", runs(80))
def test_any_header_finds_a_known_language(examples: int) -> None:
    """Whatever the header holds, and whichever language is first."""

    def check(drawn: tuple[str, list[str]]) -> None:
        header, known = drawn
        assert negotiate(header, known) in known
        assert negotiate(header, known) == negotiate(header.upper(), known)

    headers = st.lists(st.sampled_from([*PARTS, *FRAGMENTS]), max_size=20).map("".join)
    ascii_only = headers.filter(lambda header: header.isascii())
    known = st.lists(st.sampled_from(KNOWN), min_size=1, unique=True)
    fuzz(check, st.tuples(ascii_only, known), examples)
    fuzz(lambda header: negotiate(header, KNOWN), headers, examples)


SHAPES: dict[str, Callable[[int], str]] = {
    "ranges": lambda n: "de," * (n // 3),
    "subtags": lambda n: "de-" * (n // 3),
    "weights": lambda n: "de;q=" + "0" * n,
    "parameters": lambda n: "de" + ";q=1" * (n // 4),
    "blanks": lambda n: "de" + " " * n + ";q=1",
    "commas": lambda n: "," * n,
    "stars": lambda n: "*," * (n // 2),
    "different ranges": lambda n: ",".join(f"a{i}" for i in range(n // 6)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_takes_linear_time(shape: str) -> None:
    """Twice the header takes less than three times as long."""
    headers = {size: SHAPES[shape](size) for size in (100_000, 200_000)}
    assert growth(lambda size: negotiate(headers[size], KNOWN), 100_000) < 3
