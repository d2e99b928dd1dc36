"""Spans made by OpenTelemetry, and the ids of the current one in the log context."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from structlog.contextvars import get_contextvars

from ..._lifecycle import after_fork
from ..._spans import NOTHING, UNRECORDED, Attributes, Kind, Statements
from ...errors import PostrMagicError
from ...log.logger import drop_context, put_context
from .statements import Texts

logger = logging.getLogger("postrmagic_core.observability")

_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
# A sweep that looks for work every second is no trace, nor is a statement that nobody's request or job asked for.
_NEVER_FIRST = frozenset({"client", "internal"})
_IDS = ("trace_id", "span_id")
_TRACE, _SPAN, _FLAGS = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{2}")
_KNOWN_FLAGS = 0x03
_LOW = (1 << 64) - 1


class Begun(NamedTuple):
    """A span under way, and what was there before it: OpenTelemetry's context, and the ids in the log's."""

    span: Span
    before: Context
    ids: Mapping[str, Any]


class SpanRecorder:
    """The :class:`Recorder` that a :class:`Tracing` installs.

    ``tracer`` makes what makes spans, once in each process. ``share`` decides for what was sent on by who decided
    nothing, since it records no spans; and with ``decides`` for what begins here.
    """

    def __init__(self, tracer: Callable[[], Tracer], share: float, *, decides: bool) -> None:
        self._make = tracer
        self._share = share
        self._decides = decides
        self._bound = round(share * (_LOW + 1))
        self._texts = Texts()
        self._making = threading.Lock()
        self._made: Tracer | None = tracer()
        after_fork(self._forget)

    def admits(self, parent: Mapping[str, str]) -> bool:
        """See :meth:`Recorder.admits`."""
        return not self._decides or self._chosen(self._remote(parent), parent)

    def begin(
        self, name: str, kind: Kind, told: Attributes, parent: Mapping[str, str] | None = None
    ) -> Begun | object | None:
        """See :meth:`Recorder.begin`."""
        try:
            return self._begin(name, kind, told, parent)
        except Exception as error:  # an application's own provider may do anything
            _failed(error)
            return None

    def _begin(
        self, name: str, kind: Kind, told: Attributes, parent: Mapping[str, str] | None
    ) -> Begun | object | None:
        before = get_current()
        above = present = get_current_span(before)
        within = before
        if parent is not None:
            above = self._remote(parent)
            within = set_span_in_context(above, before)
        elif not _goes_on(present) and (kind in _NEVER_FIRST or present.get_span_context().is_valid):
            return None  # whoever began decided not to record: its ids go on as they are
        if self._decides and kind != "server" and not self._chosen(above, parent or {}):
            return UNRECORDED
        tracer = self._tracer()
        span = tracer.start_span(
            name, within, _KINDS[kind], told, record_exception=False, set_status_on_exception=False
        )
        made = span.get_span_context()
        if not made.is_valid:
            return None
        ids: Mapping[str, Any] = _told(present.get_span_context())
        if not ids:
            bound = get_contextvars()
            ids = {name: bound.get(name) for name in _IDS}
        attach(set_span_in_context(span, before))
        put_context(trace_id=f"{made.trace_id:032x}", span_id=f"{made.span_id:016x}")
        return Begun(span, before, ids)

    def end(
        self, begun: Begun, error: BaseException | str | None = None, *, name: str = "", told: Attributes = NOTHING
    ) -> None:
        """See :meth:`Recorder.end`; it may come in another context than the beginning did."""
        span, before, ids = begun
        try:
            if get_current_span() is span:
                attach(before)
                put_context(**{name: value for name, value in ids.items() if value is not None})
                drop_context(*(name for name, value in ids.items() if value is None))
            if span.is_recording():
                if name:
                    span.update_name(name)
                if told:
                    span.set_attributes(told)
                if isinstance(error, BaseException):
                    _fail(span, error)
                elif error is not None and "error.type" not in (getattr(span, "attributes", None) or {}):
                    span.set_status(StatusCode.ERROR)
                    span.set_attribute("error.type", error)
            span.end()
        except Exception as failure:
            _failed(failure)

    def fail(self, error: BaseException) -> None:
        """See :meth:`Recorder.fail`."""
        span = get_current_span()
        if span.is_recording():
            _fail(span, error)

    def statement(self, dialect: Statements, text: str, seconds: float, error: BaseException | None) -> None:
        """See :meth:`Recorder.statement`."""
        try:
            if _goes_on(get_current_span()):
                self._statement(dialect, text, seconds, error)
        except Exception as failure:
            _failed(failure)

    def _statement(self, dialect: Statements, text: str, seconds: float, error: BaseException | None) -> None:
        known = self._texts.of(text, dialect.system, dialect.namespace)
        if known is None:
            return
        now = time.time_ns()
        tracer = self._tracer()
        span = tracer.start_span(
            known.name, kind=SpanKind.CLIENT, attributes=known.told, start_time=now - int(seconds * 1e9)
        )
        if error is not None:
            _fail(span, error)
            code = getattr(error, "sqlite_errorname", None) or (error.args[0] if error.args else None)
            if isinstance(code, int) or (isinstance(code, str) and code.startswith("SQLITE_")):
                span.set_attribute("db.response.status_code", str(code))
        span.end(now)

    def carried(self) -> Mapping[str, str]:
        """See :meth:`Recorder.carried`."""
        context = get_current_span().get_span_context()
        told = _told(context)
        if not told:
            return {}
        told["trace_flags"] = f"{context.trace_flags:02x}"
        if context.trace_state:
            told["tracestate"] = context.trace_state.to_header()
        return told

    def _chosen(self, above: Span, told: Mapping[str, str]) -> bool:
        flags = told.get("trace_flags", "")
        if _FLAGS.fullmatch(flags):  # whoever records no spans sends no ids of them
            return bool(int(flags, 16) & 1)
        if above.get_span_context().is_valid:
            return _goes_on(above)
        return random.random() < self._share  # noqa: S311 - which requests are recorded is no secret

    def _remote(self, told: Mapping[str, str]) -> Span:
        """What :meth:`carried` told elsewhere; what is malformed is none."""
        trace, span, flags = told.get("trace_id", ""), told.get("span_id", ""), told.get("trace_flags", "")
        if not (_TRACE.fullmatch(trace) and _SPAN.fullmatch(span)):
            return INVALID_SPAN
        number = int(trace, 16)
        known = _FLAGS.fullmatch(flags) is not None
        decided = int(flags, 16) & _KNOWN_FLAGS if known else int(number & _LOW < self._bound)
        state = told.get("tracestate")
        return NonRecordingSpan(
            SpanContext(
                number,
                int(span, 16),
                is_remote=True,
                trace_flags=TraceFlags(decided),
                trace_state=None if not state else TraceState.from_header([state]),
            )
        )

    def _tracer(self) -> Tracer:
        made = self._made
        if made is None:
            with self._making:
                made = self._made = self._made or self._make()
        return made

    def _forget(self) -> None:
        """In a forked child: the tracer's provider names the parent's process, and its connection is the parent's."""
        self._making = threading.Lock()
        self._made = None


def _goes_on(span: Span) -> bool:
    """Whether it has children: also when it has ended, as what runs in the background outlives it."""
    return span.get_span_context().trace_flags.sampled or span.is_recording()


def _told(context: SpanContext) -> dict[str, str]:
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _fail(span: Span, error: BaseException) -> None:
    """Its type and nothing of its text, which may hold what the statement or the request held."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", name)
    if isinstance(error, PostrMagicError):
        span.set_attribute("postrmagic.error_code", error.code)


def _failed(error: Exception) -> None:
    logger.debug("a span could not be recorded", exc_info=error)
