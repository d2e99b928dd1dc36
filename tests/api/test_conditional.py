"""Entity tags and what requests make depend on them, by RFC 9110, sections 8.8.3 and 13."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.api.conditional import Precondition, etag_of, not_modified_headers
from postrmagic_core.errors import PreconditionFailed, PreconditionRequired, UsageError

ETAGC = [chr(code) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))]
opaque = st.text(st.sampled_from(ETAGC), max_size=8).map('"{}"'.format)
space = st.sampled_from(["", " ", "\t", " \t "])


class Lines(dict[str, str]):
    """Headers as frameworks keep them: a name may have several values, of which the subscript gives one."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        """Every pair, as it came."""
        return list(self._pairs)


def holds(etag: str | None, **headers: str) -> bool:
    """Whether a change to what ``etag`` names is made."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        Precondition.of(sent).check(etag)
    except PreconditionFailed:
        return False
    return True


def unmodified(etag: str, header: str) -> bool:
    """Whether a GET with this ``If-None-Match`` is answered by 304."""
    return Precondition.of({"if-none-match": header}).is_unmodified(etag)


@settings(deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=64), st.lists(st.text(max_size=4), max_size=3))
def test_a_tag_names_one_body_and_its_variants(body: bytes, other: bytes, variants: list[str]) -> None:
    """The same ones have the same tag, in the grammar of the RFC; other ones have another."""
    tag = etag_of(body, *variants)
    assert re.fullmatch(r'"[A-Za-z0-9_-]{22}"', tag)
    assert tag == etag_of(bytes(bytearray(body)), *variants)
    assert (tag == etag_of(other, *variants)) is (body == other)
    assert tag != etag_of(body, *variants, "gzip")


def test_no_body_passes_for_variants() -> None:
    """Where one ends and the next begins is part of the tag: nobody moves a byte from one to the other."""
    tags = [
        etag_of(b"ab"),
        etag_of(b"b", "a"),
        etag_of(b"", "ab"),
        etag_of(b"", "a", "b"),
        etag_of(b"", "b", "a"),
        etag_of(b"", "", "ab"),
        etag_of(b"1:a.b"),
        etag_of(b".b", "a"),
        etag_of(b"", "1:a.b"),
        etag_of(b"b", "\ud800"),
        etag_of(b"b", "é"),
    ]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', 'W/"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_tags_are_compared_as_the_table_of_the_rfc_says(one: str, other: str, strongly: bool, weakly: bool) -> None:
    """Section 8.8.3.2: If-Match strongly, If-None-Match weakly."""
    assert holds(one, if_match=other) is strongly
    assert unmodified(one, other) is weakly
    assert holds(one, if_none_match=other) is not weakly


@pytest.mark.parametrize(
    ("header", "names_it"),
    [
        ('"a"', True),
        ('"b"', False),
        ('"b", "a"', True),
        ('"b","a"', True),
        ('"b" \t,\t "a" ', True),
        (', ,, "a",,', True),
        ('"b, \\"a"', False),
        ('"b,", ",a"', False),
        ('""', False),
        ("", False),
        (" , ,", False),
        ("*", True),
        (" * ", True),
    ],
)
def test_a_list_is_read_as_the_rfc_writes_it(header: str, names_it: bool) -> None:
    """Commas inside quotes belong to the tag, empty elements count for nothing, a backslash is a plain character."""
    assert holds('"a"', if_match=header) is names_it
    assert unmodified('"a"', header) is names_it


JUNK = [
    *("a", '"a', 'a"', "'a'", '"a" "a"', '"a""a"', '"a";"a"', 'w/"a"', 'W / "a"', 'W/ "a"', "W/a", "W/", "W/*", '"'),
    *('*, "a"', '"a", *', "**", "*, *", '"a", b', 'b, "a"', '"a" b', '"a b"', '"a\x00"', '"a\x7f"', '"a\n", "a"'),
    *('"a"\n', '"a"\r\n', '\x0b"a"', '\xa0"a"', '"ā"', '"\ud800"', "“a”", '"a"\u2028'),
]


