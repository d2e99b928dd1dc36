"""Observability of one application, opened with its Stack: what it does and suffers, now and over time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._bridge import Bridge
from .._clock import Clock, from_us
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from ..errors import ConfigurationError
from ..settings import Settings
from .health import Checks

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..log.interface import Tap
    from ..log.search import LogIndex
    from ..stores import Store
    from .alerts import Alerts, Sources
    from .alerts.rules import Rule
    from .answers import Answers
    from .duties import Duties
    from .errors import ErrorGroup, Errors, ErrorTracker
    from .experience import Experience
    from .history import History
    from .metrics import MetricsHub
    from .releases import Releases
    from .traces import Tracing
    from .traces.lines import SpanLines
    from .uptime import Uptime

_THREADS = 2
# Seconds between two looks, each by one process of all.
_SAMPLE, _LOOK, _EVALUATE = 15.0, 5.0, 15.0
# More groups of errors than are kept.
_GROUPS = 20_000


class Observability(Lifecycle):
    """What all processes of the application do and suffer, as far as settings have it watched.

    ``tap`` hands every error that is logged to those who keep count of them; it returns what ends that.
    """

    checks: Checks

    def __init__(
        self,
        settings: Settings,
        database: DatabaseManager,
        store: Store,
        *,
        tap: Callable[[Tap], Callable[[], None]],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        super().__init__()
        self.checks = Checks(clock=clock)
        self.bridge = Bridge(_THREADS, "postrmagic-observability")
        self._settings = settings
        self._database = database
        self._store = store
        self._tap = tap
        self._metrics = metrics
        self._clock = clock
        self._opened = ExitStack()

    @cached_property
    def metrics(self) -> MetricsHub:
        """The figures of all processes."""
        from .metrics import MetricsHub

        room, stack = self._settings.observability, self._settings.stack
        how: dict[str, Any] = {"namespace": room.namespace, "service": stack.service, "release": stack.release}
        return MetricsHub(self._metrics, self._store, every=room.publish_every, clock=self._clock, **how)

    @cached_property
    def errors(self) -> Errors:
        """Errors in groups: what is new, what came back."""
        from .errors import Errors

        return Errors(self._database, clock=self._clock, bridge=self.bridge)

    @cached_property
    def releases(self) -> Releases:
        """Which releases there were, since when."""
        from .releases import Releases

        return Releases(self._database, clock=self._clock)

    @cached_property
    def logs(self) -> LogIndex | None:
        """The log records of this machine, to be searched; ``None`` where they are not kept."""
        from ..log.search import LogIndex
        from ..log.terms import INDEX

        settings = self._settings
        return LogIndex(settings.stack.data_dir / INDEX, self._clock) if settings.searches else None

    @cached_property
    def history(self) -> History:
        """What the figures came to, over the last day and the last weeks."""
        from .history import History
        from .history.reading import everything

        read = everything(self.metrics.everybody, self._metrics) if self._settings.observability.metrics else None
        return History(self._database, read, clock=self._clock, bridge=self.bridge)

    @cached_property
    def uptime(self) -> Uptime:
        """The probes that settings name: whether they are up, and how long they were."""
        from .uptime import Uptime, probe

        room = self._settings.observability
        urls = {name: url.get_secret_value() for name, url in room.probes.items()}
        probes = [probe(name, url, every=room.probe_every) for name, url in urls.items()]
        how: dict[str, Any] = {"metrics": self._metrics, "clock": self._clock, "bridge": self.bridge}
        return Uptime(self._database, probes=probes, health=self.checks.report, **how)

    @cached_property
    def alerts(self) -> Alerts:
        """The shipped rules as settings change them, those of settings, and who is told."""
        from .alerts import Alerts, channel_for
        from .alerts.from_settings import rules_from
        from .alerts.rules import defaults

        room, sources = self._settings.observability, self._sources()
        given = room.webhook_secret
        secrets = () if given is None else (given.get_secret_value(),)
        channels = {name: channel_for(name, url.get_secret_value(), secrets) for name, url in room.channels.items()}
        rules = rules_from(room.rules, [rule for rule in defaults() if _is_known(sources, rule)])
        how: dict[str, Any] = {"metrics": self._metrics, "clock": self._clock, "bridge": self.bridge}
        named: dict[str, Any] = {"service": self._settings.stack.service, "channels": channels, "sources": sources}
        return Alerts(self._database, rules=rules, **named, **how)

    @cached_property
    def experience(self) -> Experience:
        """How fast pages come to users, which features they use, and what they answer."""
        from .experience import Experience

        how: dict[str, Any] = {"metrics": self._metrics, "clock": self._clock, "bridge": self.bridge}
        return Experience(self._database, self._settings.key_ring(), **how)

    @cached_property
    def duties(self) -> Duties:
        """What one process of all does, again and again; an application may :meth:`~Duties.add` its own."""
        from .duties import Duties

        duties = Duties(
            self._store, namespace=self._settings.observability.namespace, clock=self._clock, metrics=self._metrics
        )
        if self._settings.observability.metrics:
            duties.add("history", _SAMPLE, lambda: self.history.sample())
        if self._settings.observability.probes:
            duties.add("uptime", _LOOK, lambda: self.uptime.run_due())
        duties.add("alerts", _EVALUATE, lambda: self.alerts.evaluate())
        return duties

    def sweep(self) -> None:
        """Forget what is old; each worker calls it now and then."""
        self.errors.sweep()
        self.experience.sweep()
        self.alerts.sweep()

    @cached_property
    def answers(self) -> Answers:
        """What the layer ``probes`` asks."""
        from .answers import Answers

        stack, metrics = self._settings.stack, lambda: self.metrics
        kept = metrics if self._settings.observability.metrics else None
        return Answers(self.checks, kept, self.bridge, service=stack.service, release=stack.release)

    def _open(self) -> None:
        room, stack = self._settings.observability, self._settings.stack
        opened = self._opened
        # What settings say wrongly of them is refused now, before anything is begun, and not when it is due.
        _ = self.alerts
        if room.probes:
            _ = self.uptime
        if room.traces:
            opened.enter_context(self._tracing())
        if room.metrics:
            opened.enter_context(self.metrics)
        if stack.release:
            self.releases.note(stack.release)
            self.releases.watch(self._metrics, stack.release)
        if room.errors:
            opened.callback(self._tap(opened.enter_context(self._tracker())))
        if room.sentry_dsn is not None:
            from .sentry import Sentry

            dsn, redact = room.sentry_dsn.get_secret_value(), self._settings.log.redact
            how: dict[str, Any] = {"release": stack.release, "environment": stack.environment, "redact": redact}
            sentry = Sentry(dsn, metrics=self._metrics, **how)
            opened.callback(self._tap(opened.enter_context(sentry)))
        opened.enter_context(self.experience)
        self._open_logs()
        opened.enter_context(self.alerts)
        if self._settings.watches:
            opened.enter_context(self.duties)

    def _open_logs(self) -> None:
        """What reads the spool: the collector, and who forwards."""
        readers: list[Lifecycle] = []
        self._opened.callback(_end, readers)
        for reader in self._readers():
            reader.open()
            readers.append(reader)

    def _readers(self) -> Iterator[Lifecycle]:
        from ..log.terms import INDEX, SPOOL

        room, data = self._settings.log, self._settings.stack.data_dir
        how: dict[str, Any] = {"metrics": self._metrics, "clock": self._clock}
        if self._settings.searches:
            from ..log.search import Collector

            kept: dict[str, Any] = {"days": room.search_days, "max_bytes": room.search_bytes}
            yield Collector(data / SPOOL, data / INDEX, **kept, **how)
        if room.forward:
            from ..log.forwarding import Forwarder, name_for, shipper_for

            token = None if room.forward_token is None else room.forward_token.get_secret_value()
            for url in room.forward:
                shipper = shipper_for(url, token if "http" in url.partition("://")[0] else None, clock=self._clock)
                yield Forwarder(data / SPOOL, shipper, name=name_for(url), **how)

    def _sources(self) -> Sources:
        """What alerts ask: as much as there is."""
        from .alerts import Sources
        from .history.reading import everything

        found: dict[str, Any] = {"errors": self._groups, "uptime": self._probes}
        found["probes"] = self._settings.observability.probes
        if self._settings.observability.metrics:
            found["series"] = lambda: self.history.latest()
            found["totals"] = everything(self.metrics.everybody, self._metrics)
        if self.logs is not None:
            found["logs"] = self._records
        return Sources(clock=self._clock, **found)

    def _groups(self, state: Any) -> list[ErrorGroup]:
        """All in a state, not those alone that came last: of one that is left out it would be said that it is over."""
        return self.errors.find(state=state, limit=_GROUPS)

    def _probes(self) -> Any:
        return self.uptime.status()

    def _records(self, query: str, seconds: float) -> int:
        until = from_us(self._clock.now_us())
        return 0 if self.logs is None else self.logs.count(query, until - timedelta(seconds=seconds), until)

    def _close(self) -> None:
        self._opened.close()
        self.bridge.close()

    def _tracing(self) -> Tracing:
        from .traces import Tracing

        room, stack = self._settings.observability, self._settings.stack
        how: dict[str, Any] = {"endpoint": room.traces_endpoint, "share": room.traces_share, "metrics": self._metrics}
        return Tracing(stack.service, stack.release, keep=self._span_lines(), **how)

    def _span_lines(self) -> SpanLines | None:
        """Where spans are kept with the log's records, if these are."""
        if not self._settings.searches:
            return None
        from ..log.terms import SPOOL
        from .traces.lines import SpanLines

        room = self._settings.log
        lines = SpanLines(self._settings.stack.data_dir / SPOOL, room.spool_bytes, room.redact)
        self._opened.callback(lines.close)
        return lines

    def _tracker(self) -> ErrorTracker:
        from .errors import ErrorTracker

        stack = self._settings.stack
        how: dict[str, Any] = {"service": stack.service, "release": stack.release}
        return ErrorTracker(self._database, clock=self._clock, metrics=self._metrics, **how)


def _end(readers: list[Lifecycle]) -> None:
    """Close who reads the spool, at once: several receivers that hang take no longer than one."""
    from ..log.manager import joined

    handle = joined() if readers else None
    if handle is not None:
        with handle:
            handle.flush(1.0)  # before they read for the last time
    closing = []
    for reader in readers:
        thread = threading.Thread(target=reader.close, name="postrmagic-logs-end")
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, or has no threads left
            reader.close()
        else:
            closing.append(thread)
    for thread in closing:
        thread.join()


def _is_known(sources: Sources, rule: Rule) -> bool:
    """Whether there is a source for what a shipped rule asks; one of settings is refused without."""
    try:
        sources.check(rule.of)
    except ConfigurationError:
        return False
    return True
