"""What a fetch asks and gets, and what becomes of it at a redirect. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from ...errors import DestinationRefused, FetchFailed, UsageError
from ..urls import Address, parsed

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_LONGEST_URL = 8_192
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2, token
_VALUE = re.compile(r"[\t -~]*")
# What decides where a request ends, which connection it goes over and how its answer is written is set here.
# fmt: off
_OURS = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})
# fmt: on
# Any other may hold a credential: X-Api-Key, a signature, a cookie.
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request: ``headers`` as given, without those that the connection sets."""

    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    @classmethod
    def checked(cls, method: str, headers: Mapping[str, str], body: bytes | None) -> Request:
        """The request, or :class:`UsageError` for what cannot be sent unambiguously; it repeats no value."""
        if method not in METHODS:
            raise UsageError(f"fetch: method must be one of {', '.join(sorted(METHODS))}")
        if body is not None and method in {"GET", "HEAD"}:
            raise UsageError("fetch: GET and HEAD have no body; use POST, PUT or PATCH")
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise UsageError("fetch: a header's name must be a token and its value printable ASCII on one line")
            if name.lower() in _OURS:
                raise UsageError(f"fetch: the header {name.lower()} is set by fetch itself; leave it out")
        return cls(method, tuple(headers.items()), body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. ``headers``: names in lower case, in order. ``url``: whose answer it is, after redirects.

    ``repr()`` shows the status only: the rest is the server's, or the user's, and may be secret.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)

    def header(self, name: str) -> str | None:
        """The value of the header ``name``; several are joined by commas (RFC 9110 section 5.3)."""
        values = [value for each, value in self.headers if each == name.lower()]
        return ", ".join(values) if values else None

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client to another URL."""
        return self.status in _REDIRECTS and self.header("location") is not None


def fetchable(url: str) -> Address:
    """The URL in parts; raises :class:`DestinationRefused` for what is none."""
    address = parsed(url) if len(url) <= _LONGEST_URL else None
    if not isinstance(address, Address):
        raise DestinationRefused("the URL is not one that can be fetched: expected a complete URL of plain spelling")
    return replace(address, fragment=None)


def followed(address: Address, request: Request, answer: Answer) -> tuple[Address, Request]:
    """Where a redirect leads, and what is asked there (RFC 9110 section 15.4, WHATWG Fetch section 4.4).

    Another origin gets neither a body nor any header that may hold a credential. Raises :class:`DestinationRefused`
    where ``https`` would be left, or a body would go to another origin.
    """
    place = answer.header("location") or ""
    if not place.isascii() or not place.isprintable() or " " in place or "\\" in place:
        raise FetchFailed("the server's redirect is not a URL")
    try:
        target = fetchable(urljoin(str(address), place))
    except ValueError:
        raise FetchFailed("the server's redirect is not a URL") from None
    if address.scheme == "https" and target.scheme != "https":
        raise DestinationRefused("a redirect leads from https to a scheme without encryption")
    becomes_get = (answer.status == 303 and request.method != "HEAD") or (
        answer.status in {301, 302} and request.method == "POST"
    )
    if becomes_get:
        kept = [pair for pair in request.headers if not pair[0].lower().startswith("content-")]
        request = Request("GET", tuple(kept), None)
    if target.origin != address.origin:
        if request.body is not None:
            raise DestinationRefused("a redirect leads to another origin, which must not get the body")
        harmless = [pair for pair in request.headers if pair[0].lower() in _HARMLESS]
        request = replace(request, headers=tuple(harmless))
    return target, request
