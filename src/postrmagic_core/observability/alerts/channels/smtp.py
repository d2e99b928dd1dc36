"""E-mail by SMTP: STARTTLS or TLS, a text and a page, one message to all recipients."""

from __future__ import annotations

import contextlib
import logging
import smtplib
import socket
import threading
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from ....errors import BackendRejected, BackendTimeout, BackendUnavailable, ConfigurationError
from .. import told
from ..interface import Notification

if TYPE_CHECKING:
    import ssl

logger = logging.getLogger("postrmagic_core.observability")

# Seconds until the server is reached, for each of its answers, and for all of it.
_CONNECT, _ANSWER, _BUDGET = 5.0, 10.0, 30.0
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtp": 587, "smtps": 465}


class SMTPChannel:
    """Sends each notification as a mail.

    ``smtp://user:password@host:587?from=alerts@example.org&to=ops@example.org``; ``to`` may come again, or hold several
    with commas. ``smtp`` needs STARTTLS, unless ``plain=1`` says otherwise for a server of this machine; ``smtps`` is
    TLS from the first byte. Certificates are verified. Anything else raises :class:`ConfigurationError`, without the
    URL.
    """

    def __init__(self, url: str, *, what: str = "a mail channel", context: ssl.SSLContext | None = None) -> None:
        self._what = what
        self._context = context
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            asked = parse_qs(parts.query, strict_parsing=True, max_num_fields=20)
        except ValueError:
            raise ConfigurationError(f"{what}: expected smtp://host:port?from=…&to=…") from None
        if not host or parts.path not in ("", "/") or parts.fragment or set(asked) - {"from", "to", "plain"}:
            raise ConfigurationError(f"{what}: expected smtp://host:port?from=…&to=…, and nothing else")
        self._secure = parts.scheme == "smtps"
        self._host, self._port = host, port or _PORTS[parts.scheme]
        self._login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        self._from = _address(asked.get("from", [""])[-1], what)
        self._to = [_address(one.strip(), what) for each in asked.get("to", [""]) for one in each.split(",")]
        self._plain = asked.get("plain", ["0"])[-1] == "1"
        if self._plain and host not in _LOCAL:
            raise ConfigurationError(f"{what}: plain=1 is for a server of this machine alone")

    @classmethod
    def from_url(cls, url: str, *, what: str = "a mail channel", secrets: Sequence[str] = ()) -> Self:
        """See the class; ``secrets`` are for others."""
        return cls(url, what=what)

    def __repr__(self) -> str:
        return f"SMTPChannel({self._what})"

    def send(self, notification: Notification) -> None:
        """Send it; a recipient that the server refuses, while it takes another, is told in the log."""
        message = self._message(notification)
        try:
            with self._connected() as server:
                refused = server.send_message(message, self._from, self._to)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise self._failure(min(codes, default=0), "every recipient") from None
        except smtplib.SMTPResponseException as error:
            raise self._failure(error.smtp_code, "the message") from None
        except smtplib.SMTPNotSupportedError:
            raise BackendRejected(f"{self._what}: the server offers no STARTTLS, or no login") from None
        except TimeoutError:
            raise BackendTimeout(f"{self._what} did not answer in time") from None
        except (smtplib.SMTPException, OSError) as error:
            raise BackendUnavailable(f"{self._what} cannot be reached: {type(error).__qualname__}") from None
        if refused:
            logger.warning("a recipient of alerts is refused", extra={"channel": self._what, "refused": len(refused)})

    def close(self) -> None:
        """Nothing is held: each mail has a connection of its own."""

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        me = socket.gethostname()  # its full name would have to be asked for, which nothing bounds
        server: Any = (
            smtplib.SMTP_SSL(local_hostname=me, timeout=_CONNECT, context=self._tls())
            if self._secure
            else smtplib.SMTP(local_hostname=me, timeout=_CONNECT)
        )
        # Given to the constructor the host would be connected to at once, with nothing yet that ends a slow greeting.
        server._host = self._host
        late = threading.Event()
        timer = _ending(server, late, _BUDGET)
        try:
            server.connect(self._host, self._port)
            server.sock.settimeout(_ANSWER)
            server.ehlo()
            if not (self._secure or self._plain):
                server.starttls(context=self._tls())
                server.ehlo()
            if self._login is not None:
                server.login(*self._login)
            yield server
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
        except (OSError, smtplib.SMTPException, ValueError):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
            server.close()

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context()
        return self._context

    def _message(self, notification: Notification) -> EmailMessage:
        domain = self._from.rpartition("@")[2]
        message = EmailMessage()
        message["From"] = self._from
        message["To"] = ", ".join(self._to)
        message["Subject"] = told.title(notification)
        message["Date"] = formatdate()
        # The same in each try: a mailbox shows a double once, and what is told of a rule together.
        message["Message-ID"] = f"<{notification.id}.alerts@{domain}>"
        message["References"] = f"<{notification.thread}.alerts@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
        message.set_content(told.text(notification))
        message.add_alternative(told.html(notification), subtype="html")
        return message

    def _failure(self, code: int, of: str) -> Exception:
        if 500 <= code < 600:
            return BackendRejected(f"{self._what}: the server refuses {of} with {code}")
        return BackendUnavailable(f"{self._what}: the server cannot take {of} now, it says {code}")


def _ending(server: Any, late: threading.Event, seconds: float) -> threading.Timer:
    """What ends a connection after so long, however busily the server dribbles; ``late`` says that it did."""

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError, AttributeError):  # it may be connecting still
            server.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def _address(text: str, what: str) -> str:
    name, _, domain = text.rpartition("@")
    if not (name and domain) or not text.isascii() or not text.isprintable() or set(text) & set(' <>,;:"\\()[]'):
        raise ConfigurationError(f"{what}: expected from and to to be addresses, as ops@example.org")
    return text
