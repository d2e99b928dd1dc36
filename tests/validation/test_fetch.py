"""A fetch reaches only what is allowed, at the address that was judged, within its time and size."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from postrmagic_core.errors import ConfigurationError, NotOpen, UsageError
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.validation.destinations import Destinations
from postrmagic_core.validation.fetch import (
    AnswerTooLarge,
    AsyncFetcher,
    DestinationRefused,
    Fetcher,
    FetchError,
    FetchFailed,
    FetchTimeout,
    resolve,
)

Script = Callable[[socket.socket, bytes], object]


class Server:
    """Answers each connection to its own address by a script that gets the socket and the request."""

    def __init__(self, script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.script = script
        self.reads_bodies = True
        self._tls = tls
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                with taken, contextlib.suppress(OSError):
                    self._answer(taken)

    def _answer(self, taken: socket.socket) -> None:
        taken.settimeout(10)
        connection = self._tls.wrap_socket(taken, server_side=True) if self._tls else taken
        with connection:
            request = _request(connection, body=self.reads_bodies)
            self.requests.append(request)
            self.script(connection, request)

    def headers(self, number: int = -1) -> dict[str, str]:
        """The headers of one request, names in lower case."""
        lines = self.requests[number].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def line(self, number: int = -1) -> str:
        """The first line of one request."""
        return self.requests[number].partition(b"\r\n")[0].decode()


def _request(connection: socket.socket, *, body: bool) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return data
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while body and lengths and len(rest) < int(lengths[0]):
        rest += connection.recv(65_536)
    return head + b"\r\n\r\n" + rest


def says(text: str, body: bytes = b"", status: str = "200 OK") -> Script:
    """A script that answers with these header lines and this body, and closes."""
    lines = "".join(f"{line}\r\n" for line in text.split("\n") if line)
    return lambda connection, _: connection.sendall(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)


def forever(first: bytes, part: bytes, pause: float = 0.0) -> Script:
    """A script that says ``part`` again and again until nobody listens."""

    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(first)
        heard = threading.Event()
        while not heard.wait(pause):
            connection.sendall(part)

    return script


class Names:
    """A resolver that knows some names and counts what it was asked; lists of lists answer one after another."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.turns: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host in self.turns:
            return self.turns[host].pop(0)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.names[host]


SYSTEM = ssl.create_default_context()
HERE = Names(app_example=["127.0.0.1"], other_example=["127.0.0.1"], inside_example=["127.0.0.2"])


def fetcher(
    *servers: Server, resolver: Any = HERE, networks: Sequence[str] = ("127.0.0.1/32",), **options: Any
) -> Fetcher:
    """One that may reach 127.0.0.1 on the ports of these servers."""
    places = Destinations(("http", "https"), [server.port for server in servers], networks=networks)
    return Fetcher(places, resolver=resolver, **{"timeout": 5.0, "tls": SYSTEM, **options})


@pytest.fixture
def hello() -> Iterator[Server]:
    """A server that answers ``hello``."""
    with Server(says("Content-Length: 5\nX-Two: a\nX-Two: b", b"hello")) as server:
        yield server


