"""No other site may make a browser change something here."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from .._problem import Problem
from .interface import Headers, Layer, Middleware, Request, Response
from .order import middleware

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.1
_REFUSED = Problem(403, "csrf.cross_site", detail="A request from another site may not change anything here.")


def csrf(trusted_origins: Collection[str] = ()) -> Middleware:
    """Refuse unsafe requests that a browser made for another site, with 403.

    By ``Sec-Fetch-Site``, and by ``Origin`` against ``Host`` where a browser does not send it (W3C Fetch Metadata; the
    rule of Go's ``http.CrossOriginProtection``). A client that sends neither is no browser and carries no one's cookies
    by accident. ``trusted_origins`` (``"https://admin.example.org"``) may. Safe methods pass: they must change nothing.
    """
    trusted = frozenset(trusted_origins)
    for origin in trusted:
        parts = urlsplit(origin)
        if not parts.scheme or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"expected an origin such as https://admin.example.org, got {origin!r}")

    @middleware(name="csrf", after=["errors"], before=["sessions"])
    def layer(request: Request) -> Layer:
        if request.method not in _SAFE and is_cross_site(request.headers, trusted):
            yield Response.of(_REFUSED)

    return layer


def is_cross_site(headers: Headers, trusted: Collection[str]) -> bool:
    """Whether a browser says, or cannot deny, that another site is behind the request."""
    origins, sites = headers.get_all("origin"), headers.get_all("sec-fetch-site")
    if len(origins) == 1 and origins[0] in trusted:
        return False
    if sites:
        return any(site not in {"same-origin", "none"} for site in sites)
    if not origins:
        return False
    host = headers.get("host")
    return host is None or any(_host_of(origin) != host.lower() for origin in origins)


def _host_of(origin: str) -> str:  # empty for `null` and for what is no origin
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
