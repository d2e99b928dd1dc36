"""Keys of another server: kept while it is away, fetched seldom, and never taken from a set that is not in order."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendError, BackendTimeout, BackendUnavailable, ConfigurationError, NotOpen
from postrmagic_core.security.signed_tokens import RemoteKeys, SigningKey, SigningKeys, TokenVerifier
from postrmagic_core.testing import FakeClock

from .little_server import LittleServer, ServerProcess, dribbling, raw, says, serving

URL = "https://id.example.org/jwks.json"
MINUTE = 60.0


def pem(key: Any) -> bytes:
    """The private key's text."""
    plain: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return plain


def signing() -> SigningKey:
    """A new key."""
    return SigningKey.from_pem(pem(ed25519.Ed25519PrivateKey.generate()))


ONE, TWO = signing(), signing()


def jwks(*keys: SigningKey | dict[str, Any]) -> bytes:
    """A set of these."""
    return json.dumps({"keys": [key.jwk() if isinstance(key, SigningKey) else key for key in keys]}).encode()


class Fetch:
    """In place of the client: gives ``body``, or raises it; counts."""

    def __init__(self, body: bytes | Exception) -> None:
        self.body = body
        self.calls: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.calls.append(url)
        if isinstance(self.body, Exception):
            raise self.body
        return self.body


@pytest.fixture
def clock() -> FakeClock:
    """One that stands."""
    return FakeClock()


@pytest.fixture
def fetch() -> Fetch:
    """It gives the first key."""
    return Fetch(jwks(ONE))


@pytest.fixture
def keys(fetch: Fetch, clock: FakeClock) -> Iterator[RemoteKeys]:
    """Of that."""
    with RemoteKeys(URL, fetch=fetch, clock=clock) as opened:
        yield opened


def id_of(key: SigningKey | None) -> str | None:
    """Its name."""
    return None if key is None else key.id


def soon(ask: Callable[[], object]) -> None:
    """Wait until it is so, as a thread of its own does it."""
    ends = time.monotonic() + 10
    while not ask():
        assert time.monotonic() < ends, "it never came to be"
        time.sleep(0.005)


def test_a_key_is_fetched_once_and_kept(keys: RemoteKeys, fetch: Fetch) -> None:
    """By the one URL that the operator gave."""
    assert fetch.calls == []
    assert [id_of(keys.find(ONE.id)) for _ in range(3)] == [ONE.id] * 3
    assert fetch.calls == [URL]


def test_old_keys_are_renewed_and_nobody_waits(keys: RemoteKeys, fetch: Fetch, clock: FakeClock) -> None:
    """At their age; the first who asks then gets the old one."""
    keys.find(ONE.id)
    fetch.body = jwks(TWO)
    clock.advance(599)
    assert id_of(keys.find(ONE.id)) == ONE.id
    assert len(fetch.calls) == 1
    clock.advance(1)
    assert id_of(keys.find(ONE.id)) == ONE.id
    soon(lambda: len(fetch.calls) == 2)
    soon(lambda: keys.find(ONE.id) is None)
    assert id_of(keys.find(TWO.id)) == TWO.id
    assert len(fetch.calls) == 2


@pytest.mark.parametrize(
    "trouble", [BackendUnavailable("away"), BackendTimeout("slow"), OSError("own"), KeyError("own"), b"junk"], ids=repr
)
def test_while_the_server_is_away_the_old_keys_hold(
    trouble: Any, keys: RemoteKeys, fetch: Fetch, clock: FakeClock
) -> None:
    """Up to ``max_stale``; then nobody is let in, and nobody is told that their token is no good."""
    keys.find(ONE.id)
    fetch.body = trouble
    clock.advance(86_399)
    assert id_of(keys.find(ONE.id)) == ONE.id
    soon(lambda: len(fetch.calls) == 2)
    assert id_of(keys.find(ONE.id)) == ONE.id
    clock.advance(1)
    with pytest.raises(BackendError):
        keys.find(ONE.id)
    fetch.body = jwks(ONE)
    clock.advance(MINUTE)
    assert id_of(keys.find(ONE.id)) == ONE.id