@pytest.mark.parametrize("header", JUNK)
def test_what_is_no_list_of_tags_lets_nothing_pass(header: str) -> None:
    """A change that depends on it is not made, and a GET is answered in full: also where a part could be read."""
    assert not holds('"a"', if_match=header)
    assert not holds(None, if_match=header)
    assert not holds('"z"', if_none_match=header)
    assert not holds(None, if_none_match=header)
    assert not unmodified('"a"', header)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), opaque), max_size=6), opaque, st.data())
def test_every_list_is_read_back(tags: list[tuple[bool, str]], own: str, data: st.DataObject) -> None:
    """However its spaces and empty elements are strewn in, and over however many lines it was sent."""
    written = [f"{data.draw(space)}{'W/' if weak else ''}{tag}{data.draw(space)}" for weak, tag in tags]
    for _ in range(data.draw(st.integers(0, 2))):
        written.insert(data.draw(st.integers(0, len(written))), data.draw(space))
    header = ",".join(written)
    assert holds(own, if_match=header) is ((False, own) in tags)
    assert unmodified(own, header) is (own in [tag for _, tag in tags])


@settings(deadline=None)
@given(st.text(st.sampled_from('"W/*, \tab\x00\n'), max_size=24))
def test_no_text_breaks_it(header: str) -> None:
    """Whatever is sent: an answer, and never both that it is there and that it is not."""
    assert holds('"a"', if_match=header) in {True, False}
    if holds('"a"', if_match=header):
        assert unmodified('"a"', header)
        assert not holds('"a"', if_none_match=header)


def cost(text: str) -> float:
    """Seconds of processor time that reading ``text`` takes at best, and half a millisecond against the clock."""
    best = 1.0
    for _ in range(5):
        begin = time.thread_time()
        Precondition.of({"if-match": text})
        best = min(best, time.thread_time() - begin)
    return best + 0.0005


@pytest.mark.parametrize("end", ["", "x", '"a"x'])
@pytest.mark.parametrize("part", ['"a",', '"', ",", " ,", " ", '"a" ', '"a', "W/", 'W/"', "*,", "a", '\t,"', '"\0'])
def test_a_hostile_header_takes_linear_time(part: str, end: str) -> None:
    """Of the shapes that trip a reader that goes back: eight times the text takes some eight times as long."""
    few, many = (f'"{size // len(part) * part}{end}' for size in (8_192, 65_536))
    assert cost(many) < 24 * cost(few)
    assert cost(many[1:]) < 24 * cost(few[1:])


@pytest.mark.parametrize(
    ("etag", "if_match", "if_none_match", "done"),
    [
        ('"a"', None, None, True),
        (None, None, None, True),
        ('"a"', '"a"', '"b"', True),
        ('"a"', '"a"', '"a"', False),
        ('"a"', '"b"', '"b"', False),
        ('"a"', "*", None, True),
        (None, "*", None, False),
        (None, '"a"', None, False),
        ('"a"', None, "*", False),
        (None, None, "*", True),
        (None, None, '"a"', True),
        (None, "*", "*", False),
    ],
)
def test_a_change_is_made_when_both_headers_allow_it(
    etag: str | None, if_match: str | None, if_none_match: str | None, done: bool
) -> None:
    """Section 13.2.2; without an entity tag there is nothing yet."""
    sent = {"if_match": if_match, "if_none_match": if_none_match}
    assert holds(etag, **{name: value for name, value in sent.items() if value is not None}) is done


def test_if_match_is_looked_at_first() -> None:
    """A GET whose If-Match does not hold is 412, though its If-None-Match would make it 304."""
    both = Precondition.of({"if-match": '"b"', "if-none-match": '"a"'})
    with pytest.raises(PreconditionFailed):
        both.is_unmodified('"a"')
    assert Precondition.of({"if-match": '"a"', "if-none-match": '"a"'}).is_unmodified('"a"')


