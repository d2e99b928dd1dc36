"""Bodies and queries under fire: a model, or refused; however they are cut and sent, all the same; in linear time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from pydantic import Field

from postrmagic_core.errors import DataError
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.bodies import validate_body, validate_query
from tests.validation.fuzzing import FRAGMENTS, fuzz, hostile_texts, mutated, runs


class Search(Input):
    """What a query asks for."""

    q: str = ""
    page: int = 1
    tags: list[str] = Field(default_factory=list)


SEARCH = Validator(Search)
URLENCODED, JSON = "application/x-www-form-urlencoded", "application/json"
MULTIPART = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\na text\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="q"; filename="a.txt"; filename*=UTF-8\'\'b.txt\r\n\r\nx\r\n'
WHOLE = PART + b'--b\r\nContent-Disposition: form-data; name="page"\r\n\r\n2\r\n--b--\r\n'
QUERY_PARTS = [
    b"q=",
    b"page=",
    b"tags=",
    b"&",
    b"&&",
    b";",
    b"=",
    b"+",
    b"%",
    b"%2",
    b"%zz",
    b"%00",
    b"%ff",
    b"%2527",
    b"%26",
    b"\xff",
    b"1",
]


@pytest.mark.parametrize("examples", runs(50))
def test_any_query_is_a_model_or_refused(examples: int) -> None:
    """As bytes and as text; its body's twin says the same."""

    def check(raw: bytes) -> None:
        found = outcome(lambda: validate_query(SEARCH, raw))
        assert outcome(lambda: validate_body(SEARCH, URLENCODED, raw)) == found
        if raw.isascii():
            assert outcome(lambda: validate_query(SEARCH, raw.decode())) == found

    queries = st.lists(st.sampled_from(QUERY_PARTS) | st.binary(max_size=3), max_size=12).map(b"".join)
    fuzz(check, queries | mutated(b"q=a+b%20c&page=2&tags=x&tags=y"), examples)
    texts = hostile_texts.map(lambda text: f"q={text}")
    fuzz(lambda text: validate_query(SEARCH, text), texts, examples, DataError)


def outcome(call: Callable[[], object]) -> object:
    """The value, or the codes of what was refused."""
    try:
        return call()
    except DataError as error:
        return error.code, [problem["code"] for problem in getattr(error, "errors", [])]


@pytest.mark.parametrize("examples", runs(50))
def test_any_multipart_body_is_a_model_or_refused(examples: int) -> None:
    """Given a good one after accidents, whole and in small chunks: both say the same."""

    def check(drawn: tuple[bytes, int]) -> None:
        body, size = drawn
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        found = outcome(lambda: validate_body(SEARCH, MULTIPART, [body]))
        assert outcome(lambda: validate_body(SEARCH, MULTIPART, chunks)) == found

    fuzz(check, st.tuples(mutated(WHOLE, PART, FILE, b"\r\n--b"), st.sampled_from([1, 3, 64])), examples)


@pytest.mark.parametrize("examples", runs(50))
def test_any_content_type_is_one_we_know_or_refused(examples: int) -> None:
    """Whatever stands in the header, a body of any kind is read by one reader or by none."""
    words = [
        *(
            "application/json",
            "application/problem+json",
            URLENCODED,
            "multipart/form-data",
            "text/plain",
            "multipart/mixed",
        ),
        *(
            ";",
            " ",
            "charset=",
            "utf-8",
            '"utf-8"',
            "utf-7",
            "boundary=",
            "b",
            '"',
            "\\",
            "+json",
            "/",
            ",",
            "=",
            "\t",
            "*",
        ),
    ]
    kinds = st.lists(st.sampled_from([*words, *FRAGMENTS]), max_size=8).map("".join)
    bodies = st.sampled_from([b"{}", b'{"q":"a"}', b"q=a", WHOLE, b""])

    def check(drawn: tuple[str, bytes]) -> None:
        assert isinstance(validate_body(SEARCH, *drawn), Search)

    fuzz(check, st.tuples(kinds, bodies), examples, DataError)


HEADER = b"Content-Disposition: form-data; name=q"
SHAPES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "pairs": (URLENCODED, lambda n: b"q=a&" * (n // 4)),
    "ampersands": (URLENCODED, lambda n: b"&" * n),
    "equals signs": (URLENCODED, lambda n: b"q" + b"=" * n),
    "escapes": (URLENCODED, lambda n: b"q=" + b"%41" * (n // 3)),
    "broken escapes": (URLENCODED, lambda n: b"q=" + b"%" * n),
    "plus signs": (URLENCODED, lambda n: b"q=" + b"+" * n),
    "parts": (MULTIPART, lambda n: PART * (n // len(PART)) + b"--b--\r\n"),
    "part headers": (MULTIPART, lambda n: b"--b\r\n" + b"X: y\r\n" * (n // 6) + b"\r\n\r\n--b--"),
    "a long header": (MULTIPART, lambda n: b"--b\r\n" + HEADER + b"; x=" + b"a" * n + b"\r\n\r\n\r\n--b--"),
    "parameters": (MULTIPART, lambda n: b"--b\r\n" + HEADER + b"; a=b" * (n // 5) + b"\r\n\r\n\r\n--b--"),
    "quotes": (MULTIPART, lambda n: b'--b\r\nContent-Disposition: form-data; name="' + b'\\"' * (n // 2)),
    "a preamble": (MULTIPART, lambda n: b"x" * n + b"\r\n" + WHOLE),
    "a preamble of line ends": (MULTIPART, lambda n: b"\r\n" * (n // 2) + WHOLE),
    "line ends in a part": (MULTIPART, lambda n: PART[:-2] + b"\r\n" * (n // 2) + b"--b--"),
    "carriage returns": (MULTIPART, lambda n: PART[:-2] + b"\r" * n + b"\r\n--b--"),
    "nearly boundaries": (MULTIPART, lambda n: PART[:-2] + b"\r\n--" * (n // 4) + b"\r\n--b--"),
    "an epilogue": (MULTIPART, lambda n: WHOLE + b"\r\n--b" * (n // 5)),
    "a long boundary": ("multipart/form-data; boundary=" + "b" * 100_000, lambda n: b"--" + b"b" * n),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_takes_linear_time(shape: str) -> None:
    """Twice the hostile body takes less than three times as long."""
    kind, make = SHAPES[shape]
    bodies = {size: make(size) for size in (100_000, 200_000)}

    def read(size: int) -> None:
        with contextlib.suppress(DataError):
            validate_body(SEARCH, kind, [bodies[size][at : at + 4_096] for at in range(0, size, 4_096)])

    assert growth(read, 100_000) < 3


@pytest.mark.parametrize(
    "value", ["application/json; a=" + "a" * 100_000, "multipart/form-data; boundary=" + '"\\' * 50_000]
)
def test_a_long_content_type_is_refused_at_once(value: str) -> None:
    """A header of 100 kB costs no more than its length."""

    def read(size: int) -> None:
        with contextlib.suppress(DataError):
            validate_body(SEARCH, value[:size], b"{}")

    assert growth(read, len(value) // 2) < 3
