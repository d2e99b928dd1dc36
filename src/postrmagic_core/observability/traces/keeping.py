"""Spans among the log's records: kept where these are searched, so that one id tells both."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import SpanProcessor

from ..._errand import Errand
from ..._lifecycle import after_fork
from ..._metrics import Metrics
from ...log.records import instant

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

logger = logging.getLogger("postrmagic_core.observability")

LOGGER: Final = "postrmagic_core.observability.traces"
EVENT: Final = "span"
_BACKLOG = 2048
_GATHER = 0.25
# Attributes are OpenTelemetry's, with dots: these of a record are told without, as logs have them.
_TAKEN = frozenset({"ts", "level", "logger", "event", "trace_id", "span_id", "parent_id", "name", "kind", "status"})


class Keeper(SpanProcessor):
    """Takes spans that have ended and has ``keep`` have them, as events of a log; never waits, drops what is too much.

    An event is ``span``, with ``ts`` (its end), ``trace_id``, ``span_id``, ``parent_id``, ``name``, ``kind``,
    ``duration_ms``, ``status`` and its attributes. What ``keep`` raises costs these spans: they are counted with those
    that :class:`Shipment` drops (``traces_dropped_total``).
    """

    def __init__(
        self, keep: Callable[[Sequence[Mapping[str, Any]]], object], metrics: Metrics, **constants: str
    ) -> None:
        self._keep = keep
        self._constants = {name: value for name, value in constants.items() if value}
        self._dropped = metrics.counter("traces_dropped_total")
        self._spans: deque[ReadableSpan] = deque()
        self._asked = False
        self._errand = Errand("postrmagic-spans", self._work, logger)
        self._errand.open()
        after_fork(self._forget)

    def on_end(self, span: ReadableSpan) -> None:
        """Take it, or drop and count it."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        if len(self._spans) >= _BACKLOG:
            self._dropped.add()
            return
        self._spans.append(span)
        if not self._asked:
            self._asked = True
            self._errand.ask()

    def shutdown(self) -> None:
        """Nothing: who made it closes it."""

    def close(self, grace: float) -> None:
        """Keep what there is within ``grace`` seconds."""
        ending = threading.Thread(target=self._errand.close, name="postrmagic-spans-end", daemon=True)
        ending.start()
        ending.join(grace)

    def _work(self) -> float | None:
        self._asked = False
        found = []
        with suppress(IndexError):  # empty
            while True:
                found.append(self._spans.popleft())
        if not found:
            return None
        try:
            self._keep([{**_told(span), **self._constants} for span in found])
        except Exception as error:  # a full disk; or an attribute of somebody's instrumentation
            logger.debug("spans could not be kept", exc_info=error)
            self._dropped.add(len(found))
        return _GATHER

    def _forget(self) -> None:
        """In a forked child: what waits is the parent's."""
        self._spans.clear()
        self._asked = False


def _told(span: ReadableSpan) -> dict[str, Any]:
    context, ended, began = span.context, span.end_time or 0, span.start_time or 0
    told: dict[str, Any] = {
        "ts": instant(ended / 1e9),
        "level": "info",
        "logger": LOGGER,
        "event": EVENT,
        "trace_id": f"{context.trace_id:032x}" if context else "",
        "span_id": f"{context.span_id:016x}" if context else "",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "duration_ms": round((ended - began) / 1e6, 3),
        "status": span.status.status_code.name.lower(),
    }
    for name, value in (span.attributes or {}).items():
        short = name.removeprefix("postrmagic.")
        if short not in _TAKEN:
            told[short] = value
    return told
