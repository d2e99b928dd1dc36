"""Lines by HTTP: compressed, authorized, over one connection, to where they are meant to go and nowhere else."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

from postrmagic_core.log.forwarding import Later, Refused, http, shipper_for
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.clock import FakeClock
from postrmagic_core.testing.contracts.log_shipper import PROMPT, line
from tests.log.forwarding.receivers import HttpReceiver

LINES = [line("a"), line("b"), line("Grüße")]


def test_a_batch_is_one_compressed_post(receiver: HttpReceiver) -> None:
    """Of newline-delimited JSON, the lines as they are; the next one takes the same connection."""
    with closing(shipper_for(f"{receiver.url}/logs?source=app", "s3cret")) as shipper:
        assert shipper.ship(LINES) == 0
        assert shipper.ship(LINES[:1]) == 0
    path, head, body = receiver.asked[0]
    assert body == b"".join(each + b"\n" for each in LINES)
    assert path == "/logs?source=app"
    assert head["Content-Type"] == "application/x-ndjson"
    assert head["Content-Encoding"] == "gzip"
    assert head["Authorization"] == "Bearer s3cret"
    assert head["Host"] == f"127.0.0.1:{receiver.port}"
    assert len(receiver.asked) == 2
    assert receiver.connections == 1


def test_without_a_token_none_is_sent(receiver: HttpReceiver) -> None:
    """And the path of a bare URL is the root."""
    with closing(shipper_for(receiver.url)) as shipper:
        shipper.ship(LINES)
    path, head, _ = receiver.asked[0]
    assert (path, head["Authorization"]) == ("/", None)


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 500, 503])
def test_what_may_change_is_tried_again(receiver: HttpReceiver, status: int) -> None:
    """No line is dropped for it, and no redirect followed: its place may be anybody's."""
    with closing(shipper_for(receiver.url)) as shipper, receiver.answering(status, {"Location": f"{receiver.url}/x"}):
        with pytest.raises(OSError, match=f"the receiver answered {status}") as failure:
            shipper.ship(LINES)
        assert not isinstance(failure.value, Refused | Later)
    assert len(receiver.asked) == 1


@pytest.mark.parametrize("status", [400, 413])
def test_a_body_that_will_never_do_is_refused(receiver: HttpReceiver, status: int) -> None:
    """Malformed, or too large."""
    with closing(shipper_for(receiver.url)) as shipper, receiver.answering(status), pytest.raises(Refused):
        shipper.ship(LINES)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heard(receiver: HttpReceiver, status: int) -> None:
    """As seconds and as a date, by the clock that was handed in."""
    clock = FakeClock()
    with closing(shipper_for(receiver.url, clock=clock)) as shipper:
        for told, seconds in (("7", 7.0), ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0)):
            with receiver.answering(status, {"Retry-After": told}), pytest.raises(Later) as asked:
                shipper.ship(LINES)
            assert asked.value.after == seconds


def test_a_kept_connection_that_was_closed_costs_no_failure(receiver: HttpReceiver) -> None:
    """Before the next batch it is seen, and another is made."""
    with closing(shipper_for(receiver.url)) as shipper:
        shipper.ship(LINES)
        with receiver.away():
            pass
        assert shipper.ship(LINES) == 0
    assert receiver.connections == 2


def test_tls_is_verified(
    receiver: HttpReceiver, authority: Authority, serving: Callable[[str], ssl.SSLContext]
) -> None:
    """Who the certificate is of, and who signed it; without either nothing is sent."""
    for name, trusted, taken in (("127.0.0.1", True, 1), ("localhost", True, 0), ("127.0.0.1", False, 0)):
        secure = HttpReceiver(serving(name))
        try:
            with closing(shipper_for(secure.url, "t", authority=authority.file if trusted else None)) as shipper:
                if taken:
                    assert shipper.ship(LINES) == shipper.ship(LINES) == 0
                    assert secure.connections == 1
                else:
                    with pytest.raises(ssl.SSLCertVerificationError):
                        shipper.ship(LINES)
        finally:
            secure.stop()
        assert len(secure.taken) == 2 * taken


@contextmanager
def dripping(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request and then does as ``answer`` says; its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                answer(connection)
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def drip(seconds: float) -> Callable[[socket.socket], None]:
    """A byte of the head now and then, for so long."""

    def answer(connection: socket.socket) -> None:
        until = time.monotonic() + seconds
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while time.monotonic() < until:
            time.sleep(0.05)
            connection.sendall(b"x")

    return answer


def test_the_whole_answer_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that sends a byte now and then does not put it off."""
    monkeypatch.setattr(http, "WHOLE", 0.4)
    with dripping(drip(2)) as url, closing(shipper_for(url)) as shipper:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            shipper.ship(LINES)
        assert 0.3 < time.monotonic() - began < 5


@pytest.mark.soak
def test_that_deadline_is_ten_seconds() -> None:
    """As it is promised."""
    with dripping(drip(15)) as url, closing(shipper_for(url)) as shipper:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            shipper.ship(LINES)
        assert 9.5 < time.monotonic() - began < PROMPT


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[HTTPResponse]:
    """Every answer that was begun: one that is left to the collector complains there, in whoever's thread that is."""
    begun: list[HTTPResponse] = []

    class Begun(HTTPResponse):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            begun.append(self)

    monkeypatch.setattr("http.client.HTTPResponse", Begun)
    return begun


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"],
)
def test_what_is_no_answer_is_a_failure(said: bytes, answers: list[HTTPResponse]) -> None:
    """Of somebody who speaks something else there."""
    with dripping(lambda connection: connection.sendall(said)) as url, closing(shipper_for(url)) as shipper:
        with pytest.raises(OSError) as failure:  # noqa: PT011 - which one is no matter
            shipper.ship(LINES)
        assert not isinstance(failure.value, Refused)
    assert [answer.closed for answer in answers] == [True]


def test_an_endless_answer_is_left(answers: list[HTTPResponse]) -> None:
    """After 64 KiB: the status said what there is to know."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with dripping(flood) as url, closing(shipper_for(url)) as shipper:
        assert shipper.ship(LINES) == 0
    assert [answer.closed for answer in answers] == [True]


def test_a_black_hole_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes the connection and then not one byte: sending ends, too."""
    monkeypatch.setattr(http, "WHOLE", 0.4)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with closing(shipper_for(f"http://127.0.0.1:{listening.getsockname()[1]}")) as shipper:
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                shipper.ship([line("x" * 100, n=str(number) * 50) for number in range(1000)])
            assert time.monotonic() - began < 5
