"""URL scheme to adapter: registered by hand, built in, or found among installed entry points, in that order.

An adapter is a class with a ``from_url(url, **options)`` classmethod that fulfils its kind's Protocol. It is imported
only when its scheme is used. A third party publishes one so::

    [project.entry-points."postrmagic_core.stores"]
    etcd = "postrmagic_etcd:EtcdStore"

Middleware and rules have no URL: what a package offers under a name is used where settings or code say that name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal
from urllib.parse import urlsplit

from .errors import ConfigurationError, MissingExtra, PluginRejected, UnknownScheme


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of adapters: the Protocol they fulfil, the entry-point group they come from, what is built in.

    ``version`` is the interface's: an adapter that states another ``interface_version`` is rejected.
    ``extras`` names the extra to install for a scheme whose driver is not a core dependency.
    """

    name: str
    group: str
    protocol: str
    builtin: Mapping[str, str]
    extras: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


STORES = Kind(
    "store",
    "postrmagic_core.stores",
    "postrmagic_core.stores.interface:Store",
    {
        "memory": "postrmagic_core.stores.adapters.memory:MemoryStore",
        "sqlite": "postrmagic_core.stores.adapters.sql_sqlite:SqliteStore",
        "mysql": "postrmagic_core.stores.adapters.sql_mysql:MysqlStore",
        "mariadb": "postrmagic_core.stores.adapters.sql_mysql:MysqlStore",
        "redis": "postrmagic_core.stores.adapters.redis:RedisStore",
        "rediss": "postrmagic_core.stores.adapters.redis:RedisStore",
        "tiered": "postrmagic_core.stores.adapters.tiered:TieredStore",
    },
    {"mysql": "mysql", "mariadb": "mysql", "redis": "redis", "rediss": "redis", "tiered": "redis"},
)

DATABASES = Kind(
    "database",
    "postrmagic_core.databases",
    "postrmagic_core._sql.interface:Backend",
    {
        "sqlite": "postrmagic_core._sql.sqlite:SqliteBackend",
        "mysql": "postrmagic_core._sql.mysql:MysqlBackend",
        "mariadb": "postrmagic_core._sql.mysql:MysqlBackend",
    },
    {"mysql": "mysql", "mariadb": "mysql"},
)

BROKERS = Kind(
    "broker",
    "postrmagic_core.brokers",
    "postrmagic_core.jobs.interface:BrokerAdapter",
    {
        "sqlite": "postrmagic_core.jobs.adapters.sql:SqlBroker",
        "mysql": "postrmagic_core.jobs.adapters.sql:SqlBroker",
        "mariadb": "postrmagic_core.jobs.adapters.sql:SqlBroker",
        "redis": "postrmagic_core.jobs.adapters.redis:RedisBroker",
        "rediss": "postrmagic_core.jobs.adapters.redis:RedisBroker",
        "amqp": "postrmagic_core.jobs.adapters.rabbitmq:RabbitmqBroker",
        "amqps": "postrmagic_core.jobs.adapters.rabbitmq:RabbitmqBroker",
    },
    {
        "mysql": "mysql",
        "mariadb": "mysql",
        "redis": "redis",
        "rediss": "redis",
        "amqp": "rabbitmq",
        "amqps": "rabbitmq",
    },
)

CHANNELS = Kind(
    "channel",
    "postrmagic_core.channels",
    "postrmagic_core.events.channel:Channel",
    {
        "memory": "postrmagic_core.events.adapters.memory:MemoryChannel",
        "redis": "postrmagic_core.events.adapters.redis:RedisChannel",
        "rediss": "postrmagic_core.events.adapters.redis:RedisChannel",
    },
    {"redis": "redis", "rediss": "redis"},
)

VAULTS = Kind(
    "vault",
    "postrmagic_core.vaults",
    "postrmagic_core.backups.interface:Vault",
    {"file": "postrmagic_core.backups.vaults.directory:DirectoryVault"},
)

LOG_SINKS = Kind(
    "log sink",
    "postrmagic_core.log_sinks",
    "postrmagic_core.log.interface:Sink",
    {"file": "postrmagic_core.log.adapters.file:FileSink"},
)

ALERT_CHANNELS = Kind(
    "alert channel",
    "postrmagic_core.alert_channels",
    "postrmagic_core.observability.alerts.interface:AlertChannel",
    {
        "smtp": "postrmagic_core.observability.alerts.channels.smtp:SMTPChannel",
        "smtps": "postrmagic_core.observability.alerts.channels.smtp:SMTPChannel",
        "webhook": "postrmagic_core.observability.alerts.channels.webhook:WebhookChannel",
        "slack": "postrmagic_core.observability.alerts.channels.slack:SlackChannel",
    },
)

KINDS: tuple[Kind, ...] = (DATABASES, STORES, BROKERS, CHANNELS, VAULTS, LOG_SINKS, ALERT_CHANNELS)


