"""Nobody gets to the application whom no rule lets through: each route says what it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from .._problem import problem_for
from ..errors import AccessDenied, ConfigurationError
from ..security.access import Access
from ..security.access.present import put
from .interface import Layer, Middleware, Request, Response
from .order import middleware

Default: TypeAlias = Literal["deny", "signed_in"]

_PUBLIC, _SIGNED_IN = "", "*"
_UNDECLARED = "undeclared route"
# What an application reads as another path than it is written: it must not be held against a rule for that one.
_AMBIGUOUS = re.compile(r"//|/\.{1,2}(?:/|\Z)|[\\\x00-\x1f\x7f]").search


def authorization(
    access: Access,
    rules: Mapping[str, str] | None = None,
    *,
    public: Collection[str] = (),
    signed_in: Collection[str] = (),
    default: Default = "deny",
    challenge: str = 'Bearer realm="api"',
) -> Middleware:
    """Let a request pass if its route's permission is granted to ``request.state["identity"]``; else 401 or 403.

    ``rules`` maps routes, ``"/media"``, ``"POST /media"`` or ``"/media/*"``, to permissions; the first that matches
    holds. With ``:own`` at a permission's end it is enough to have it for own objects: the handler then asks about the
    object. ``signed_in`` needs an identity and no permission, ``public`` nothing. What matches none is refused, unless
    ``default="signed_in"``. A path with an empty, ``.`` or ``..`` segment matches none. A rule that one before it
    always hides raises :class:`ConfigurationError`.

    Who asks is then present to ``@requires`` in the application. An :class:`AccessDenied` that leaves it is answered
    too: 401 with ``challenge`` to nobody, else 403, or 404 where it is hidden. Websockets are refused alike.
    """
    rule = _Rules(access, rules or {}, public, signed_in, default)
    headers = {"www-authenticate": challenge}
    Response(401, headers=headers)  # its ValueError, if the challenge is no header's value, comes now

    def answered(request: Request, error: AccessDenied) -> Response:
        name = request.state.get("request_id")
        told = replace(problem_for(error), extra={"request_id": name} if name else {})
        return Response.of(told, headers if error.nobody else None)

    @middleware(
        name="authorization",
        after=["errors", "cors", "authentication"],
        before=["idempotency"],
        scopes=["http", "websocket"],
    )
    def layer(request: Request) -> Layer:
        who = request.state.get("identity")
        put(request, access, who)
        try:
            rule.check(request, who)
            yield
        except AccessDenied as error:
            yield answered(request, error)

    return layer


class _Rules:
    """What each route needs: a permission, an identity, or nothing."""

    def __init__(
        self,
        access: Access,
        rules: Mapping[str, str],
        public: Collection[str],
        signed_in: Collection[str],
        default: Default,
    ) -> None:
        if default not in ("deny", "signed_in"):
            raise ConfigurationError(f'authorization: expected default="deny" or "signed_in", got {default!r}')
        for name, routes in (("public", public), ("signed_in", signed_in)):
            if isinstance(routes, str):
                raise ConfigurationError(f"authorization: {name} is a list of routes, got {routes!r}: [{routes!r}]")
        self._access = access
        self._default = default
        needs = {**dict.fromkeys(public, _PUBLIC), **dict.fromkeys(signed_in, _SIGNED_IN)}
        if twice := sorted(rules.keys() & needs.keys()) or sorted(set(public) & set(signed_in)):
            raise ConfigurationError(f"authorization: the route {twice[0]} is declared twice")
        for route, permission in rules.items():
            _check_permission(access, route, permission)
        # The strictest first: a public "/*" opens nothing that a rule closes.
        ordered = [
            *rules.items(),
            *((route, _SIGNED_IN) for route in signed_in),
            *((route, _PUBLIC) for route in public),
        ]
        self._routes = [(_Route(route), need) for route, need in ordered]
        declared = [route for route, _ in self._routes[: len(rules)]]
        for index, later in enumerate(declared):
            if hiding := next((route for route in declared[:index] if route.hides(later)), None):
                raise ConfigurationError(
                    f"authorization: {later.text!r} is never reached, as {hiding.text!r} stands before it"
                )

    def check(self, request: Request, who: Any) -> None:
        """:class:`AccessDenied` for a request that may not pass."""
        need = self._need(request)
        if need == _PUBLIC or (need == _SIGNED_IN and who is not None):
            return
        if need is None or need == _SIGNED_IN:
            name = _UNDECLARED if need is None else "signed in"
            raise self._access.refuse(who, name, why=f"{request.method} {request.path[:100]!r}")
        self._access.require(who, need)

    def _need(self, request: Request) -> str | None:
        if _AMBIGUOUS(request.path) is not None:
            return None
        method, path = request.method, request.path.rstrip("/")
        for route, need in self._routes:
            if route.matches(method, path):
                return need
        return _SIGNED_IN if self._default == "signed_in" else None


class _Route:
    """A route as ``by_route`` of rate limits reads it."""

    def __init__(self, text: str) -> None:
        method, _, path = text.rpartition(" ")
        if not path.startswith("/") or (method and not (method.isalpha() and method.isupper())):
            raise ConfigurationError(f"expected a route such as '/login', 'POST /login' or '/api/*', got {text!r}")
        if "*" in path.removesuffix("/*"):
            raise ConfigurationError(f"the route {text!r}: '*' stands only at the end, for all that is beneath")
        self.text = text
        self._methods = ("GET", "HEAD") if method == "GET" else (method,) if method else ()
        self._beneath = path.endswith("/*")
        self._stem = path.removesuffix("*").rstrip("/")
        self._prefix = f"{self._stem}/"

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is for it; ``path`` without a slash at its end."""
        if path != self._stem and not (self._beneath and path.startswith(self._prefix)):
            return False
        return not self._methods or method in self._methods

    def hides(self, later: _Route) -> bool:
        """Whether every request for ``later`` is for this one."""
        if self._methods and not (later._methods and set(later._methods) <= set(self._methods)):
            return False
        if self._beneath:
            return later._stem == self._stem or later._stem.startswith(self._prefix)
        return not later._beneath and later._stem == self._stem


def _check_permission(access: Access, route: str, permission: str) -> None:
    """A rule that nobody could ever fulfil is a mistake; :class:`ConfigurationError` names it."""
    where = f"authorization: the route {route!r} needs {permission!r}"
    if "*" in permission:
        raise ConfigurationError(f"{where}: expected a permission without '*', as in media:edit")
    access.roles.check(permission, where)
