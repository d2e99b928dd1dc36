"""What browsers must be told with every response."""

from __future__ import annotations

import re
import secrets

from . import csp as policies
from .csp import GROUP, NONCE, Policy
from .interface import Head, Header, Layer, Middleware, Request
from .order import middleware

CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

_POLICY, _FRAMES = b"content-security-policy", b"x-frame-options"
_DENY = (_FRAMES, b"DENY")
_ALLOWED = {
    "referrer-policy": re.compile(
        r"no-referrer|no-referrer-when-downgrade|origin|origin-when-cross-origin|same-origin|strict-origin"
        r"|strict-origin-when-cross-origin|unsafe-url"
    ),
    "permissions-policy": re.compile(r"[a-z-]+=(?:\*|\([^(),;]*\))(?:, ?[a-z-]+=(?:\*|\([^(),;]*\)))*"),
    "cross-origin-opener-policy": re.compile(r"same-origin|same-origin-allow-popups|noopener-allow-popups|unsafe-none"),
    "cross-origin-resource-policy": re.compile(r"same-origin|same-site|cross-origin"),
    "reporting-endpoints": re.compile(rf'{GROUP}="(?:https://|/)[^"\\]*"'),
}
_VISIBLE = re.compile(r"[\x20-\x7e]*")


def security_headers(
    csp: Policy | None = CSP,
    referrer_policy: str | None = "strict-origin-when-cross-origin",
    *,
    report_only: Policy | None = None,
    reports: str | None = None,
    hsts: int | None = None,
    permissions: str | None = PERMISSIONS,
    opener: str | None = "same-origin",
    resources: str | None = "same-origin",
) -> Middleware:
    """What OWASP ASVS 5.0 asks of every response (3.4.1, 3.4.3 to 3.4.8, 3.5.8), errors included.

    ``X-Content-Type-Options: nosniff``, ``Content-Security-Policy``, ``Referrer-Policy``, ``Permissions-Policy``,
    ``Cross-Origin-Opener-Policy`` and ``Cross-Origin-Resource-Policy``. What the application set itself is kept; what
    is ``None`` is left out. Where no policy in force says who may frame the page, ``X-Frame-Options: DENY`` does.

    ``csp``, and ``report_only`` to try a policy, are texts or mappings: ``{"default-src": "'self'", "script-src":
    [NONCE]}``. Where ``csp.NONCE`` stands in one, ``request.state["csp_nonce"]`` is a :class:`Nonce`; a response whose
    page asked it says ``Cache-Control: no-store``, and one whose page did not allows no nonce.

    ``reports``: the URL that violations are reported to, by ``report-to`` and ``report-uri`` (see ``csp_reports``).

    ``hsts``: seconds of ``Strict-Transport-Security`` for the host and all its subdomains, sent over HTTPS alone (RFC
    6797, section 7.2). ASVS 3.4.1 asks for 31,536,000; none is sent unless given, since it is hard to take back.

    A value that browsers would not understand, or that could end its header, raises :class:`ValueError`.
    """
    parsed = [
        (name, policies.parse(given, reports))
        for name, given in ((_POLICY, csp), (_POLICY + b"-report-only", report_only))
        if given is not None
    ]
    with_nonce = [(name, policy) for name, policy in parsed if any(NONCE in sources for sources in policy.values())]
    plain: list[Header] = [(b"x-content-type-options", b"nosniff")]
    plain += [(name, policies.text(policy, None)) for name, policy in parsed]
    plain += _fixed(
        {
            "referrer-policy": referrer_policy,
            "permissions-policy": permissions,
            "cross-origin-opener-policy": opener,
            "cross-origin-resource-policy": resources,
            "reporting-endpoints": None if reports is None else f'{GROUP}="{reports}"',
        }
    )
    if not any(name == _POLICY and "frame-ancestors" in policy for name, policy in parsed):
        plain.append(_DENY)
    names = frozenset(name for name, _ in plain) | {_FRAMES, b"strict-transport-security"}
    secure = plain if hsts is None else [*plain, (b"strict-transport-security", _transport(hsts))]

    @middleware(name="security_headers", after=["request_id", "access_log"])
    def layer(request: Request) -> Layer:
        nonce = None
        if with_nonce:
            nonce = request.state["csp_nonce"] = Nonce()
        head = yield
        pairs = secure if request.scheme == "https" else plain
        if nonce is not None and nonce.value is not None:
            made = {name: policies.text(policy, nonce.value) for name, policy in with_nonce}
            pairs = [(name, made.get(name, value)) for name, value in pairs]
            head.set("cache-control", "no-store")
        _add(head, pairs, names)

    return layer


class Nonce:
    """``request.state["csp_nonce"]``: call it for the nonce of this request's scripts and styles.

    Made when first asked for, and the same throughout the request. Ask before the head leaves: it allows the nonce.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: str | None = None

    def __call__(self) -> str:
        """128 random bits in base64url (CSP Level 3, section 2.3.1: at least 128)."""
        if self.value is None:
            self.value = secrets.token_urlsafe(16)
        return self.value


def _add(head: Head, pairs: list[Header], names: frozenset[bytes]) -> None:
    own = {name.lower() for name, _ in head.headers}
    if own.isdisjoint(names):
        head.headers += pairs
        return
    head.remove("x-content-type-options")  # "nosniff" is its only value
    own.discard(b"x-content-type-options")
    if _POLICY in own:  # it decides who may frame this page, or leaves that to X-Frame-Options
        framed = policies.says_who_frames(head.get_all("content-security-policy"))
        pairs = [pair for pair in pairs if pair != _DENY] + ([] if framed else [_DENY])
    head.headers += [pair for pair in pairs if pair[0] not in own]


def _fixed(values: dict[str, str | None]) -> list[Header]:
    for name, value in values.items():
        if value is not None and not (_ALLOWED[name].fullmatch(value) and _VISIBLE.fullmatch(value)):
            raise ValueError(f"{name}: browsers do not understand {value!r}")
    return [(name.encode(), value.encode()) for name, value in values.items() if value is not None]


def _transport(seconds: int) -> bytes:
    if seconds < 0:
        raise ValueError(f"hsts: expected a number of seconds, got {seconds}")
    return f"max-age={seconds}; includeSubDomains".encode()