def test_a_request_without_preconditions_depends_on_nothing() -> None:
    """It is answered in full, and its change is made."""
    plain = Precondition.of({"accept": "*/*"})
    assert not plain.is_unmodified('"a"')
    plain.check('"a"')
    plain.check(None)


def test_a_change_may_be_required_to_name_its_version() -> None:
    """428 without If-Match; If-None-Match does not stand in for it, and a broken If-Match is 412."""
    for headers in ({}, {"if-none-match": '"a"'}, {"if-unmodified-since": "Sat, 28 Nov 2026 20:00:00 GMT"}):
        with pytest.raises(PreconditionRequired, match="If-Match"):
            Precondition.of(headers).required()
    Precondition.of({"if-match": '"a"'}).required().check('"a"')
    for header in ("", "a"):
        with pytest.raises(PreconditionFailed):
            Precondition.of({"if-match": header}).required().check('"a"')


def test_dates_are_not_looked_at() -> None:
    """Sections 13.1.3 and 13.1.4: who has no Last-Modified ignores both."""
    dated = Precondition.of(
        {
            "if-modified-since": "Sat, 28 Nov 2026 20:00:00 GMT",
            "if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT",
        }
    )
    assert not dated.is_unmodified('"a"')
    dated.check('"a"')


def test_headers_count_in_whatever_case_and_on_how_many_lines() -> None:
    """A framework's mapping may have capitals, or a name twice: no precondition is overlooked for that."""
    assert not holds('"a"', **{"If-Match": '"b"'})
    with pytest.raises(PreconditionRequired):
        Precondition.of({"X-If-Match": '"a"'}).required()
    two = Lines([("If-Match", '"b"'), ("if-match", '"a"')])
    Precondition.of(two).check('"a"')
    with pytest.raises(PreconditionFailed):
        Precondition.of(two).check('"c"')


@pytest.mark.parametrize("etag", ["a", "", '"a', 'w/"a"', '"a b"', '"a", "b"', "*", '"a"\n'])
def test_an_entity_tag_of_ours_has_its_quotes(etag: str) -> None:
    """Else nothing would ever match, or everything: a mistake of the application, told at once."""
    with pytest.raises(UsageError, match="quotes"):
        Precondition.of({}).check(etag)
    with pytest.raises(UsageError, match="quotes"):
        Precondition.of({}).is_unmodified(etag)


@pytest.mark.parametrize("name", ["if-match", "if-none-match"])
@pytest.mark.parametrize("value", ['"canary"', "canary"])
def test_errors_repeat_nothing_of_the_request(name: str, value: str) -> None:
    """Neither they nor the precondition show what was sent."""
    asked = Precondition.of({name: value})
    etag = '"other"' if name == "if-match" else '"canary"'
    with pytest.raises(PreconditionFailed) as caught:
        asked.check(etag)
    assert "canary" not in f"{caught.value!r} {asked!r}"


def test_a_304_carries_what_the_200_would() -> None:
    """Section 15.4.5, and what the interface says of itself; nothing that describes a body, and nothing unknown."""
    full = {
        "Content-Type": "application/json",
        "content-length": "12",
        "Content-Encoding": "gzip",
        "content-disposition": "attachment",
        "ETag": '"a"',
        "Cache-Control": "private, no-cache",
        "vary": "Accept-Language",
        "content-location": "/api/v1/media/1",
        "expires": "Sat, 28 Nov 2026 20:00:00 GMT",
        "date": "Sat, 28 Nov 2026 20:00:00 GMT",
        "last-modified": "Sat, 28 Nov 2026 20:00:00 GMT",
        "API-Version": "1",
        "Deprecation": "@1790000000",
        "Sunset": "Sat, 28 Nov 2026 20:00:00 GMT",
        "Link": '</docs>; rel="deprecation"',
        "set-cookie": "a=b",
        "x-total": "3",
    }
    assert not_modified_headers(full) == {
        name.lower(): full[name]
        for name in (
            *("ETag", "Cache-Control", "vary", "content-location", "expires", "date"),
            *("API-Version", "Deprecation", "Sunset", "Link"),
        )
    }
