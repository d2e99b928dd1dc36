"""Cookies as a browser would have meant them, and none that somebody planted."""

from __future__ import annotations

import pytest

from postrmagic_core.middleware import Request


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a=1; b=2"], {"a": "1", "b": "2"}),
        (["a=1", "b=2"], {"a": "1", "b": "2"}),
        (["a=1; a=2"], {"a": "1"}),
        (["a=", "=b", "c"], {"a": ""}),
        (['a="quoted"'], {"a": "quoted"}),
        (["__Host-s=mine; __Host-s=theirs; t=1"], {"t": "1"}),
        (["__Secure-s=mine", "__Secure-s=theirs"], {}),
        (["=__Host-s=theirs"], {}),
        (["\xa0__Host-s=theirs"], {"\xa0__Host-s": "theirs"}),
        (["\x85__Host-s=theirs; __Host-s=mine"], {"\x85__Host-s": "theirs", "__Host-s": "mine"}),
    ],
)
def test_cookies_are_read_as_browsers_mean_them(lines: list[str], expected: dict[str, str]) -> None:
    """The first of one name; of two with a prefix neither; a name is not found behind other blanks."""
    headers = [(b"cookie", line.encode("latin-1")) for line in lines]
    assert dict(Request({"type": "http", "headers": headers}).cookies) == expected