def test_the_name_is_asked_for_at_the_judged_address(hello: Server) -> None:
    """Host is the name, the target is the URL's, no compression and no second request is offered."""
    answer = fetcher(hello).fetch(f"http://app.example:{hello.port}/a/../b?c=d#e", headers={"X-Mine": "1"})
    assert (answer.status, answer.body, answer.header("X-TWO")) == (200, b"hello", "a, b")
    assert answer.url == f"http://app.example:{hello.port}/b?c=d"
    assert hello.line() == "GET /b?c=d HTTP/1.1"
    assert hello.headers() == {
        "host": f"app.example:{hello.port}",
        "accept-encoding": "identity",
        "connection": "close",
        "user-agent": "postrmagic-core",
        "x-mine": "1",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_sent_whole(hello: Server, method: str) -> None:
    """With its length."""
    body = b"x" * 300_000
    fetcher(hello).fetch(f"http://app.example:{hello.port}/", method=method, body=body)
    assert hello.line() == f"{method} / HTTP/1.1"
    assert hello.requests[-1].endswith(b"\r\n\r\n" + body)


def test_a_head_has_no_body() -> None:
    """Though it names a length."""
    with Server(says("Content-Length: 5")) as server:
        answer = fetcher(server).fetch(f"http://app.example:{server.port}/", method="HEAD")
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("lines", "sent", "body"),
    [
        ("Transfer-Encoding: chunked", b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n", b"abcde"),
        ("Connection: close", b"until the end", b"until the end"),
        ("Content-Length: 2\nContent-Encoding: identity", b"ab", b"ab"),
    ],
)
def test_every_way_of_sending_a_body_is_read(lines: str, sent: bytes, body: bytes) -> None:
    """Chunks, a length, or the end of the connection."""
    with Server(says(lines, sent)) as server:
        assert fetcher(server).fetch(f"http://app.example:{server.port}/").body == body


def test_a_name_is_resolved_once(hello: Server) -> None:
    """DNS rebinding: what the name means a moment later is not asked, and not used."""
    names = Names()
    names.turns["rebinding.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    assert fetcher(hello, resolver=names).fetch(f"http://rebinding.example:{hello.port}/").body == b"hello"
    assert names.asked == ["rebinding.example"]


def test_a_redirect_to_the_same_name_is_resolved_and_judged_anew() -> None:
    """The second answer is refused though the first was not."""
    names = Names()
    names.turns["rebinding.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    with Server(says("Location: /again", status="302 Found")) as server:
        with pytest.raises(DestinationRefused):
            fetcher(server, resolver=names, max_redirects=3).fetch(f"http://rebinding.example:{server.port}/")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "addresses", [["127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["10.0.0.1", "127.0.0.1"], ["::1"], []]
)
def test_one_address_that_is_not_allowed_refuses_the_name(hello: Server, addresses: list[str]) -> None:
    """Nothing is connected to."""
    with pytest.raises(DestinationRefused):
        fetcher(hello, resolver=Names(app_example=addresses)).fetch(f"http://app.example:{hello.port}/")
    assert hello.requests == []


PLACES = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0177.0.0.1",
    "0x7f000001",
    "0",
    "localhost",
    "app.example",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25lo]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "10.0.0.1",
    "app.example@127.0.0.1",
    "8.8.8.8@127.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_inside_is_reached(hello: Server, place: str) -> None:
    """Whatever it is called: every spelling of this machine, of a private network, of a cloud's credentials."""
    names = Names(app_example=["127.0.0.1"], localhost=["127.0.0.1", "::1"])
    with pytest.raises(DestinationRefused):
        fetcher(hello, networks=(), resolver=names).fetch(f"http://{place}:{hello.port}/")
    assert hello.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example",
        "//app.example/",
        "file:///etc/passwd",
        "gopher://app.example/",
        "ftp://app.example/",
        "http:app.example",
        "http://app.example:1/",
        "http://app.example/",
        "http://app.example\\@evil.example/",
        "http://app.example/ HTTP/1.1\r\nX: y",
        "http://app.example/" + "a" * 9_000,
    ],
)
def test_what_is_not_to_be_asked_is_not_looked_up(hello: Server, url: str) -> None:
    """Another scheme, another port, no plain URL."""
    names = Names(app_example=["127.0.0.1"])
    with pytest.raises(DestinationRefused):
        fetcher(hello, resolver=names).fetch(url)
    assert names.asked == []


def test_a_name_inside_and_no_name_at_all_look_the_same(hello: Server) -> None:
    """Whoever asks learns nothing about the names in here."""
    told = set()
    for name in ("inside.example", "absent.example"):
        with pytest.raises(DestinationRefused) as caught:
            fetcher(hello).fetch(f"http://{name}:{hello.port}/")
        told.add((caught.value.code, str(caught.value)))
    assert len(told) == 1


REDIRECTS = [
    "http://127.0.0.2:{port}/",
    "http://127.0.0.1:1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:7f00:2]:{port}/",
    "http://inside.example:{port}/",
    "//inside.example:{port}/",
    "http://absent.example:{port}/",
    "http://user@app.example:{port}/",
    "http://0x7f.1:{port}/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "ftp://app.example:{port}/",
]


@pytest.mark.parametrize("place", REDIRECTS)
def test_a_redirect_is_judged_like_the_first_url(place: str) -> None:
    """It leads nowhere that the first could not have led."""
    with Server(says("")) as server:
        server.script = says("Location: " + place.format(port=server.port), status="302 Found")
        with pytest.raises(DestinationRefused):
            fetcher(server, max_redirects=5).fetch(f"http://app.example:{server.port}/")
        assert len(server.requests) == 1


@pytest.mark.parametrize("place", ["/a b", "\\\\inside.example\\", "/\u00e9", "http://[", "/\x7f", "/a\nLocation: /b"])
def test_a_redirect_that_is_no_url_is_not_followed(place: str) -> None:
    """No repair, and no choice between two."""
    with Server(says(f"Location: {place}", status="301 Moved")) as server:
        with pytest.raises(FetchError):
            fetcher(server, max_redirects=5).fetch(f"http://app.example:{server.port}/")
        assert len(server.requests) == 1


def turns(*scripts: Script) -> Script:
    """Scripts that answer one request each."""
    waiting = list(scripts)
    return lambda connection, request: waiting.pop(0)(connection, request)


def moved(place: str, status: int = 302) -> Script:
    """An answer that sends elsewhere."""
    return says(f"Location: {place}\nContent-Length: 0", status=f"{status} Moved")


def test_redirects_are_followed_where_they_are_asked_for() -> None:
    """Relative ones too; the answer says whose it is. Without being asked, the redirecting answer is returned."""
    with Server(turns(moved("b?c=d"), says("", b"there"), moved("/x"))) as server:
        answer = fetcher(server, max_redirects=1).fetch(f"http://app.example:{server.port}/a/")
        assert (answer.body, answer.url) == (b"there", f"http://app.example:{server.port}/a/b?c=d")
        answer = fetcher(server).fetch(f"http://app.example:{server.port}/")
        assert (answer.status, answer.header("location")) == (302, "/x")


def test_redirects_are_counted() -> None:
    """One more than allowed is an error."""
    with Server(moved("/round")) as server:
        with pytest.raises(FetchFailed, match="redirects more often"):
            fetcher(server, max_redirects=2).fetch(f"http://app.example:{server.port}/")
        assert len(server.requests) == 3


SECRETS = {
    "Authorization": "Bearer s",
    "Cookie": "a=s",
    "X-Api-Key": "s",
    "Accept": "text/html",
    "Accept-Language": "de",
}


def test_credentials_stay_with_their_origin() -> None:
    """Another host gets only what holds no secret; the same one gets all."""
    with Server(says("")) as server:
        base = f"http://other.example:{server.port}/"
        server.script = turns(moved("/same"), moved(base), says(""))
        fetcher(server, max_redirects=2).fetch(f"http://app.example:{server.port}/", headers=SECRETS)
        assert server.headers(1).keys() >= {name.lower() for name in SECRETS}
        assert not {"authorization", "cookie", "x-api-key"} & server.headers(2).keys()
        assert server.headers(2)["accept"] == "text/html"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
def test_the_method_after_a_redirect(status: int, method: str, then: str) -> None:
    """As browsers do (WHATWG Fetch, section 4.4); a GET has neither body nor its headers."""
    with Server(turns(moved("/there", status), says(""))) as server:
        headers = {"Content-Type": "text/plain"}
        fetcher(server, max_redirects=1).fetch(
            f"http://app.example:{server.port}/", method=method, body=b"secret", headers=headers
        )
        assert server.line() == f"{then} /there HTTP/1.1"
        assert (b"secret" in server.requests[-1]) is (then != "GET")
        assert ("content-type" in server.headers()) is (then != "GET")


def test_a_body_does_not_go_to_another_origin() -> None:
    """A server cannot pass on what was meant for it."""
    with Server(says("")) as server:
        server.script = moved(f"http://other.example:{server.port}/", 307)
        with pytest.raises(DestinationRefused, match="must not get the body"):
            fetcher(server, max_redirects=1).fetch(f"http://app.example:{server.port}/", method="POST", body=b"secret")
        assert len(server.requests) == 1


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS: Mapping[str, Script] = {
    "body": forever(OK + b"\r\n", b"x" * 65_536),
    "chunks": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
    "chunk extensions": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
    "interim answers": forever(b"", b"HTTP/1.1 100 Continue\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"),
    "trailers": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
    "a length beyond the limit": says("Content-Length: 99999999999"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_answer_ends(kind: str) -> None:
    """Counted while it comes, whatever it is made of."""
    with Server(ENDLESS[kind]) as server, pytest.raises(AnswerTooLarge):
        fetcher(server, max_bytes=100_000, timeout=60.0).fetch(f"http://app.example:{server.port}/")


@pytest.mark.parametrize("first", [OK + b"X: ", b"", OK * 1], ids=["one header", "one status line", "many headers"])
def test_endless_headers_end(first: bytes) -> None:
    """A line, and the number of lines, is limited."""
    part = b"X: y\r\n" if first == OK else b"x" * 1024
    with Server(forever(first, part)) as server, pytest.raises((FetchFailed, AnswerTooLarge)):
        fetcher(server, timeout=60.0).fetch(f"http://app.example:{server.port}/")


SLOW: Mapping[str, Script] = {
    "nothing": lambda connection, _: connection.recv(1),
    "status line": forever(b"HTTP/1.1 200 ", b"x", 0.02),
    "headers": forever(OK, b"X: y\r\n", 0.1),
    "body": forever(OK + b"Content-Length: 1000000\r\n\r\n", b"x", 0.02),
    "chunks": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.02),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_answer_ends_by_the_total_time(kind: str) -> None:
    """Each byte comes in time, the whole does not."""
    with Server(SLOW[kind]) as server, pytest.raises(FetchTimeout):
        fetcher(server, timeout=0.4).fetch(f"http://app.example:{server.port}/")


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_server_that_reads_slowly_ends_by_the_total_time(authority: Authority, secure: bool) -> None:
    """A body that is taken byte by byte keeps nobody."""
    done = threading.Event()

    def sips(connection: socket.socket, _: bytes) -> None:
        while not done.wait(0.01) and connection.recv(4096):
            pass

    server = Server(sips, tls=sealed(authority, "app.example") if secure else None)
    server.reads_bodies = False
    with server:
        scheme = "https" if secure else "http"
        reach = fetcher(server, timeout=0.4, tls=trusting(authority))
        with pytest.raises(FetchTimeout):
            reach.fetch(f"{scheme}://app.example:{server.port}/", method="POST", body=bytes(30_000_000))
        done.set()


def test_redirects_share_the_time() -> None:
    """A chain of redirects, each of them in time, ends like one slow answer."""

    def slowly(connection: socket.socket, request: bytes) -> None:
        threading.Event().wait(0.2)
        moved("/round")(connection, request)

    with Server(slowly) as server, pytest.raises(FetchTimeout):
        fetcher(server, timeout=0.5, max_redirects=5).fetch(f"http://app.example:{server.port}/")


@pytest.mark.parametrize(
    ("lines", "body", "told"),
    [
        ("Content-Length: 5", b"abc", "cut off"),
        ("Transfer-Encoding: chunked", b"5\r\nabc", "did not answer in HTTP"),
        ("Transfer-Encoding: chunked", b"zz\r\nabc", "did not answer in HTTP"),
        ("Transfer-Encoding: gzip, chunked", b"0\r\n\r\n", "transfer encoding"),
        ("Content-Encoding: gzip\nContent-Length: 3", b"abc", "compressed"),
        ("Content-Encoding: br", b"abc", "compressed"),
    ],
)
def test_an_answer_that_is_not_whole_or_not_plain_is_refused(lines: str, body: bytes, told: str) -> None:
    """Nothing half is returned, and nothing is inflated."""
    with Server(says(lines, body)) as server, pytest.raises(FetchFailed, match=told):
        fetcher(server).fetch(f"http://app.example:{server.port}/")


@pytest.mark.parametrize(
    "first", [b"", b"220 mail.example ESMTP\r\n", b"-ERR unknown command\r\n", b"\0\xff" * 99, b"HTTP/1.1\r\n"]
)
def test_what_is_not_http_is_refused(first: bytes) -> None:
    """What another kind of server says never comes back as a body."""
    with Server(lambda connection, _: connection.sendall(first)) as server, pytest.raises(FetchFailed):
        fetcher(server).fetch(f"http://app.example:{server.port}/")


def test_the_next_address_is_tried(hello: Server) -> None:
    """Where the first does not accept; where none does, it says so."""
    reach = fetcher(hello, networks=("127.0.0.0/8",), resolver=Names(app_example=["127.0.0.9", "127.0.0.1"]))
    assert reach.fetch(f"http://app.example:{hello.port}/").body == b"hello"
    nobody = fetcher(hello, networks=("127.0.0.0/8",), resolver=Names(app_example=["127.0.0.9"]))
    with pytest.raises(FetchFailed, match="cannot be reached"):
        nobody.fetch(f"http://app.example:{hello.port}/")


def test_an_ipv6_address_is_reached_and_named_in_brackets() -> None:
    """Where this machine has one."""
    try:
        server = Server(says("", b"six"), host="::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    with server:
        answer = fetcher(server, networks=("::1/128",)).fetch(f"http://[0:0::1]:{server.port}/")
        assert (answer.body, server.headers()["host"]) == (b"six", f"[::1]:{server.port}")


def test_a_resolver_that_hangs_is_left_behind(hello: Server) -> None:
    """The fetch ends by its time-out; names that hang do not pile up threads."""
    done = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        done.wait(60)
        return []

    reach = fetcher(hello, resolver=hangs, timeout=0.05)
    try:
        for _ in range(20):
            with pytest.raises(FetchTimeout):
                reach.fetch(f"http://app.example:{hello.port}/")
        assert sum(thread.name == "postrmagic-resolver" for thread in threading.enumerate()) <= 16
    finally:
        done.set()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that signs the servers' certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


def sealed(authority: Authority, name: str) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for ``name``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(name))
    return context


def trusting(authority: Authority) -> ssl.SSLContext:
    """A client's side of TLS that trusts this authority only."""
    return ssl.create_default_context(cafile=str(authority.file))


def test_a_server_proves_its_name(authority: Authority) -> None:
    """The name in the URL, not the address; and it is told which name is meant (SNI)."""
    context = sealed(authority, "app.example")
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with Server(says("", b"sealed"), tls=context) as server:
        answer = fetcher(server, tls=trusting(authority)).fetch(f"https://app.example:{server.port}/")
        assert answer.body == b"sealed"
        assert server.headers()["host"] == f"app.example:{server.port}"
        assert names == ["app.example"]


@pytest.mark.parametrize("issued", ["other.example", "127.0.0.1"])
def test_a_server_of_another_name_is_refused(authority: Authority, issued: str) -> None:
    """Though a trusted authority vouches for it, and though the address is right: no request is sent."""
    with Server(says(""), tls=sealed(authority, issued)) as server:
        with pytest.raises(FetchFailed, match="certificate"):
            fetcher(server, tls=trusting(authority)).fetch(f"https://app.example:{server.port}/secret")
        assert server.requests == []


def test_a_server_that_nobody_trusted_vouches_for_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Neither another authority nor the system's."""
    with Server(says(""), tls=sealed(authority, "app.example")) as server:
        for tls in (trusting(Authority(tmp_path)), None):
            with pytest.raises(FetchFailed, match="certificate"):
                fetcher(server, tls=tls).fetch(f"https://app.example:{server.port}/")
        assert server.requests == []


def test_https_never_becomes_http(authority: Authority, hello: Server) -> None:
    """Though both are allowed."""
    place = moved(f"http://app.example:{hello.port}/")
    with Server(place, tls=sealed(authority, "app.example")) as server:
        with pytest.raises(DestinationRefused, match="without encryption"):
            fetcher(server, hello, tls=trusting(authority), max_redirects=1).fetch(
                f"https://app.example:{server.port}/"
            )
        assert hello.requests == []


def test_a_handshake_that_never_ends_ends(authority: Authority) -> None:
    """The time-out counts from the start."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        places = Destinations(ports=(silent.getsockname()[1],), networks=("127.0.0.1",))
        with pytest.raises(FetchTimeout):
            Fetcher(places, resolver=HERE, timeout=0.2, tls=trusting(authority)).fetch(
                f"https://app.example:{silent.getsockname()[1]}/"
            )


def test_proxies_of_the_environment_are_not_used(hello: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name again."""
    with Server(says("", b"proxied")) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")
        assert fetcher(hello).fetch(f"http://app.example:{hello.port}/").body == b"hello"
        assert proxy.requests == []


@pytest.mark.parametrize(
    "script",
    [
        says("", b"canary"),
        says("Content-Length: 99\nX: canary", b"canary"),
        says("X" * 70_000),
        says("", status="canary"),
    ],
)
def test_no_error_tells_what_was_asked_or_answered(script: Script) -> None:
    """Neither the URL nor an address nor what a server said, in text, repr or traceback."""
    canary = "".join(("can", "ary"))
    with Server(script) as server:
        address = f"127.0.0.{1}"
        urls = [
            f"http://app.example:{server.port}/{canary}",
            f"http://{canary}.example:{server.port}/",
            f"http://{canary}@x/",
        ]
        for url in urls:
            try:
                answer = fetcher(server).fetch(url)
            except FetchError as error:
                shown = "".join(traceback.format_exception(error)) + repr(error)
            else:
                shown = repr(answer)
            assert canary not in shown
            assert address not in shown


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"},
        {"content-length": "1"},
        {"Transfer-Encoding": "chunked"},
        {"Accept-Encoding": "gzip"},
        {"Connection": "x"},
        {"X": "a\r\nY: b"},
        {"X\r\nY": "a"},
        {"X Y": "a"},
        {"": "a"},
        {"X": "\u00e9"},
        {"X": "a\0"},
        {"Proxy-Authorization": "x"},
        {"Expect": "100-continue"},
        {"Upgrade": "h2c"},
        {"TE": "gzip"},
    ],
)
def test_a_request_has_one_meaning(hello: Server, headers: dict[str, str]) -> None:
    """Headers that decide where a request ends, or that hold more than one line, are the caller's mistake."""
    with pytest.raises(UsageError, match="header"):
        fetcher(hello).fetch(f"http://app.example:{hello.port}/", headers=headers)
    assert hello.requests == []


@pytest.mark.parametrize("request_", [{"method": "CONNECT"}, {"method": "get"}, {"method": "GET /x"}, {"body": b"x"}])
def test_a_method_is_one_of_six(hello: Server, request_: dict[str, Any]) -> None:
    """And GET has no body."""
    with pytest.raises(UsageError, match=r"method|body"):
        fetcher(hello).fetch(f"http://app.example:{hello.port}/", **request_)
    assert hello.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"max_bytes": -1},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"max_redirects": 6},
        {"max_redirects": -1},
    ],
)
def test_a_fetcher_without_limits_is_refused(options: dict[str, Any]) -> None:
    """At construction."""
    with pytest.raises(ConfigurationError, match="expected"):
        Fetcher(**options)


