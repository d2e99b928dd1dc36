"""Which trace a request belongs to, as W3C Trace Context tells it from service to service (levels 1 and 2)."""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._spans import Recorder, spans, unrecorded
from ..log.logger import ContextField
from ..log.policy import scrub
from .interface import Done, Head, Layer, Middleware, Request
from .order import middleware
from .routes import METHODS

_TRACE_ID, _SPAN_ID = ContextField("trace_id"), ContextField("span_id")
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_SAMPLED = 0x01
_KNOWN_FLAGS = 0x03  # sampled, and level 2's random
_BEGUN_FLAGS = 0x03  # sampled: its log records are its recording; and random
_MEMBER = re.compile(r"([a-z0-9][a-z0-9_\-*/@]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
_MEMBERS = 32
_STATE = 512  # characters that must be passed on; beyond them members may be dropped
_LONG = 128  # characters of a member that is dropped before others are


class _Context(NamedTuple):
    trace: str
    span: str
    flags: int
    state: str


def trace_context() -> Middleware:
    """Continue the caller's trace, or begin one: ``trace_id`` and ``span_id`` in every log record of the request.

    In ``request.state`` too, with ``traceparent`` (and ``tracestate`` where the caller sent one) ready to be sent to
    other services; jobs and events take ``trace_id`` and ``span_id`` along. The span is the request here, new each
    time. Where OpenTelemetry has a span open around the pipeline, that one is told instead of another. Where
    :class:`~postrmagic_core.observability.traces.Tracing` records, the request is a span of its kind, named by method
    and route; its error is what the application raised, or a status of 500 and more.

    ``traceparent`` is read strictly: ids of zeros, version ``ff``, capitals, a second header begin a new trace; of a
    version to come what version 00 has is read. ``tracestate`` is dropped as a whole if malformed or over 32 members,
    else cut to 512 characters as the specification says. No response header: ``traceresponse`` is a draft (level 3).
    """

    @middleware(name="trace_context", after=["request_id"], before=["access_log"])
    def layer(request: Request) -> Layer:
        outer, recorder = _current_span(), spans.installed
        left_out = False
        if recorder is not None and outer is None:
            parent = _parent(request)
            carried = {} if parent is None else _carried(parent)
            left_out = not recorder.admits(carried)
            begun = None if left_out else _recorded(request, recorder, carried)
            if begun is not None:
                yield from _followed(request, recorder, begun)
                return
        context = outer or _continued(request) or _begun()
        if left_out:
            context = context._replace(flags=context.flags & ~_SAMPLED)
            unrecorded.set(True)
        _tell(request, context)
        # Set and dropped, never reset by token: the end may run in another context than the start.
        _TRACE_ID.put(context.trace)
        _SPAN_ID.put(context.span)
        try:
            yield
            yield
        finally:
            _TRACE_ID.drop()
            _SPAN_ID.drop()
            if left_out:
                unrecorded.set(False)

    return layer


def _tell(request: Request, context: _Context) -> None:
    state = request.state
    state["trace_id"], state["span_id"] = context.trace, context.span
    state["traceparent"] = f"00-{context.trace}-{context.span}-{context.flags:02x}"
    if context.state:
        state["tracestate"] = context.state


def _recorded(request: Request, recorder: Recorder, parent: Mapping[str, str]) -> Any:
    """A span for the request, which is now the current one."""
    told = {"http.request.method": _method(request), "url.path": scrub(request.path), "url.scheme": request.scheme}
    name = request.state.get("request_id")
    if name is not None:
        told["postrmagic.request_id"] = str(name)
    return recorder.begin(_named(request), "server", told, parent)


def _followed(request: Request, recorder: Recorder, begun: Any) -> Layer:
    carried = recorder.carried()
    flags, state = int(carried["trace_flags"], 16), carried.get("tracestate", "")
    _tell(request, _Context(carried["trace_id"], carried["span_id"], flags, state))
    error: BaseException | str | None = None
    told: dict[str, str | int] = {}
    try:
        head: Head = yield
        told["http.response.status_code"] = head.status
        if head.status >= 500:
            error = str(head.status)
        done: Done = yield
        error = error if done.error is None or done.disconnected else done.error
    except Exception as raised:
        error = None if request.disconnected else raised  # what fails because nobody waits any more is no fault
        raise
    finally:
        if route := _route(request):
            told["http.route"] = route
        recorder.end(begun, error, name=_named(request), told=told)


def _method(request: Request) -> str:
    return request.method if request.method in METHODS else "_OTHER"


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "path", ""))


def _named(request: Request) -> str:
    """By method and route, as soon as a router below has found it: of names there are few."""
    method, route = request.method if request.method in METHODS else "HTTP", _route(request)
    return f"{method} {route}" if route else method


def _carried(parent: _Context) -> Mapping[str, str]:
    told = {"trace_id": parent.trace, "span_id": parent.span, "trace_flags": f"{parent.flags:02x}"}
    return told | {"tracestate": parent.state} if parent.state else told


def _current_span() -> _Context | None:
    # Whoever opened a span has imported it: nothing is imported here, and nothing installed but unused is asked.
    module = sys.modules.get("opentelemetry.trace")
    current = getattr(module, "get_current_span", None)
    if current is None:
        return None
    span = current().get_span_context()
    if not span.is_valid:
        return None
    return _Context(
        f"{span.trace_id:032x}", f"{span.span_id:016x}", int(span.trace_flags), span.trace_state.to_header()
    )


def _parent(request: Request) -> _Context | None:
    given = request.headers.get_all("traceparent")
    parent = _PARENT.fullmatch(given[0]) if len(given) == 1 else None
    if parent is None:
        return None
    version, trace, span, flags, more = parent.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not span.strip("0"):
        return None
    return _Context(trace, span, int(flags, 16) & _KNOWN_FLAGS, kept_state(request.headers.get_all("tracestate")))


def _continued(request: Request) -> _Context | None:
    parent = _parent(request)
    return None if parent is None else parent._replace(span=os.urandom(8).hex())


def _begun() -> _Context:
    ids = f"{random.getrandbits(192):048x}"  # nosec B311 # names a trace: no secret
    return _Context(ids[:32], ids[32:], _BEGUN_FLAGS, "")


def kept_state(lines: Sequence[str]) -> str:
    """``tracestate`` as it may be passed on: nothing if it is malformed, at most 512 characters of whole members."""
    members = [member for part in ",".join(lines).split(",") if (member := part.strip(" \t"))]
    if len(members) > _MEMBERS:
        return ""
    found = [_MEMBER.fullmatch(member) for member in members]
    names = {match[1] for match in found if match is not None}
    if len(names) != len(members):
        return ""
    while len(state := ",".join(members)) > _STATE:
        longest = max(range(len(members)), key=lambda index: (len(members[index]) > _LONG, index))
        del members[longest]
    return state
