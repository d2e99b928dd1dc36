"""What a call brings is checked once, and one thing has one path."""

from __future__ import annotations

from datetime import date
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field

from postrmagic_core.api import Inputs, get, post
from postrmagic_core.api.envelope import Data
from postrmagic_core.errors import UsageError
from postrmagic_core.validation import AsyncUploads, Input, InputLimits
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.interface import ImagePolicy

from .doubles_endpoint import JSON, Body, ask, code, endpoint_of


class Colour(StrEnum):
    """A text."""

    RED = "red"


class Size(IntEnum):
    """A number."""

    BIG = 2


class Place(Enum):
    """A number that is not one."""

    FIRST = 1


def of_path(kind: Any) -> Any:
    """An operation with a value of this type in its path."""

    def show(self: Any, value: Any) -> str:
        """Show it."""
        return repr(value)

    show.__annotations__["value"] = kind
    return endpoint_of(get("/things/{value}", Data[str], access="public", problems=["thing.not_found"])(show))


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        (int, "7", "7"),
        (int, "-7", "-7"),
        (int, "9" * 4000, "9" * 4000),
        (str, "..", "'..'"),
        (str, "a/b", "'a/b'"),
        (str, "%2F", "'%2F'"),
        (str, "7", "'7'"),
        (Colour, "red", "<Colour.RED: 'red'>"),
        (Size, "2", "<Size.BIG: 2>"),
        (Literal["a", "b"], "a", "'a'"),
        (bool, "true", "True"),
        (UUID, "0190a6ea-70c6-7c4b-8c6d-7d0f36e2f7aa", "UUID('0190a6ea-70c6-7c4b-8c6d-7d0f36e2f7aa')"),
        (date, "2026-01-31", "datetime.date(2026, 1, 31)"),
    ],
)
def test_a_value_of_the_path(kind: Any, text: str, found: str) -> None:
    """By its type."""
    answer = ask(of_path(kind), {"value": text})
    assert (answer.status, answer.body) == (200, f'{{"data":"{found}"}}'.encode())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((int, text) for text in ("", "+7", "07", "-0", "7_0", " 7", "7 ", "7\n", "7.0", "7e1", "0x7", "\u0667", "x")),
        (int, "9" * 5000),
        (Annotated[int, Field(ge=0)], "-1"),
        (Annotated[str, Field(max_length=3)], "abcd"),
        (Colour, "RED"),
        (Colour, "blue"),
        (Size, "3"),
        (Size, "02"),
        (Place, "01"),
        (Literal["a", "b"], "c"),
        (bool, "TRUE"),
        (bool, "1"),
        (bool, "yes"),
        (UUID, "0190A6EA-70C6-7C4B-8C6D-7D0F36E2F7AA"),
        (UUID, "0190a6ea70c67c4b8c6d7d0f36e2f7aa"),
        (UUID, "{0190a6ea-70c6-7c4b-8c6d-7d0f36e2f7aa}"),
        (date, "2026-01-31T00:00:00"),
        (date, "1769817600"),
    ],
)
def test_what_can_be_no_value_is_no_path(kind: Any, text: str) -> None:
    """It is 404, as what there is not; a second way to write a value is none."""
    assert code(ask(of_path(kind), {"value": text})) == (404, "thing.not_found")


@settings(deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[+-]?[ 0-9_.eE]{1,12}"))
def test_only_the_usual_writing_of_a_number_is_one(text: str) -> None:
    """For every text."""
    answer = ask(NUMBER, {"value": text})
    try:
        usual = str(int(text)) == text
    except ValueError:
        usual = False
    assert (answer.status == 200) is usual


NUMBER = of_path(int)


class Query(Input):
    """A query."""

    limit: int = 9
    tags: list[str] = Field(default_factory=list)


@get("/things", Data[str], access="public")
def listed(self: Any, query: Query) -> str:
    """List."""
    return f"{query.limit} {query.tags}"


@get("/all", Data[int], access="public")
def everything(self: Any) -> int:
    """Take nothing."""
    return 1


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "9 []"),
        ("limit=3&tags=a&tags=b", "3 ['a', 'b']"),
        ("tags=a%26b+c", "9 ['a&b c']"),
        ("&&", "9 []"),
        ("limit=", "9 []"),
    ],
)
def test_a_query(query: str, told: str) -> None:
    """Decoded once, lists by repeating their name."""
    answer = ask(endpoint_of(listed), query=query)
    assert (answer.status, answer.body.decode()) == (200, f'{{"data":"{told}"}}')


