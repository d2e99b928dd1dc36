"""Middleware by name: those of the package, those that installed packages offer, and any ``module:factory``.

A third party offers one so; it is used where settings name it::

    [project.entry-points."postrmagic_core.middleware"]
    timing = "postrmagic_timing:timing"

A factory is called with the options that settings give, and with the Stack if it takes a parameter ``stack``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..registry import imported
from .groups import Group
from .interface import Middleware
from .pipeline import Pipeline

if TYPE_CHECKING:
    from .._rooms import MiddlewareSettings

ENTRY_POINTS = "postrmagic_core.middleware"
_LARGEST_BODY = 10 * 1024 * 1024

_THIS_MACHINE = ("127.0.0.0/8", "::1/128")

Find = Callable[[str], Iterable[EntryPoint]]


def _of_probes(settings: Any) -> dict[str, Any]:
    room = settings.observability
    if not (room.networks or room.token) and settings.stack.environment != "production":
        return {"networks": _THIS_MACHINE}
    return {"token": room.token, "networks": room.networks}


# What those of the package are called with, beside their options, by the Stack that uses them.
OWN: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "trusted_proxies": lambda _: {"networks": ()},
    "probes": lambda stack: {"observed": stack.observability.answers, **_of_probes(stack.settings)},
    "request_id": lambda _: {},
    "trace_context": lambda _: {},
    "access_log": lambda _: {},
    "request_metrics": lambda stack: {"metrics": stack.metrics},
    "security_headers": lambda _: {},
    "csp_reports": lambda _: {},
    "experience": lambda stack: {"felt": stack.observability.experience, "metrics": stack.metrics},
    "cors": lambda _: {},
    "errors": lambda _: {},
    "time_limits": lambda _: {},
    "header_limits": lambda _: {},
    "body_limit": lambda _: {"max_bytes": _LARGEST_BODY},
    "oauth_endpoints": lambda stack: {"server": stack.security.oauth},
    "rate_limit": lambda stack: {"limiter": stack.limiter},
    "concurrency_limit": lambda stack: {"limiter": stack.limiter},
    "sessions": lambda stack: {
        "store": stack.sessions,
        "cookie_name": stack.settings.sessions.cookie_name,
        "cookie_secure": stack.settings.sessions.cookie_secure,
    },
    "csrf": lambda stack: {"keys": stack.settings.key_ring()},
    "authentication": lambda _: {},
    "authorization": lambda stack: {"access": stack.security.access},
    "idempotency": lambda stack: {"database": stack.database},
}
_MODULES = {"concurrency_limit": "rate_limit"}


def made(name: str, options: Mapping[str, Any], stack: Any, find: Find | None = None) -> Middleware:
    """The middleware that ``name`` means; :class:`ConfigurationError` for an unknown one and for unfit options."""
    factory = _factory(name, find or (lambda group: entry_points(group=group)))
    given = OWN[name](stack) if name in OWN else {}
    if "stack" in inspect.signature(factory).parameters:
        given["stack"] = stack
    given |= options
    try:
        inspect.signature(factory).bind(**given)
        middleware: Middleware = factory(**given)
    except (TypeError, ValueError) as error:
        offered = ", ".join(inspect.signature(factory).parameters) or "none"
        raise ConfigurationError(f"middleware {name} cannot be made: {error}; its options: {offered}") from error
    return middleware


class Assembly:
    """The middleware that settings name, then what code adds: the pipeline of one application, arranged as they demand.

    ``stack`` is who is asked for what a middleware needs; ``find`` finds entry points.
    """

    def __init__(self, settings: MiddlewareSettings, stack: Any, find: Find | None = None) -> None:
        self._settings = settings
        self._stack = stack
        self._find = find
        self._added: list[Middleware] = []
        self._groups: list[Group] = []

    def use(self, *middleware: Middleware, groups: Sequence[Group] = ()) -> None:
        """Have pipelines made from now on hold these too; groups of one prefix are one."""
        self._added.extend(middleware)
        self._groups.extend(groups)

    def pipeline(self, *, problem_types: str | None = None) -> Pipeline:
        """All of it; :class:`ConfigurationError` for an unknown name, for unfit options, where no order fits.

        ``problem_types`` is where the types of problems are told, as :class:`.Pipeline` takes it.
        """
        room = self._settings
        named = [name for group in room.groups.values() for name in group.use] + list(room.use)
        if strange := sorted(set(room.options) - set(named)):
            raise ConfigurationError(f"there are options for {strange[0]}, which no pipeline or group uses")
        from_settings = [Group(prefix, self._made(each.use), each.without) for prefix, each in room.groups.items()]
        merged: dict[str, Group] = {}
        for group in (*from_settings, *self._groups):
            known = merged.get(group.prefix, Group(group.prefix))
            merged[group.prefix] = Group(group.prefix, [*known.use, *group.use], [*known.without, *group.without])
        layers = [*self._made(room.use), *self._added]
        return Pipeline(layers, groups=list(merged.values()), arrange=True, problem_types=problem_types)

    def _made(self, names: Iterable[str]) -> list[Middleware]:
        return [made(name, self._settings.options.get(name, {}), self._stack, self._find) for name in names]


def _factory(name: str, find: Find) -> Callable[..., Any]:
    if name in OWN:
        return _loaded(name, f"postrmagic_core.middleware.{_MODULES.get(name, name)}:{name}")
    if ":" in name:
        return _loaded(name, name)
    found = [entry for entry in find(ENTRY_POINTS) if entry.name == name]
    if len(found) > 1:
        claims = ", ".join(entry.value for entry in found)
        raise ConfigurationError(f"several installed packages offer middleware {name}: {claims}")
    if not found:
        known = ", ".join([*OWN, *sorted(entry.name for entry in find(ENTRY_POINTS))])
        raise ConfigurationError(f"there is no middleware {name}: expected module:factory, or one of {known}")
    return _loaded(name, found[0].value)


def _loaded(name: str, target: str) -> Callable[..., Any]:
    factory = imported(target, "middleware" if name == target else f"middleware {name} from")
    if not callable(factory):
        raise ConfigurationError(f"middleware {name}: {target} is no factory")
    found: Callable[..., Any] = factory
    return found
