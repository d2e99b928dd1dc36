"""The circuit breaker's shell: who asks, what is counted, what is logged once."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator

from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core._lifecycle import after_fork
from postrmagic_core._metrics import Metrics, Told
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.stores.policy import CLOSED, Breaker

_log = logging.getLogger("postrmagic_core.stores")


class Circuit:
    """One server's breaker, shared by all threads and both faces of a store.

    ``timeout``: seconds a probe may take. Counts ``stores_failures_total``, ``stores_refused_total`` and
    ``stores_opened_total``, and tells ``stores_breaker_open``, labelled with the adapter's name.
    """

    def __init__(
        self, name: str, timeout: float, *, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> None:
        self._name = name
        self._timeout = timeout
        self._clock = clock or SystemClock()
        metrics = metrics or Metrics()
        self._failures = metrics.counter("stores_failures_total", adapter=name)
        self._refused = metrics.counter("stores_refused_total", adapter=name)
        self._opened = metrics.counter("stores_opened_total", adapter=name)
        metrics.report(self._told)
        self._state: Breaker = CLOSED
        self._lock = threading.Lock()
        after_fork(self._forget)

    def enter(self) -> None:
        """Pass, or raise :class:`BackendUnavailable` at once while the server is known to be away."""
        if self._state.probe_at is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            if self._state.refuses(now):
                self._refused.add()
                raise BackendUnavailable(
                    f"the {self._name} server failed {self._state.failures} times in a row; it is tried again shortly"
                )
            if self._state.probe_at is not None:
                self._state = self._state.probing(now, self._timeout)

    def succeeded(self) -> None:
        """The server answered, whatever it said."""
        if self._state is not CLOSED:
            with self._lock:
                if self._state.probe_at is not None:
                    _log.warning("the %s server answers again", self._name)
                self._state = CLOSED

    def failed(self) -> None:
        """The server refused the connection, was silent, or hung up."""
        self._failures.add()
        with self._lock:
            was_closed = self._state.probe_at is None
            self._state = self._state.failed(self._clock.monotonic(), random.random())  # noqa: S311 - jitter, no secret
            if was_closed and self._state.probe_at is not None:
                self._opened.add()
                _log.warning("the %s server does not answer; calls fail at once until it does", self._name)

    def _told(self) -> Iterator[Told]:
        yield "stores_breaker_open", {"adapter": self._name}, self._state.probe_at is not None

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._state = CLOSED
