"""JSON has one meaning here: what parsers read differently is refused (RFC 8259)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import InputLimits, Validator
from tests.validation.fuzzing import quick

ANYTHING = Validator[Any](object)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b'{"a":1,"a":2}', [("/a", "json.duplicate_key")]),
        (b'{"a":1,"\\u0061":2}', [("/a", "json.duplicate_key")]),
        (b'[{"b":{"x":1,"x":1}},{"y":1,"y":1}]', [("/0/b/x", "json.duplicate_key"), ("/1/y", "json.duplicate_key")]),
        (b'{"a":{"x":1,"x":2},"a":3}', [("/a", "json.duplicate_key")]),
        (b"[NaN]", [("", "json.constant")]),
        (b"[-Infinity]", [("", "json.constant")]),
        (b"[1e999]", [("", "json.number")]),
        (b"[" + b"1" * 5000 + b"]", [("", "json.number")]),
        (b"\xef\xbb\xbf{}", [("", "json.bom")]),
        (b'["\xff"]', [("", "json.encoding")]),
        ('["x"]'.encode("utf-16"), [("", "json.encoding")]),
        (b'["\\ud800"]', [("", "json.invalid")]),
        (b"", [("", "json.invalid")]),
        (b"[1,]", [("", "json.invalid")]),
        (b"{'a':1}", [("", "json.invalid")]),
        (b"[1] // no", [("", "json.invalid")]),
        (b'["\n"]', [("", "json.invalid")]),
        (b'["', [("", "json.invalid")]),
        (b"]" * 200, [("", "json.invalid")]),
        (b"[" * 200_000, [("", "limit.items")]),
        (b"[" * 200 + b"]" * 200, [("", "limit.depth")]),
        (b'{"a":' * 200, [("", "limit.depth")]),
    ],
)
def test_what_is_refused(body: bytes, errors: list[tuple[str, str]], complaints: Any) -> None:
    """One policy, one code each."""
    assert sorted(complaints(lambda: ANYTHING.validate_json(body))) == errors


def test_a_duplicate_inside_an_overwritten_value_is_still_refused(complaints: Any) -> None:
    """Where the last value hides the repeated name, the document is refused all the same."""
    assert complaints(lambda: ANYTHING.validate_json(b'{"a":{"x":1,"x":2},"b":0,"a":{}}'))


def test_brackets_in_texts_do_not_count() -> None:
    """Depth and items are those of the structure, whatever the texts hold."""
    value = {"a": '[[[[{{{{,,,,\\"', "b\\": ["]", "\\\\", '"']}
    narrow = Validator[Any](object, limits=InputLimits(depth=2, items=6))
    assert narrow.validate_json(json.dumps(value).encode()) == value


@quick
@given(st.binary(max_size=60))
@example(b'"\\')
@example(b'{"a"')
def test_no_bytes_break_it(body: bytes) -> None:
    """Any bytes at all are a value or ValidationFailed."""
    with contextlib.suppress(ValidationFailed):
        assert ANYTHING.validate_json(body) == json.loads(body)


@quick
@given(st.text(alphabet='[]{},:"\\ 1a', max_size=40))
def test_nothing_that_python_refuses_is_accepted(text: str) -> None:
    """Among near-JSON, whatever is accepted means the same to the standard library."""
    with contextlib.suppress(ValidationFailed):
        assert ANYTHING.validate_json(text.encode()) == json.loads(text)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "quotes": lambda n: b'"' * n,
    "escaped quotes": lambda n: b'"' + b'\\"' * (n // 2),
    "backslashes": lambda n: b'["' + b"\\" * n,
    "open": lambda n: b"[" * n,
    "pairs": lambda n: b"[]," * (n // 3),
    "deep pairs": lambda n: (b"[" * 30 + b"]" * 30 + b",") * (n // 61),
    "keys": lambda n: b"{" + b",".join(b'"%d":1' % i for i in range(n // 9)) + b"}",
    "digits": lambda n: b"1" * n,
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_refusing_takes_linear_time(shape: str) -> None:
    """Twice the hostile text takes less than three times as long, whatever its shape."""
    wide = Validator[Any](object, limits=InputLimits(items=1_000, bytes=1 << 22))
    bodies = {size: HOSTILE[shape](size) for size in (200_000, 400_000)}

    def refuse(size: int) -> None:
        with pytest.raises(ValidationFailed):
            wide.validate_json(bodies[size])

    assert growth(refuse, 200_000) < 3
