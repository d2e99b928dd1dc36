"""Stack: every manager, wired from one Settings, opened in order and closed in reverse.

Making a Stack does no I/O, so that modules may name ``stack.database`` or decorate with it; ``with stack:`` opens it.
Two Stacks can live in one process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from ._clock import Clock, SystemClock
from ._lifecycle import Lifecycle
from ._metrics import Metrics
from ._services import Services
from .errors import ConfigurationError
from .registry import Registry
from .settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from ._rooms import StoreSettings
    from .backups import Backups
    from .cache import CacheManager, QueryCache
    from .database import DatabaseManager
    from .database.relay import Relay
    from .events import EventManager
    from .flags import Flags
    from .jobs import JobContext, JobQueue
    from .jobs.schedules.scheduler import Scheduler
    from .jobs.worker import Worker
    from .limits import RateLimiter
    from .log import LogHandle
    from .middleware.named import Assembly
    from .observability.health import Health
    from .observability.manager import Observability
    from .security.manager import Security
    from .sessions import SessionStore
    from .stores import Store


class Stack(Lifecycle):
    """The managers of one application.

    ``settings`` left out are read from the environment. ``registry`` and ``clock`` are for tests and for adapters
    registered by hand. Opening configures the process's logging, unless ``configure_logging=False`` or it is configured
    already: of two Stacks the first one's settings hold.
    """

    settings: Settings
    registry: Registry
    clock: Clock
    metrics: Metrics

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        registry: Registry | None = None,
        clock: Clock | None = None,
        configure_logging: bool = True,
    ) -> None:
        super().__init__()
        self.settings = settings if settings is not None else Settings()
        self.registry = registry or Registry()
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self._configure_logging = configure_logging
        self._added: list[Lifecycle] = []
        self._provided: dict[str, object] = {}
        self._services = Services(self, self._provided)
        self._opened = ExitStack()
        self._stores: dict[tuple[str, float], Store] = {}

    @classmethod
    def from_env(cls) -> Self:
        """A Stack from the environment and ``postrmagic.toml``; no I/O beyond reading them."""
        return cls(Settings())

    @cached_property
    def database(self) -> DatabaseManager:
        """The application's database."""
        from .database.from_settings import database_of

        return database_of(self.settings, clock=self.clock, metrics=self.metrics, registry=self.registry)

    @cached_property
    def cache(self) -> CacheManager:
        """The cache."""
        from .cache import CacheManager

        room = self.settings.cache
        cache = CacheManager(
            self.store(room),
            namespace=room.namespace,
            unavailable=room.unavailable,
            database=self.database,
            clock=self.clock,
            metrics=self.metrics,
        )
        self.database.use_tags(cache)
        return cache

    @cached_property
    def queries(self) -> QueryCache:
        """Answers of SELECTs on the database, in the cache; :class:`ConfigurationError` unless ``cache.queries``."""
        from .cache.queries import QueryCache

        if not self.settings.cache.queries:
            raise ConfigurationError(
                "query results are not cached: set POSTRMAGIC_CACHE__QUERIES=true, for every process of the "
                "application, since each invalidates what it writes"
            )
        return QueryCache(self.cache, self.database)

    @cached_property
    def sessions(self) -> SessionStore[Any]:
        """The sessions, with free-form data; for a typed model make a SessionStore of your own on ``store()``."""
        from .sessions import Binding, SessionStore

        room = self.settings.sessions
        timeouts = {"idle_timeout", "absolute_timeout", "touch_interval", "renewal_timeout", "rotation_grace"}
        how: dict[str, Any] = room.model_dump(include={"namespace", "max_sessions", *timeouts})
        how |= {"binding": Binding(room.bind_agent, room.bind_network), "clock": self.clock, "metrics": self.metrics}
        return SessionStore(self.store(room), self.settings.key_ring(), **how)

    @cached_property
    def jobs(self) -> JobQueue:
        """The job queue; a job's context carries the Stack's managers (``ctx.cache``, ``ctx.events``)."""
        from .database.expired import sweep
        from .jobs import JobQueue, task
        from .log import carried

        room = self.settings.jobs
        queue = JobQueue(
            self.settings.broker_url(),
            database=self.database,
            namespace=room.namespace,
            lease=room.lease,
            services=self._services,
            clock=self.clock,
            metrics=self.metrics,
            registry=self.registry,
        )

        queue.carry = carried

        # Events and jobs do not know each other: here a durable delivery becomes a job.
        @task(name="postrmagic.events.deliver")
        def deliver(ctx: JobContext, event_id: str, listener: str) -> None:
            self.events.run_delivery(ctx, event_id, listener)

        queue.include(deliver)
        queue.upkeep += [lambda: self.events.sweep(), lambda: self.security.sweep(), lambda: sweep(self.database)]
        queue.upkeep.append(lambda: self.observability.sweep())
        self._schedule_backups(queue)
        return queue

    def _watch_backups(self) -> None:
        """Tell how old the newest is; what settings say wrongly of them is refused now, and not when one is due."""
        from .backups.figures import BackupFigures

        room = self.settings.backups
        expected = {"scheduled": room.schedule is not None, "drilled": room.drill_schedule is not None}
        BackupFigures(self.database, self.metrics, clock=self.clock, **expected)
        if room != type(room)():
            _ = self.backups

    def _schedule_backups(self, queue: JobQueue) -> None:
        room = self.settings.backups
        if room.schedule is not None or room.drill_schedule is not None:
            from .backups.work import scheduled

            queue.include(*scheduled(lambda: self.backups, take=room.schedule, drills=room.drill_schedule))

    @cached_property
    def events(self) -> EventManager:
        """The events."""
        from .events import EventManager, ListenerLimits, open_channel
        from .log import carried

        room = self.settings.events
        events = EventManager(
            database=self.database,
            jobs=self.jobs,
            clock=self.clock,
            metrics=self.metrics,
            services=self._services,
            limits=ListenerLimits(room.concurrency, room.backlog, room.overflow),
            channel=open_channel(self.settings.channel_url(), namespace=room.namespace, registry=self.registry),
        )
        events.carry = carried
        return events

    @cached_property
    def limiter(self) -> RateLimiter:
        """Rate and concurrency limits."""
        from .limits import RateLimiter

        room = self.settings.limits
        how: dict[str, Any] = {"clock": self.clock, "metrics": self.metrics}
        return RateLimiter(self.store(room), namespace=room.namespace, unavailable=room.unavailable, **how)

    @cached_property
    def security(self) -> Security:
        """Passwords, throttled logins, one-time tokens, second factors, roles, OAuth, and the audit log."""
        from .security.manager import Security
        from .security.terms import SecurityTerms

        how: dict[str, Any] = {"terms": SecurityTerms.of(self.settings), "clock": self.clock, "metrics": self.metrics}
        return Security(self.database, self.limiter, self.settings.key_ring(), **how)

    @cached_property
    def flags(self) -> Flags:
        """Features that are on for some users, and by and by for all."""
        from .flags import Flags

        room = self.settings.flags
        how: dict[str, Any] = {"clock": self.clock, "metrics": self.metrics}
        how["strict"] = self.settings.stack.environment == "development"
        return Flags(self.database, audit=self.security.audit, rules=room.rules, max_age=room.max_age, **how)

    @cached_property
    def backups(self) -> Backups:
        """Backups of the database, and of the directories that settings name and code adds."""
        from .backups.from_settings import backups_of

        backups = backups_of(self.settings, self.database, clock=self.clock, registry=self.registry)
        self.add(backups)
        return backups

    @cached_property
    def observability(self) -> Observability:
        """What all processes do and suffer: figures, traces, errors, releases, uptime, alerts; logs to be searched."""
        from .log.manager import tap
        from .observability.manager import Observability

        settings, needed = self.settings, self.settings.cache.unavailable == "closed"
        how: dict[str, Any] = {"tap": tap, "metrics": self.metrics, "clock": self.clock}
        observability = Observability(settings, self.database, self.store(settings.observability), **how)
        checks = observability.checks
        checks.add("database", self._ping_database)
        checks.add("cache", lambda: self.store(settings.cache).get([b"health"]), needed=needed)
        checks.add("sessions", lambda: self.store(settings.sessions).get([b"health"]))
        return observability

    def store(self, room: StoreSettings) -> Store:
        """The store of one room; rooms with the same URL and time-out share one adapter."""
        from .stores import open_store

        key = (self.settings.store_url(room), room.timeout)
        if key not in self._stores:
            self._stores[key] = open_store(key[0], timeout=key[1], registry=self.registry, metrics=self.metrics)
        return self._stores[key]

    def include(self, *modules: str | ModuleType) -> None:
        """Bind the tasks, schedules and listeners that these modules declare (names are imported)."""
        self.jobs.include(*modules)
        self.events.include(*modules)

    @cached_property
    def middleware(self) -> Assembly:
        """The middleware that settings name and code adds; ``stack.middleware.pipeline()`` puts them in order."""
        from .middleware.named import Assembly

        return Assembly(self.settings.middleware, self)

    def use_migrations(self, directory: str | Path, metadata: MetaData | str | None = None) -> None:
        """Let the application's own migrations run with the package's, in place of those that Settings name.

        ``directory`` (a path, or ``package:directory``) holds ``versions/``, ``metadata`` is what new revisions are
        compared with: the ``MetaData``, or ``module:name``. To be called before the Stack opens.
        """
        from .database import Migrations

        self.database.migrations = Migrations(directory, metadata)

    def add(self, component: Lifecycle) -> None:
        """Open ``component`` with the Stack, after its managers, and close it before them."""
        self._added.append(component)
        if self.is_open:
            self._opened.enter_context(component)

    def provide(self, **services: object) -> None:
        """Give jobs and durable listeners these objects as ``ctx.services["name"]``, beside the managers."""
        self._provided.update(services)

    def relay(self) -> Relay:
        """A relay for this Stack's outbox; it runs while it is open."""
        routes = {"events": self.events.deliver, "jobs": self.jobs.deliver, "cache": self.cache.deliver}
        return self.database.relay(routes | {"alerts": self.observability.alerts.deliver})

    def scheduler(self) -> Scheduler:
        """A scheduler for this Stack's schedules, to run where a relay does; it runs while it is open."""
        return self.jobs.scheduler()

    def worker(
        self,
        *,
        threads: int | None = None,
        queues: Collection[str] | None = None,
        grace: float | None = None,
        max_memory_mib: int | None = None,
    ) -> Worker:
        """A worker for this Stack's queues, or some of them, in this process; it runs while it is open.

        What is left out is as the settings say; ``grace`` in seconds, ``max_memory_mib`` in MiB: see :class:`Worker`.
        Log records made in a job carry its ``job_id``, ``task``, ``queue`` and ``attempt``. Raises
        :class:`ConfigurationError` where ``jobs.worker=embedded``: the Stack then runs its own.
        """
        if self.settings.jobs.worker == "embedded":
            raise ConfigurationError(
                "jobs.worker=embedded: the web process runs the worker by itself; to run one apart from it, set "
                "POSTRMAGIC_JOBS__WORKER=separate for both"
            )
        self.observability.metrics.kind = "worker"
        room = self.settings.jobs
        grace = room.grace if grace is None else grace
        max_memory_mib = room.max_memory_mib if max_memory_mib is None else max_memory_mib
        return self._worker(threads, queues=queues, grace=grace, max_memory_mib=max_memory_mib)

    def _worker(self, threads: int | None = None, **options: Any) -> Worker:
        from .log import bind

        options = {"grace": self.settings.jobs.grace} | options
        threads = threads or self.settings.jobs.threads
        return self.jobs.worker(threads=threads, around=lambda ctx: bind(**ctx.fields), **options)

    def health(self) -> Mapping[str, Health]:
        """Each backend asked now, within its time-outs; nothing of an error but its code."""
        self.ensure_open()
        return self.observability.checks.report(now=True).checks

    def _ping_database(self) -> None:
        from sqlalchemy import text

        with self.database.read() as unit:
            unit.execute(text("SELECT 1"))

    def _open(self) -> None:
        from .cache.figures import CacheWindow

        if self._configure_logging:
            self._opened.enter_context(self.logging())
        if self.settings.remembers:
            from .configuration import record

            record(self.settings, clock=self.clock)
        self._opened.enter_context(self.database)
        self._migrate()
        self._watch_backups()
        if self.settings.cache.queries:
            # Made now, used or not: from here on this process invalidates what it writes.
            _ = self.queries
        for component in (
            self.cache,
            CacheWindow(self.cache_subject, self.metrics),
            self.sessions,
            self.limiter,
            self.security,
            self.flags,
            self.jobs,
            self.events,
            self.observability,
            *self._added,
        ):
            self._opened.enter_context(component)
        if self.settings.jobs.worker == "embedded":
            from .jobs.embedded import OnlyProcess

            self._opened.enter_context(OnlyProcess(self.settings.stack.data_dir))
            self._opened.enter_context(self.relay())
            self._opened.enter_context(self.scheduler())
            self._opened.enter_context(self._worker())

    def _close(self) -> None:
        self._opened.close()
        for store in self._stores.values():
            store.close()

    def _migrate(self) -> None:
        if self.settings.stack.environment == "production":
            from .database.schema import refuse_outdated

            refuse_outdated(self.database.backend, self.database.migrations)
        elif not self.database.schema_current():
            self.database.upgrade()

    @property
    def cache_subject(self) -> str:
        """Under which name the processes of this application tell of their caches; see `postrmagic cache stats`."""
        from .cache.figures import subject

        room = self.settings.stack
        return subject(room.service, str(room.data_dir.resolve()), self.settings.store_url(self.settings.cache))

    def logging(self) -> LogHandle:
        """The process's logging, as the settings say; opening the Stack does it too.

        Where it is configured already that configuration holds, and stays while this Stack is open.
        """
        from .log.terms import configured

        return configured(self.settings, self.metrics)
