"""Where a MySQL or MariaDB database is and how it is connected to, with or without an engine over it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlencode

from ..errors import ConfigurationError, translating
from .interface import Timeouts
from .mysql_connection import ResumingContext, ServerConnection
from .mysql_errors import ours

C = TypeVar("C", bound=ServerConnection)

_PORT = 3306
_URL = re.compile(
    r"""
    [\w+]+://
    (?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?
    (?:\[(?P<ip>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[0-9]*))?
    (?:/(?P<database>[^?]*))?(?:\?(?P<options>.*))?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class MysqlServer:
    """One database of a server; ``ca`` is the file of certificates by which TLS is verified, empty without TLS."""

    host: str
    database: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    port: int = _PORT
    ca: str = ""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """``mysql://user:password@host:port/name``, with ``?ssl_ca=/path`` for TLS; nothing is connected.

        Raises :class:`ConfigurationError`, which shows no part of the URL but the names of its options.
        """
        parts = _URL.fullmatch(url)
        if parts is None:
            raise ConfigurationError("expected mysql://user:password@host:3306/name")
        host = parts["ip"] or parts["host"]
        if not host or not parts["database"]:
            raise ConfigurationError("the MySQL URL lacks its host or database: mysql://user:password@host:3306/name")
        options = parse_qs(parts["options"] or "", keep_blank_values=True)
        unknown = sorted(set(options) - {"ssl_ca"})
        if unknown or len(options.get("ssl_ca", ())) > 1:
            raise ConfigurationError(f"a MySQL URL takes one option, ssl_ca; found: {', '.join(unknown) or 'several'}")
        user, password = (None if part is None else unquote(part) for part in (parts["user"], parts["password"]))
        ca = "".join(options.get("ssl_ca", ()))
        return cls(host, parts["database"], user, password, int(parts["port"] or _PORT), ca)

    @property
    def database_id(self) -> str:
        """Host, port and name: the same for two URLs of one database, without credentials."""
        host = self.host.lower()
        return f"mysql:{'127.0.0.1' if host == 'localhost' else host}:{self.port}/{self.database}"

    def url(self, *, secret: bool) -> str:
        """How it is written; without its password unless ``secret``."""
        password = f":{quote(self.password, safe='')}" if secret and self.password else ""
        user = "" if self.user is None else f"{quote(self.user, safe='')}{password}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORT else f":{self.port}"
        options = f"?{urlencode({'ssl_ca': self.ca})}" if self.ca else ""
        return f"mysql://{user}{host}{port}/{self.database}{options}"

    def arguments(self, timeouts: Timeouts) -> dict[str, Any]:
        """PyMySQL's for every connection, without place and credentials; it is in TLS if at all, verified."""
        return {
            "charset": "utf8mb4",
            "connect_timeout": timeouts.connect,
            # Until the session is set up, a server that accepts and then says nothing counts as not connecting.
            "read_timeout": timeouts.connect,
            "write_timeout": silence(timeouts),
            "autocommit": None,  # set with the rest of the session
            **(_tls(self.ca) if self.ca else {"ssl_disabled": True}),
        }

    def connect(self, kind: Callable[..., C], timeouts: Timeouts, **options: Any) -> C:
        """A connection of its own, not set up; ``options`` are PyMySQL's own. Raises this package's errors."""
        place = {"host": self.host, "port": self.port, "database": self.database}
        with translating(ours):
            return kind(**place, user=self.user, password=self.password or "", **self.arguments(timeouts), **options)


def silence(timeouts: Timeouts) -> float:
    """Seconds until a silent server is given up: a little later than it would have stopped the statement itself."""
    return timeouts.statement * 1.1 + 0.1


def _tls(ca: str) -> dict[str, Any]:
    try:
        return {"ssl": _tls_context(ca)}
    except OSError as error:
        raise ConfigurationError(f"ssl_ca={ca}: no readable file of PEM certificates there") from error


@lru_cache(maxsize=16)
def _tls_context(ca: str) -> ResumingContext:
    """One context per CA file: PyMySQL would load the CA bundle anew for each connection."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)  # which verifies the server and its name
    context.load_verify_locations(ca)
    return context
