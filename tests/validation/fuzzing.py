"""How the parsers are fuzzed: some hostile inputs in each run of the suite, many more in a soak."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from postrmagic_core.validation import Validator

T = TypeVar("T")
_MORE = 125
# Each changes what the characters around it mean to some reader.
FRAGMENTS = [
    *("%2527", "%27", "%00", "%", "%zz", "%c0%ae", "%ff", "+", "&amp;lt;", "&lt;", "&#x3c;", "&", ";", "=", ",", ", "),
    *("\0", "\t", "\r\n", "\n", "\x7f", "\x85", "\u2028", "\ufeff"),
    *("\u202e", "\u2066", "\u200b", "\ufdd0", "\U0010ffff"),
    *("\ud800", "\udfff", "\u0301", "\u0301" * 31, "\u0345"),
    *("\u1161", "\uff1c", "\uff0e", "\u2024", "\u212a", "\ufb01"),
    *("\u037e", "\u1fef", "\u0130", "\u00df", "\u0661", "\u2160", "\u2764", "\U0001f468\u200d\U0001f469"),
    *("<", ">", "<b>", "</b>", "<script>", "<!--", "-->", "<svg>"),
    *("<math><mi>", "<a href=", "javascript:", "]]>", "<![CDATA["),
    *('"', "'", "`", "\\", "/", "../", "..\\", ".", ":", "*", "CON", "nul.", "~1", "~0", "$ref", "{", "}", "[", "]"),
    *("=1+1", "-", "@", "|", "NaN", "Infinity", "1e999", "1_000"),
    *("-0", "9" * 25, "true", "null", "a", "é", "0", " ", "x" * 70),
]  # fmt: skip

hostile_texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=14).map("".join)
"""Fragments that parsers treat in their own ways, side by side and beside any characters."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(FRAGMENTS).filter(lambda text: text.isascii() or text.isprintable()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "id", "", "/", "~"]), inner, max_size=4)
    ),
    max_leaves=12,
)
"""Anything JSON can say, and a little more."""


quick = settings(max_examples=50, deadline=None)
"""For a property of small inputs: half of what is usual, and no look at the clock, which a busy machine disturbs."""


def checker(annotation: Any) -> Validator[Any]:
    """A validator of any annotation, which type checkers would take for no type."""
    return Validator[Any](annotation)


def runs(few: int) -> list[Any]:
    """Parameters of a test that is fuzzed: ``few`` inputs, and in a soak many more."""
    many = pytest.param(few * _MORE, id="many", marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])
    return [pytest.param(few, id="few"), many]


def fuzz(call: Callable[[T], object], inputs: SearchStrategy[T], examples: int, *documented: type[Exception]) -> None:
    """Call with ``examples`` inputs; any error that is not ``documented`` fails, shown with the least such input."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(inputs)
    def holds(drawn: T) -> None:
        with contextlib.suppress(*documented):
            call(drawn)

    holds()


@st.composite
def mutated(draw: DrawFn, *originals: bytes) -> bytes:
    """One of ``originals`` after a few accidents: bits turned, bytes lost, put in, said twice, taken from another."""
    body = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 5))):
        begin = draw(st.integers(0, len(body)))
        end = min(len(body), begin + draw(st.sampled_from([0, 1, 2, 4, 8, 64, 10**9])))
        match draw(st.sampled_from(["turn", "cut", "insert", "repeat", "splice"])):
            case "turn" if begin < len(body):
                body[begin] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del body[begin:end]
            case "insert":
                body[begin:begin] = draw(
                    st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, bytes(4), b'"', b"[" * 40])
                )
            case "repeat":
                body[begin:begin] = body[begin : min(end, begin + 4_096)]
            case "splice":
                other = draw(st.sampled_from(originals))
                body[begin:end] = other[draw(st.integers(0, len(other))) :]
    return bytes(body)
