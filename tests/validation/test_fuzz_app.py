"""The reference application under fire, in this process: whatever is sent, an answer below 500 that repeats none."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import httpx
import pytest
from hypothesis import strategies as st

from postrmagic_core.testing.capture import embedded_settings
from tests.app.house import Browser, House, furnish, open_house
from tests.validation.fuzzing import FRAGMENTS, fuzz, hostile_texts, json_values, mutated, runs

PROBLEM = "application/problem+json"
CANARY = "canary-7f3a"
JSON = {"Content-Type": "application/json"}
# Method, path and a body that would be good. None of them takes the time of a password.
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "/api/v1/media/1", {"title": "a", "tags": ["jazz"]}),
    ("POST", "/api/v1/media/bulk", {"items": [{"action": "change", "id": 1, "title": "a", "tags": ["jazz"]}]}),
    ("POST", "/api/v1/notifications/read", {"until": "2026-01-31T10:00:00Z"}),
    ("POST", "/api/v1/login/second-factor", {"code": "123456"}),
    ("POST", "/api/v1/password-reset", {"token": "x", "password": ""}),
    ("POST", "/api/v1/signup", {"name": "A", "password": "x"}),
    ("POST", "/api/v1/account/factor/confirm", {"code": "123456"}),
]
FIELDS = sorted({field for _, _, body in BODIES for field in body} | {"", "id", "role", "__class__", CANARY})
NAMES = [
    *("q", "after", "limit", "sort", "tag", "type", "orientation", "uploaded_from", "uploaded_before"),
    *("permission", "action", "user", "x", ""),
]
QUERIES = [
    "/api/v1/media",
    "/api/v1/tags",
    "/api/v1/admin/audit",
    "/api/v1/admin/users",
    "/api/v1/admin/users/1/explain",
]
HEADERS = (
    *("Accept", "Accept-Language", "Accept-Encoding", "Authorization", "Content-Type", "Cookie", "Forwarded"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "Range", "If-Range", "API-Version"),
    *("Origin", "X-CSRF-Token", "X-Forwarded-For"),
    *("Idempotency-Key", "X-Request-ID", "Traceparent", "Content-Encoding", "Expect", "Sec-Fetch-Site"),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One site for all of them."""
    settings = embedded_settings(tmp_path_factory.mktemp("fuzzed"))
    furnish(settings)
    with open_house(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def people(house: House) -> Iterator[list[Browser]]:
    """A user with one medium, an administrator, and nobody."""
    with house.browser() as demo, house.browser("keeper") as keeper, house.browser(None) as nobody:
        demo.added()
        yield [demo, keeper, nobody]


@pytest.fixture(autouse=True)
def nothing_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No request ends in an error that is logged."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def sound(response: httpx.Response) -> None:
    """Below 500; what is refused is a problem document, without the value that was sent."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == PROBLEM
        document = response.json()
        assert document["status"] == response.status_code
        assert CANARY not in json.dumps([error["message"] for error in document.get("errors", [])])
        assert CANARY not in document.get("detail", "")


@pytest.mark.parametrize("examples", runs(40))
def test_no_json_body_makes_a_500(examples: int, people: list[Browser]) -> None:
    """Of any route that reads one, whoever asks: any values in every field's place, and texts that are nearly JSON."""
    values = json_values | hostile_texts | st.just(CANARY)
    data = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4).map(lambda body: json.dumps(body).encode())
    near = mutated(*(json.dumps(body).encode() for _, _, body in BODIES))
    turns = itertools.cycle(people)

    def check(drawn: tuple[tuple[str, str, object], bytes]) -> None:
        (method, path, _), body = drawn
        sound(next(turns).request(method, path, content=body, headers=JSON))

    fuzz(check, st.tuples(st.sampled_from(BODIES), data | near), examples)


