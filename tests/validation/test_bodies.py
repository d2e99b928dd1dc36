"""Whatever kind a body is of, it is read by one policy into one validation."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from postrmagic_core.errors import DataError, UnsupportedMedia, UsageError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import AsyncUploads, Input, InputLimits, Validator
from postrmagic_core.validation.bodies import validate_body, validate_body_async, validate_query
from postrmagic_core.validation.rules import PlainText
from tests.validation.test_multipart import form, text

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


class Search(Input):
    """A text, a number, a list."""

    q: str = ""
    page: int = 1
    tags: list[str] = Field(default_factory=list)


class Named(Input):
    """A text that may hold no control character."""

    q: Annotated[str, PlainText(max=40)]


SEARCH = Validator(Search)
WANTED = Search(q="ä b", page=2, tags=["x", "y"])
SAME: list[tuple[str, bytes]] = [
    ("application/json", '{"q":"ä b","page":2,"tags":["x","y"]}'.encode()),
    ("Application/JSON ; Charset=UTF-8", '{"q":"ä b","page":2,"tags":["x","y"]}'.encode()),
    ('application/vnd.api+json;charset="utf-8"', '{"q":"ä b","page":2,"tags":["x","y"]}'.encode()),
    (FORM, b"q=%C3%A4+b&page=2&tags=x&tags=y"),
    (FORM + "; charset=UTF-8", b"&q=%c3%a4%20b&&page=2&tags=x&tags=y&"),
    (MULTIPART, form(text("q", "ä b"), text("page", "2"), text("tags", "x"), text("tags", "y"))),
]


async def pieces(body: bytes, size: int = 3) -> AsyncIterator[bytes]:
    """A body as it comes."""
    for at in range(0, len(body), size):
        await asyncio.sleep(0)
        yield body[at : at + size]


def read_async(validator: Validator[Any], kind: str | None, body: bytes, **options: Any) -> Any:
    """The async twin's answer."""

    async def scenario() -> Any:
        async with AsyncUploads() as uploads:
            return await validate_body_async(validator, kind, pieces(body), uploads=uploads, **options)

    return asyncio.run(scenario())


class TestKinds:
    """The content type chooses the reader."""

    @pytest.mark.parametrize(("kind", "body"), SAME)
    def test_every_kind_says_the_same(self, kind: str, body: bytes) -> None:
        """JSON, an urlencoded form and a multipart form become one model, whole, in pieces or asynchronously."""
        assert validate_body(SEARCH, kind, body) == WANTED
        assert validate_body(SEARCH, kind.encode(), iter([body[:5], body[5:]])) == WANTED
        assert read_async(SEARCH, kind, body) == WANTED

    @pytest.mark.parametrize(
        "kind",
        [
            None,
            "",
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/xml",
            "application/+json",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/json; charset=latin1",
            "application/json; charset=utf-8; charset=utf-8",
            "application/json; charset",
            "application/json; charset=",
            'application/json; a="\\""',
            "application/json;",
            "application/json\r\nx: y",
            "application/json\x00",
            f"{FORM}; charset=iso-8859-1",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=" + "b" * 71,
            'multipart/form-data; boundary="b "',
            'multipart/form-data; boundary="ä"',
            "multipart/form-data; boundary=b; charset=utf-7",
            "multipart/mixed; boundary=b",
            "application/json;a=" + "a" * 100_000,
            "\u017f/json",
        ],
    )
    def test_anything_else_is_refused_unread(self, kind: str | None) -> None:
        """Also a type that only looks like one, and every charset but UTF-8; not a byte is taken from the source."""

        asked = []

        def untouched() -> Iterator[bytes]:
            asked.append(1)
            yield b"{}"

        with pytest.raises(UnsupportedMedia, match="Content-Type") as caught:
            validate_body(SEARCH, kind, untouched())
        assert (caught.value.code, isinstance(caught.value, DataError), asked) == ("body.unsupported_type", True, [])
        with pytest.raises(UnsupportedMedia):
            read_async(SEARCH, kind, b"{}")

    def test_json_is_strict_and_forms_are_not(self, complaints: Any) -> None:
        """A number written as a text is one in a form, which knows nothing else, and none in JSON."""
        assert complaints(lambda: validate_body(SEARCH, "application/json", b'{"page":"2"}')) == [("/page", "int_type")]
        assert validate_body(SEARCH, FORM, b"page=2").page == 2

    def test_json_in_a_form_s_type_is_no_json(self, complaints: Any) -> None:
        """The body does not choose its reader (FastAPI's CVE-2021-32677)."""
        assert complaints(lambda: validate_body(SEARCH, FORM, b'{"page":2}'))[0][1] == "extra_forbidden"
        with pytest.raises(UnsupportedMedia):
            validate_body(SEARCH, "text/plain", b'{"page":2}')

    def test_a_form_needs_a_model(self) -> None:
        """Another type has no fields."""
        for kind in (FORM, MULTIPART):
            with pytest.raises(UsageError, match="needs a model"):
                validate_body(Validator(list[int]), kind, form(text("a", "b")))
        assert validate_body(Validator(list[int]), "application/json", b"[1]") == [1]

    def test_the_locale_of_the_call_tells_every_problem(self) -> None:
        """Those of the body as those of a field."""
        told = {"body.truncated": "ENDE", "form.escape": "PROZENT", "limit.bytes": "VIEL", "int_parsing": "ZAHL"}
        validator = Validator(Search, limits=InputLimits(bytes=60), catalogues={"xx": told})
        cases = [(MULTIPART, b"--b", "ENDE"), (FORM, b"q=%", "PROZENT"), (FORM, b"page=x", "ZAHL")]
        cases += [(kind, b"x" * 61, "VIEL") for kind in (FORM, "application/json")]
        for kind, body, word in cases:
            for read in (validate_body, read_async):
                with pytest.raises(ValidationFailed) as caught:
                    read(validator, kind, body, locale="xx")
                assert [error["message"] for error in caught.value.errors] == [word]


