"""Tracing: who records this process's spans, from open to close."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ..._spans import Recorder, spans
from ...errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

    from .keeping import Keeper
    from .shipping import Shipment

_SCOPE = "postrmagic_core"
# By these operators say where spans go.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# Seconds that closing waits for what is not delivered yet.
_GRACE = 5.0

# Of several in one process the first one records; the others' turn comes when it has closed.
_open: list[Recorder] = []
_changing = threading.Lock()


class Tracing(Lifecycle):
    """Records spans by OpenTelemetry while it is open; of several open in one process the first one does.

    ``service`` and ``release`` name the application. ``endpoint`` is where spans go by OTLP over HTTP, such as
    ``http://localhost:4318/v1/traces``; left out, OpenTelemetry's own variables say it (``OTEL_EXPORTER_OTLP_*``).
    ``share``, 0 to 1, is how many of the traces begun here are recorded; what a caller has decided is followed.
    Given a ``provider``, or where the application has set OpenTelemetry's global one, that is used instead, with its
    own sampler, resource and exporter; the global one is never set here. ``keep`` is given spans too, as events of a
    log; with it, and with nobody named whom to send them to, they stay here.

    Raises :class:`ConfigurationError` for an endpoint that is no URL, and when it opens :class:`MissingExtra`.
    ``metrics`` counts ``traces_spans_total`` and, of what could not be delivered, ``traces_dropped_total``.
    """

    def __init__(
        self,
        service: str,
        release: str = "",
        *,
        endpoint: str | None = None,
        share: float = 1.0,
        provider: TracerProvider | None = None,
        metrics: Metrics | None = None,
        keep: Callable[[Sequence[Mapping[str, Any]]], object] | None = None,
    ) -> None:
        super().__init__()
        if endpoint is not None:
            _check(endpoint)
        if not 0 <= share <= 1:
            raise ConfigurationError(f"a share of traces is 0 to 1, got {share}")
        self._service = service
        self._release = release
        self._endpoint = endpoint
        self._share = share
        self._given = provider
        self._metrics = metrics or Metrics()
        self._recorder: Recorder | None = None
        self._keep = keep
        self._shipment: Shipment | None = None
        self._keeper: Keeper | None = None
        after_fork(self._forget)

    def _open(self) -> None:
        try:
            from .recorder import SpanRecorder

            recorder = SpanRecorder(self._tracer, self._share, decides=self._decides())
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "opentelemetry":
                raise
            raise MissingExtra(
                "traces need OpenTelemetry, which is not installed: pip install 'postrmagic-core[otel]'"
            ) from error
        self._recorder = recorder
        with _changing:
            _open.append(recorder)
            spans.installed = _open[0]

    def _close(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            with _changing:
                _open.remove(recorder)
                spans.installed = _open[0] if _open else None
        takers: list[Shipment | Keeper | None] = [self._shipment, self._keeper]
        self._shipment = self._keeper = None
        for taker in takers:
            if taker is not None:
                taker.close(_GRACE)

    def _decides(self) -> bool:
        """Whether the share does: an application's own provider has a sampler of its own."""
        from opentelemetry import trace

        return self._given is None and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def _tracer(self) -> Tracer:
        """Made when it opens, and anew at the first span of a forked child."""
        from opentelemetry import trace

        provider = self._given
        if provider is None:
            found = trace.get_tracer_provider()
            provider = self._own() if isinstance(found, trace.ProxyTracerProvider) else found
        return provider.get_tracer(_SCOPE)

    def _own(self) -> TracerProvider:
        from .keeping import Keeper
        from .shipping import Shipment, provider_of

        if self._keep is None or self._endpoint is not None or any(os.environ.get(name) for name in _ENDPOINTS):
            self._shipment = Shipment(self._endpoint, self._metrics)
        if self._keep is not None:
            self._keeper = Keeper(self._keep, self._metrics, service=self._service, release=self._release)
        takers = [taker for taker in (self._shipment, self._keeper) if taker is not None]
        return provider_of(takers, self._service, self._release)

    def _forget(self) -> None:
        """In a forked child: what the parent has not delivered is the parent's."""
        global _changing  # noqa: PLW0603 - another thread of the parent may have held it
        _changing = threading.Lock()
        self._shipment = self._keeper = None


def _check(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError("expected traces to go to a URL such as http://localhost:4318/v1/traces")
