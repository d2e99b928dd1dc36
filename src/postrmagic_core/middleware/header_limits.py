"""No request head larger, or of another shape, than what every server and proxy on the way reads alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .._problem import Problem
from .interface import Header, Layer, Middleware, Request, Response, Scope, closing
from .order import middleware

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # RFC 9110, section 5.6.2
_CONTROLS = bytes(code for code in (*range(32), 127) if code != 9)  # RFC 9110, section 5.5: of controls only the tab
_PREFIXES = (b"__Host-", b"__Secure-")  # RFC 6265bis, section 4.1.3
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host", b"cookie"})
_DIGITS = re.compile(rb"[0-9]{1,18}")
_AUTHORITY = re.compile(
    r"(?:(?P<name>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{0,5}))?"
)
_AUTHORITY_LENGTH = 261  # a name of 255, a colon, a port of 5


class _Limits(NamedTuple):
    headers: int
    header_bytes: int
    target_bytes: int
    parameters: int


def header_limits(
    *, max_count: int = 100, max_bytes: int = 16_384, max_target_bytes: int = 8_192, max_query_parameters: int = 1_000
) -> Middleware:
    """Refuse a request by its head alone, with a problem document; the connection ends with it.

    431 (RFC 6585): over ``max_count`` headers, or ``max_bytes`` of names and values together. 414: path and query of
    over ``max_target_bytes``. 400: over ``max_query_parameters`` parameters, counted and not parsed; control characters
    in a header; a path with NUL or invalid UTF-8; and what servers and proxies read differently (RFC 9112, section 6,
    ASVS 4.2.1): ``Content-Length`` beside ``Transfer-Encoding``, twice, or no number; a transfer coding other than
    ``chunked``; two ``Host`` headers, one that is no host, or in HTTP/1.1 none; two ``__Host-`` or ``__Secure-``
    cookies of one name, or one in disguise (``=__Host-a=b``).

    A server's own limits come first: what it refuses is never seen here.
    """
    limits = _Limits(max_count, max_bytes, max_target_bytes, max_query_parameters)
    if min(limits) < 1:
        raise ValueError(f"expected limits of at least 1, got {limits._asdict()}")

    # Outside access_log a refusal would not be logged. What stands inside may believe the head: body_limit reads one
    # Content-Length, sessions and csrf one cookie, csrf one Host.
    @middleware(
        name="header_limits",
        after=["access_log"],
        before=["body_limit", "sessions", "csrf", "authentication"],
        scopes=["http", "websocket"],
    )
    def layer(request: Request) -> Layer:
        refusal = _refusal(request.scope, limits)
        if refusal is not None:
            # Where the next request begins is in doubt: RFC 9112, section 6.1.
            yield Response.of(refusal, closing(request.scope))

    return layer


def is_authority(text: str) -> bool:
    """Whether ``text`` is a host with or without a port: a name in ASCII, an IPv4 or a bracketed IPv6 address."""
    found = _AUTHORITY.fullmatch(text) if len(text) <= _AUTHORITY_LENGTH else None
    if found is None or int(found["port"] or 0) > 65_535:
        return False
    if found["v6"] is not None:
        try:
            IPv6Address(found["v6"])
        except ValueError:
            return False
    return True


def _refusal(scope: Scope, limits: _Limits) -> Problem | None:
    query, path, raw = scope.get("query_string") or b"", scope.get("path") or "", scope.get("raw_path") or b""
    if len(raw or path) + len(query) > limits.target_bytes:
        return Problem(414, "request.target_too_long", detail=f"Path and query exceed {limits.target_bytes} bytes.")
    if query.count(b"&") >= limits.parameters:
        return _malformed(f"The query has more than {limits.parameters} parameters.")
    if not _is_sound(path, raw):
        return _malformed("The path holds NUL or is not UTF-8.")
    return _headers(scope.get("headers") or (), limits, named=scope.get("http_version") == "1.1")


def _headers(headers: Sequence[Header], limits: _Limits, *, named: bool) -> Problem | None:
    if len(headers) > limits.headers:
        return Problem(431, "request.headers_too_large", detail=f"There are more than {limits.headers} headers.")
    names = [name for name, _ in headers]
    together, values = b"".join(names), b"".join([value for _, value in headers])
    if len(together) + len(values) > limits.header_bytes:
        return Problem(431, "request.headers_too_large", detail=f"The headers exceed {limits.header_bytes} bytes.")
    if together.translate(None, _TOKEN) or b"" in names or len(values.translate(None, _CONTROLS)) != len(values):
        return _malformed("A header's name or value holds a character that is not allowed there.")
    framing: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if (lowered := name.lower()) in _FRAMING:
            framing.setdefault(lowered, []).append(value)
    complaint = _misframed(framing)
    if complaint is None and named and b"host" not in framing:  # RFC 9112, section 3.2: not every server looks
        complaint = "There is no Host."
    return None if complaint is None else _malformed(complaint)


def _misframed(framing: dict[bytes, list[bytes]]) -> str | None:
    lengths, codings = framing.get(b"content-length"), framing.get(b"transfer-encoding")
    if lengths is not None and (len(lengths) > 1 or _DIGITS.fullmatch(lengths[0]) is None):
        return "Content-Length is not one number."
    if codings is not None and (len(codings) > 1 or codings[0].lower() != b"chunked"):
        return "Transfer-Encoding is not chunked."
    if lengths is not None and codings is not None:
        return "Content-Length and Transfer-Encoding exclude each other."
    hosts = framing.get(b"host")
    if hosts is not None and (len(hosts) > 1 or not is_authority(hosts[0].decode("latin-1"))):
        return "Host is not one host, with or without a port."
    cookies = framing.get(b"cookie")
    if cookies is not None and _are_planted(b";".join(cookies)):
        return "A cookie whose name begins with __Host- or __Secure- is there twice, or in disguise."
    return None


def _are_planted(cookies: bytes) -> bool:
    """Whether a cookie with a prefix that browsers guard can have come from somebody they do not let set it.

    CVE-2023-23934: a cookie without a name, ``=__Host-a=b``. Likewise one whose name begins with a character that some
    parser takes for a space: to the browser it has no prefix.
    """
    if not _has_prefix(cookies):
        return False
    seen = set()
    for part in cookies.split(b";"):
        name, _, value = part.strip(b" \t").partition(b"=")
        name = name.rstrip(b" \t") or value
        if _has_prefix(name):
            if name is value or name in seen or not name.startswith(_PREFIXES):
                return True
            seen.add(name)
    return False


def _has_prefix(text: bytes) -> bool:
    return b"__Host-" in text or b"__Secure-" in text


def _is_sound(path: str, raw: bytes) -> bool:
    if "\0" in path:
        return False
    try:
        if raw:
            if b"%" in raw or not raw.isascii():
                unquote_to_bytes(raw).decode()
        elif not path.isascii():  # no server told the bytes: what could not be decoded is still seen
            path.encode()
            return "\ufffd" not in path
    except UnicodeError:
        return False
    return True


def _malformed(detail: str) -> Problem:
    return Problem(400, "request.malformed", detail=detail)