class TestUrlencoded:
    """A query string and an urlencoded form are decoded once, by one policy."""

    @pytest.mark.parametrize(
        ("sent", "q"),
        [
            ("q=a+b", "a b"),
            ("q=a%2Bb", "a+b"),
            ("q=a;page=2", "a;page=2"),
            ("q=a%26page=2", "a&page=2"),
            ("q=a=b", "a=b"),
            ("q", ""),
            ("", ""),
            ("q=%2527", "%27"),
            ("q=%253Cscript%253E", "%3Cscript%3E"),
            ("q=%26lt%3B", "&lt;"),
            ("%71=a", "a"),
            ("q=%EF%BC%9C", "\uff1c"),
            ("q=%C3%A4", "ä"),
            ("q=%f0%9f%96%bc", "\U0001f5bc"),
        ],
    )
    def test_decoded_once(self, sent: str, q: str) -> None:
        """What is left after one decoding is the value (OWASP ASVS 1.1.1); ``;`` separates nothing."""
        assert validate_query(SEARCH, sent) == validate_query(SEARCH, sent.encode()) == Search(q=q)

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            ("q=%", "form.escape"),
            ("q=%4", "form.escape"),
            ("q=%zz", "form.escape"),
            ("q=%u0041", "form.escape"),
            ("q=100%&page=2", "form.escape"),
            ("%=1", "form.escape"),
            ("q=%ff", "form.encoding"),
            ("q=%c0%af", "form.encoding"),
            ("q=%ed%a0%80", "form.encoding"),
            ("q=%c3&page=%a4", "form.encoding"),
            ("%ff=1", "form.encoding"),
            ("q=ä", "form.encoding"),
            ("q=\udcff", "form.encoding"),
        ],
    )
    def test_what_decoders_read_differently_is_refused(self, sent: str, code: str, complaints: Any) -> None:
        """Broken escapes, overlong forms, surrogates, halves of a character, characters that were not escaped."""
        assert complaints(lambda: validate_query(SEARCH, sent)) == [("", code)]
        body = sent.encode("utf-8", "surrogateescape")
        assert complaints(lambda: validate_body(SEARCH, FORM, body)) == [("", code)]

    def test_a_null_is_refused_by_the_rule_after_decoding(self, complaints: Any) -> None:
        """Rules see what the field will hold."""
        assert complaints(lambda: validate_query(Validator(Named), "q=a%00b")) == [("/q", "text.control")]

    def test_limits_are_counted_before_anything_is_decoded(self, complaints: Any, monkeypatch: Any) -> None:
        """Too many pairs, or bytes, never reach the decoder."""
        monkeypatch.setattr("postrmagic_core.validation.bodies.a2b_qp", lambda _: pytest.fail("decoded"))
        narrow = Validator(Search, limits=InputLimits(items=3, bytes=40))
        assert complaints(lambda: validate_query(narrow, "&" * 3)) == [("", "limit.items")]
        assert complaints(lambda: validate_query(narrow, "q=" + "a" * 39)) == [("", "limit.bytes")]

    @pytest.mark.parametrize("kind", [FORM, "application/json"])
    def test_a_body_without_end_is_left_at_the_limit(self, kind: str, complaints: Any) -> None:
        """Its source is asked no further."""
        asked = []

        def endless() -> Iterator[bytes]:
            while True:
                asked.append(1)
                yield b"x" * 10

        narrow = Validator(Search, limits=InputLimits(bytes=35))
        assert complaints(lambda: validate_body(narrow, kind, endless())) == [("", "limit.bytes")]
        assert len(asked) == 4

    @given(st.text(alphabet="%=\r\n \t_.a41\x00ä", max_size=30), st.sampled_from(["", "%=\r\n \t_.a41\x00"]))
    @settings(max_examples=60, deadline=None)
    def test_escapes_are_read_as_urllib_reads_them(self, value: str, unescaped: str) -> None:
        """Whichever characters are escaped, in a name or a text, line ends and equals signs among them."""
        safe = "".join(character for character in unescaped if character != "%")
        sent = "q=" + quote(value, safe=safe)
        assert validate_query(SEARCH, sent).q == unquote_plus(sent[2:], errors="strict")

    @given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=6))
    @settings(max_examples=60, deadline=None)
    def test_what_a_client_encodes_comes_out(self, pairs: list[tuple[str, str]]) -> None:
        """The standard library's encoding of any pairs is read as those pairs."""
        sent = urlencode([(name, value.encode("utf-8", "replace")) for name, value in pairs if name])
        seen: list[tuple[str, object]] = []
        with contextlib.suppress(ValidationFailed):
            validate_query(Recorder(seen), sent)
        assert seen == parse_qsl(sent, keep_blank_values=True, errors="strict")

    @given(st.one_of(st.binary(max_size=60), st.text(alphabet="q=&;%+0aF\x00ä\udcff", max_size=40)))
    @example("%%%")
    @settings(max_examples=60, deadline=None)
    def test_nothing_breaks_it(self, sent: bytes | str) -> None:
        """Any bytes, any text: a model or ValidationFailed."""
        with contextlib.suppress(ValidationFailed):
            assert validate_query(SEARCH, sent).page


