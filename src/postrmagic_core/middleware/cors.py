"""Which pages of other origins may read what is answered here (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from uuid import uuid4

from .._problem import Problem
from .header_limits import is_authority
from .interface import Head, Layer, Middleware, Request, Response
from .order import middleware

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,31})://(?P<authority>[a-z0-9._\[\]:-]{1,261})")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}
_LISTED = 4096  # characters of Access-Control-Request-Headers that are read
_ALLOW_ORIGIN = b"access-control-allow-origin"
_OURS = frozenset(
    f"access-control-{name}".encode()
    for name in (
        *("allow-origin", "allow-credentials", "allow-methods", "allow-headers", "allow-private-network"),
        *("expose-headers", "max-age"),
    )
)
_ASKED = ("Access-Control-Request-Method", "Access-Control-Request-Headers")


def cors(
    origins: Collection[str | re.Pattern[str]],
    *,
    methods: Collection[str] = ("GET", "HEAD", "POST"),
    headers: Collection[str] = (),
    expose: Collection[str] = (),
    credentials: bool = False,
    max_age: int = 600,
) -> Middleware:
    """Let pages of ``origins`` read responses, errors included, and send ``methods`` and ``headers``.

    ``origins`` are exact (``"https://app.example.org"``), or compiled patterns that match a whole origin, or ``"*"``
    alone: every page, never with ``credentials`` (:class:`ValueError`). ``"null"`` is nobody's origin and cannot be
    listed. ``expose`` are response headers that scripts may read, ``max_age`` (seconds) is how long a browser remembers
    a preflight.

    A preflight is OPTIONS with ``Origin`` and ``Access-Control-Request-Method``; it is answered here: 204 with the
    method and the headers it asked for, or 403 without any permission. What the application itself says of CORS is
    replaced. Private network access is never granted.
    """
    policy = _Policy(origins, credentials, expose)
    answers = _Preflights(policy, methods, headers, max_age)

    # Inside of errors, a page could not read why it failed; a preflight carries no cookie, token or session.
    @middleware(
        name="cors",
        before=["errors", "header_limits", "body_limit", "rate_limit", "sessions", "csrf", "authentication"],
    )
    def layer(request: Request) -> Layer:
        given = request.headers.get_all("origin")
        if given and request.method == "OPTIONS":
            method = request.headers.get_all("access-control-request-method")
            if method:
                yield answers.to(request, given, method)
                return
        head = yield
        policy.mark(head, policy.allowed(given))

    return layer


class _Policy:
    """Who may read, and how a response says so."""

    def __init__(self, origins: Collection[str | re.Pattern[str]], credentials: bool, expose: Collection[str]) -> None:
        if isinstance(origins, str):
            raise ValueError(f"expected a list of origins, got the text {origins!r}: write [{origins!r}]")
        self.any = "*" in origins
        self._exact = frozenset(_checked(origin) for origin in origins if isinstance(origin, str) and origin != "*")
        self._patterns = [origin for origin in origins if not isinstance(origin, str)]
        exposed = ", ".join(_listed(expose, "expose"))
        self._exposed = [(b"access-control-expose-headers", exposed.encode("latin-1"))] if exposed else []
        self._always = [(b"access-control-allow-credentials", b"true")] if credentials else []
        if self.any and len(origins) > 1:
            raise ValueError("'*' is every origin: list it alone")
        if credentials and (self.any or self._matches(f"https://{uuid4()}.invalid")):
            raise ValueError(
                "every origin, with credentials, would let any page read what belongs to its visitor: list the origins"
            )

    def allowed(self, given: list[str]) -> str | None:
        """What ``Access-Control-Allow-Origin`` says to a request with these ``Origin`` headers."""
        if self.any:
            return "*"  # also to a request without Origin: without Vary a cache gives its answer to a page
        if len(given) != 1 or not (given[0] in self._exact or self._matches(given[0])):
            return None
        return given[0]

    def _matches(self, origin: str) -> bool:
        # `null`, and what no browser sends, never gets as far as a pattern such as `.*`.
        if not self._patterns or _ORIGIN.fullmatch(origin) is None:
            return False
        return any(pattern.fullmatch(origin) for pattern in self._patterns)

    def mark(self, head: Head, allowed: str | None, asked: Iterable[str] = ()) -> None:
        """Write the permission, and what it depends on, into ``head``."""
        vary = [*asked] if self.any else ["Origin", *asked]
        if not _OURS.isdisjoint([pair[0].lower() for pair in head.headers]):
            head.headers[:] = [pair for pair in head.headers if pair[0].lower() not in _OURS]
        if vary:
            add_vary(head, vary)
        if allowed is None:
            return
        head.headers.append((_ALLOW_ORIGIN, allowed.encode("latin-1")))
        head.headers += self._always
        if not asked:
            head.headers += self._exposed


class _Preflights:
    """Answers to preflights."""

    def __init__(self, policy: _Policy, methods: Collection[str], headers: Collection[str], max_age: int) -> None:
        if not 0 <= max_age <= 86_400:
            raise ValueError(f"expected max_age from 0 to 86400 seconds, got {max_age}")
        self._policy = policy
        self._methods = frozenset(_listed(methods, "methods"))
        self._headers = frozenset(name.lower() for name in _listed(headers, "headers"))
        self._max_age = str(max_age)

    def to(self, request: Request, origins: list[str], methods: list[str]) -> Response:
        """The whole answer to one."""
        allowed = self._policy.allowed(origins)
        names = _names(request.headers.get_all("access-control-request-headers"))
        if allowed is None or len(origins) > 1:
            return self._refused("origin")
        if len(methods) > 1 or methods[0] not in self._methods:
            return self._refused("method")
        if names is None or not self._headers.issuperset(names):
            return self._refused("headers")
        response = Response(204)
        self._policy.mark(response, allowed, _ASKED)
        response.add("access-control-allow-methods", methods[0])
        if names:
            response.add("access-control-allow-headers", ", ".join(names))
        response.add("access-control-max-age", self._max_age)
        return response

    def _refused(self, what: str) -> Response:
        response = Response.of(Problem(403, "cors.refused", detail=f"Not allowed from another origin: this {what}."))
        self._policy.mark(response, None, _ASKED)
        return response


def add_vary(head: Head, names: Iterable[str]) -> None:
    """Add ``names`` to ``Vary``, each once whatever its case; ``*`` says it all already."""
    if head.get("vary") is None:
        head.add("vary", ", ".join(names))
        return
    present = [name for line in head.get_all("vary") for part in line.split(",") if (name := part.strip(" \t"))]
    known = {name.lower() for name in present}
    missing = [name for name in names if name.lower() not in known]
    if missing and "*" not in known:
        head.set("vary", ", ".join([*present, *missing]))


def _names(lines: list[str]) -> list[str] | None:
    """The header names that a preflight asks for, in lower case, each once; ``None`` if they cannot be read."""
    if sum(map(len, lines)) > _LISTED:
        return None
    names = [name.lower() for part in ",".join(lines).split(",") if (name := part.strip(" \t"))]
    return list(dict.fromkeys(names)) if all(map(_TOKEN.fullmatch, names)) else None


def _listed(names: Collection[str], what: str) -> Collection[str]:
    for name in [names] if isinstance(names, str) else names:
        if isinstance(names, str) or name == "*" or _TOKEN.fullmatch(name) is None:
            raise ValueError(f"expected {what} as a list of names, none of them a wildcard, got {name!r}")
    return names


def _checked(origin: str) -> str:
    """``origin`` if a browser may send it so: anything else would never match."""
    found = _ORIGIN.fullmatch(origin)
    if (
        found is None
        or not is_authority(found["authority"])
        or found["authority"].endswith((":", _DEFAULT_PORT.get(found["scheme"], ":")))
    ):
        raise ValueError(
            f"expected an origin as browsers write it, such as https://app.example.org or http://localhost:5173 "
            f"(lower case, no path, no default port), got {origin!r}"
        )
    return origin
