"""The ``Link`` to the next page is the request's own URL behind another cursor, and cannot be anything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.api.listing import next_link


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/api/v1/media", "", "/api/v1/media?after=C-_1"),
        ("/api/v1/media", "sort=-title,id&limit=2", "/api/v1/media?sort=-title,id&limit=2&after=C-_1"),
        ("/api/v1/media", "after=old&q=a%26b&after=older", "/api/v1/media?q=a%26b&after=C-_1"),
        ("/api/v1/media", "%61fter=old&q=%C3%A4+b&&", "/api/v1/media?q=%C3%A4+b&after=C-_1"),
        ("/a b", 'q=">; rel="x', "/a%20b?q=%22%3E;%20rel=%22x&after=C-_1"),
        ("//evil.example/x", "", "/evil.example/x?after=C-_1"),
        ("/\\evil", "q=ä\r\nX: y", "/%5Cevil?q=%C3%A4%0D%0AX:%20y&after=C-_1"),
        ("/a?b#c", "", "/a%3Fb%23c?after=C-_1"),
    ],
)
def test_the_request_is_repeated_with_the_cursor(path: str, query: str, expected: str) -> None:
    """The rest of the query stays, in its order and writing; another ``after`` goes, however it is written."""
    assert next_link(path, query, "C-_1") == f'<{expected}>; rel="next"'


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_nothing_leaves_the_header(path: str, query: str, cursor: str) -> None:
    """Whatever is sent: one printable ASCII line, one reference in angle brackets, to a path of this host."""
    try:
        "".join((path, query, cursor)).encode()
    except UnicodeEncodeError:
        return
    assert re.fullmatch(r'<(?!//)/[!-;=?-~]*>; rel="next"', next_link(path, query, cursor))
