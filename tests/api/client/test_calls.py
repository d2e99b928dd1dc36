"""A generated client calls a real server: what it sends, what it gives, what it raises; the same by both faces."""

from __future__ import annotations

import copy
import io
import json
import traceback
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.api.client.conftest import Caller
from tests.api.client.library_server import PICTURE, TOKEN, Library, medium, problem


def test_a_list_is_a_page_of_typed_items(caller: Caller) -> None:
    """Items have names; instants have their offset; what the specification did not know is passed over."""
    page = caller(lambda client: client.list_media(q="jazz", limit=2))
    first = page.items[0]
    assert (first.title, first.height, first.type) == ("Poster 1", 480, "image/avif")
    assert first.created_at.utcoffset() == timedelta(hours=1)
    assert (len(page.items), page.next, page.etag, page.meta) == (2, "2", '"all"', None)


def test_a_query_says_what_was_given_and_nothing_else(caller: Caller, library: Library) -> None:
    """Several values repeat the name, instants keep their offset, what was not given is not sent."""
    since = datetime(2026, 11, 28, 20, tzinfo=UTC)
    caller(lambda client: client.list_media(q="a&b=c", tag=["x", "é"], uploaded_from=since, sort="-title"))
    assert library.asked[0].query == [
        ("q", "a&b=c"),
        ("tag", "x"),
        ("tag", "é"),
        ("uploaded_from", "2026-11-28T20:00:00+00:00"),
        ("sort", "-title"),
    ]


def test_an_instant_without_an_offset_is_not_sent(caller: Caller, library: Library) -> None:
    """It could mean any hour: the caller is told what to give."""
    with pytest.raises(ValueError, match="time zone"):
        caller(lambda client: client.list_media(uploaded_from=datetime(2026, 1, 1)))  # noqa: DTZ001 - the point
    assert library.asked == []


def test_every_item_is_given_page_by_page(caller: Caller, library: Library) -> None:
    """The cursor is followed to the end, with the same filters on each page."""
    items = caller(lambda client: client.list_media_all(q="jazz", limit=3))
    assert [one.id for one in items] == [1, 2, 3, 4, 5, 6, 7]
    assert [dict(one.query) for one in library.asked] == [
        {"q": "jazz", "limit": "3"},
        {"q": "jazz", "limit": "3", "after": "3"},
        {"q": "jazz", "limit": "3", "after": "6"},
    ]


def test_pages_are_asked_for_when_they_are_needed(client_module: Any, library: Library, library_url: str) -> None:
    """Who stops after two items has asked for one page, and who takes none for none."""
    with client_module.Client(library_url, token=TOKEN) as client:
        items = client.list_media_all()
        assert library.asked == []
        assert [next(items).id, next(items).id] == [1, 2]
    assert len(library.asked) == 1


def test_a_cursor_that_leads_nowhere_ends_the_walk(caller: Caller, library: Library) -> None:
    """A server that gives the same cursor for ever is not asked for ever."""
    library.answer = JSONResponse({"data": [medium(1)], "next": "same"})
    with pytest.raises(caller.module.UnexpectedAnswer, match="cursor"):
        caller(lambda client: client.list_media_all())
    assert len(library.asked) == 2


def test_an_answer_tells_its_version(caller: Caller) -> None:
    """The etag that was read changes nothing but the version that was read."""
    found = caller(lambda client: client.get_medium(1))
    edited = caller(lambda client: client.edit_medium(1, title="New", if_match=found.etag))
    assert (edited.data.title, edited.data.tags) == ("New", ["jazz"])
    with pytest.raises(caller.module.ClientError) as refused:
        caller(lambda client: client.edit_medium(1, title="Newer", if_match=found.etag))
    assert (refused.value.status, refused.value.code) == (412, "precondition.failed")


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"title": "T"}, {"title": "T"}),
        ({"note": None}, {"note": None}),
        ({"note": "n", "tags": []}, {"note": "n", "tags": []}),
        ({}, {}),
    ],
)
def test_a_patch_tells_empty_from_untouched(
    caller: Caller, library: Library, changes: dict[str, object], sent: dict[str, object]
) -> None:
    """``None`` empties a field that may be empty; what is not given stays."""
    caller(lambda client: client.edit_medium(1, **changes))
    assert json.loads(library.asked[0].body) == sent
    assert library.asked[0].headers["content-type"] == "application/json"


