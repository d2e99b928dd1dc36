"""Observability: metrics, traces, errors, releases and health of one application, opened with its Stack."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._bridge import Bridge
from .._clock import Clock
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from ..settings import Settings
from .health import Checks

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..log.interface import Tap
    from ..stores import Store
    from .answers import Answers
    from .errors import Errors, ErrorTracker
    from .metrics import MetricsHub
    from .releases import Releases
    from .traces import Tracing

_THREADS = 2


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
    def answers(self) -> Answers:
        """What the layer ``probes`` asks."""
        from .answers import Answers

        stack, metrics = self._settings.stack, lambda: self.metrics
        kept = metrics if self._settings.observability.metrics else None
        return Answers(self.checks, kept, self.bridge, service=stack.service, release=stack.release)

    def _open(self) -> None:
        room, stack = self._settings.observability, self._settings.stack
        opened = self._opened
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

    def _close(self) -> None:
        self._opened.close()
        self.bridge.close()

    def _tracing(self) -> Tracing:
        from .traces import Tracing

        room, stack = self._settings.observability, self._settings.stack
        how: dict[str, Any] = {"endpoint": room.traces_endpoint, "share": room.traces_share, "metrics": self._metrics}
        return Tracing(stack.service, stack.release, **how)

    def _tracker(self) -> ErrorTracker:
        from .errors import ErrorTracker

        stack = self._settings.stack
        how: dict[str, Any] = {"service": stack.service, "release": stack.release}
        return ErrorTracker(self._database, clock=self._clock, metrics=self._metrics, **how)
