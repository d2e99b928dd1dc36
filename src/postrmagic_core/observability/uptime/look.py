"""A look at a target: connected, shaken hands with, asked; and what failed, in words that hold no secret."""

from __future__ import annotations

import base64
import errno
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from ..health import Report
from .interface import Probe
from .targets import asked, place

BODY: Final = 64 * 1024
"""Bytes of an answer's body that are read."""

# OpenSSL's X509_V_ERR_…: what is wrong with a certificate.
_CERTIFICATES: Mapping[int, str] = {
    7: "the certificate is not trusted",
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself",
    19: "the certificate is not trusted",
    20: "the certificate is not trusted",
    62: "the certificate is for another name",
    64: "the certificate is for another address",
}
# In this order: what closes a connection without an answer is one that resets it, too.
_REASONS: Sequence[tuple[tuple[type[Exception], ...], str]] = (
    ((socket.gaierror, UnicodeError), "the name cannot be resolved"),
    ((ConnectionRefusedError,), "the connection was refused"),
    ((http.client.RemoteDisconnected, ssl.SSLEOFError), "the connection was closed without an answer"),
    ((ConnectionError,), "the connection was reset"),
    ((http.client.HTTPException,), "what answers does not speak HTTP"),
)
_DAY = 86_400.0


class Attempt:
    """One look under way; :meth:`cancel` ends what waits for the network, from another thread.

    ``now``: seconds since 1970, by which certificates expire.
    """

    expires: float | None = None

    def __init__(
        self, probe: Probe, *, context: Callable[[], ssl.SSLContext], health: Callable[[], Report] | None, now: float
    ) -> None:
        self._probe = probe
        self._context = context
        self._health = health
        self._now = now
        self._until = time.monotonic() + probe.timeout
        self._socket: socket.socket | None = None
        self._cancelled = False

    def run(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        try:
            return self._run()
        except Exception as error:
            return reason(error, self._probe.timeout)
        finally:
            if self._socket is not None:
                self._socket.close()

    def cancel(self) -> None:
        """Let it end now."""
        self._cancelled = True
        found = self._socket
        if found is not None:
            try:
                found.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed, or was never connected
                return

    def _run(self) -> str:
        if self._probe.kind == "internal":
            return self._internal()
        host, port = place(self._probe.url)
        connected = self._kept(socket.create_connection((host, port), timeout=self._left()))
        if self._probe.kind == "tcp":
            return ""
        if self._probe.kind == "tls" or self._probe.url.startswith("https:"):
            connected = self._secured(connected, host)
        return self._lasting() if self._probe.kind == "tls" else self._asked(connected, host, port)

    def _internal(self) -> str:
        if self._health is None:
            return "nobody here can tell how the application is"
        report = self._health()
        if report.state != "failed":
            return ""
        return ", ".join(f"{name}: {found.error}" for name, found in report.checks.items() if not found.ok)

    def _secured(self, connected: socket.socket, host: str) -> ssl.SSLSocket:
        secured = self._context().wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
        self._kept(secured)
        secured.do_handshake()
        until = (secured.getpeercert() or {}).get("notAfter")
        if isinstance(until, str):
            self.expires = float(ssl.cert_time_to_seconds(until))
        return secured

    def _lasting(self) -> str:
        if self.expires is None:
            return "there is no certificate"
        days = (self.expires - self._now) / _DAY
        return f"the certificate expires in {max(0, int(days))} days" if days < self._probe.days else ""

    def _asked(self, connected: socket.socket, host: str, port: int) -> str:
        connection = http.client.HTTPConnection(host, port, timeout=self._left())
        connection.auto_open = 0  # it has the socket that was made for it, and makes no other
        connection.sock = connected
        connection.request("GET", asked(self._probe.url), headers=self._headers())
        connected.settimeout(self._left())
        with connection.getresponse() as answer:
            expected = self._probe.status
            if answer.status >= 400 if expected is None else answer.status != expected:
                return f"it answered {answer.status}"
            if self._probe.text and self._probe.text.encode() not in answer.read(BODY):
                return "the text is not in the answer"
        return ""

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "postrmagic-core uptime", "Accept": "*/*", "Connection": "close"}
        parts = urlsplit(self._probe.url)
        if parts.username is not None:
            known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(known.encode()).decode()
        return headers

    def _kept(self, connected: socket.socket) -> socket.socket:
        self._socket = connected
        connected.settimeout(self._left())
        if self._cancelled:
            raise TimeoutError
        return connected

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def late(timeout: float) -> str:
    """What is said of one that took too long."""
    return f"no answer within {timeout:g} s"


def reason(error: Exception, timeout: float) -> str:
    """What failed, in words: nothing of what the other side says, and nothing of the URL."""
    told = next((text for kinds, text in _REASONS if isinstance(error, kinds)), None)
    if told is not None:
        return told
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(error.verify_code, f"the certificate is not valid ({error.verify_code})")
    if isinstance(error, TimeoutError):
        return late(timeout)
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({error.reason or 'UNKNOWN'})"
    if isinstance(error, OSError):
        return f"the network says {errno.errorcode.get(error.errno or 0, type(error).__name__)}"
    return f"the look failed ({type(error).__name__})"