def test_what_has_not_changed_is_told_so(caller: Caller) -> None:
    """A 304 answers a question that was asked; by file, list and medium alike."""
    etag = caller(lambda client: client.get_medium(1)).etag
    with pytest.raises(caller.module.NotModified) as told:
        caller(lambda client: client.get_medium(1, if_none_match=etag))
    assert told.value.etag == etag
    with pytest.raises(caller.module.NotModified):
        caller(lambda client: client.list_media(if_none_match='"all"'))


def test_a_304_that_nobody_asked_for_is_an_error(caller: Caller, library: Library) -> None:
    """It has no body to be read, and the caller has none to use."""
    library.answer = Response(status_code=304)
    with pytest.raises(caller.module.ApiError) as told:
        caller(lambda client: client.get_medium(1))
    assert told.value.code == "http.304"


def test_nothing_comes_where_nothing_is_told(caller: Caller, library: Library) -> None:
    """A 204 is an answer without data."""
    gone = caller(lambda client: client.delete_medium(2))
    assert (gone.data, gone.meta, gone.status) == (None, None, 204)
    assert 2 not in library.media


@pytest.mark.parametrize("opened", [False, True], ids=["bytes", "open file"])
def test_a_file_is_uploaded_with_its_fields(caller: Caller, library: Library, opened: bool) -> None:
    """Fields come before the file, lists repeat; the answer says where it is."""
    content = io.BytesIO(PICTURE) if opened else PICTURE
    made = caller(
        lambda client: client.upload_media(
            file=('a "poster".png', content), title="Tītle", tags=["x", "y"], idempotency_key="k-1"
        )
    )
    names = [name for name, _ in library.form]
    assert names == ["title", "tags", "tags", "file"]
    assert library.form[:3] == [("title", "Tītle"), ("tags", "x"), ("tags", "y")]
    assert library.form[3][1] == ("a %22poster%22.png", "image/png", PICTURE)
    assert (made.status, made.location, made.etag, made.data.title) == (201, "/api/v1/media/8", '"8"', "Tītle")
    assert library.asked[0].headers["idempotency-key"] == "k-1"


def test_a_file_comes_as_bytes(caller: Caller, library: Library) -> None:
    """All of it, with its type; the caller may say which types will do."""
    file = caller(lambda client: client.get_file(1))
    assert (file.content, file.media_type, file.etag) == (PICTURE, "image/png", '"file"')
    assert caller(lambda client: client.get_file(1, accept="image/webp")).media_type == "image/webp"


def test_a_file_is_saved_as_it_comes(caller: Caller, tmp_path: Path) -> None:
    """What is at the path is the file, and nothing is left beside it; what was there is replaced."""
    (tmp_path / "poster.png").write_bytes(b"old")
    saved = caller(lambda client: client.get_file_to(1, tmp_path / "poster.png"))
    assert (tmp_path / "poster.png").read_bytes() == PICTURE
    assert (saved.path, saved.size, saved.media_type) == (tmp_path / "poster.png", len(PICTURE), "image/png")
    assert [one.name for one in tmp_path.iterdir()] == ["poster.png"]


def test_a_file_that_is_cut_off_is_not_saved(client_module: Any, tmp_path: Path) -> None:
    """The old file stays, and no half of the new one."""

    class Cut(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            yield b"half"
            raise httpx.ReadError("the connection was lost")

    (tmp_path / "poster.png").write_bytes(b"old")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Cut()))
    http = httpx.Client(transport=transport, base_url="http://library.test")
    with http, pytest.raises(httpx.ReadError):
        client_module.Client(http=http).get_file_to(1, tmp_path / "poster.png")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"poster.png": b"old"}


def test_an_error_instead_of_a_file_is_raised_and_nothing_is_written(
    caller: Caller, library: Library, tmp_path: Path
) -> None:
    """The body of a refusal is no file."""
    library.answer = problem(404, "media.not_found")
    with pytest.raises(caller.module.ClientError, match=r"404 media\.not_found"):
        caller(lambda client: client.get_file_to(1, tmp_path / "poster.png"))
    assert list(tmp_path.iterdir()) == []


