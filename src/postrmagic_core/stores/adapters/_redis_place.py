"""Where a Redis URL leads: to one server, or to the primary that its Sentinels name."""

from __future__ import annotations

import math
import ssl
from functools import cached_property
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from postrmagic_core.errors import ConfigurationError

Command: TypeAlias = tuple[bytes | str | int, ...]

# Seconds that a primary named by a Sentinel is believed. After a planned failover the old one takes writes for eight
# more seconds, until the Sentinels demote it, and then forgets them; it does not close its connections before.
CONFIRMED_FOR = 1.0

_SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
_SHAPE = (
    "expected redis://user:password@host:6379/0 or redis+sentinel://user:password@host1:26379,host2:26379/name/0 "
    "(rediss: over TLS): ports and the database are numbers, and a name of the primary stands after its Sentinels"
)


class Address(NamedTuple):
    """A server's host, by name or number, and its port."""

    host: str
    port: int


class Place:
    """What a URL says, read once. Both faces of a store share one: who learns that the primary moved tells all.

    ``service`` is the primary's name among the Sentinels, ``None`` without them; ``epoch`` counts the moves. From
    ``confirm_at`` (monotonic seconds) on, whoever comes next asks whether the primary is still where it was.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in _SCHEMES:
            raise ConfigurationError(_SHAPE)
        rest, _, query = rest.partition("?")
        authority, _, path = rest.partition("/")
        user, _, hosts = authority.rpartition("@")
        sentinel = scheme.endswith("+sentinel")
        try:
            self.servers = [_address(host, 26379 if sentinel else 6379) for host in hosts.split(",")]
            self.service, self.db = _path(path, sentinel)
        except ValueError:
            raise ConfigurationError(_SHAPE) from None
        if len(self.servers) > 1 and not sentinel:
            raise ConfigurationError(_SHAPE)
        name, _, password = user.partition(":")
        self.auth: Command = ("AUTH", *(unquote(part) for part in (name, password) if part)) if password else ()
        self.encrypted = scheme.startswith("rediss")
        options = dict(parse_qsl(query, keep_blank_values=True))
        self.authorities = options.pop("ssl_ca", None) if self.encrypted else None
        if options:
            raise ConfigurationError(
                "a Redis URL takes ssl_ca, with rediss; near_mb, near_ttl and prefix, with tiered+ before it; "
                f"found: {', '.join(options)}"
            )
        self.epoch = 0
        self.primary: Address | None = None
        self.confirm_at = math.inf

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """How servers are verified: by ``ssl_ca``, else by the system's authorities; the host's name always."""
        if not self.encrypted:
            return None
        try:
            return ssl.create_default_context(cafile=self.authorities)
        except OSError as error:
            raise ConfigurationError(
                f"ssl_ca={self.authorities}: no readable file of PEM certificates there"
            ) from error

    @property
    def greeting(self) -> list[Command]:
        """What a new connection says first. SELECT even of 0: an answer proves that a Redis takes commands there.

        The last is always answered where the server stays: one that is full answers once and hangs up.
        """
        told: list[Command] = [self.auth] if self.auth else []
        told.append(("SELECT", self.db))
        told.append(("ROLE",))
        return told

    def moved(self) -> None:
        """The primary is elsewhere: every connection made so far is left at its next use."""
        self.epoch += 1

    def found(self, primary: Address, now: float) -> None:
        """The primary was named, now; it is asked for again in a second."""
        if self.primary not in {None, primary}:
            self.moved()
        self.primary = primary
        self.confirm_at = now + CONFIRMED_FOR

    def silent(self, sentinel: Address, now: float) -> None:
        """Ask this Sentinel last from now on."""
        self.servers = [*(server for server in self.servers if server != sentinel), sentinel]
        self.confirm_at = now + CONFIRMED_FOR


def _address(text: str, port: int) -> Address:
    split = urlsplit(f"//{text}")
    return Address(unquote(split.hostname or "127.0.0.1"), split.port or port)


def _path(path: str, sentinel: bool) -> tuple[str | None, int]:
    parts = [unquote(part) for part in path.strip("/").split("/")]
    service = parts.pop(0) if sentinel else None
    if service == "" or len(parts) > 1:
        raise ValueError
    return service, int(parts[0] or 0) if parts else 0
