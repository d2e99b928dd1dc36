"""Nobody gets to the application whom no rule lets through: each route says what it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._problem import problem_for
from ..errors import AccessDenied, ConfigurationError
from ..security.access import Access, policy
from ..security.access.present import put
from ..security.access.roles import checked_rule
from ..security.access_tokens import bearer
from .authentication import Challenges
from .interface import Layer, Middleware, Request, Response
from .order import middleware
from .routes import ANY, OPEN, Route, listed

if TYPE_CHECKING:
    from ..security.oauth import Scope

Default: TypeAlias = Literal["deny", "signed_in"]

_PUBLIC, _SIGNED_IN = "", "*"
_UNDECLARED = "undeclared route"
_Needs: TypeAlias = "dict[str, tuple[int, str]]"
"""By method: the route's place among all, and what it needs."""
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
    scopes: Iterable[Scope] = (),
) -> Middleware:
    """Let a request pass if its route's permission is granted to ``request.state["identity"]``; else 401 or 403.

    ``rules`` maps routes to permissions: ``"/media"``, ``"POST /media"``, ``"/media/{id}"`` (one segment, whatever it
    is called), ``"/media/*"`` (all beneath); the first that matches holds, but a segment that is written out comes
    before ``{id}`` in its place. With ``:own`` at a permission's end it is enough to have it for own objects: the
    handler then asks about the object. ``signed_in`` needs an identity and no permission, ``public`` nothing. What
    matches none is refused, unless ``default="signed_in"``. A path with an empty, ``.`` or ``..`` segment matches none.
    A rule that one before it always hides raises :class:`ConfigurationError`.

    Who asks is then present to ``@requires`` in the application. An :class:`AccessDenied` that leaves it is answered
    too: 401 with ``challenge`` to nobody, else 403, or 404 where it is hidden. Websockets are refused alike.

    The challenge says ``error="invalid_token"`` to nobody whose token was refused; and with 403 it comes with
    ``error="insufficient_scope"`` where a bearer token does not extend to what its owner may (RFC 6750, section 3.1),
    and the scope that does: of ``scopes``, the authorization server's, the first; without them the permission.
    """
    rule = _Rules(access, rules or {}, public, signed_in, default)
    challenges, names = Challenges(challenge), _Names(access, scopes)

    def headers(request: Request, error: AccessDenied) -> dict[str, str] | None:
        if error.nobody:
            return challenges.for_nobody(request)
        who = request.state.get("identity")
        if error.hidden or bearer(", ".join(request.headers.get_all("authorization"))) is None:
            return None
        return challenges.for_scope(names.of(error.permission)) if names.is_lacking(who, error.permission) else None

    def answered(request: Request, error: AccessDenied) -> Response:
        name = request.state.get("request_id")
        told = replace(problem_for(error), extra={"request_id": name} if name else {})
        return Response.of(told, headers(request, error))

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


class _Names:
    """Which scope a token lacks."""

    def __init__(self, access: Access, scopes: Iterable[Scope]) -> None:
        self._access = access
        self._scopes = [(scope.name, [*filter(None, map(policy.rule, scope.permissions))]) for scope in scopes]

    def is_lacking(self, who: Any, permission: str) -> bool:
        """Whether the identity may not only because its credential is limited.

        Of an object it is asked without it: this layer does not know which one the application was about.
        """
        if getattr(who, "scopes", None) is None or policy.asked(permission) is None:
            return False
        unlimited = copy(who)
        try:
            object.__setattr__(unlimited, "scopes", None)  # also where it is frozen: the copy is nobody else's
        except AttributeError:
            return False
        return self._access.check(unlimited, permission) and not self._access.check(who, permission)

    def of(self, permission: str) -> str | None:
        """What a client is to ask for; ``None`` if no scope covers it."""
        asked = policy.asked(permission)
        if asked is None or not self._scopes:
            return permission
        for name, granted in self._scopes:
            if any(rule.covers(asked) and (asked.own or not rule.own) for rule in granted):
                return name
        return None


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
        listed(public, "authorization: public")
        listed(signed_in, "authorization: signed_in")
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
        parsed = [(Route(route), need) for route, need in ordered]
        self._table = _Table(parsed)
        declared = [route for route, _ in parsed[: len(rules)]]
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
        need = self._table.find(request.method, request.path.rstrip("/"))
        return _SIGNED_IN if need is None and self._default == "signed_in" else need


class _Table:
    """What each route needs, found without going through all of them."""

    def __init__(self, routes: Iterable[tuple[Route, str]]) -> None:
        self._exact: dict[str, _Needs] = {}
        self._beneath: list[tuple[int, Route, str]] = []
        named: dict[int, dict[tuple[bool, ...], dict[tuple[str, ...], _Needs]]] = {}
        for index, (route, need) in enumerate(routes):
            if route.beneath:
                self._beneath.append((index, route, need))
                continue
            if OPEN in route.segments:
                opens = tuple(segment == OPEN for segment in route.segments)
                alike = named.setdefault(len(opens), {}).setdefault(opens, {})
                needs = alike.setdefault(route.segments, {})
            else:
                needs = self._exact.setdefault("/".join(route.segments), {})
            for method in route.methods:
                needs.setdefault(method, (index, need))
        # By how many segments there are, then by which of them are open: what is written out further comes first.
        self._named = {size: sorted(alike.items()) for size, alike in named.items()}

    def find(self, method: str, path: str) -> str | None:
        """What a request needs; ``path`` without a slash at its end. ``None`` where no route fits."""
        segments = path.split("/")
        found = self._itself(method, path, segments)
        for index, route, need in self._beneath:
            if found is not None and found[0] < index:
                break
            if route.takes(method) and route.fits(segments):
                return need
        return None if found is None else found[1]

    def _itself(self, method: str, path: str, segments: Sequence[str]) -> tuple[int, str] | None:
        """The route of this very path, with its place among all."""
        needs = self._exact.get(path)
        if needs is not None and (found := _of(needs, method)) is not None:
            return found
        for opens, alike in self._named.get(len(segments), ()):
            needs = alike.get(
                tuple([OPEN if is_open else given for is_open, given in zip(opens, segments, strict=True)])
            )
            if needs is not None and (found := _of(needs, method)) is not None:
                return found
        return None


def _of(needs: _Needs, method: str) -> tuple[int, str] | None:
    """What ``method`` needs there: the first of its own and that of all methods."""
    own, every = needs.get(method), needs.get(ANY)
    return own or every if own is None or every is None else min(own, every)


def _check_permission(access: Access, route: str, permission: str) -> None:
    """A rule that nobody could ever fulfil is a mistake; :class:`ConfigurationError` names it."""
    where = f"authorization: the route {route!r} needs {permission!r}"
    if "*" in permission:
        raise ConfigurationError(f"{where}: expected a permission without '*', as in media:edit")
    checked_rule(permission, access.roles.permissions, where)