def test_meta_is_typed(caller: Caller) -> None:
    """What is told beside the data has its own class; maps, dates and free objects are read."""
    stats = caller(lambda client: client.get_stats())
    assert stats.meta.hit_rate == 0.5
    assert (stats.data.bytes, stats.data.since) == (1, date(2026, 11, 1))
    assert (stats.data.parts["cache"].ms, stats.data.detail) == (1.0, {"any": ["thing"]})


def test_items_of_a_bulk_tell_their_own_fate(caller: Caller, library: Library) -> None:
    """A part of a request is a dictionary of the wire's names; parts that are missing in an answer are ``None``."""
    items = [{"id": 1, "tags": ["x"], "from": datetime(2026, 1, 1, tzinfo=UTC)}]
    done = caller(lambda client: client.tag_media(items=items))
    assert json.loads(library.asked[0].body) == {
        "items": [{"id": 1, "tags": ["x"], "from": "2026-01-01T00:00:00+00:00"}]
    }
    assert (done.data[0].data.id, done.data[0].problem) == (1, None)
    assert (done.data[1].data, done.data[1].problem.code) == (None, "media.not_found")
    assert (done.meta.succeeded, done.meta.failed) == (1, 1)


def test_one_of_two_answers_is_told_by_its_class(caller: Caller) -> None:
    """What an answer may be is a union: its class says which it is."""
    one = caller(lambda client: client.log_in(name="demo", password="p"))
    two = caller(lambda client: client.log_in(name="two", password="p"))
    assert (type(one.data).__name__, type(two.data).__name__) == ("Me", "SecondStepNeeded")


def test_a_field_called_from_has_an_underscore(caller: Caller) -> None:
    """Keywords are no names of Python's; a path's value is sent as one step, whatever it holds."""
    device = caller(lambda client: client.get_device("a b%c")).data
    assert (device.id, device.from_, device.began_at.tzinfo) == ("a b%c", "home", UTC)


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_would_lead_elsewhere_is_not_sent(caller: Caller, library: Library, value: str) -> None:
    """No value makes a request for one thing a request for the list, or for what is above it."""
    with pytest.raises(ValueError, match="names one thing"):
        caller(lambda client: client.get_device(value))
    assert library.asked == []


@pytest.mark.parametrize("value", ["a/b", "../stats", "a?b=c", "a#b", "a\r\nb", "é"])
def test_a_value_of_a_path_stays_in_its_step(caller: Caller, library: Library, value: str) -> None:
    """Slashes, question marks and line ends are sent as what they are in a value."""
    with pytest.raises(caller.module.ApiError) if "/" in value else warnings.catch_warnings():
        assert caller(lambda client: client.get_device(value)).data.id == value
    assert all(one.path in {"/api/v1/devices/" + value} and one.query == [] for one in library.asked)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "ClientError"), (422, "ClientError"), (503, "ServerError"), (599, "ServerError")]
)
def test_a_problem_is_raised_by_its_family(caller: Caller, library: Library, status: int, kind: str) -> None:
    """Code, words and fields are those of the document; the class says whose turn it is."""
    errors = [{"pointer": "/title", "code": "text.long", "message": "too long"}, "odd", {"pointer": 1}]
    library.answer = problem(status, "some.code", {"retry-after": "7"}, errors=errors, new_member=1)
    with pytest.raises(caller.module.ApiError) as told:
        caller(lambda client: client.get_stats())
    error = told.value
    assert type(error).__name__ == kind
    assert (error.status, error.code, error.title, error.detail) == (status, "some.code", "A title", "A detail.")
    assert (error.errors[0].pointer, error.errors[0].message, len(error.errors)) == ("/title", "too long", 2)
    assert (error.retry_after, error.request_id) == (7.0, "r-1")
    assert str(error) == f"{status} some.code: A detail.; /title: too long; 1: "
    assert copy.copy(error).errors == error.errors  # by way of its arguments, as it travels between processes


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [("0", 0, 0), ("Fri, 01 Jan 2100 00:00:00 GMT", 1, 10**10), ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0)],
)
def test_retry_after_is_in_seconds(
    caller: Caller, library: Library, retry_after: str, least: float, most: float
) -> None:
    """Whether the server says seconds or an instant (RFC 9110, section 10.2.3)."""
    library.answer = problem(429, "too.many", {"retry-after": retry_after})
    with pytest.raises(caller.module.ClientError) as told:
        caller(lambda client: client.get_stats())
    assert least <= told.value.retry_after <= most


