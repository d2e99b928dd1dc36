"""A URL from outside, kept in one spelling: ``homepage: Annotated[str, Url()]``.

The URL is read once, strictly, by :func:`parsed`. What parsers read in different ways, or what browsers repair (WHATWG
URL, section 4.4), is refused: so nobody who reads the result later finds another host in it. The host is ASCII; an
international name is written in its ``xn--`` form (RFC 5890).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal
from urllib.parse import quote

from ..errors import ConfigurationError
from .rule import TextRule, refused, require, too_long

DEFAULT_PORTS = {"ftp": 21, "http": 80, "https": 443, "ws": 80, "wss": 443}
"""The schemes that can be allowed, each with the port that its URLs leave out."""

Wrong = Literal["url.form", "url.scheme", "url.userinfo", "url.host", "url.port", "url.escape"]

_PARTS = re.compile(r"([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# WHATWG URL, "ends in a number": such a host is an IPv4 address to every browser, in decimal, octal or hex.
_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")  # RFC 3986 section 2.3
_PATH = "%!$&'()*+,;=:@/"
_QUERY = _PATH + "?"
# RFC 5892 appendix A, the marks that some scripts write inside a name.
_JOINING_MARKS = frozenset("-\u00b7\u0375\u05f3\u05f4\u30fb")
_LONGEST_NAME = 253
_LONGEST_IPV6 = 45


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A URL in parts, each in its one spelling. ``str()`` is the URL; ``repr()`` shows none of it.

    ``host``: lower case, an IPv6 address without brackets. ``is_ip``: whether it is an address rather than a name.
    ``port``: written out or the scheme's own. ``target``: path and query, as a request names them.
    """

    scheme: str
    host: str
    is_ip: bool
    port: int
    target: str
    fragment: str | None = None

    @property
    def authority(self) -> str:
        """The host, and the port where it is not the scheme's own: the value of the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454)."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        ending = "" if self.fragment is None else f"#{self.fragment}"
        return f"{self.origin}{self.target}{ending}"


def parsed(text: str) -> Address | Wrong:
    """The URL ``text`` in parts, or the code of what is wrong with it; linear, and total: it raises nothing.

    Changed: scheme and host become lower case, the scheme's own port goes, ``.`` and ``..`` are applied, escapes of
    unreserved characters are undone and the others written in upper case, other characters are escaped as UTF-8 (RFC
    3986 section 6.2.2, RFC 3987 section 3.1).
    """
    if not text.isprintable() or " " in text or "\\" in text:
        return "url.form"
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        return "url.scheme"
    parts = _PARTS.fullmatch(rest)
    if parts is None:
        return "url.form"
    authority, path, query, fragment = parts.groups()
    place = _place(authority)
    if isinstance(place, str):
        return place
    if _BAD_ESCAPE.search(rest):
        return "url.escape"
    host, is_ip, port = place
    target = _without_dots(_respelled(path, _PATH)) + ("" if query is None else f"?{_respelled(query, _QUERY)}")
    ending = None if fragment is None else _respelled(fragment, _QUERY)
    return Address(scheme, host, is_ip, port or DEFAULT_PORTS[scheme], target, ending)


def listed(host: str, hosts: Collection[str]) -> bool:
    """Whether ``host`` is one of ``hosts``; an entry that begins with a dot stands for every name below it."""
    return host in hosts or any(entry.startswith(".") and host.endswith(entry) for entry in hosts)


def check_hosts(hosts: Collection[str] | None) -> None:
    """Raise :class:`ConfigurationError` for an allow-list of hosts with an entry that could never match."""
    if isinstance(hosts, str):
        raise ConfigurationError("hosts: expected a collection of host names, got one text: write (name,)")
    for entry in hosts or ():
        found = _host(f"[{entry}]" if ":" in entry else entry.removeprefix("."))
        if found is None or found[0] != entry.removeprefix("."):
            raise ConfigurationError(
                f"hosts: {entry!r} is no host name in lower case ASCII (a dot before it means every name below it)"
            )


def check_schemes(schemes: Collection[str], known: Collection[str] = tuple(DEFAULT_PORTS)) -> None:
    """Raise :class:`ConfigurationError` unless every scheme is one of those ``known``."""
    if isinstance(schemes, str) or not schemes or not set(schemes) <= set(known):
        raise ConfigurationError(f"schemes: expected some of {', '.join(known)}, got {schemes!r}")


def _place(authority: str) -> tuple[str, bool, int] | Wrong:
    if "@" in authority:
        return "url.userinfo"
    split = _AUTHORITY.fullmatch(authority)
    found = _host(split[1]) if split else None
    if split is None or found is None:
        return "url.host"
    port = split[2] or "0"
    if split[2] and not (_PORT.fullmatch(port) and int(port) <= 65_535):
        return "url.port"
    return *found, int(port)


def _host(text: str) -> tuple[str, bool] | None:
    if text.startswith("["):
        return _ipv6(text[1:-1])
    if not text.isascii() or len(text) > _LONGEST_NAME:
        return None
    name = text.lower()
    if _NUMBER.search(name):
        return _ipv4(name)
    good = all(
        _LABEL.fullmatch(label) and (not label.startswith("xn--") or _is_international(label))
        for label in name.split(".")
    )
    return (name, False) if good else None


def _ipv4(text: str) -> tuple[str, bool] | None:
    try:
        return str(IPv4Address(text)), True
    except ValueError:
        return None


def _ipv6(text: str) -> tuple[str, bool] | None:
    if "%" in text or len(text) > _LONGEST_IPV6:  # a zone is a network card of whoever reads the URL
        return None
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    if address.ipv4_mapped is None:
        return str(address), True
    low = int(address.ipv4_mapped)  # Python 3.13 writes these with dots, earlier ones as here
    return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}", True


def _is_international(label: str) -> bool:
    try:
        name = label[4:].encode().decode("punycode")
        again = name.encode("punycode").decode()
    except UnicodeError:
        return False
    return (
        not name.isascii()
        and again == label[4:]
        and name == unicodedata.normalize("NFKC", name.lower())
        and all(
            letter.isalnum() or letter in _JOINING_MARKS or unicodedata.category(letter)[0] == "M" for letter in name
        )
    )


def _respelled(text: str, safe: str) -> str:
    return quote(_ESCAPE.sub(_escape, text), safe=safe)


def _escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()


def _without_dots(path: str) -> str:
    steps = path.split("/")[1:]
    kept: list[str] = []
    for step in steps:
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
    if steps and steps[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Url(TextRule):
    """A complete URL of at most ``max`` characters, changed to one spelling by :func:`parsed`.

    ``schemes``: some of :data:`DEFAULT_PORTS`; ``javascript``, ``data``, ``file`` and the like cannot be allowed.
    ``hosts``: the only ones it may lead to; ``.example.org`` stands for every name below ``example.org``. ``None``
    admits every name that has a dot: a name without one is of the reader's own network. ``ports``: the only ones it may
    name. ``addresses``: whether the host may be an IP address.

    Refused: ``url.scheme``, ``url.form`` (spaces, controls, backslashes), ``url.userinfo``, ``url.host``,
    ``url.other_host``, ``url.port``, ``url.escape``. The name is not looked up: what a fetch reaches is decided by
    :class:`.destinations.Destinations` when it happens.
    """

    schemes: Collection[str] = ("https",)
    hosts: Collection[str] | None = None
    ports: Collection[int] | None = None
    addresses: bool = False
    max: int = 2_048

    def __post_init__(self) -> None:
        check_schemes(self.schemes)
        check_hosts(self.hosts)
        require(self.max >= 1, "Url: max must be at least 1")

    def _limit(self) -> int:
        return self.max

    def _said(self) -> dict[str, Any]:
        return {"format": "uri"}

    def _check(self, value: str) -> str:
        address = parsed(value)
        if address == "url.scheme" or (isinstance(address, Address) and address.scheme not in self.schemes):
            raise refused("url.scheme", expected=" or ".join(f"{scheme}://" for scheme in self.schemes))
        if isinstance(address, str):
            raise refused(address)
        self._judge(address)
        url = str(address)
        if len(url) > self.max:  # escapes are longer than what they stand for
            raise too_long(self.max)
        return url

    def _judge(self, address: Address) -> None:
        if self.hosts is not None and not listed(address.host, self.hosts):
            raise refused("url.other_host")
        if self.hosts is None and "." not in address.host and not address.is_ip:
            raise refused("url.host")
        if address.is_ip and not self.addresses and address.host not in (self.hosts or ()):
            raise refused("url.host")
        if self.ports is not None and address.port not in self.ports:
            raise refused("url.port")
