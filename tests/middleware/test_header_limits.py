"""A request is refused by its head, within limits of time, before anybody reads it differently."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.header_limits import header_limits, is_authority
from tests.middleware.test_wsgi import under_wsgi

BROWSER = [
    (b"host", b"example.org:8443"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"cookie", b"__Host-session=abc; theme=dark; __Host-csrf=x=y"),
    (b"x-note", "caf\u00e9\tau lait".encode("latin-1")),
    (b"content-length", b"0"),
]


def status(call: Any, answer: Any, *headers: tuple[bytes, bytes], **scope: Any) -> int:
    """The status for a request with these headers; a refusal is a problem document."""
    limits = scope.pop("limits", {})
    outcome = call(Pipeline([header_limits(**limits)]).asgi(answer()), headers=list(headers), **scope)
    assert outcome.error is None
    if outcome.status != 200:
        assert outcome.header("content-type") == "application/problem+json"
        assert json.loads(outcome.body)["status"] == outcome.status
    return int(outcome.status)


class TestSizes:
    """Up to the limit it passes, beyond it does not."""

    def test_a_browsers_request_passes(self, call: Any, answer: Any) -> None:
        """What browsers send is within every limit."""
        assert status(call, answer, *BROWSER, path="/caf\u00e9", raw_path=b"/caf%C3%A9", query_string=b"q=1&q=2") == 200

    def test_the_number_of_headers(self, call: Any, answer: Any) -> None:
        """100, or as configured (RFC 6585: 431)."""
        assert status(call, answer, *[(b"x", b"1")] * 100) == 200
        assert status(call, answer, *[(b"x", b"1")] * 101) == 431
        assert status(call, answer, *[(b"x", b"1")] * 4, limits={"max_count": 3}) == 431

    def test_the_size_of_headers(self, call: Any, answer: Any) -> None:
        """16,384 bytes of names and values together."""
        assert status(call, answer, (b"x" * 384, b"y" * 8000), (b"z", b"y" * 7999)) == 200
        assert status(call, answer, (b"x" * 384, b"y" * 8000), (b"z", b"y" * 8000)) == 431

    def test_the_length_of_the_target(self, call: Any, answer: Any) -> None:
        """8,192 bytes of path and query, as they were sent (414)."""
        assert status(call, answer, path="/" + "a" * 4095, query_string=b"q" * 4096) == 200
        assert status(call, answer, path="/" + "a" * 4096, query_string=b"q" * 4096) == 414
        assert status(call, answer, path="/" + "a" * 3000, raw_path=b"/" + b"%61" * 3000) == 414

    def test_the_number_of_parameters(self, call: Any, answer: Any) -> None:
        """1,000, counted and not parsed (400)."""
        assert status(call, answer, query_string=b"&".join([b"a=1"] * 1000)) == 200
        assert status(call, answer, query_string=b"&".join([b"a=1"] * 1001)) == 400
        assert status(call, answer, query_string=b"&" * 1000) == 400

    @pytest.mark.parametrize(
        "scope",
        [
            {"query_string": b"&".join([b"a=1"] * 1_000_000)},
            {"query_string": b"&" * 4_000_000},
            {"path": "/" + "\u00e9" * 2_000_000},
            {"headers": [(b"x", b"y" * 4_000_000)]},
            {"headers": [(b"x", b"y")] * 500_000},
            {"headers": [(b"cookie", b"__Host-a=b;" * 400_000)]},
            {"headers": [(b"host", b"a." * 2_000_000)]},
        ],
        ids=lambda scope: str(scope)[:24],
    )
    @pytest.mark.parametrize("limit", [None, 10_000_000])
    def test_its_time_does_not_grow_faster_than_its_length(self, scope: Any, limit: int | None, call: Any) -> None:
        """Given a hundred times more than any server lets through, refusing takes milliseconds, with any limit."""
        names = ("max_count", "max_bytes", "max_target_bytes", "max_query_parameters") if limit else ()
        layer = header_limits(**dict.fromkeys(names, limit or 0))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        started = time.process_time()
        outcome = call(Pipeline([layer]).asgi(app), **scope)
        assert time.process_time() - started < 2
        if limit is None:
            assert outcome.status in {400, 414, 431}

    @pytest.mark.parametrize("name", ["max_count", "max_bytes", "max_target_bytes", "max_query_parameters"])
    def test_a_limit_of_nothing_is_refused(self, name: str) -> None:
        """It would refuse every request."""
        with pytest.raises(ValueError, match="expected limits of at least 1"):
            header_limits(**{name: 0})


class TestShapes:
    """What two parsers would read differently is read by none (ASVS 4.2.1)."""

    @pytest.mark.parametrize(
        "headers",
        [
            [("content-length", "5"), ("transfer-encoding", "chunked")],
            [("content-length", "5"), ("content-length", "6")],
            [("content-length", "5"), ("Content-Length", "5")],
            [("content-length", "5, 5")],
            [("content-length", "5,6")],
            [("content-length", "+5")],
            [("content-length", "-1")],
            [("content-length", "0x5")],
            [("content-length", "5_0")],
            [("content-length", "5.0")],
            [("content-length", "1e3")],
            [("content-length", "")],
            [("content-length", " 5")],
            [("content-length", "\u00b2")],
            [("content-length", "9" * 19)],
            [("transfer-encoding", "identity")],
            [("transfer-encoding", "chunked, identity")],
            [("transfer-encoding", "xchunked")],
            [("transfer-encoding", " chunked")],
            [("transfer-encoding", "chunked"), ("transfer-encoding", "identity")],
            [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            [("host", "a"), ("host", "b")],
            [("host", "a"), ("host", "a")],
            [("host", "")],
            [("host", "a/b")],
            [("host", "a b")],
            [("host", "a." * 131)],
            [("host", "a@b")],
            [("host", "a:b")],
            [("host", "a:65536")],
            [("host", "[::1")],
            [("host", "[:::]")],
            [("host", "a,b")],
            [("host", "<a>")],
            [("host", "a..b")],
            [("x-a", "b\r\nx-c: d")],
            [("x-a", "b\n")],
            [("x-a", "b\0")],
            [("x-a", "\x7f")],
            [("x-a", "\x1b[31m")],
            [("x a", "b")],
            [("x-a ", "b")],
            [("x:a", "b")],
            [("x,a", "b")],
            [("", "b")],
            [("x\na", "b")],
            [("caf\u00e9", "b")],
        ],
        ids=str,
    )
    def test_it_is_refused(self, headers: list[tuple[str, str]], call: Any, answer: Any) -> None:
        """400, before the application or a layer further in believes either reading."""
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        assert status(call, answer, *pairs, method="POST") == 400

    @pytest.mark.parametrize(
        ("version", "hosts", "expected"), [("1.1", 0, 400), ("1.1", 1, 200), ("1.0", 0, 200), ("2", 0, 200)]
    )
    def test_http_1_1_names_a_host(self, version: str, hosts: int, expected: int, call: Any, answer: Any) -> None:
        """RFC 9112, section 3.2. Not every server looks; HTTP/2 may name it elsewhere."""
        assert status(call, answer, *[(b"host", b"a")] * hosts, http_version=version) == expected

    @pytest.mark.parametrize(("version", "closing"), [("1.1", "close"), ("1.0", "close"), ("2", None)])
    def test_the_connection_ends_with_a_refusal(
        self, version: str, closing: str | None, call: Any, answer: Any
    ) -> None:
        """What follows is the next request by one reading only (RFC 9112, section 6.1); HTTP/2 has no such header."""
        headers = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
        app = Pipeline([header_limits()]).asgi(answer())
        outcome = call(app, headers=headers, method="POST", http_version=version)
        assert outcome.status == 400
        assert outcome.header("connection") == closing

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (b"content-length", b"005"),
            (b"transfer-encoding", b"Chunked"),
            (b"host", b"example.org."),
            (b"host", b"[2001:db8::1]:443"),
            (b"host", b"my_service:8000"),
            (b"host", b"127.0.0.1:"),
            (b"x_under", b"\xff\x80"),
        ],
    )
    def test_what_all_read_alike_passes(self, name: bytes, value: bytes, call: Any, answer: Any) -> None:
        """Unusual but well-formed."""
        assert status(call, answer, (name, value)) == 200

    @pytest.mark.parametrize(
        "cookies",
        [
            ["__Host-s=a; __Host-s=b"],
            ["__Host-s=a; x=1; __Host-s=a"],
            ["__Host-s=a", "__Host-s=b"],
            ["__Secure-s=a;__Secure-s=b"],
            ["=__Host-s=a"],
            ["x=1; =__Host-s=a"],
            [" = __Secure-s=a"],
            ["__Host-s=a; __Host-s"],
            ["\u00a0__Host-s=a"],
            ["\u0085__Host-s=a"],
            ["\u00e2\u0080\u0083__Host-s=a"],
            ["x__Host-s=a"],
        ],
    )
    def test_a_planted_cookie_is_refused(self, cookies: list[str], call: Any, answer: Any) -> None:
        """Twice, without a name (CVE-2023-23934), or behind what another parser takes for a space."""
        assert status(call, answer, *[(b"cookie", cookie.encode("latin-1")) for cookie in cookies]) == 400

    @pytest.mark.parametrize(
        "cookie",
        [
            "a=1; a=2",
            "__Host-a=1; __Host-b=1",
            "__Host-a=1; __Secure-a=1",
            "a=__Host-b; c=__Host-b=1",
            "__Host-s",
            "=x",
            "",
        ],
    )
    def test_other_cookies_pass(self, cookie: str, call: Any, answer: Any) -> None:
        """Two of one name are usual elsewhere: paths differ. What looks like a prefix in a value is a value."""
        assert status(call, answer, (b"cookie", cookie.encode())) == 200

    @pytest.mark.parametrize(
        ("path", "raw"),
        [
            ("/a\0b", b"/a%00b"),
            ("/a\0b", None),
            ("/\ufffd", b"/%ff"),
            ("/\ufffd", b"/\xff"),
            ("/\ufffd", None),
            ("/" + chr(0xDCFF), None),
            ("/\ufffd", b"/%c0%af"),
            ("/\ufffd", b"/%ED%A0%80"),
        ],
    )
    def test_a_path_is_text(self, path: str, raw: bytes | None, call: Any, answer: Any) -> None:
        """NUL, bytes that are no UTF-8, overlong forms and surrogates are refused."""
        assert status(call, answer, path=path, raw_path=raw) == 400

    @pytest.mark.parametrize(
        ("path", "raw"), [("/\ufffd", b"/%EF%BF%BD"), ("/\U0001f600", None), ("/100%", b"/100%25")]
    )
    def test_any_text_is_a_path(self, path: str, raw: bytes | None, call: Any, answer: Any) -> None:
        """A replacement character that was really sent is one."""
        assert status(call, answer, path=path, raw_path=raw) == 200


class TestPlace:
    """Where it stands."""

    def test_a_websocket_is_refused_too(self) -> None:
        """A handshake has a head as well."""
        import asyncio

        sent = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"a"), (b"host", b"b")]}
        asyncio.run(Pipeline([header_limits()]).asgi(lambda *_: pytest.fail("asked"))(scope, None, send))  # type: ignore[arg-type]  # never received from
        assert sent == [{"type": "websocket.close", "code": 1008}]

    def test_refusals_are_logged(self, call: Any, answer: Any, records: Any) -> None:
        """Inside of the access log, which bears whatever is refused."""
        app = Pipeline([access_log(), header_limits()]).asgi(answer())
        assert call(app, path="/\0", query_string=b"&" * 100_000).status == 414
        assert records.named("request")[0]["status"] == 414
        with pytest.raises(ConfigurationError, match="header_limits must stand inside access_log"):
            Pipeline([header_limits(), access_log()])
        with pytest.raises(ConfigurationError, match="header_limits must stand outside body_limit"):
            Pipeline([body_limit(1), header_limits()])


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, "200 OK"),
        ({"PATH_INFO": "/caf\u00c3\u00a9"}, "200 OK"),
        ({"PATH_INFO": "/\u00ff"}, "400 Bad Request"),
        ({"PATH_INFO": "/\0"}, "400 Bad Request"),
        ({"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}, "400 Bad Request"),
        ({"CONTENT_LENGTH": "5,6"}, "400 Bad Request"),
        ({"HTTP_HOST": "a,b"}, "400 Bad Request"),
        ({"HTTP_COOKIE": "__Host-a=1; __Host-a=2"}, "400 Bad Request"),
        ({"HTTP_X": "y" * 16_384}, "431 Request Header Fields Too Large"),
        ({"QUERY_STRING": "a" * 8_192}, "414 "),
        ({"QUERY_STRING": "&" * 1_000}, "400 Bad Request"),
    ],
    ids=str,
)
def test_it_is_the_same_under_wsgi(environ: dict[str, str], status: str) -> None:
    """Where a server lets such a request through, it is refused as well."""
    assert under_wsgi(header_limits(), **environ).status.startswith(status)


@pytest.mark.parametrize("text", ["a", "a.b", "a:1", "1.2.3.4", "[::1]", "[::ffff:1.2.3.4]:80", "a" * 63 + ".org"])
def test_an_authority_is_a_host(text: str) -> None:
    """With or without a port."""
    assert is_authority(text)


@settings(deadline=None)
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"host", b"content-length", b"transfer-encoding", b"cookie", b"x"])
            | st.binary(max_size=5),
            st.binary(max_size=30) | st.sampled_from([b"1", b"chunked", b"a.b:1", b"__Host-a=1", b"=__Host-a=1"]),
        ),
        max_size=6,
    ),
    raw=st.none() | st.binary(max_size=20) | st.text(max_size=10).map(lambda text: quote(text).encode()),
    query=st.binary(max_size=40),
    path=st.text(st.characters(), max_size=20),
)
def test_whatever_comes_is_answered(headers: Any, raw: bytes | None, query: bytes, path: str) -> None:
    """Whatever a server lets through is passed or refused with a status of its own, never an error."""
    from postrmagic_core.middleware import Request

    scope = {"type": "http", "headers": headers, "raw_path": raw, "query_string": query, "path": path}
    said = next(header_limits()(Request(scope)), None)  # type: ignore[arg-type]  # a plain generator
    if said is None:  # then what was promised holds
        named = [name.lower() for name, _ in headers]
        assert named.count(b"host") <= 1
        assert named.count(b"content-length") + named.count(b"transfer-encoding") <= 1
        assert not any(character in value for _, value in headers for character in (b"\r", b"\n", b"\0"))
        assert "\0" not in path
    else:
        assert said.status in {400, 414, 431}
