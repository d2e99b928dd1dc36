"""Hostile bytes against the media library under real servers: no 500, no request smuggled in, no memory eaten.

Every request here is a 4xx, or the server ends the connection. Who refuses depends on the server, as its parser comes
first; what it lets through reaches ``header_limits``, ``body_limit`` and ``time_limits``.

- uvicorn with h11: answers 400 itself to a head of over 64 KiB, an invalid or repeated ``Content-Length``, any transfer
  coding but ``chunked``, bytes outside ASCII in the target, NUL, and every malformed chunk. It lets pass
  ``Content-Length`` beside ``Transfer-Encoding``, control characters in headers and junk in ``Host``.
- uvicorn with httptools: answers 400 itself to all of these but ``gzip, chunked``, junk in ``Host`` and a missing one.
  It bounds the target (64 KiB), not the head: a megabyte of headers is taken in, then refused by ``header_limits``.
- granian (hyper): answers 431 itself to over 100 headers or 400 KiB of head, 414 to a target of over 64 KiB. Of
  ``Content-Length`` beside ``Transfer-Encoding`` it drops the first and ends the connection (RFC 9112, section 6.1). To
  the application a malformed chunk is a client that left: the answer is 499.

Permitted by RFC 9112 and taken by some: two equal ``Content-Length`` (section 6.3), a line that ends in LF alone (2.2),
a folded line (5.2), a space after a chunk's size. uvicorn waits for the rest of a head without end; granian 30 seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core.testing.servers import require
from tests.app.rawhttp import HOST, Heard, head, talk
from tests.app.served import SERVERS, Served, missing, serving

_MEGABYTE = 1_000_000
_OWN = b"Sec-Fetch-Site: same-origin"
_BODY_SECONDS = 1.0


# The third parser's turn comes in a soak.
PARAMS = [pytest.param(name, marks=[pytest.mark.soak] if name == "uvicorn-httptools" else []) for name in SERVERS]


@pytest.fixture(scope="module", params=PARAMS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, furnished: Path
) -> Iterator[Served]:
    """The site under each server; bodies have a second to arrive."""
    require(None if missing(request.param) else request.param, f"{request.param} is not installed")
    limits = f'{{"time_limits": {{"body": {_BODY_SECONDS}}}}}'
    directory = tmp_path_factory.mktemp("served")
    with serving(request.param, directory, furnished, POSTRMAGIC_MIDDLEWARE__OPTIONS=limits) as running:
        yield running
        assert [record for record in running.logged("request") if record["status"] >= 500] == []
        assert running.logged("request failed") == []
        assert "Traceback" not in (directory / "server.out").read_text()


@pytest.fixture(scope="module")
def cookie(served: Served) -> bytes:
    """The demo user's session, so that requests get as far as they can."""
    return b"Cookie: " + served.logged_in().encode()


def post(*headers: bytes, body: bytes = b"", target: bytes = b"/api/v1/login") -> bytes:
    """A request with a body, whose framing ``headers`` tell."""
    return head(b"POST", target, [_OWN, b"Content-Type: application/json", *headers]) + body


_CHUNKED = b"Transfer-Encoding: chunked"
_END = b"0\r\n\r\n"
# Two readings of where it ends: by one of them what follows is the next request.
SMUGGLING = {
    "length and chunked": post(b"Content-Length: 5", _CHUNKED, body=_END),
    "chunked and length": post(_CHUNKED, b"Content-Length: 5", body=_END),
    "two lengths": post(b"Content-Length: 2", b"Content-Length: 0", body=b"{}"),
    "a list of lengths": post(b"Content-Length: 2, 0", body=b"{}"),
    "a length with a sign": post(b"Content-Length: +2", body=b"{}"),
    "a negative length": post(b"Content-Length: -2", body=b"{}"),
    "a hexadecimal length": post(b"Content-Length: 0x2", body=b"{}"),
    "a length as in Python": post(b"Content-Length: 1_0", body=b"{}"),
    "a length without end": post(b"Content-Length: " + b"9" * 30, body=b"{}"),
    "no length": post(b"Content-Length: ", body=b"{}"),
    "chunked twice": post(_CHUNKED, _CHUNKED, body=_END),
    "another coding": post(b"Transfer-Encoding: xchunked", body=_END),
    "two codings": post(b"Transfer-Encoding: gzip, chunked", body=_END),
    "chunked, not at the end": post(b"Transfer-Encoding: chunked, identity", body=_END),
    "identity": post(b"Transfer-Encoding: identity", b"Content-Length: 2", body=b"{}"),
    "a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=_END),
    "a space before the colon": post(b"Transfer-Encoding : chunked", body=_END),
    "the same of a length": post(b"Content-Length : 2", body=b"{}"),
    "a bare CR": post(b"X: y\r" + _CHUNKED, body=_END),
    "a negative chunk": post(_CHUNKED, body=b"-1\r\nx\r\n" + _END),
    "a chunk 0x2": post(_CHUNKED, body=b"0x2\r\n{}\r\n" + _END),
    "a chunk of no number": post(_CHUNKED, body=b"zz\r\n{}\r\n" + _END),
    "a chunk of more than 64 bits": post(_CHUNKED, body=b"1" + b"0" * 16 + b"2\r\n{}\r\n" + _END),
    "a chunk whose size never ends": post(_CHUNKED, body=b"F" * 200 + b"\r\n{}\r\n" + _END),
    "a chunk longer than it says": post(_CHUNKED, body=b"2\r\n{}xx\r\n" + _END),
    "chunks that end in LF": post(_CHUNKED, body=b"2\n{}\n0\n\n"),
    "a chunk's extension that ends in LF": post(_CHUNKED, body=b"2;a\nxx\r\n{}\r\n" + _END),
    "a space before the first header": head(b"GET", b"/api/v1/me", [], host=b" X: y\r\n" + HOST),
}