@pytest.mark.parametrize("retry_after", ["soon", "-1", "1e9", "9" * 5_000, "Fri, 99 Jan 99999999999 00:00:00 GMT"])
def test_a_retry_after_of_no_meaning_is_none(caller: Caller, library: Library, retry_after: str) -> None:
    """A header that cannot be read does not hide the error."""
    library.answer = problem(429, "too.many", {"retry-after": retry_after})
    with pytest.raises(caller.module.ClientError) as told:
        caller(lambda client: client.get_stats())
    assert told.value.retry_after is None


@pytest.mark.parametrize(
    "answer",
    [
        Response("<h1>secret page</h1>", 502, media_type="text/html"),
        Response("{", 502, media_type="application/problem+json"),
        Response("[" * 100_000, 502, media_type="application/problem+json"),
        JSONResponse([1], 502, media_type="application/problem+json"),
        JSONResponse({"code": 1, "title": None, "errors": "odd"}, 502, media_type="application/problem+json"),
    ],
)
def test_what_is_no_problem_document_is_an_error_by_its_status(
    caller: Caller, library: Library, answer: Response
) -> None:
    """A proxy's page is told by its status; its text is not repeated."""
    library.answer = answer
    with pytest.raises(caller.module.ServerError) as told:
        caller(lambda client: client.get_stats())
    assert str(told.value) == "502 http.502: Bad Gateway"


def test_a_redirect_is_not_followed(caller: Caller, library: Library) -> None:
    """A token is not carried to wherever an answer points."""
    library.answer = RedirectResponse("https://elsewhere.example/")
    with pytest.raises(caller.module.ApiError) as told:
        caller(lambda client: client.get_stats())
    assert (told.value.code, len(library.asked)) == ("http.307", 1)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"data": [medium(1) | {"title": 7}], "next": None}, "a text at /data/0/title"),
        ({"data": [medium(1) | {"id": True}], "next": None}, "an integer at /data/0/id"),
        ({"data": [medium(1) | {"id": 1.5}], "next": None}, "an integer at /data/0/id"),
        ({"data": [medium(1) | {"created_at": "2026-01-01T00:00:00"}], "next": None}, "offset at /data/0/created_at"),
        ({"data": [medium(1) | {"created_at": "soon"}], "next": None}, "ISO 8601 at /data/0/created_at"),
        ({"data": [medium(1) | {"tags": [None]}], "next": None}, "a text at /data/0/tags/0"),
        ({"data": {}, "next": None}, "a list at /data"),
        ({"next": None}, "a value at /data"),
        ([], "an object at /"),
    ],
)
def test_an_answer_of_another_shape_says_where(caller: Caller, library: Library, body: object, place: str) -> None:
    """The message names the operation and the place, and quotes nothing of the answer."""
    library.answer = JSONResponse(body)
    with pytest.raises(caller.module.UnexpectedAnswer) as told:
        caller(lambda client: client.list_media())
    assert str(told.value) == f"list_media, status 200: expected {place}" or place in str(told.value)
    assert "soon" not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("body", ["", "{", "nonsense", "[" * 100_000])
def test_an_answer_that_is_no_json_is_unexpected(caller: Caller, library: Library, body: str) -> None:
    """Neither an empty body nor a broken one is taken for an answer."""
    library.answer = Response(body, media_type="application/json")
    with pytest.raises(caller.module.UnexpectedAnswer, match="a JSON document at /"):
        caller(lambda client: client.get_stats())


def test_a_deprecated_operation_warns_once_where_it_is_called(client_module: Any, library_url: str) -> None:
    """With the day it ends; the warning points at the caller's line, not into the client."""
    with client_module.Client(library_url, token=TOKEN) as client, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        client.search(q="a")
        client.search(q="b")
        client.get_stats()
    assert [str(one.message) for one in told] == ["search is deprecated since 2026-01-01 and ends on 2027-01-01"]
    assert [(one.category, one.filename) for one in told] == [(DeprecationWarning, __file__)]