def test_an_unknown_name_is_asked_for_once_a_minute(keys: RemoteKeys, fetch: Fetch, clock: FakeClock) -> None:
    """However many names are made up; a new key is found as soon as that."""
    keys.find(ONE.id)
    began = time.perf_counter()
    assert not any(keys.find(f"made-up-{number}") for number in range(20_000))
    assert time.perf_counter() - began < 5
    assert len(fetch.calls) == 1
    fetch.body = jwks(ONE, TWO)
    clock.advance(59)
    assert keys.find(TWO.id) is None
    clock.advance(1)
    assert id_of(keys.find(TWO.id)) == TWO.id
    for minute in range(2, 5):
        clock.advance(MINUTE)
        assert not any(keys.find(f"made-up-{number}") for number in range(100))
        assert len(fetch.calls) == minute + 1


def test_an_unknown_name_is_no_refusal_while_nobody_can_say(keys: RemoteKeys, fetch: Fetch, clock: FakeClock) -> None:
    """It may be a key that is new; the known ones hold, and the server is asked no more often for that."""
    keys.find(ONE.id)
    fetch.body = BackendUnavailable("away")
    clock.advance(MINUTE)
    for _ in range(100):
        with pytest.raises(BackendUnavailable):
            keys.find("made-up")
        assert id_of(keys.find(ONE.id)) == ONE.id
    assert len(fetch.calls) == 2


def test_without_any_keys_it_is_tried_again_after_five_seconds(
    keys: RemoteKeys, fetch: Fetch, clock: FakeClock
) -> None:
    """So that a server that starts later than this one is found soon, and not asked by each request until then."""
    fetch.body = BackendTimeout("slow")
    for _ in range(10):
        with pytest.raises(BackendTimeout, match="slow"):
            keys.find(ONE.id)
    assert len(fetch.calls) == 1
    fetch.body = jwks(ONE)
    clock.advance(5)
    assert id_of(keys.find(ONE.id)) == ONE.id


def test_all_threads_wait_for_one_fetch(clock: FakeClock) -> None:
    """Sixteen ask at once; one of them goes."""
    going, calls = threading.Event(), []

    def slow(url: str) -> bytes:
        calls.append(url)
        going.wait(10)
        return jwks(ONE)

    with RemoteKeys(URL, fetch=slow, clock=clock) as keys, ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(keys.find, ONE.id) for _ in range(16)]
        soon(lambda: calls)
        going.set()
        assert [id_of(each.result()) for each in asked] == [ONE.id] * 16
    assert calls == [URL]


def _of(key: SigningKey, **more: object) -> dict[str, Any]:
    return {**(key.jwk() or {}), **more}


