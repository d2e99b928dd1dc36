"""What orchestrators, load balancers and Prometheus ask: alive, ready, and the figures."""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Protocol

from .._problem import Problem
from ..errors import ConfigurationError
from ..log import get_logger
from .interface import AsyncLayer, Middleware, Request, Response
from .order import middleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

log = get_logger("postrmagic_core.middleware.probes")

LIVE, READY, METRICS = "/livez", "/readyz", "/metrics"
_SHORTEST = 16
_CHALLENGE = {"www-authenticate": 'Bearer realm="observability"'}
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Observed(Protocol):
    """Who knows the answers: ``stack.observability.answers``."""

    @property
    def aio(self) -> Any:
        """The same names, to be awaited."""
        ...

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether new requests should come here, and what there is to say about it, as plain JSON values."""
        ...

    def scrape(self, accept: str) -> tuple[bytes, str] | None:
        """The figures of all processes in a format that the header ``Accept`` admits, and its media type, if any."""
        ...


def probes(
    observed: Observed, *, token: SecretStr | str | None = None, networks: Collection[str] = (), base: str = ""
) -> Middleware:
    """Answer GET ``/livez``, ``/readyz`` and ``/metrics``, beneath ``base`` where it is given.

    ``/livez`` is 200 while the process answers at all, and asks nothing else: restarting does not bring a database
    back. ``/readyz`` is 200 or 503 and says no more than one word, but to whoever may see details: who has ``token``
    (16 characters or more, as ``Authorization: Bearer …``), or asks from one of ``networks`` (``"10.0.0.0/8"``; the
    client's address is what ``trusted_proxies`` found). ``/metrics`` is for these alone: 401, or 403 where there is no
    token at all.

    It stands outside everything but ``trusted_proxies``: probes come every second, and are neither logged nor counted.
    """
    if base and (not base.startswith("/") or base.endswith("/")):
        raise ConfigurationError(f"probes: expected base to be a path such as /internal, got {base!r}")
    admits = _admitting(token, networks)
    paths = frozenset(base + path for path in (LIVE, READY, METRICS))

    def asked(request: Request) -> bool:
        return request.path in paths

    @middleware(
        name="probes",
        after=["trusted_proxies"],
        before=["request_id", "trace_context", "access_log", "request_metrics", "errors", "sessions", "authentication"],
        when=asked,
    )
    async def layer(request: Request) -> AsyncLayer:
        if request.method not in {"GET", "HEAD"}:
            yield _refusal(Problem(405, "http.405"), {"allow": "GET, HEAD"})
            return
        try:
            yield await _answered(request, request.path.removeprefix(base), observed, admits)
        except Exception:
            log.exception("a probe failed", path=request.path)
            yield _refusal(Problem(503, "backend.unavailable"))

    return layer


async def _answered(request: Request, path: str, observed: Observed, admits: Callable[[Request], int]) -> Response:
    if path == LIVE:
        return _told(200, {"status": "ok"})
    refused = admits(request)
    if path == READY:
        ready, details = await request.face(observed).readiness()
        shown = details if not refused else {"status": details["status"]}
        return _told(200 if ready else 503, shown)
    if refused:
        problem = Problem(401, "authentication.required") if refused == 401 else Problem(403, "access.denied")
        log.warning("figures refused", path=request.path, client=request.client, status=refused, code=problem.code)
        return _refusal(problem, _CHALLENGE if refused == 401 else {})
    found = await request.face(observed).scrape(request.headers.get("accept") or "")
    if found is None:
        return _refusal(Problem(404, "not_found"))
    body, media_type = found
    return Response(200, body, _HEADERS | {"content-type": media_type})


def _told(status: int, said: Mapping[str, Any]) -> Response:
    return Response(status, json.dumps(said).encode(), _HEADERS | {"content-type": "application/json"})


def _refusal(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response.of(problem, {**_HEADERS, **(headers or {})})


def _admitting(token: SecretStr | str | None, networks: Collection[str]) -> Callable[[Request], int]:
    """0 for a request that may see everything, else the status that refuses it."""
    text = token if token is None or isinstance(token, str) else token.get_secret_value()
    if text is not None and (len(text) < _SHORTEST or not text.isascii()):
        raise ConfigurationError(f"probes: expected a token of {_SHORTEST} ASCII characters or more, got {len(text)}")
    try:
        allowed = [ip_network(network) for network in networks]
    except ValueError as error:
        raise ConfigurationError(f"probes: expected networks such as 10.0.0.0/8: {error}") from None
    expected = None if text is None else text.encode()

    def admits(request: Request) -> int:
        scheme, _, given = (request.headers.get("authorization") or "").partition(" ")
        right = expected is not None and hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected)
        if scheme.lower() == "bearer" and right:
            return 0
        if allowed and _within(request.client, allowed):
            return 0
        return 403 if expected is None else 401

    return admits


def _within(client: str | None, networks: list[Any]) -> bool:
    try:
        address = ip_address(client or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
