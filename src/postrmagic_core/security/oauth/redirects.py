"""Where a browser may be sent with a code: which addresses a client may register, and which one it asked for.

An address is compared as a text, character by character (RFC 9700, section 2.1): whatever reads it in parts reads it
otherwise than a browser does. Only the port of a loopback address may differ (RFC 8252, section 7.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

_LONGEST = 1000
# RFC 3986's characters, without those of a fragment, a user, a wildcard and an IPv6 address.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?$&'()+,;=!]|%[0-9A-Fa-f]{2})+").fullmatch
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([1-9][0-9]{0,4}))?(/[^/].*|/)").fullmatch
# Named after a domain, so that it is its owner's (RFC 8252, section 7.1).
_PRIVATE = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:/(?:[^/].*)?").fullmatch
_ANSWERS = {"code", "state", "iss", "error", "error_description", "error_uri"}

RULE = (
    "expected as redirect_uri https://host/path, http://127.0.0.1/path or http://[::1]/path, or com.example.app:/path, "
    "without user, fragment and wildcard, and in its query nothing that an answer has"
)


def check_registered(uris: Iterable[str]) -> tuple[str, ...]:
    """Addresses that a client may have, each once; :class:`ValueError` for one that it may not."""
    if isinstance(uris, str):
        raise ValueError("expected a list of redirect_uris, got a text")
    checked = tuple(dict.fromkeys(uris))
    if len(checked) > 20 or not all(map(_may_be_registered, checked)):
        raise ValueError(f"{RULE}; at most 20 of {_LONGEST} characters")
    return checked


def matches(asked: str, registered: Iterable[str]) -> bool:
    """Whether a client has registered the address that it asks for."""
    known = tuple(registered)
    if asked in known:
        return True
    found = _loopback(asked)
    return found is not None and found in [_loopback(each) for each in known]


def answered(uri: str, answer: Mapping[str, str | None]) -> str:
    """The address with what the browser takes there; what is ``None`` is left out."""
    query = urlencode({name: value for name, value in answer.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _may_be_registered(uri: object) -> bool:
    if not isinstance(uri, str) or not 0 < len(uri) <= _LONGEST:
        return False
    if _loopback(uri) is not None:
        rest = uri.removeprefix("http://[::1]")
        return _CHARACTERS(rest) is not None and _has_no_answer(uri)
    if _CHARACTERS(uri) is None or not _has_no_answer(uri):
        return False
    return _is_https(uri) if uri.startswith("https:") else _PRIVATE(uri) is not None


def _is_https(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not uri.startswith("https://") or not host or parts.netloc.lower() != parts.netloc:
        return False
    return re.search(r"(?:\A|\.)localhost\.?\Z", host) is None


def _has_no_answer(uri: str) -> bool:
    return not _ANSWERS & {name for name, _ in parse_qsl(urlsplit(uri).query, keep_blank_values=True)}


def _loopback(uri: str) -> tuple[str, str] | None:
    """Host and what follows the port of an address of this machine."""
    found = _LOOPBACK(uri)
    if found is None or int(found[2] or 80) > 65_535:
        return None
    return found[1], found[3]