EC = SigningKey.from_pem(pem(ec.generate_private_key(ec.SECP256R1())))
REFUSED: dict[str, bytes] = {
    "empty": b"",
    "junk": b"<html>",
    "no utf-8": b"\xff{}",
    "a list": b"[]",
    "no keys": b"{}",
    "keys are no list": b'{"keys": {}}',
    "a key is no object": b'{"keys": ["x"]}',
    "a name twice": b'{"keys": [], "keys": []}',
    "a secret": jwks(TWO, {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}),
    "a secret without its bytes": jwks(TWO, {"kty": "oct", "kid": "s"}),
    "a private key": jwks(TWO, _of(EC, d="AAAA")),
    "a private key for encryption": jwks(TWO, _of(EC, use="enc", d="AAAA")),
    "two of one name": jwks(TWO, _of(EC, kid=TWO.id)),
    "the same twice": jwks(TWO, TWO),
    "too many": jwks(*[TWO.jwk() or {}] * 101),
    "too large": jwks(TWO, {"kty": "x", "n": "x" * 65_536}),
    "too deep": b'{"keys":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "a long number": b'{"keys": [], "x": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_set_that_is_not_in_order_is_refused_and_the_old_one_kept(
    body: bytes, keys: RemoteKeys, fetch: Fetch, clock: FakeClock
) -> None:
    """As a whole: nothing of it is used, though a good key is in it."""
    keys.find(ONE.id)
    fetch.body = body
    clock.advance(MINUTE)
    with pytest.raises(BackendError):
        keys.find(TWO.id)
    assert len(fetch.calls) == 2
    assert id_of(keys.find(ONE.id)) == ONE.id


OTHERS: dict[str, dict[str, Any]] = {
    "unheard of": {"kty": "unheard-of", "kid": "u"},
    "X25519": {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "u"},
    "P-384": {"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA", "kid": "u"},
    "short RSA": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "u"},
    "for encryption, of the same name": _of(TWO, use="enc", kid=ONE.id),
    "not to verify": _of(TWO, key_ops=["encrypt"], kid="u"),
    "no name": _of(TWO, kid=None),
    "a number for a name": _of(TWO, kid=7),
    "a long name": _of(TWO, kid="x" * 5_000),
    "another algorithm": _of(TWO, alg="none", kid="u"),
    "a list for a kind": _of(TWO, kty=["OKP"], kid="u"),
    "no key": {"kid": "u"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_keys_of_other_kinds_are_left_out(other: dict[str, Any], keys: RemoteKeys, fetch: Fetch) -> None:
    """A server may publish what is not used here (RFC 7517, section 5)."""
    fetch.body = jwks(other, ONE)
    assert id_of(keys.find(ONE.id)) == ONE.id
    assert keys.find("u") is None
    assert keys.find(TWO.id) is None


def test_an_empty_set_takes_every_key_away(keys: RemoteKeys, fetch: Fetch, clock: FakeClock) -> None:
    """A server that withdraws its keys means it."""
    keys.find(ONE.id)
    fetch.body = jwks()
    clock.advance(600)
    keys.find(ONE.id)
    soon(lambda: keys.find(ONE.id) is None)


def test_a_verifier_follows_a_rotation(clock: FakeClock) -> None:
    """The new key is fetched when a token names it."""
    issuer = "https://id.example.org"
    now = clock.now_us() // 1_000_000
    claims = {"iss": issuer, "aud": "api", "sub": "7", "client_id": "c", "jti": "j", "iat": now, "exp": now + 600}
    fetch = Fetch(jwks(ONE))
    with RemoteKeys(URL, fetch=fetch, clock=clock) as keys:
        verifier = TokenVerifier(keys, issuer=issuer, audience="api", clock=clock)
        assert verifier.verify(SigningKeys([ONE]).sign(claims)) is not None
        fetch.body = jwks(TWO, ONE)
        clock.advance(MINUTE)
        assert verifier.verify(SigningKeys([TWO]).sign(claims)) is not None
        assert verifier.verify(SigningKeys([signing()]).sign(claims)) is None
        assert len(fetch.calls) == 2


def test_what_became_of_each_fetch_is_counted_and_told(fetch: Fetch, clock: FakeClock, caplog: Any) -> None:
    """With the URL, and nothing of what came."""
    metrics = Metrics()
    with RemoteKeys(URL, fetch=fetch, clock=clock, metrics=metrics) as keys:
        keys.find(ONE.id)
        for body in (b'{"canary":1}', BackendUnavailable("away")):
            fetch.body = body
            clock.advance(MINUTE)
            with pytest.raises(BackendError):
                keys.find("x")
    assert {labels: value for _, labels, value in metrics.counters()} == {
        (("outcome", "done"),): 1,
        (("outcome", "refused"),): 1,
        (("outcome", "away"),): 1,
    }
    assert [record.event for record in caplog.records] == [
        "security.remote_keys.refused",
        "security.remote_keys.away",
    ]
    assert "canary" not in caplog.text


def test_it_is_used_open_only(fetch: Fetch) -> None:
    """As everything that has threads."""
    keys = RemoteKeys(URL, fetch=fetch)
    with pytest.raises(NotOpen):
        keys.find("x")
    with keys:
        keys.find("x")
    with pytest.raises(NotOpen):
        keys.find("x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/jwks.json",
        "http://id.example.org/jwks.json",
        "http://127.0.0.1.example.org/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https://",
        "https:///x",
        "https://user@id.example.org/",
        "https://user:word@id.example.org/",
        "https://id.example.org/#x",
        "https://id.example.org\\@127.0.0.1/",
        "https://id.example.org:99999/",
        "https://[::1/",
        "https://id.example.org/a b",
        "https://id.example.org/\r\nX: y",
        "https://id.example.org/" + "x" * 3_000,
        "https://id.example.örg/",
    ],
    ids=lambda url: ascii(url)[:48],
)
def test_a_url_that_is_not_safe_is_refused_when_it_is_configured(url: str) -> None:
    """Not at the first request; and what it says is not repeated, as there may be a password in it."""
    with pytest.raises(ConfigurationError) as caught:
        RemoteKeys(url)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(("max_age", "max_stale"), [(0, 1), (-1, 1), (2, 1), (1, float("inf")), (float("nan"), 1)])
def test_ages_that_cannot_be_are_refused(max_age: float, max_stale: float) -> None:
    """What is older than it may be would be asked for by each request."""
    with pytest.raises(ValueError, match="expected 0 < max_age <= max_stale"):
        RemoteKeys(URL, max_age=max_age, max_stale=max_stale)


# What follows asks a real server, over a real socket.


@pytest.fixture
def server() -> Iterator[LittleServer]:
    """It publishes the first key."""
    with serving(says(jwks(ONE))) as running:
        yield running


def test_a_real_server_is_asked(server: LittleServer) -> None:
    """Once, for JSON; with a query, if the URL has one."""
    with RemoteKeys(server.url + "?tenant=7") as keys:
        assert id_of(keys.find(ONE.id)) == ONE.id
        assert keys.find("x") is None
    path, headers, body = server.seen[0]
    assert (path, body, len(server.seen)) == ("/x?tenant=7", b"", 1)
    assert (headers["Accept"], headers["Connection"]) == ("application/json", "close")
    assert headers["Host"] == server.url.removeprefix("http://").removesuffix("/x")


def test_chunks_and_a_connection_that_stays_are_read() -> None:
    """As servers answer: in chunks, without a length until the end, and after an interim response."""
    body = jwks(ONE)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answers = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        b"HTTP/1.0 200 OK\r\n\r\n" + body,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
    ]
    for answer in answers:
        with serving(raw(answer)) as server, RemoteKeys(server.url) as keys:
            assert id_of(keys.find(ONE.id)) == ONE.id


GOOD = jwks(TWO)
WRONG: dict[str, Any] = {
    "a redirect": says(b"", 302, location="http://127.0.0.1:1/"),
    "a lasting redirect with a set": says(GOOD, 308, location="/y"),
    "not found": says(GOOD, 404),
    "failing": says(GOOD, 500),
    "no content": says(b"", 204),
    "no HTTP": raw(b"SSH-2.0-x\r\n"),
    "nothing": raw(),
    "half of it": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + GOOD),
    "half a chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + GOOD),
    "too large": says(GOOD + b" " * 65_536),
    "announced larger than memory": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n" + b" " * 70_000),
    "a chunk larger than memory": raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n" + b" " * 70_000
    ),
    "without an end": raw(b"HTTP/1.0 200 OK\r\n\r\n", *[b" " * 10_000] * 50),
    "headers without an end": raw(b"HTTP/1.1 200 OK\r\n", *[b"x: " + b"y" * 10_000 + b"\r\n"] * 90),
    "interim responses without an end": raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 40_000),
}