@pytest.mark.parametrize("shape", SMUGGLING)
def test_no_request_is_smuggled(shape: str, served: Served) -> None:
    """Given a request that two parsers end at different places: one refusal, and the connection ends with it."""
    marker = b"/smuggled/" + shape.encode().hex().encode()
    heard = talk(served.port, [SMUGGLING[shape] + head(b"GET", marker)])
    assert heard.closed, heard
    assert _is_refusal(heard), heard.raw
    assert marker.decode() not in {record["path"] for record in served.logged("request")}


def _is_refusal(heard: Heard) -> bool:
    """At most one response, and that a 4xx; without one the server just ended the connection."""
    return len(heard.statuses) <= 1 and all(400 <= status < 500 for status in heard.statuses)


_PARAMETERS = b"/api/v1/media?" + b"&".join([b"a=1"] * 100_000)
OVERSIZED = {
    "100,000 parameters": head(b"GET", _PARAMETERS),
    "2,000 parameters": head(b"GET", b"/api/v1/media?" + b"a&" * 2_000),
    "a long path": head(b"GET", b"/" + b"a" * 20_000),
    "a header of 1 MB": head(b"GET", b"/api/v1/me", [b"X: " + b"a" * _MEGABYTE]),
    "1 MB in 1,000 headers": head(b"GET", b"/api/v1/me", [b"X: " + b"a" * 1_000] * 1_000),
    "20 KB in 20 headers": head(b"GET", b"/api/v1/me", [b"X: " + b"a" * 1_000] * 20),
    "200 headers": head(b"GET", b"/api/v1/me", [b"X: y"] * 200),
    "1 MB of cookies": head(b"GET", b"/api/v1/me", [b"Cookie: " + b"a=b; " * 200_000]),
    "a method of 1 MB": head(b"A" * _MEGABYTE, b"/"),
}
MALFORMED = {
    "NUL in the path": head(b"GET", b"/api/v1/media/\0"),
    "%00 in the path": head(b"GET", b"/api/v1/media/%00"),
    "%00 in a file's name": head(b"GET", b"/static/app.js%00.css"),
    "no UTF-8 in the path": head(b"GET", b"/\xff\xfe"),
    "%ff in the path": head(b"GET", b"/%ff%fe"),
    "no UTF-8 in the query": head(b"GET", b"/api/v1/media?q=\xff"),
    "NUL in the query": head(b"GET", b"/api/v1/media?q=\0"),
    "%ff in the query": head(b"GET", b"/api/v1/media?q=%ff%fe&after=%ff"),
    "%00 in the query": head(b"GET", b"/api/v1/media?q=%00&after=%00"),
    "NUL in a cookie": head(b"GET", b"/api/v1/me", [b"Cookie: __Host-session=\0"]),
    "no UTF-8 in a cookie": head(b"GET", b"/api/v1/me", [b"Cookie: __Host-session=\xff\xfe; a=\xc3"]),
    "a control character": head(b"GET", b"/api/v1/me", [b"X: a\x01b"]),
    "a header without a name": head(b"GET", b"/api/v1/me", [b": x"]),
    "a header without a colon": head(b"GET", b"/api/v1/me", [b"nocolon"]),
    "no host": head(b"GET", b"/api/v1/me", host=None),
    "two hosts": head(b"GET", b"/api/v1/me", [b"Host: evil.example"]),
    "an empty host": head(b"GET", b"/api/v1/me", host=b"Host: "),
    "a host of blanks and slashes": head(b"GET", b"/api/v1/me", host=b"Host: a b/c@d"),
    "a host that is no UTF-8": head(b"GET", b"/api/v1/me", host=b"Host: \xff"),
    "a host with a user": head(b"GET", b"/api/v1/me", host=b"Host: a@b"),
    "a port beyond": head(b"GET", b"/api/v1/me", host=b"Host: a:99999"),
    "a target without a slash": head(b"GET", b"api"),
    "a target of another site": head(b"GET", b"http://[::1/api"),
    "a tunnel": head(b"CONNECT", b"evil.example:80"),
    "a file outside": head(b"GET", b"/static/../../../etc/passwd"),
    "a file outside, encoded": head(b"GET", b"/static/%2e%2e/%2e%2e/..%5c..%2f%2e%2e/etc/passwd"),
    "a method in two parts": head(b"G\x01T", b"/"),
    "TLS where there is none": b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n",
}