@dataclass(frozen=True, slots=True)
class NamedKind:
    """What packages offer under a name, where there is no URL: it is used where settings or code say the name.

    ``own`` is the mapping of the package's names, which nobody else may take; ``made`` the type of what an entry point
    names, empty for anything that can be called.
    """

    name: str
    group: str
    own: str
    made: str = ""


MIDDLEWARE = NamedKind("middleware", "postrmagic_core.middleware", "postrmagic_core.middleware.named:OWN")

RULES = NamedKind(
    "rule",
    "postrmagic_core.rules",
    "postrmagic_core.validation.rules.named:NAMED",
    "postrmagic_core.validation.rules.named:NamedRule",
)

NAMED_KINDS: tuple[NamedKind, ...] = (MIDDLEWARE, RULES)


@dataclass(frozen=True, slots=True)
class Plugin:
    """What ``postrmagic plugins`` lists: where an adapter comes from, and why it cannot be used if it cannot."""

    kind: str
    scheme: str
    target: str
    origin: str
    state: Literal["usable", "rejected", "missing extra"]
    reason: str = ""


class Registry:
    """The adapters one Stack can choose from.

    ``find_entry_points`` takes a group and returns its entry points; tests pass their own.
    """

    def __init__(self, find_entry_points: Callable[[str], list[EntryPoint]] | None = None) -> None:
        self._registered: dict[tuple[str, str], type[Any]] = {}
        self._find = find_entry_points or (lambda group: list(entry_points(group=group)))

    def register(self, kind: Kind, scheme: str, adapter: type[Any]) -> None:
        """Use ``adapter`` for ``scheme``, before anything built in or installed; it is checked at once."""
        self._registered[kind.name, scheme] = _checked(kind, adapter, f"{adapter.__module__}:{adapter.__qualname__}")

    def load(self, kind: Kind, url: str) -> type[Any]:
        """The adapter class for ``url``'s scheme.

        Raises :class:`UnknownScheme` (naming the known ones), :class:`MissingExtra` (naming the extra to install) or
        :class:`PluginRejected` (naming what the class lacks).
        """
        scheme = scheme_of(url)
        registered = self._registered.get((kind.name, scheme))
        if registered is not None:
            return registered
        target = kind.builtin.get(scheme)
        if target is None:
            found = [entry for entry in self._find(kind.group) if entry.name == scheme]
            if not found:
                known = ", ".join(sorted(self._schemes(kind)))
                raise UnknownScheme(f"no {kind.name} adapter for the URL scheme {scheme!r}; known: {known}")
            if len(found) > 1:
                claims = ", ".join(entry.value for entry in found)
                raise PluginRejected(f"several installed packages claim the {kind.name} scheme {scheme!r}: {claims}")
            target = found[0].value
        return _checked(kind, _imported(kind, scheme, target), target)

    def named(self, kind: NamedKind, name: str) -> Any:
        """What an installed package offers of ``kind`` under ``name``, one that is not the package's own.

        Raises :class:`UnknownScheme`, naming those that are installed, or :class:`PluginRejected`.
        """
        found = [entry for entry in self._find(kind.group) if entry.name == name]
        if not found:
            known = ", ".join(sorted(entry.name for entry in self._find(kind.group))) or "none"
            raise UnknownScheme(f"no installed package offers the {kind.name} {name!r}; offered: {known}")
        if len(found) > 1:
            claims = ", ".join(entry.value for entry in found)
            raise PluginRejected(f"several installed packages offer the {kind.name} {name!r}: {claims}")
        return _offered(kind, found[0])

    def plugins(self) -> list[Plugin]:
        """Every known adapter of every kind, tried: usable, rejected or lacking its extra.

        Of what has a name in place of a URL those that are installed: the package's own stand in its reference.
        """
        return [*self._adapters(), *self._offers()]

    def _offers(self) -> list[Plugin]:
        listed = []
        for kind in NAMED_KINDS:
            for entry in self._find(kind.group):
                try:
                    _offered(kind, entry)
                except Exception as error:
                    listed.append(_refused(kind.name, entry.name, entry.value, _origin(entry), error))
                else:
                    listed.append(Plugin(kind.name, entry.name, entry.value, _origin(entry), "usable"))
        return listed

    def _adapters(self) -> list[Plugin]:
        listed = []
        for kind in KINDS:
            for (name, scheme), adapter in self._registered.items():
                if name == kind.name:
                    listed.append(
                        Plugin(name, scheme, f"{adapter.__module__}:{adapter.__qualname__}", "registered", "usable")
                    )
            for scheme, target in kind.builtin.items():
                listed.append(self._tried(kind, scheme, target, "built in"))
            for entry in self._find(kind.group):
                if entry.name in kind.builtin:
                    reason = "the scheme is built in; choose another name"
                    listed.append(Plugin(kind.name, entry.name, entry.value, _origin(entry), "rejected", reason))
                else:
                    listed.append(self._tried(kind, entry.name, entry.value, _origin(entry)))
        return listed

    def _tried(self, kind: Kind, scheme: str, target: str, origin: str) -> Plugin:
        try:
            _checked(kind, _imported(kind, scheme, target), target)
        except MissingExtra as error:
            return Plugin(kind.name, scheme, target, origin, "missing extra", str(error))
        except Exception as error:
            return _refused(kind.name, scheme, target, origin, error)
        return Plugin(kind.name, scheme, target, origin, "usable")

    def _schemes(self, kind: Kind) -> set[str]:
        registered = {scheme for name, scheme in self._registered if name == kind.name}
        return registered | set(kind.builtin) | {entry.name for entry in self._find(kind.group)}


