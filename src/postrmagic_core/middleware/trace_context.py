"""Which trace a request belongs to, as W3C Trace Context tells it from service to service (levels 1 and 2)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ..log.logger import drop_context, put_context
from .interface import Layer, Middleware, Request
from .order import middleware

_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
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
    time. Where OpenTelemetry has a span open around the pipeline, that one is told instead of another.

    ``traceparent`` is read strictly: ids of zeros, version ``ff``, capitals, a second header begin a new trace; of a
    version to come what version 00 has is read. ``tracestate`` is dropped as a whole if malformed or over 32 members,
    else cut to 512 characters as the specification says. No response header: ``traceresponse`` is a draft (level 3).
    """

    @middleware(name="trace_context", after=["request_id"], before=["access_log"])
    def layer(request: Request) -> Layer:
        context = _current_span() or _continued(request) or _begun()
        state = request.state
        state["trace_id"], state["span_id"] = context.trace, context.span
        state["traceparent"] = f"00-{context.trace}-{context.span}-{context.flags:02x}"
        if context.state:
            state["tracestate"] = context.state
        # Set and dropped, never reset by token: the end may run in another context than the start.
        put_context(trace_id=context.trace, span_id=context.span)
        try:
            yield
            yield
        finally:
            drop_context("trace_id", "span_id")

    return layer


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


def _continued(request: Request) -> _Context | None:
    given = request.headers.get_all("traceparent")
    parent = _PARENT.fullmatch(given[0]) if len(given) == 1 else None
    if parent is None:
        return None
    version, trace, span, flags, more = parent.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not span.strip("0"):
        return None
    own = os.urandom(8).hex()
    return _Context(trace, own, int(flags, 16) & _KNOWN_FLAGS, kept_state(request.headers.get_all("tracestate")))


def _begun() -> _Context:
    ids = os.urandom(24).hex()
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