def test_a_tls_context_that_verifies_nothing_is_refused() -> None:
    """At construction."""
    careless = ssl.create_default_context()
    careless.check_hostname = False
    with pytest.raises(ConfigurationError, match="must verify"):
        Fetcher(tls=careless)


def test_by_default_only_the_public_network_over_https(hello: Server) -> None:
    """Nothing said, nothing inside allowed."""
    for url in (f"http://127.0.0.1:{hello.port}/", "https://127.0.0.1/", "https://localhost/", "http://1.1.1.1/"):
        with pytest.raises(DestinationRefused):
            Fetcher(timeout=5).fetch(url)


def test_the_systems_resolver_gives_addresses() -> None:
    """Those of a name, as texts that can be judged."""
    assert set(resolve("localhost", 443)) <= {"127.0.0.1", "::1"}


def test_the_async_face_does_the_same(hello: Server) -> None:
    """Answers and errors are those of the sync face; outside ``async with`` it does nothing."""
    web = AsyncFetcher(fetcher(hello), threads=2)

    async def scenario() -> None:
        async with web:
            url = f"http://app.example:{hello.port}/"
            answers = await asyncio.gather(*(web.fetch(url, method="POST", body=b"x") for _ in range(4)))
            assert [answer.body for answer in answers] == [b"hello"] * 4
            with pytest.raises(DestinationRefused):
                await web.fetch(f"http://inside.example:{hello.port}/")
        with pytest.raises(NotOpen):
            await web.fetch(url)

    asyncio.run(scenario())