def scheme_of(url: str) -> str:
    """The scheme of ``url`` without a driver suffix: ``mysql`` of ``mysql+pymysql://…``; none raises UnknownScheme."""
    try:
        scheme = urlsplit(url).scheme.partition("+")[0]
    except ValueError:  # as of half an address in brackets
        scheme = ""
    if not scheme:
        raise UnknownScheme("expected a URL such as sqlite:///app.db, mysql://user@host/name or redis://host/0")
    return scheme


def imported(target: str, told: str) -> Any:
    """What ``module:name`` names; :class:`ConfigurationError` says what is wrong with it, after ``told``: who names it.

    An error inside the module is raised as it is.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise ConfigurationError(f"{told} {target!r}: expected module:name, for example app:stack")
    try:
        holder = import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{told} {target}: there is no module {error.name}; is it in this directory?"
        ) from error
    if not hasattr(holder, name):
        raise ConfigurationError(f"{told} {target}: the module has no {name}")
    return getattr(holder, name)


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "entry point"


def _refused(kind: str, name: str, target: str, origin: str, error: Exception) -> Plugin:
    """One that cannot be used; whatever its module raised, the others are listed."""
    told = str(error) if isinstance(error, PluginRejected) else f"{target} fails: {type(error).__name__}: {error}"
    return Plugin(kind, name, target, origin, "rejected", told)


def _loaded(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _offered(kind: NamedKind, entry: EntryPoint) -> Any:
    """What ``entry`` names, checked."""
    if entry.name in _loaded(kind.own):
        raise PluginRejected(f"{entry.value}: the {kind.name} {entry.name!r} is built in; choose another name")
    try:
        found = _loaded(entry.value)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginRejected(f"{entry.value} cannot be imported: {error}") from error
    if kind.made and not isinstance(found, _loaded(kind.made)):
        raise PluginRejected(f"{entry.value} is no {kind.made.partition(':')[2]}")
    if not kind.made and not callable(found):
        raise PluginRejected(f"{entry.value} is no factory: it cannot be called")
    return found


def _imported(kind: Kind, scheme: str, target: str) -> type[Any]:
    try:
        loaded = _loaded(target)
    except ModuleNotFoundError as error:
        extra = kind.extras.get(scheme)
        if extra is not None and not (error.name or "").startswith("postrmagic_core"):
            raise MissingExtra(
                f"the {kind.name} scheme {scheme!r} needs a driver that is not installed: "
                f"pip install 'postrmagic-core[{extra}]'"
            ) from error
        raise PluginRejected(f"{target} cannot be imported: {error}") from error
    except (ImportError, AttributeError) as error:
        raise PluginRejected(f"{target} cannot be imported: {error}") from error
    if not isinstance(loaded, type):
        raise PluginRejected(f"{target} is not a class")
    return loaded


def _checked(kind: Kind, adapter: type[Any], target: str) -> type[Any]:
    problems = conformance(adapter, _loaded(kind.protocol))
    version = getattr(adapter, "interface_version", 1)
    if version != kind.version:
        problems.append(f"is made for interface version {version}, this package has {kind.version}")
    if not callable(getattr(adapter, "from_url", None)):
        problems.append("lacks the classmethod from_url(url, **options)")
    if problems:
        raise PluginRejected(f"{target} is no {kind.name} adapter: it " + "; ".join(problems))
    return adapter


def conformance(adapter: type[Any], protocol: type[Any]) -> list[str]:
    """What keeps ``adapter`` from fulfilling ``protocol``: missing members, and parameters with other names."""
    problems = []
    for name, wanted in _members(protocol).items():
        offered = inspect.getattr_static(adapter, name, None)
        if offered is None and name not in _annotations(adapter):
            problems.append(f"lacks {name}")
        elif inspect.isfunction(wanted) and inspect.isfunction(offered):
            missing = _not_accepted(wanted, offered)
            if missing:
                problems.append(f"{name}() takes no {', '.join(sorted(missing))}")
    return problems


def _members(protocol: type[Any]) -> dict[str, Any]:
    names = set(getattr(protocol, "__protocol_attrs__", ())) or {
        name
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False) and base.__module__ != "typing"
        for name in (*vars(base), *vars(base).get("__annotations__", {}))
        if not name.startswith("_")
    }
    return {name: inspect.getattr_static(protocol, name, None) for name in sorted(names)}


def _annotations(cls: type[Any]) -> set[str]:
    return {name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})}


def _not_accepted(wanted: Any, offered: Any) -> set[str]:
    parameters = inspect.signature(offered).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return set()
    return set(inspect.signature(wanted).parameters) - set(parameters) - {"self"}
