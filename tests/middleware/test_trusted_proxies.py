"""Only a trusted proxy says who the client is, and only as far as proxies are trusted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from tests.examples import examples, trying

NETWORKS = ["10.0.0.0/8", "2001:db8:1::/48"]
PEER = ("10.0.0.1", 4321)
XFF, PROTO, HOST, FORWARDED = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"


def seen(layer: Any, headers: Any = (), client: Any = PEER, **scope: Any) -> dict[str, Any]:
    """The scope that an application inside ``layer`` gets."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

    async def channel(message: Any = None) -> Any:
        return {"type": "http.disconnect"}

    given = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": list(headers), "client": client}
    asyncio.run(Pipeline([layer]).asgi(app)({**given, **scope}, channel, channel))
    return found


def client_of(layer: Any, *headers: tuple[bytes, bytes], client: Any = PEER) -> str | None:
    """The client's address, as an application sees it."""
    found = seen(layer, headers, client)["client"]
    return found[0] if found else None


class TestForwardedFor:
    """The rightmost address that is no trusted proxy's is the client."""

    @pytest.mark.parametrize(
        ("value", "client"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
            ("6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
            ("<script>, 203.0.113.9", "203.0.113.9"),
            (" 203.0.113.9\t", "203.0.113.9"),
            ("203.0.113.9:8080", "203.0.113.9"),
            ("2001:db8:2::1", "2001:db8:2::1"),
            ("2001:0DB8:0002:0::1", "2001:db8:2::1"),
            ("[2001:db8:2::1]", "2001:db8:2::1"),
            ("[2001:db8:2::1]:443", "2001:db8:2::1"),
            ("203.0.113.9, 2001:db8:1::5", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, ::ffff:10.0.0.9", "203.0.113.9"),
            ("10.9.9.9", "10.9.9.9"),
            ("10.9.9.9, 10.8.8.8", "10.9.9.9"),
        ],
    )
    def test_it_is_found_from_the_right(self, value: str, client: str) -> None:
        """Ports, brackets and IPv4 in IPv6 form are understood; where all are proxies, the first of them asked."""
        assert client_of(trusted_proxies(NETWORKS), (XFF, value.encode())) == client

    @pytest.mark.parametrize(
        "value",
        [
            "", ",", "unknown", "_hidden", "<script>", "203.0.113.9, ", "203.0.113.9, unknown", "unknown, 10.0.0.2",
            "203.0.113.9, 10.0.0.2, x",
            "203.0.113", "203.0.113.256", "203.0.113.09", "203.0.113.9:99999", "203.0.113.9:", "203.0.113.9/32",
            "fe80::1%eth0", "[2001:db8:2::1", "2001:db8:2::1]", "203.0.113.9 10.0.0.2", "٢٠٣.0.113.9", "3405803785",
            "203.0.113.9\n", '"203.0.113.9"', "localhost",
        ],
    )  # fmt: skip
    def test_junk_that_must_be_trusted_leaves_the_peer(self, value: str) -> None:
        """Where a proxy wrote what is no address, nothing to the left of it counts either."""
        assert client_of(trusted_proxies(NETWORKS), (XFF, b"6.6.6.6"), (XFF, value.encode())) == "10.0.0.1"

    def test_several_lines_are_one_list(self) -> None:
        """The last line is the nearest proxy's."""
        lines = [(XFF, b"6.6.6.6"), (XFF, b"203.0.113.9, 10.0.0.3"), (b"X-Forwarded-For", b"10.0.0.2")]
        assert client_of(trusted_proxies(NETWORKS), *lines) == "203.0.113.9"

    @pytest.mark.parametrize(("hops", "client"), [(1, "10.0.0.2"), (2, "203.0.113.9"), (3, "6.6.6.6"), (4, "10.0.0.1")])
    def test_hops_count_from_the_right(self, hops: int, client: str) -> None:
        """Given fewer addresses than proxies, the request came another way: the peer is the client."""
        layer = trusted_proxies(["0.0.0.0/0"], hops=hops)
        assert client_of(layer, (XFF, b"6.6.6.6, 203.0.113.9, 10.0.0.2")) == client

    def test_hops_do_not_pass_over_junk(self) -> None:
        """Given junk among the proxies' own entries, the peer is the client."""
        assert client_of(trusted_proxies(NETWORKS, hops=2), (XFF, b"203.0.113.9, unknown")) == "10.0.0.1"

    def test_more_proxies_than_there_can_be_are_not_followed(self) -> None:
        """A list of nothing but trusted addresses is read 32 long."""
        assert client_of(trusted_proxies(NETWORKS), (XFF, b", ".join([b"6.6.6.6", *[b"10.0.0.2"] * 40]))) == "10.0.0.1"

    @pytest.mark.parametrize(
        "unit", [b"10.0.0.2,", b",", b"x", b"6.6.6.6, ", b'for="', b'for=",', b"for=10.0.0.2,", b"a"]
    )
    @pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
    def test_its_time_does_not_grow_faster_than_its_length(self, header: Any, unit: bytes) -> None:
        """Given 100 kB or 1 MB of whatever a client likes, reading takes milliseconds."""
        layer = trusted_proxies(NETWORKS, header=header)
        value = unit * (1_000_000 // len(unit))
        started = time.process_time()
        client_of(layer, (header.encode(), value), (PROTO, value), (HOST, value))
        assert time.process_time() - started < 0.5


class TestForwarded:
    """RFC 7239, read from the right as well."""

    @pytest.mark.parametrize(
        ("value", "client"),
        [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=203.0.113.9;PROTO=https;by=10.0.0.1", "203.0.113.9"),
            ('for="203.0.113.9:4711"', "203.0.113.9"),
            ('for="[2001:db8:2::1]"', "2001:db8:2::1"),
            ('for="[2001:db8:2::1]:_port"', "2001:db8:2::1"),
            ("for=6.6.6.6, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
            ('for="unclosed, for=203.0.113.9', "203.0.113.9"),
            ('for="a\\", for=203.0.113.9', "203.0.113.9"),
            ('for=203.0.113.9;host="x, for=6.6.6.6"', "203.0.113.9"),
            ('for=203.0.113.9;host="x\\", for=6.6.6.6;a=\\""', "203.0.113.9"),
            ('for="203.0.113.\\9"', "203.0.113.9"),
        ],
    )
    def test_it_is_found_from_the_right(self, value: str, client: str) -> None:
        """What a client writes, an open quote for one, hides nothing a proxy appends; what is quoted is no element."""
        assert client_of(trusted_proxies(NETWORKS, header="forwarded"), (FORWARDED, value.encode())) == client

    @pytest.mark.parametrize(
        "value",
        ["for=unknown", "for=_hidden", "proto=https", "for=1.2.3.4;for=6.6.6.6", "for=", "for", "",
         "for=203.0.113.9 x=y",
         'for="203.0.113.9', "for=203.0.113.9;", "=203.0.113.9", "for=203.0.113.9;x=" + "y" * 2000],
    )  # fmt: skip
    def test_what_cannot_be_read_leaves_the_peer(self, value: str) -> None:
        """An identifier that is no address, or an element that is malformed, ends the search."""
        layer = trusted_proxies(NETWORKS, header="forwarded")
        assert client_of(layer, (FORWARDED, b"for=6.6.6.6"), (FORWARDED, value.encode())) == "10.0.0.1"

    def test_scheme_and_host_are_the_clients_elements(self) -> None:
        """Of the element that names the client, not of those between the proxies, nor what a client wrote."""
        value = b"for=6.6.6.6;proto=http;host=evil.net, for=203.0.113.9;proto=https;host=example.org, for=10.0.0.2"
        scope = seen(
            trusted_proxies(NETWORKS, header="forwarded", host=True), [(FORWARDED, value), (b"host", b"inner")]
        )
        assert (scope["client"][0], scope["scheme"]) == ("203.0.113.9", "https")
        assert scope["headers"] == [(b"host", b"example.org")]

    def test_the_header_that_is_not_read_is_not_believed(self) -> None:
        """Given both families, only the one that the proxies write counts; neither reaches the application."""
        headers = [(XFF, b"203.0.113.9"), (FORWARDED, b"for=6.6.6.6;proto=https"), (PROTO, b"http")]
        scope = seen(trusted_proxies(NETWORKS), headers)
        assert (scope["client"][0], scope["scheme"], scope["headers"]) == ("203.0.113.9", "http", [])
        scope = seen(trusted_proxies(NETWORKS, header="forwarded"), headers)
        assert (scope["client"][0], scope["scheme"], scope["headers"]) == ("6.6.6.6", "https", [])


class TestSchemeAndHost:
    """Believed from a trusted peer, if they are what they should be."""

    @pytest.mark.parametrize(
        ("value", "scheme"),
        [("https", "https"), ("HTTPS", "https"), ("http", "http"), ("wss", "https"), ("https, http", "http"),
         ("javascript", "http"), ("", "http"), ("https\n", "http"), ("https;", "http")],
    )  # fmt: skip
    def test_a_scheme_is_one_of_two(self, value: str, scheme: str) -> None:
        """Of a list, the entry of the proxy that saw the client."""
        layer = trusted_proxies(NETWORKS)
        assert seen(layer, [(XFF, b"203.0.113.9"), (PROTO, value.encode())])["scheme"] == scheme

    @pytest.mark.parametrize(
        ("value", "scheme"), [("https, http", "https"), ("https, http, http", "http"), ("https", "https")]
    )
    def test_a_list_counts_at_the_clients_place(self, value: str, scheme: str) -> None:
        """Given two proxies, the second from the right is what the outer one saw; further left a client wrote."""
        headers = [(XFF, b"203.0.113.9, 10.0.0.2"), (PROTO, value.encode())]
        assert seen(trusted_proxies(NETWORKS), headers)["scheme"] == scheme

    def test_a_list_shorter_than_the_proxies_says_nothing(self) -> None:
        """Given three proxies and two schemes, nobody knows whose they are."""
        headers = [(XFF, b"203.0.113.9, 10.0.0.2, 10.0.0.3"), (PROTO, b"https, https")]
        assert seen(trusted_proxies(NETWORKS), headers)["scheme"] == "http"

    def test_a_websockets_scheme_is_its_own(self) -> None:
        """``https`` is ``wss`` there, and the client is found as for any request."""
        headers = [(XFF, b"203.0.113.9"), (PROTO, b"https")]
        scope = seen(trusted_proxies(NETWORKS), headers, type="websocket", scheme="ws")
        assert (scope["client"][0], scope["scheme"]) == ("203.0.113.9", "wss")

    @pytest.mark.parametrize("value", ["example.org", "example.org:8443", "[2001:db8::1]:443", "192.0.2.1", "a_b"])
    def test_a_host_replaces_the_one_sent(self, value: str) -> None:
        """Given ``host=True`` and a host, there is one ``Host``."""
        layer = trusted_proxies(NETWORKS, host=True)
        headers = [(b"host", b"inner:8000"), (b"Host", b"again"), (HOST, value.encode()), (b"accept", b"*/*")]
        assert seen(layer, headers)["headers"] == [(b"host", value.encode()), (b"accept", b"*/*")]

    @pytest.mark.parametrize(
        "value",
        ["", "evil.net/path", "a@b", "a b", "a\r\nb", "a:b", "a:99999", "[::1", "[zz]", "ex\u00e4mple.org", "a,,",
         "a" * 300,
         "a?b", "<script>", "a\\b", "a..b"],
    )  # fmt: skip
    def test_what_is_no_host_is_not_believed(self, value: str) -> None:
        """Given anything else, the ``Host`` sent stays."""
        layer = trusted_proxies(NETWORKS, host=True)
        assert seen(layer, [(b"host", b"inner"), (HOST, value.encode())])["headers"] == [(b"host", b"inner")]

    def test_a_host_is_believed_only_on_demand(self) -> None:
        """Many proxies hand on a client's ``X-Forwarded-Host``: by default it is dropped."""
        headers = [(b"host", b"inner"), (HOST, b"evil.net")]
        assert seen(trusted_proxies(NETWORKS), headers)["headers"] == [(b"host", b"inner")]


class TestNobodyElse:
    """Who is no trusted proxy says nothing."""

    NAMES = (
        "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-user", "forwarded",
        "x-real-ip", "cf-connecting-ip", "true-client-ip", "X-Forwarded-For", "x_forwarded_for", "X_Forwarded-Proto",
        "X_REAL_IP", "x-forwarded-client-cert",
    )  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("client", [("203.0.113.66", 1), None, ("testclient", 5), ("11.0.0.1", 1), ("", 0)])
    def test_the_headers_are_taken_away(self, name: str, client: Any) -> None:
        """Given any other peer, its headers of this kind do not reach the application, nor does what they say."""
        headers = [(b"accept", b"*/*"), (name.encode(), b"1.2.3.4")]
        scope = seen(trusted_proxies(NETWORKS), headers, client)
        assert (scope["headers"], scope["client"], scope["scheme"]) == ([(b"accept", b"*/*")], client, "http")

    def test_an_underscore_does_not_pass_a_trusted_proxy(self) -> None:
        """A proxy that does not know ``X_Forwarded_For`` hands it on: a WSGI server would make one variable of both."""
        scope = seen(trusted_proxies(NETWORKS), [(b"x_forwarded_for", b"6.6.6.6"), (b"x_custom", b"1")])
        assert (scope["client"], scope["headers"]) == (PEER, [(b"x_custom", b"1")])

    def test_what_a_trusted_proxy_hands_on_is_not_believed_either(self) -> None:
        """Of a trusted peer's headers those that name a client, scheme or host go, its other words stay."""
        headers = [(b"x-real-ip", b"6.6.6.6"), (b"x-forwarded-user", b"ann"), (b"true-client-ip", b"6.6.6.6")]
        scope = seen(trusted_proxies(NETWORKS), headers)
        assert (scope["client"], scope["headers"]) == (PEER, [(b"x-forwarded-user", b"ann")])

    def test_other_headers_and_their_list_stay(self) -> None:
        """Given nothing to take away, nothing is copied."""
        headers = [(b"accept", b"*/*"), (b"x-request-id", b"r-1")]
        assert seen(trusted_proxies(NETWORKS), headers, ("203.0.113.66", 1))["headers"] == headers

    def test_a_unix_socket_is_trusted_if_told(self) -> None:
        """A peer without an address is the proxy on this machine, where ``unix`` says so."""
        for nobody in (None, ("", 0)):
            assert client_of(trusted_proxies(["unix"]), (XFF, b"203.0.113.9"), client=nobody) == "203.0.113.9"
            assert seen(trusted_proxies(["unix"]), [(XFF, b"junk")], nobody)["client"] == nobody
            assert seen(trusted_proxies(["10.0.0.0/8"]), [(XFF, b"203.0.113.9")], nobody)["client"] == nobody

    @pytest.mark.parametrize("peer", ["::ffff:10.0.0.1", "2001:db8:1::9"])
    def test_a_proxy_is_known_in_either_form(self, peer: str) -> None:
        """A socket for both families shows IPv4 peers in IPv6 form."""
        assert client_of(trusted_proxies(NETWORKS), (XFF, b"203.0.113.9"), client=(peer, 1)) == "203.0.113.9"

    def test_a_peer_has_one_form(self) -> None:
        """One client has one address, however the server writes it; one with a zone stays as it is."""
        assert client_of(trusted_proxies(NETWORKS), client=("::ffff:203.0.113.9", 7)) == "203.0.113.9"
        assert client_of(trusted_proxies(NETWORKS), client=("fe80::1%eth0", 7)) == "fe80::1%eth0"


class TestConstruction:
    """What cannot be meant is refused at once."""

    @pytest.mark.parametrize(
        ("networks", "options", "message"),
        [
            ("10.0.0.0/8", {}, "expected a list of networks"),
            (["10.0.0.1/8"], {}, "has host bits set"),
            (["proxy.example.org"], {}, "does not appear to be"),
            (["0.0.0.0/0"], {}, "trusts what any client writes"),
            (["::/0"], {}, "trusts what any client writes"),
            (["10.0.0.0/8"], {"hops": 0}, "expected hops from 1"),
            (["10.0.0.0/8"], {"header": "x-real-ip"}, "expected header="),
        ],
    )
    def test_it_is_an_error(self, networks: Any, options: Any, message: str) -> None:
        """The message names what was expected."""
        with pytest.raises(ValueError, match=message):
            trusted_proxies(networks, **options)

    def test_it_stands_outside_all_others(self) -> None:
        """A request id logged with the proxy's address would be wrong: the order is checked."""
        assert Pipeline([trusted_proxies(NETWORKS), request_id()]).names == ["trusted_proxies", "request_id"]
        with pytest.raises(ConfigurationError, match="trusted_proxies must stand outside all others"):
            Pipeline([request_id(), trusted_proxies(NETWORKS)])


def environ_of(layer: Any, **environ: Any) -> dict[str, Any]:
    """The environ that a WSGI application inside ``layer`` gets."""
    found: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        found.update(environ)
        start_response("200 OK", [])
        return [b""]

    setup_testing_defaults(environ)
    body: Any = Pipeline([layer]).wsgi(app)(environ, lambda *_: bytes)
    list(body)
    body.close()
    return found


class TestUnderWsgi:
    """The environ tells what the scope tells."""

    FORWARDED = {  # noqa: RUF012 - read only
        "HTTP_X_FORWARDED_FOR": "6.6.6.6, 203.0.113.9",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "example.org",
        "HTTP_X_REAL_IP": "6.6.6.6",
    }

    def test_the_application_sees_the_client(self) -> None:
        """Given a trusted peer: REMOTE_ADDR, wsgi.url_scheme and HTTP_HOST are the client's."""
        environ = environ_of(trusted_proxies(NETWORKS, host=True), REMOTE_ADDR="10.0.0.1", **self.FORWARDED)
        assert environ["REMOTE_ADDR"] == "203.0.113.9"
        assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("https", "example.org")
        assert not any(name.startswith(("HTTP_X_FORWARDED", "HTTP_X_REAL")) for name in environ)

    def test_from_another_peer_it_sees_nothing_of_it(self) -> None:
        """Given any other peer: its own address, and no such header."""
        environ = environ_of(
            trusted_proxies(NETWORKS, host=True), REMOTE_ADDR="203.0.113.66", HTTP_ACCEPT="*/*", **self.FORWARDED
        )
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.66", "http")
        assert environ["HTTP_HOST"] == "127.0.0.1"
        assert environ["HTTP_ACCEPT"] == "*/*"
        assert not self.FORWARDED.keys() & environ.keys()

    def test_a_unix_socket_has_an_empty_address(self) -> None:
        """As gunicorn says it."""
        environ = environ_of(trusted_proxies(["unix"]), REMOTE_ADDR="", **self.FORWARDED)
        assert environ["REMOTE_ADDR"] == "203.0.113.9"


TEXT = st.text(st.characters(max_codepoint=255), max_size=60) | st.from_regex(
    r"(for=)?[\"\[]?(10\.0\.0\.[1-9]|6\.6\.6\.6|::ffff:10\.0\.0\.1|2001:db8:1::1)[\]\":;, ]{0,3}(proto=https)?",
    fullmatch=True,
)


@examples(50, 5_000)
def test_the_client_is_always_an_address_nobody_can_choose(examples: int) -> None:
    """Whatever precedes it, a proxy's own entry at the end decides, and what comes out is an address."""

    @trying(examples)
    @given(
        lines=st.lists(st.lists(TEXT, max_size=6).map(", ".join), max_size=4),
        hops=st.none() | st.integers(1, 4),
        header=st.sampled_from(["x-forwarded-for", "forwarded"]),
    )
    def holds(lines: list[str], hops: int | None, header: Any) -> None:
        mine = "203.0.113.9" if header == "x-forwarded-for" else "for=203.0.113.9"
        name = header.encode()
        before = [(name, line.encode("latin-1")) for line in lines]
        layer = trusted_proxies(NETWORKS, hops=hops, header=header, host=True)
        assert str(ip_address(client_of(layer, *before) or "")) == client_of(layer, *before)
        if hops in {None, 1}:
            # Appended to a line, or as a line of its own.
            assert client_of(layer, *before, (name, mine.encode())) == "203.0.113.9"
            if lines:
                appended = [*before[:-1], (name, f"{lines[-1]}, {mine}".encode("latin-1"))]
                assert client_of(layer, *appended) == "203.0.113.9"

    holds()
