"""The query language: what it reads, what it finds, and how it says that it does not understand."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postrmagic_core.log.query import LENGTH, QueryError, parse

NOW = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
RECORD: dict[str, Any] = {
    "ts": "2026-01-01T11:30:00.000000Z",
    "level": "warning",
    "logger": "media.uploads",
    "service": "shop",
    "event": "upload failed: connection timed out",
    "user_id": 42,
    "request_id": "019ad3f2-7c1e-7b0a-9c55-3f6f1d0e8a11",
    "path": "/api/v1/media/7",
    "duration_ms": 12.5,
    "tags": ["Poster", {"size": 3}],
    "retried": True,
    "nothing": None,
    "exception": {"type": "KeyError", "message": "'a'", "cause": {"type": "OSError"}},
}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "timed",
        "TIMED",
        '"timed out"',
        '"connection timed"',
        "time*",
        '"failed: conn"*',
        "poster",
        "api",
        "019ad3f2-7c1e-7b0a-9c55-3f6f1d0e8a11",
        "level:warning",
        "level>=warning",
        "level<error",
        "level!=error",
        "level:WARN",
        "user:42",
        "user:'42'",
        "user_id:42",
        "user=42",
        "user>=42",
        "user<43",
        "duration_ms>12",
        "duration_ms<=12.5",
        "request:019AD3F2-7c1e-7b0a-9c55-3f6f1d0e8a11",
        "event:timed",
        'event:"timed out"',
        "event:conn*",
        'event="upload failed: connection timed out"',
        "event=upload*",
        "path:media",
        "path=/api/v1/*",
        "logger:media",
        "logger=media.uploads",
        "tags:poster",
        "tags.size:3",
        "retried:true",
        "exception.type:KeyError",
        "exception.cause.type:oserror",
        "exception:oserror",
        "exception:*",
        "-nothing:*",
        "-zebra",
        "zebra OR timed",
        "NOT (zebra OR giraffe)",
        "timed -(zebra giraffe)",
        "timed AND user:42",
        "--timed",
        "since:1h",
        "since:today",
        "since:yesterday until:now",
        "since:2026-01-01T11:30:00Z",
        "until:11m level:warning OR since:40m",
        "since:2026-01-01 until:2026-01-02",
        "since:2026-01-01T12:30:00+01:00",
    ],
)
def test_what_a_query_finds(query: str) -> None:
    """Words, phrases, fields, comparisons, times, and what joins them."""
    assert parse(query, NOW).matches(RECORD)


@pytest.mark.parametrize(
    "query",
    [
        "time",
        '"out timed"',
        '"connection out"',
        "uploads",  # the logger's name is no text that a word is looked for in
        "shop",
        "42",  # a number is asked for by its key
        "019ad3f2",
        "level:error",
        "level>warning",
        "level<=info",
        "user:4",
        "user=4*2",
        "user>42",
        "user!=42",
        "event=timed",
        "path=/api/v1",
        "duration_ms:12",
        "absent:*",
        "nothing:*",
        "exception.type:OSError",
        "tags.size:4",
        "zebra OR giraffe",
        "timed zebra",
        "timed -user:42",
        "since:29m",
        "until:1h",
        "since:2026-01-01T11:30:00.000001Z",
        "until:2026-01-01T11:30:00Z",
    ],
)
def test_what_a_query_does_not_find(query: str) -> None:
    """The same record."""
    assert not parse(query, NOW).matches(RECORD)


@pytest.mark.parametrize(
    ("query", "place", "expected"),
    [
        ("(timed", 0, "not closed"),
        ("timed)", 5, "closes none"),
        ("user:", 5, "expected a value after user:"),
        ("level>=loud", 7, "expected a level: debug"),
        ("a since:soon", 8, "expected a time: 30s"),
        ("since>1h", 0, "since: and a time"),
        ("duration>long", 9, "expected a number after duration>"),
        ("user>1e999", 5, "expected a number"),
        ('a "b', 2, "quotation mark is not closed"),
        ('a:"b', 2, "quotation mark is not closed"),
        ("a OR", 4, "expected a word, a phrase or key:value"),
        ("OR a", 0, "expected a word, a phrase or key:value"),
        ("AND a", 0, "before AND"),
        ("a -", 2, "letters or digits"),
        ("()", 1, "expected a word"),
        ("***", 0, "letters or digits"),
        ("(" * 60 + "a" + ")" * 60, 40, "at most 40 parentheses"),
        ("since:99999-01-01", 6, "expected a time"),
        ("since:0001-01-01T00:00:00+14:00", 6, "expected a time"),
    ],
)
def test_what_is_not_understood_is_told_with_its_place(query: str, place: int, expected: str) -> None:
    """A caret points at it, and the message says what was expected."""
    with pytest.raises(QueryError, match=r"\^$") as caught:
        parse(query, NOW)
    assert caught.value.place == place
    assert expected in caught.value.expected
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^") :] == query[place : place + 40]


def test_a_query_has_an_end() -> None:
    """A text beyond all measure is refused before it is read."""
    with pytest.raises(QueryError, match="4096"):
        parse("a " * LENGTH, NOW)


def test_long_ago_is_the_begin_of_time() -> None:
    """No duration is too long."""
    assert parse("since:999999999w", NOW).matches(RECORD)


def test_hostile_records_are_borne() -> None:
    """Any JSON may stand where a text is expected."""
    query = parse("level>=debug OR since:1h OR user:42 OR a.b.c:x OR zebra", NOW)
    deep: Any = "x"
    for _ in range(300):
        deep = [deep] if isinstance(deep, dict) else {"a": deep}
    values: list[Any] = [None, [], {}, 5, True, deep, "\x00", "\ud800"]
    for value in values:
        assert not query.matches({"ts": value, "level": value, "event": value, "a": value, "user_id": value})


WORD = st.text(alphabet="abzÄβ01.-_/:*()\"\\ '", min_size=1, max_size=12)
VALUE = st.one_of(
    WORD.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    st.sampled_from(["a", "b0", "42", "time*", "a-b", "/x/y", "1.5", "*"]),
)
PLAIN = ["a", "b0", '"a b"', "time*", "level>=warning", "level!=info", "since:1h", "until:2026-01-01", "x>=4"]
ATOM = st.one_of(
    st.sampled_from(PLAIN),
    st.builds("{}{}{}".format, st.sampled_from(["user", "a.b", "x"]), st.sampled_from([":", "=", "!="]), VALUE),
)
QUERIES = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.builds("{} {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("-({})".format, inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(QUERIES)
@example('user:"0:" -x:"-5"')
def test_a_query_is_read_as_it_is_written(text: str) -> None:
    """Written out it means the same, and is written the same again, whenever it is read."""
    try:
        query = parse(text, NOW)
    except QueryError:
        return
    again = parse(str(query), NOW + 1_000_000)
    assert again == query
    assert str(again) == str(query)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_query_or_an_error_of_its_own(text: str) -> None:
    """Nothing else is raised."""
    with suppress(QueryError):
        parse(text, NOW).matches(RECORD)