@pytest.mark.parametrize("behave", WRONG.values(), ids=WRONG)
def test_whatever_else_a_server_answers_is_no_set(behave: Any) -> None:
    """It is away then; a redirect leads nowhere. What has no end is ended by its size, or on a busy machine by time."""
    with serving(behave) as server, RemoteKeys(server.url) as keys:
        with pytest.raises((BackendUnavailable, BackendTimeout)):
            keys.find(TWO.id)
        assert len(server.seen) == 1


@pytest.mark.parametrize("part", ["body", "head"])
def test_a_server_that_dribbles_has_two_seconds(part: str) -> None:
    """In all, however busy it is; those who know their key wait for nothing."""
    behave = (
        dribbling(jwks(ONE))
        if part == "head"
        else raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b" "] * 60, pause=0.2)
    )
    with serving(behave) as server, RemoteKeys(server.url) as keys:
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            keys.find(ONE.id)
        assert 1.5 < time.monotonic() - began < 4


def test_a_server_that_hangs_or_dies_takes_no_known_key_away(clock: FakeClock) -> None:
    """Nobody waits for it, and when it is back it is found again."""
    server = ServerProcess(jwks(ONE))
    back: ServerProcess | None = None
    try:
        with RemoteKeys(server.url, clock=clock) as keys:
            assert id_of(keys.find(ONE.id)) == ONE.id
            server.stop()
            clock.advance(600)
            began = time.monotonic()
            for _ in range(1_000):
                assert id_of(keys.find(ONE.id)) == ONE.id
            assert time.monotonic() - began < 1.5
            soon(lambda: keys._failure is not None)
            assert isinstance(keys._failure, BackendTimeout)
            server.go_on()
            server.kill()
            clock.advance(MINUTE)
            assert id_of(keys.find(ONE.id)) == ONE.id
            soon(lambda: isinstance(keys._failure, BackendUnavailable))
            back = ServerProcess(jwks(ONE, TWO), server.port)
            clock.advance(MINUTE)
            assert id_of(keys.find(TWO.id)) == TWO.id
    finally:
        server.kill()
        if back is not None:
            back.kill()