class Recorder(Validator[Any]):
    """Shows the pairs it is given."""

    def __init__(self, seen: list[tuple[str, object]]) -> None:
        super().__init__(Search)
        self._seen = seen

    def validate_form(self, pairs: Any, **_: Any) -> Any:
        """Keep the pairs."""
        self._seen += pairs


class TestParity:
    """All readers keep one policy (OWASP ASVS 1.5.3)."""

    @pytest.mark.parametrize(
        ("kind", "body", "codes"),
        [
            ("application/json", b'{"q":"a","q":"b"}', {"json.duplicate_key"}),
            (FORM, b"q=a&q=b", {"form.repeated"}),
            (FORM, b"q=a&%71=b", {"form.repeated"}),
            (MULTIPART, form(text("q", "a"), text("q", "b")), {"form.repeated"}),
            ("application/json", b'{"q":"\xff"}', {"json.encoding"}),
            (FORM, b"q=%ff", {"form.encoding"}),
            (MULTIPART, form(text("q", b"\xff")), {"form.encoding"}),
            ("application/json", b"\xef\xbb\xbf{}", {"json.bom"}),
            (FORM, b"%ef%bb%bfq=a", {"extra_forbidden"}),
            (MULTIPART, form(text("\ufeffq", "a")), {"extra_forbidden"}),
            ("application/json", b'{"page":NaN}', {"json.constant"}),
            (FORM, b"page=NaN", {"int_parsing"}),
            (MULTIPART, form(text("page", "NaN")), {"int_parsing"}),
            ("application/json", b'{"Q":"a"}', {"extra_forbidden"}),
            (FORM, b"Q=a", {"extra_forbidden"}),
            (MULTIPART, form(text("Q", "a")), {"extra_forbidden"}),
            ("application/json", b'{"tags[]":"a"}', {"extra_forbidden"}),
            (FORM, b"tags[]=a", {"extra_forbidden"}),
            (MULTIPART, form(text("tags[]", "a")), {"extra_forbidden"}),
            ("application/json", b"", {"json.invalid"}),
            (MULTIPART, b"", {"body.truncated"}),
        ],
    )
    def test_one_answer(self, kind: str, body: bytes, codes: set[str], complaints: Any) -> None:
        """Names given twice, wrong encodings, marks before the text, numbers that are none, other spellings."""
        assert {code for _, code in complaints(lambda: validate_body(SEARCH, kind, body))} == codes
        assert {code for _, code in complaints(lambda: read_async(SEARCH, kind, body))} == codes

    @pytest.mark.parametrize(("kind", "make"), [("application/json", json.dumps), (FORM, urlencode), (MULTIPART, None)])
    def test_nothing_of_the_input_is_repeated(self, kind: str, make: Any) -> None:
        """Neither in the error nor in what it came from."""
        secret = "CANARY-" + "x" * 80
        bodies = [{"q": secret, secret: "a"}, {"page": secret}, {secret: secret, "tags": secret}]
        for values in bodies:
            body = make(values).encode() if make else form(*(text(*pair) for pair in values.items()))
            for cut in (len(body), len(body) - 6):
                with pytest.raises(ValidationFailed) as caught:
                    validate_body(SEARCH, kind, body[:cut])
                assert "CANARY" not in str(caught.value) + repr(caught.value.errors)
                assert caught.value.__suppress_context__ or caught.value.__context__ is None


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "separators": lambda n: b"&" * n,
    "equals": lambda n: b"=" * n,
    "pairs": lambda n: b"a=&" * (n // 3),
    "escapes": lambda n: b"q=" + b"%41" * (n // 3),
    "broken escapes": lambda n: b"q=" + b"%4" * (n // 2),
    "wrong bytes": lambda n: b"q=" + b"%ff" * (n // 3),
    "spaces": lambda n: b"q=" + b"+" * n,
    "names": lambda n: b"&".join(b"%d=1" % i for i in range(n // 8)),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_urlencoded_floods_take_linear_time(shape: str) -> None:
    """Twice the hostile text takes less than three times as long (Starlette's CVE-2026-54283)."""
    wide = Validator(Search, limits=InputLimits(items=1_000_000, bytes=1 << 22))
    bodies = {size: HOSTILE[shape](size) for size in (30_000, 60_000)}

    def read(size: int) -> None:
        with contextlib.suppress(ValidationFailed):
            validate_query(wide, bodies[size])

    assert growth(read, 30_000) < 3


@pytest.mark.parametrize(
    "flood", ["a", ";", ";a=b", ' ;a="', '";', "\\", '\\"', ";=", "; ", "=", ";a=b;a=b", "a/", '; a="\\\\'], ids=repr
)
def test_a_long_content_type_takes_linear_time(flood: str) -> None:
    """Whatever it is made of, 100 kB of it are refused at once, and its parser alone is linear too (CVE-2024-24762)."""
    from postrmagic_core.validation.multipart import parameters

    values = {size: "multipart/form-data" + flood * (size // len(flood)) for size in (100_000, 200_000)}
    with pytest.raises(UnsupportedMedia):
        validate_body(SEARCH, values[100_000], b"")
    assert growth(lambda size: parameters(values[size]), 100_000) < 3