# What a request may well have, and paths that no rule lets anybody pass to: answered as anybody's who is not logged in.
SOUND = {"%ff in the query", "%00 in the query", "no UTF-8 in a cookie"}
SOUND |= {"a target without a slash", "a target of another site", "a tunnel"}
SOUND |= {"a file outside", "a file outside, encoded"}


@pytest.mark.parametrize("shape", OVERSIZED | MALFORMED)
def test_a_bad_head_is_refused(shape: str, served: Served) -> None:
    """Too large, or of another shape than a request's: a 4xx, or the end of the connection."""
    heard = talk(served.port, [(OVERSIZED | MALFORMED)[shape]], until=1)
    assert heard.statuses or heard.closed, heard
    assert _is_refusal(heard), heard.raw
    assert shape in SOUND or 401 not in heard.statuses


def test_a_person_is_answered_afterwards(served: Served, cookie: bytes) -> None:
    """None of all that changed anything for anybody else."""
    heard = talk(served.port, [head(b"GET", b"/api/v1/media", [cookie, b"Connection: close"])])
    assert heard.statuses == [200]
    assert heard.closed


class TestBodies:
    """A body costs no more time and memory than was agreed."""

    @pytest.mark.parametrize("keyed", [False, True], ids=["plain", "with an Idempotency-Key"])
    def test_an_endless_body_is_refused_in_bounded_memory(self, keyed: bool, served: Served, cookie: bytes) -> None:
        """Given uploads of 100 MB that announce no length: 413 beyond 20 MB, and the server holds little of it."""
        uploads = 4 if keyed else 8
        marks = [b"Idempotency-Key: endless-%d" % number if keyed else b"X: y" for number in range(uploads)]
        before = served.peak()  # that of the login, whose password took 64 MiB to hash
        with ThreadPoolExecutor(uploads) as pool:
            heard = list(pool.map(lambda mark: talk(served.port, _endless(cookie, mark, 100), until=1), marks))
        for each in heard:
            assert each.statuses in ([413], []), each.raw
            assert each.sent < 60 * _MEGABYTE
        # A key costs the memory of its request's body while it is compared; a body without one is on the disk.
        assert served.peak() - before < (uploads * 2 * 21 if keyed else 40) * _MEGABYTE

    def test_a_large_announcement_is_refused_unread(self, served: Served, cookie: bytes) -> None:
        """Given ``Content-Length`` beyond the limit, nothing of the body is waited for."""
        request = head(b"POST", b"/api/v1/media", [_OWN, cookie, b"Content-Length: 10000000000"])
        assert talk(served.port, [request], until=1).statuses == [413]

    @pytest.mark.parametrize("way", ["nothing", "a trickle", "chunks in a trickle", "a chunk's size in a trickle"])
    def test_a_slow_body_is_cut_off(self, way: str, served: Served, cookie: bytes) -> None:
        """Given a body of which a byte comes now and then: 408, and the connection ends."""
        length = b"Content-Length: 1000" if "chunk" not in way else _CHUNKED
        request = head(b"PATCH", b"/api/v1/media/1", [_OWN, cookie, b"Content-Type: application/json", length])
        piece = {"nothing": b"", "a trickle": b" ", "chunks in a trickle": b"1\r\n \r\n"}.get(way, b"0")
        # granian answers, then reads on and throws away: it leaves the end of the connection to the client.
        closes = served.server != "granian"
        pieces = [piece] * 200 if piece else []
        heard = talk(served.port, [request, *pieces], until=None if closes else 1, pause=0.1)
        # Of a size that never ends some parsers have enough before.
        assert heard.statuses in ([[408]] if way != "a chunk's size in a trickle" else [[408], [400], [499], []])
        assert heard.closed or not closes