@pytest.mark.parametrize("examples", runs(40))
def test_no_query_makes_a_500(examples: int, people: list[Browser]) -> None:
    """Searches, cursors, filters and pages of any text, and queries that no form would send."""
    names = st.sampled_from(NAMES)
    searches = st.lists(st.sampled_from(["tag:", '"', "*", "-", "NEAR(", "OR", "^", "(", "jazz"]), max_size=6).map(
        " ".join
    )
    cursors = mutated(b"MTc2OTg1MDAwMDAwMDAwMC4x", b"LTEuMQ", b"OTk5OTk5OTk5OTk5OTk5OTk5OS4x").map(quote_from_bytes)
    pairs = st.lists(st.tuples(names, hostile_texts | searches), max_size=4)
    asked = pairs.map(lambda drawn: urlencode(drawn, errors="surrogatepass"))
    raw = st.binary(max_size=30).map(lambda drawn: quote_from_bytes(drawn, safe="&=;+%"))
    turns = itertools.cycle(people)

    def check(drawn: tuple[str, str]) -> None:
        sound(next(turns).get(f"{drawn[0]}?{drawn[1]}"))

    fuzz(check, st.tuples(st.sampled_from(QUERIES), asked | raw | cursors.map("after={}".format)), examples)


@pytest.mark.parametrize("examples", runs(40))
def test_no_path_or_header_makes_a_500(examples: int, people: list[Browser]) -> None:
    """Ids that are none, and headers of any printable bytes."""
    words = [
        "gzip",
        "de;q=0.5",
        "de;q=",
        "*;q=1e9",
        "bytes=0-0,5-",
        "bytes=-",
        "Bearer ",
        'W/"',
        "chunked",
        "null",
        CANARY,
    ]
    text = st.lists(st.sampled_from([*words, *FRAGMENTS]), max_size=6).map(", ".join)
    line = text.map(lambda drawn: "".join(c for c in drawn if " " <= c != "\x7f").encode("utf-8", "replace").strip())
    headers = st.lists(st.tuples(st.sampled_from(HEADERS), line), max_size=5)
    ids = (
        st.sampled_from(["1", "0", "-1", "9" * 19, "1.0", "0x1", "%00", "%ff", "..", "%2e%2e%2f", "\u0661"])
        | hostile_texts
    )
    turns = itertools.cycle(people)

    def check(drawn: tuple[str, str, str, list[tuple[str, bytes]]]) -> None:
        method, place, end, extra = drawn
        path = "/api/v1/media/" + quote_from_bytes(place.encode("utf-8", "replace"), safe="%") + end
        sent = [(name.encode(), value) for name, value in extra]
        response = next(turns).request(method, path, headers=sent)
        if method != "HEAD":
            sound(response)
        assert response.status_code < 500

    methods = st.sampled_from(["GET", "HEAD", "PATCH", "OPTIONS", "PUT"])
    fuzz(check, st.tuples(methods, ids, st.sampled_from(["", "/file", "/thumbnail"]), headers), examples)


@pytest.mark.parametrize("examples", runs(40))
def test_no_upload_makes_a_500(examples: int, people: list[Browser]) -> None:
    """Multipart bodies after accidents, and content types that lie about them; nothing of them is kept."""
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpeg"\r\nContent-Type: image/jpeg\r\n\r\n'
    title = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n'
    whole = title + part + b"\xff\xd8 no image\r\n--b--\r\n"
    kinds = [
        "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="b',
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=" + "b" * 300,
        "multipart/form-data; charset=utf-7; boundary=b",
        "multipart/mixed; boundary=b",
    ]
    demo = people[0]
    before = len(demo.get("/api/v1/media").json()["data"])

    def check(drawn: tuple[bytes, str]) -> None:
        body, kind = drawn
        response = demo.post("/api/v1/media", content=body, headers={"Content-Type": kind})
        sound(response)
        assert response.status_code >= 400

    fuzz(check, st.tuples(mutated(whole, part, title), st.sampled_from(kinds)), examples)
    assert len(demo.get("/api/v1/media").json()["data"]) == before
