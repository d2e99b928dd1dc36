"""Targets as there are: servers that answer, hang, reset and lie, and certificates of each kind."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer: TypeAlias = Callable[[socket.socket], object]
_NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


class Authority:
    """Signs certificates for whatever host, valid for whatever time."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests' authority")])
        self._made = 0
        until = datetime.now(UTC) + timedelta(days=3650)
        signed = self._signed(self._name, self._key.public_key(), until, x509.BasicConstraints(True, None))
        (place / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def trust(self) -> ssl.SSLContext:
        """Who trusts it."""
        return ssl.create_default_context(cafile=self._place / "ca.pem")

    def server(self, days: float, host: str = "localhost") -> ssl.SSLContext:
        """What a server has whose certificate lasts so many days yet, which may be less than none."""
        self._made += 1
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        alternative = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ip_address("127.0.0.9"))])
        until = datetime.now(UTC) + timedelta(days=days)
        signed = self._signed(name, key.public_key(), until, alternative)
        file = self._place / f"server{self._made}.pem"
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, kind, plain) + signed.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime, extension: x509.ExtensionType
    ) -> x509.Certificate:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(_NOT_BEFORE).not_valid_after(until)
        return made.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())


class Target:
    """A server that does ``answer`` with each connection; ``asked`` is what was sent to it."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the port and of whoever hangs."""
        # Closed alone it would go on waiting in the other thread.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(20)  # it may have taken one more
        for each in self._open:
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connected)
            threading.Thread(target=self._one, args=(connected,), daemon=True).start()

    def _one(self, connected: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._context is not None:
                connected = self._context.wrap_socket(connected, server_side=True)
                self._open.append(connected)
            self.answer(connected)


@contextmanager
def target(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[Target]:
    """A server for the block."""
    made = Target(answer, context)
    try:
        yield made
    finally:
        made.close()


def http(status: int = 200, body: bytes = b"all is well", *lines: str) -> Answer:
    """Answers one request."""

    def answer(connected: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connected.recv(65536)
        head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Whatever", *lines))
        connected.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connected.close()

    return answer


def noting(asked: list[bytes]) -> Answer:
    """Answers, and keeps what it was asked."""

    def answer(connected: socket.socket) -> None:
        asked.append(connected.recv(65536))
        connected.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        connected.close()

    return answer


def silent(connected: socket.socket) -> None:
    """Takes what comes and never says a word."""
    while connected.recv(65536):
        pass


def dripping(connected: socket.socket) -> None:
    """A byte of a header at a time, without end."""
    connected.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    waiting = threading.Event()
    while not waiting.wait(0.02):
        connected.sendall(b"a")


def resetting(connected: socket.socket) -> None:
    """Resets the connection in the middle of an answer."""
    connected.recv(65536)
    connected.sendall(b"HTTP/1.1 200")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()


def closing(connected: socket.socket) -> None:
    """Closes without an answer."""
    connected.recv(65536)
    connected.close()


def babbling(connected: socket.socket) -> None:
    """Speaks something else."""
    connected.sendall(b"220 mail.example.org ESMTP\r\n")
    connected.close()


def free_port() -> int:
    """One on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