def _endless(cookie: bytes, mark: bytes, megabytes: int) -> Iterator[bytes]:
    kind = b"Content-Type: multipart/form-data; boundary=b"
    yield head(b"POST", b"/api/v1/media", [_OWN, cookie, mark, kind, _CHUNKED])
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpeg"\r\n\r\n'
    yield b"%x\r\n%b\r\n" % (len(start), start)
    for _ in range(megabytes):
        yield b"%x\r\n%b\r\n" % (_MEGABYTE, b"x" * _MEGABYTE)


@pytest.mark.parametrize("part", ["head", "body"])
def test_two_hundred_slow_connections_keep_nobody_waiting(part: str, served: Served, cookie: bytes) -> None:
    """Given 200 connections that stop in the middle of a request, another client is answered while they are open."""
    begun = {
        "head": b"GET /api/v1/media HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        "body": head(b"POST", b"/api/v1/media", [_OWN, cookie, b"Content-Type: multipart/form-data; boundary=b",
                                                 b"Content-Length: 1000"]) + b"--b\r\n",
    }[part]  # fmt: skip
    with ExitStack() as opened:
        lines = [opened.enter_context(socket.create_connection(("127.0.0.1", served.port))) for _ in range(200)]
        for line in lines:
            line.sendall(begun)
        answers = [talk(served.port, [head(b"GET", b"/api/v1/media", [cookie])], until=1) for _ in range(3)]
        assert [answer.statuses for answer in answers] == [[200]] * 3
        if part == "head":  # nobody has told them to go
            for line in lines:
                line.setblocking(False)
                with pytest.raises(BlockingIOError):
                    line.recv(1)


# Bytes that parsers treat in their own ways, beside any others.
_ODD = [*rb"% %00 %ff .. // \ ; ' * - & = ? # , @ : [ { tag: OR NEAR( %c3%a9".split(), b"\0", b"\t", b"\xff", b'"']
_NAMES = (
    b"Accept Authorization Content-Type Content-Length Cookie Expect Forwarded Idempotency-Key If-None-Match If-Range "
    b"If-Modified-Since Origin Range Referer Sec-Fetch-Site Traceparent Tracestate Transfer-Encoding Upgrade "
    b"X-CSRF-Token X-Forwarded-For X-Forwarded-Proto X-Request-ID"
).split()
_VALUES = (
    b"0 1 bytes=0-0,5- bytes=-1 null same-origin application/json websocket multipart/form-data;boundary= chunked "
    b"00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"
).split()
_PATHS = b"/ /api/v1/media /api/v1/media/ /api/v1/me /static/ /readyz /csp-reports".split()
_METHODS = b"GET HEAD POST PATCH DELETE OPTIONS PUT".split()

_lines = st.lists(st.sampled_from(_ODD) | st.binary(max_size=6), max_size=8).map(
    lambda parts: b"".join(parts).translate(None, b"\r\n")
)
_words = _lines.map(lambda line: line.replace(b" ", b"+"))
_queries = st.lists(st.tuples(st.sampled_from([b"q", b"after", b"a"]), _words).map(b"=".join), max_size=3)
_targets = st.tuples(st.sampled_from(_PATHS), _words, st.just(b"?"), _queries.map(b"&".join)).map(b"".join)
_headers = st.lists(
    st.tuples(st.sampled_from(_NAMES) | _lines, st.sampled_from(_VALUES) | _lines).map(b": ".join), max_size=6
)
_methods = st.sampled_from(_METHODS) | _words


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(method=_methods, target=_targets, headers=_headers, cookies=st.lists(_lines, max_size=3), known=st.booleans())
def test_no_bytes_make_a_500(
    method: bytes, target: bytes, headers: list[bytes], cookies: list[bytes], known: bool, served: Served, cookie: bytes
) -> None:
    """Whatever the method, path, query, headers and cookies, of somebody who is logged in or not."""
    line = (cookie if known else b"Cookie: a=b") + b"; " + b"; ".join(cookies)
    request = head(method, target, [_OWN, line, *headers, b"Connection: close"])
    heard = talk(served.port, [request], until=1)
    assert heard.statuses or heard.closed, heard
    assert all(status < 500 for status in heard.statuses), heard.raw