def test_a_server_that_hangs_from_the_first_has_two_seconds() -> None:
    """It is connected to, by the system, and says nothing."""
    server = ServerProcess(jwks(ONE))
    try:
        server.stop()
        with RemoteKeys(server.url) as keys:
            began = time.monotonic()
            with pytest.raises(BackendTimeout):
                keys.find(ONE.id)
            assert 1.5 < time.monotonic() - began < 4
    finally:
        server.go_on()
        server.kill()


def test_a_port_where_nobody_listens_is_away_at_once() -> None:
    """Without a wait."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with RemoteKeys(f"http://127.0.0.1:{port}/") as keys, pytest.raises(BackendUnavailable):
        keys.find("x")


def test_a_server_that_does_not_prove_its_name_is_not_asked(tmp_path: Path) -> None:
    """A certificate that nobody vouches for; the request is never sent."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "id.example.org")])
    now = FakeClock().now
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=9_000))
        .not_valid_after(now + timedelta(days=9_000))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    both = tmp_path / "both.pem"
    both.write_bytes(pem(key) + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with serving(says(jwks(ONE))) as server:
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        keys = RemoteKeys(server.url.replace("http:", "https:"))
        with keys, pytest.raises(BackendUnavailable, match="SSLCertVerificationError"):
            keys.find(ONE.id)
        assert server.seen == []


def test_the_loop_goes_on_while_a_key_is_waited_for(clock: FakeClock) -> None:
    """And for one that is known no thread is taken."""
    asyncio.run(_waiting(clock))


async def _waiting(clock: FakeClock) -> None:
    going = threading.Event()

    def slow(url: str) -> bytes:
        going.wait(10)
        return jwks(ONE)

    with RemoteKeys(URL, fetch=slow, clock=clock) as keys:
        asked = asyncio.ensure_future(keys.aio.find(ONE.id))
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not asked.done()
        going.set()
        assert id_of(await asked) == ONE.id
        keys.bridge.close()
        assert id_of(await keys.aio.find(ONE.id)) == ONE.id
        assert await keys.aio.find("made-up") is None
        assert keys.bridge._executor is None
