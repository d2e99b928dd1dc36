"""No client asks more often, or for more at once, than was agreed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, TypeAlias

from .._problem import Problem
from ..errors import ConfigurationError
from ..limits import Concurrency, Decision, Limit, RateLimiter, Slot, Take
from ..limits.interface import Unavailable
from ..limits.policy import check_unavailable
from .interface import AsyncLayer, Head, Layer, Middleware, Request, Response
from .order import middleware
from .routes import Route, listed, segments_of

By: TypeAlias = "Callable[[Request], str | None]"
"""Whose bucket a request counts in; ``None``: it is not limited."""

_LIMITED = Problem(429, "rate.limited", detail="Too many requests: try again later.")
_FULL = Problem(503, "rate.full", detail="All places are taken: try again shortly.")
_AWAY = Problem(503, "rate.unavailable", detail="It cannot be said now whether this is too much: try again shortly.")
_AFTER = "postrmagic_after"  # of a By: the middleware that must have run before it
_BEARER = "bearer "
# What by raises is answered by errors; a browser reads a refusal only if cors has marked it.
_OUTSIDE = ("errors", "cors")
# It would keep a refusal as the answer of its key.
_INSIDE = ("idempotency",)


def by_address(ipv4: int = 32, ipv6: int = 64) -> By:
    """By the client's network: so many leading bits of its address are looked at.

    A host has all of an IPv6 /64 to choose from. An IPv4 address in IPv6 form is the IPv4 address. Clients without an
    address, or with one that is none, share a bucket.
    """
    if not (0 < ipv4 <= 32 and 0 < ipv6 <= 128):
        raise ValueError(f"expected 1 to 32 bits of IPv4 and 1 to 128 of IPv6, got {ipv4} and {ipv6}")

    @lru_cache(maxsize=4096)
    def network(text: str) -> str:
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return "address unknown"
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return f"address {ip_network((int(address), ipv6 if address.version == 6 else ipv4), strict=False)}"

    def by(request: Request) -> str:
        text = request.client or ""
        return network(text if len(text) <= 64 else "")

    return by


def by_user(otherwise: By | None = None) -> By:
    """By ``request.state["identity"].id``; who is nobody by ``otherwise``, or by address. Inside ``authentication``."""
    fallback = otherwise or by_address()

    def by(request: Request) -> str | None:
        identity = request.state.get("identity")
        return fallback(request) if identity is None else f"user {identity.id}"

    setattr(by, _AFTER, ("authentication",))
    return by


def by_token(otherwise: By | None = None, *, verified: bool = True) -> By:
    """By the bearer token, of which only a digest is kept; without one by ``otherwise``, or by address.

    A token counts where ``authentication`` found an identity: whoever may make tokens up would have a bucket for each.
    ``verified=False`` believes any, for where something in front has proved them.
    """
    fallback = otherwise or by_address()

    def by(request: Request) -> str | None:
        if not verified or request.state.get("identity") is not None:
            given = request.headers.get("authorization") or ""
            if given[:7].lower() == _BEARER and (token := given[7:].strip()):
                return f"token {hashlib.sha256(token.encode()).hexdigest()}"
        return fallback(request)

    setattr(by, _AFTER, ("authentication",) if verified else ())
    return by


def by_route(*routes: str, within: By | None = None) -> By:
    """By the first of ``routes`` that a request meets, all clients together, or each by ``within``; others: not at all.

    A route is ``"/login"``, ``"POST /login"``, ``"/media/{id}"`` or ``"/api/*"`` (see :class:`.Route`).
    """
    matched = _matching(routes)

    def by(request: Request) -> str | None:
        route = matched(request)
        if route is None or within is None:
            return None if route is None else f"route {route}"
        key = within(request)
        return None if key is None else f"route {route} {key}"

    setattr(by, _AFTER, getattr(within, _AFTER, ()))
    return by


def rate_limit(
    limiter: RateLimiter,
    limits: Limit | str | Sequence[Limit | str],
    *,
    by: By | None = None,
    cost: int | Callable[[Request], int] = 1,
    routes: Collection[str] | None = None,
    unavailable: Unavailable | None = None,
    name: str = "rate_limit",
) -> Middleware:
    """Refuse with 429 what is more than ``limits`` admit: a :class:`~postrmagic_core.limits.Limit`, ``"10/minute"``, …

    ``by`` says whose bucket a request counts in: :func:`by_address` (the default), :func:`by_user`, :func:`by_token`,
    :func:`by_route` or a function of the request; ``cost`` how much it counts, 0 for not at all; ``routes`` (as for
    :func:`by_route`) which requests are counted. All of several limits admit a request, or none counts it.

    Responses say ``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10), a refusal
    ``Retry-After``. While the store is away, ``unavailable`` holds, or the limiter's policy; what ``"closed"`` refuses
    is 503. Another ``rate_limit`` of the pipeline needs another ``name``, which also keeps their buckets apart.
    """
    check_unavailable(unavailable or limiter.deciding.unavailable)
    rule = _Rule(limits, by or by_address(), cost, routes, name)
    place = middleware(
        name=name,
        after=[*_OUTSIDE, *getattr(rule.by, _AFTER, ())],
        before=_INSIDE,
        scopes=["http", "websocket"],
    )

    def layer(request: Request) -> Layer:
        takes = rule.takes(request)
        if takes:
            decision = limiter.hit(*takes, unavailable=unavailable)
            if decision.allowed:
                rule.tell((yield), decision)
            else:
                yield rule.refusal(decision)

    async def waiting(request: Request) -> AsyncLayer:
        takes = rule.takes(request)
        if takes:
            decision = await request.face(limiter).hit(*takes, unavailable=unavailable)
            if decision.allowed:
                rule.tell((yield), decision)
            else:
                yield rule.refusal(decision)

    return place(waiting) if limiter.store.blocking else place(layer)


def concurrency_limit(
    limiter: RateLimiter,
    slots: int,
    *,
    by: By | None = None,
    lease: float = 60.0,
    routes: Collection[str] | None = None,
    unavailable: Unavailable | None = None,
    name: str = "concurrency_limit",
) -> Middleware:
    """Serve at most ``slots`` requests at once, over all processes: 503 to those beyond; with ``by``, of each: 429.

    The slot is given back when the response has ended, however it ended, and ends by itself after ``lease`` seconds,
    should this process die: choose them longer than any response takes. Refusals say ``Retry-After``.
    """
    check_unavailable(unavailable or limiter.deciding.unavailable)
    terms = Concurrency(name, slots, lease)
    matched = _matching(routes)
    refusal = _FULL if by is None else _LIMITED
    place = middleware(name=name, after=[*_OUTSIDE, *getattr(by, _AFTER, ())], before=_INSIDE)

    def wanted(request: Request) -> str | None:
        if routes is not None and matched(request) is None:
            return None
        return "" if by is None else by(request)

    def refused(slot: Slot) -> Response:
        # A slot becomes free when any request ends, mostly long before the first lease does.
        return _refusal(_AWAY, slot.retry_after) if slot.counted_in == "nothing" else _refusal(refusal, 1.0)

    def layer(request: Request) -> Layer:
        key = wanted(request)
        if key is None:
            return
        slot = limiter.acquire(terms, _bytes(key), unavailable=unavailable)
        if not slot.allowed:
            yield refused(slot)
            return
        try:
            yield
            yield
        finally:
            limiter.release(slot)

    async def waiting(request: Request) -> AsyncLayer:
        key = wanted(request)
        if key is None:
            return
        face = request.face(limiter)
        slot = await face.acquire(terms, _bytes(key), unavailable=unavailable)
        if not slot.allowed:
            yield refused(slot)
            return
        try:
            yield
            yield
        finally:
            await face.release(slot)

    return place(waiting) if limiter.store.blocking else place(layer)


class _Rule:
    """What a ``rate_limit`` was told, made ready."""

    def __init__(
        self,
        limits: Limit | str | Sequence[Limit | str],
        by: By,
        cost: int | Callable[[Request], int],
        routes: Collection[str] | None,
        name: str,
    ) -> None:
        given = [limits] if isinstance(limits, (Limit, str)) else limits
        self.limits = [Limit.parse(each) if isinstance(each, str) else each for each in given]
        if not self.limits or len({limit.name for limit in self.limits}) < len(self.limits):
            raise ConfigurationError(f"{name}: expected one or more limits of different names")
        self.by = by
        self._cost = cost
        self._matched = None if routes is None else _matching(routes)
        self._owner = name.encode() + b"\n"
        # Of another name than the usual one, so that two layers' policies differ in what they are called.
        prefix = "" if name == "rate_limit" else f"{name} "
        self._names = [_quoted(prefix + limit.name) for limit in self.limits]
        self._policy = ", ".join(map(_policy, self._names, self.limits)).encode()
        if isinstance(cost, int):
            [limit.of("", cost) for limit in self.limits]  # its ValueError, if the cost is too high, comes now

    def takes(self, request: Request) -> list[Take]:
        """What the request costs; nothing where it is not limited."""
        if self._matched is not None and self._matched(request) is None:
            return []
        key = self.by(request)
        if key is None:
            return []
        cost = self._cost if isinstance(self._cost, int) else self._cost(request)
        if cost == 0:
            return []
        whose = self._owner + _bytes(key)
        return [Take(limit, whose, cost) for limit in self.limits]

    def tell(self, head: Head, decision: Decision) -> None:
        """Say how the client stands."""
        _join(head, b"ratelimit-policy", self._policy)
        if decision.counted_in != "nothing":
            pairs = zip(self._names, decision.standings, strict=True)
            _join(head, b"ratelimit", ", ".join([_standing(*pair) for pair in pairs]).encode())

    def refusal(self, decision: Decision) -> Response:
        """429, or 503 where nothing is known."""
        response = _refusal(_AWAY if decision.counted_in == "nothing" else _LIMITED, decision.retry_after)
        self.tell(response, decision)
        return response


def _refusal(problem: Problem, retry_after: float) -> Response:
    return Response.of(problem, {"retry-after": str(max(math.ceil(retry_after), 1))})


def _policy(name: str, limit: Limit) -> str:
    return f"{name};q={limit.amount};w={math.ceil(limit.period)}"


def _standing(name: str, standing: Any) -> str:
    more = standing.more_after
    return f"{name};r={standing.remaining};t={math.ceil(more)}" if more else f"{name};r={standing.remaining}"


def _quoted(name: str) -> str:
    """A String of RFC 9651, section 3.3.3."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _join(head: Head, name: bytes, value: bytes) -> None:
    """Put ``value`` before what layers further in said: one line, as many clients read only one."""
    for index, (key, said) in enumerate(head.headers):
        if key.lower() == name:
            head.headers[index] = (key, value + b", " + said)
            return
    head.headers.append((name, value))


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _matching(routes: Collection[str] | None) -> Callable[[Request], str | None]:
    """A function from a request to the first of ``routes`` it meets."""
    parsed = [Route(route) for route in listed(routes or (), "routes")]

    def matched(request: Request) -> str | None:
        method, segments = request.method, segments_of(request.path)
        return next((route.text for route in parsed if route.takes(method) and route.fits(segments)), None)

    return matched
