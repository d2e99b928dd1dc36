"""What browsers must be told with every response."""

from __future__ import annotations

from .interface import Layer, Middleware, Request
from .order import middleware

CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def security_headers(csp: str = CSP, referrer_policy: str = "strict-origin-when-cross-origin") -> Middleware:
    """``X-Content-Type-Options: nosniff``, ``Content-Security-Policy`` and ``Referrer-Policy`` (ASVS 3.4.3 to 3.4.6).

    On every response, errors included. A policy that the application set itself is kept. Strict-Transport-Security is
    left to whoever ends TLS: it binds the whole host.
    """

    @middleware(name="security_headers", after=["request_id", "access_log"])
    def layer(request: Request) -> Layer:
        head = yield
        head.set("x-content-type-options", "nosniff")
        for name, value in (("content-security-policy", csp), ("referrer-policy", referrer_policy)):
            if head.get(name) is None:
                head.add(name, value)

    return layer