def test_a_deprecated_operation_warns_by_both_faces(caller: Caller) -> None:
    """Lists that are followed warn too."""
    with pytest.warns(DeprecationWarning, match="search is deprecated") as told:
        caller(lambda client: client.search_all(q="a"))
    assert len(told) == 1


@pytest.mark.parametrize("token", ["", "a b", "a\r\nb", "a\nX-Evil: 1", "é"])
def test_a_token_that_is_none_is_refused_without_being_told(client_module: Any, token: str) -> None:
    """The header would hold another one, or the error its text."""
    with pytest.raises(ValueError, match=r"^expected a token of RFC 6750, section 2\.1$"):
        client_module.Client("http://library.test", token=token)


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "a\x00", "é"])
def test_a_header_cannot_be_split(caller: Caller, library: Library, key: str) -> None:
    """A value with a line end is not sent, and not told."""
    with pytest.raises(ValueError, match=r"^expected printable ASCII on one line for Idempotency-Key$"):
        caller(lambda client: client.upload_media(file=("a", b""), idempotency_key=key))
    with pytest.raises(ValueError, match=r"for Accept$"):
        caller(lambda client: client.get_file(1, accept=key))
    assert library.asked == []


def test_secrets_are_in_no_repr(client_module: Any) -> None:
    """Neither the client nor what it is about to send shows a token or a body."""
    client = client_module.Client("http://library.test", token="canary-token", csrf_token="canary-csrf")
    ask = client_module._Ask(operation="o", method="POST", path="/", content=b"canary", headers={"a": "canary"})
    file = client_module.File(status=200, headers=httpx.Headers({"a": "canary"}), media_type="x", content=b"canary")
    client.close()
    assert "canary" not in f"{client!r} {ask!r} {file!r}"


@pytest.mark.parametrize(
    "url", [None, "", "library.test", "ftp://library.test", "http://", "http://a/?b=c", "http://a/#b"]
)
def test_a_base_url_that_is_none_is_refused(client_module: Any, url: str | None) -> None:
    """The caller is told what one looks like."""
    with pytest.raises(ValueError, match="expected a base_url such as"):
        client_module.Client(url)


def test_an_application_below_a_path_is_found(client_module: Any) -> None:
    """The path of the base_url comes before that of the API; every request says who asks."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": [], "next": None})

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://library.test/mounted/") as http:
        client_module.Client(http=http).list_tags()
        client_module.Client("http://other.test", http=http).list_tags()
        assert not http.is_closed
    assert [str(one.url) for one in seen] == [
        "http://library.test/mounted/api/v1/tags",
        "http://other.test/api/v1/tags",
    ]


def test_a_borrowed_client_stays_open_and_an_own_one_is_closed(client_module: Any) -> None:
    """Who opened it closes it."""
    with httpx.Client(base_url="http://library.test") as http:
        with client_module.Client(http=http):
            pass
        assert not http.is_closed
    with client_module.Client("http://library.test") as client:
        pass
    assert client._http.is_closed
    client.close()


def test_requests_say_who_asks(caller: Caller, library: Library) -> None:
    """The name of the client and its version, what will do as an answer, and the token."""
    caller(lambda client: client.get_stats())
    headers = library.asked[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["accept"] == "application/json, application/problem+json"
    assert ("sec-fetch-site" in headers) is False
    assert "api-version" not in headers
    if caller.url is not None:
        assert headers["user-agent"] == "media-library-client/1.4.0"


def test_a_session_by_cookie_may_change_things(client_module: Any, library: Library, library_url: str) -> None:
    """Cookies are kept by the client of httpx; an unsafe request says that no other site is behind it."""
    with client_module.Client(library_url) as client:
        with pytest.raises(client_module.ClientError) as refused:
            client.get_stats()
        assert refused.value.status == 401
        client.log_in(name="demo", password="p")
        client.get_stats()
        client.csrf_token = "csrf-1"
        assert client.delete_medium(3).status == 204
    told = [(one.headers.get("sec-fetch-site"), one.headers.get("x-csrf-token")) for one in library.asked[-2:]]
    assert told == [(None, None), ("none", "csrf-1")]