@pytest.mark.parametrize(
    "query",
    ["limit=3&limit=4", "limit=x", "limt=3", "limit=%", "limit=%ff", "\xff=1", "limit[]=3", "limit=1;x=2"],
)
def test_a_query_that_cannot_be_is_refused(query: str) -> None:
    """What is repeated, misspelt or no text is told, never passed over."""
    assert code(ask(endpoint_of(listed), query=query)) == (422, "data.invalid")


def test_who_takes_no_query_gets_none() -> None:
    """A name that is misspelt is told there too; an empty query is none."""
    assert ask(endpoint_of(everything)).status == 200
    assert code(ask(endpoint_of(everything), query="x=1")) == (422, "data.invalid")


@pytest.mark.parametrize("handler", [listed, everything])
def test_a_query_that_is_too_long_is_414(handler: Any) -> None:
    """It is not the body that is too large."""
    assert code(ask(endpoint_of(handler), query="x=" + "y" * 1_100_000)) == (414, "request.target_too_long")


class Thing(Input):
    """A body."""

    name: str


@post("/things", Data[str], access="public", status=201)
def add(self: Any, body: Thing) -> str:
    """Add."""
    return body.name


@post("/pings", Data[int], access="public")
def ping(self: Any) -> int:
    """Take nothing."""
    return 1


SMALL = Inputs(body=InputLimits(bytes=40), locales=("en", "de"))


def test_a_body() -> None:
    """However it is cut into pieces."""
    answer = ask(endpoint_of(add), body=Body(b'{"na', b"", b'me":', b'"x"}'), headers=JSON)
    assert (answer.status, answer.body) == (201, b'{"data":"x"}')
    shouted = {"content-type": "Application/JSON;charset=utf-8"}
    assert ask(endpoint_of(add), body=Body(b'{"name":"x"}'), headers=shouted).status == 201


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/vnd.api+json",
        "application/json, text/plain",
        "application/json, application/json",
        "application/json; charset=utf-8, text/plain",
        "application/json; charset=latin-1",
        "application/json;",
        "application/json\x00",
        "text/plain; application/json",
    ],
)
def test_a_body_of_another_type_is_415_and_not_read(kind: str | None) -> None:
    """No page of another site can send what passes for JSON; two headers are no type."""
    body = Body(b'{"name":"x"}')
    answer = ask(endpoint_of(add), body=body, headers={} if kind is None else {"content-type": kind})
    assert code(answer) == (415, "body.unsupported_type")
    assert body.asked == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'{"name":1}', b'{"name":"x","more":1}', b'{"name":"x","name":"y"}', b"\xff", b"NaN"],
)
def test_a_body_that_cannot_be_is_refused(body: bytes) -> None:
    """In words of the client's language."""
    answer = ask(endpoint_of(add, inputs=SMALL), body=Body(body), headers=JSON | {"accept-language": "de"})
    assert code(answer) == (422, "data.invalid")
    assert (answer.headers["content-language"], answer.headers["vary"]) == ("de", "Accept-Language")


def test_a_body_that_is_too_large_is_413_and_read_no_further() -> None:
    """What was announced does not matter."""
    body = Body(*[b" " * 30] * 1000)
    endpoint = endpoint_of(add, inputs=SMALL)
    assert code(ask(endpoint, body=body, headers=JSON)) == (413, "data.too_large")


def test_a_body_that_nobody_takes_is_not_read() -> None:
    """Of a GET, or of an operation without one."""
    for handler in (everything, ping):
        body = Body(b"x" * 100, error=AssertionError("read"))
        assert ask(endpoint_of(handler), body=body, headers=JSON).status == 200
        assert body.asked == 0


class Picture(Input):
    """A form."""

    file: Annotated[ReceivedImage, ImageUpload(ImagePolicy(), reencode=False)]


def test_a_file_needs_somebody_to_write_it() -> None:
    """Where nobody is given for it, that is our mistake; JSON needs nobody."""

    @post("/pictures", Data[int], access="public")
    async def paint(self: Any, body: Picture) -> int:
        """Add."""
        return 1

    form = {"content-type": "multipart/form-data; boundary=x"}
    with pytest.raises(UsageError, match="AsyncUploads"):
        ask(endpoint_of(paint), headers=form, body=Body(b"--x--"))
    with AsyncUploads() as uploads:
        assert (
            code(ask(endpoint_of(paint, inputs=Inputs(uploads=uploads)), headers=form, body=Body(b"--x--")))[0] == 422
        )
        assert code(ask(endpoint_of(paint, inputs=Inputs(uploads=uploads)), headers=JSON, body=Body(b"{}")))[0] == 415


def test_a_value_that_is_made_otherwise_is_the_same_path() -> None:
    """A text is taken as its validators leave it."""
    kind = Annotated[str, AfterValidator(str.upper)]
    assert ask(of_path(kind), {"value": "a"}).body == b'{"data":"\'A\'"}'
