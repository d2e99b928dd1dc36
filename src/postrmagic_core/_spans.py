"""What took how long on whose behalf, told to whoever records it; where nobody does, one look at an attribute.

The rooms say where a span begins and ends and what may be known of it; none of them knows OpenTelemetry. Names and
attributes follow its semantic conventions, and hold no value of a statement, a job, a cache or a request's query.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias

from .errors import AlreadyDone

Kind: TypeAlias = Literal["server", "client", "producer", "consumer", "internal"]
"""Who is at the other end (OpenTelemetry's ``SpanKind``); an ``internal`` or ``client`` span is no trace's first."""
Attributes: TypeAlias = Mapping[str, str | int | float | bool]
"""Attributes of a span."""
NOTHING: Attributes = MappingProxyType({})


class Statements(Protocol):
    """A dialect, as far as a statement's span tells of it."""

    namespace: str

    @property
    def system(self) -> str:
        """``sqlite``, ``mysql`` or ``mariadb``."""
        ...


class Recorder(Protocol):
    """Who makes spans of it. Nothing it does may raise."""

    def admits(self, parent: Mapping[str, str], /) -> bool:
        """Whether to record a request that brought this along (as :meth:`carried` tells it; empty: nothing).

        Asked before anything is gathered for its span: of most requests there is none.
        """
        ...

    def begin(self, name: str, kind: Kind, told: Attributes, parent: Mapping[str, str] | None = None, /) -> Any:
        """A span that is the current one until :meth:`end`; ``None`` where there is nothing to record.

        Its parent is the current one, or what :meth:`carried` told elsewhere; an empty mapping: none.
        :data:`UNRECORDED`: neither this is recorded nor what is done within.
        """
        ...

    def end(
        self, begun: Any, error: BaseException | str | None = None, *, name: str = "", told: Attributes = NOTHING
    ) -> None:
        """End what :meth:`begin` gave, with what is known only now.

        ``error``: it failed, by this exception, or by none that is known but with this word for it (``"500"``).
        """
        ...

    def fail(self, error: BaseException) -> None:
        """The current span fails, though nobody will raise through it: the error is answered or noted."""
        ...

    def statement(self, dialect: Statements, text: str, seconds: float, error: BaseException | None, /) -> None:
        """A statement has ended, which took ``seconds``."""
        ...

    def carried(self) -> Mapping[str, str]:
        """The current span as it travels: ``trace_id``, ``span_id``, ``trace_flags`` and, if any, ``tracestate``."""
        ...


unrecorded: ContextVar[bool] = ContextVar("postrmagic_unrecorded", default=False)
"""Whether what is done here belongs to a request or job of which no spans are kept: of most, nothing is asked."""


UNRECORDED = object()
"""What :meth:`Recorder.begin` gives for what begins a request or job that is not recorded."""


class _Spans:
    __slots__ = ("installed",)

    installed: Recorder | None
    """Who records in this process, or ``None``."""

    def __init__(self) -> None:
        self.installed = None

    @property
    def recorder(self) -> Recorder | None:
        """Who records what is done here: ``None``, too, in a request or job that is not recorded."""
        installed = self.installed
        return None if installed is None or unrecorded.get() else installed


spans = _Spans()
"""What the rooms ask."""

STATE = "tracestate"
"""Of what :meth:`Recorder.carried` tells, what is no field of a log record."""


def carried() -> Mapping[str, str]:
    """What a job or an event takes along so that its span has the present one as parent; nothing if nobody records."""
    recorder = spans.installed
    if recorder is None:
        return {}
    return {"trace_flags": "00"} if unrecorded.get() else recorder.carried()


class Span(AbstractContextManager["Span"]):
    """A block that is a span, if anybody records; made by :func:`span`."""

    __slots__ = ("_begun", "_first", "_recorder", "_told")

    def __init__(self, recorder: Recorder | None, *first: Any) -> None:
        self._recorder = recorder
        self._first = first
        self._told: dict[str, str | int | float | bool] = {}

    def tell(self, told: Attributes) -> None:
        """Add what is known only now."""
        self._told |= told

    def __enter__(self) -> Self:
        if self._recorder is not None:
            self._begun = self._recorder.begin(*self._first)
            if self._begun is UNRECORDED:
                unrecorded.set(True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._recorder is None or self._begun is None:
            return
        if self._begun is UNRECORDED:
            unrecorded.set(False)
        else:
            failed = None if isinstance(error, (AlreadyDone, GeneratorExit)) else error
            self._recorder.end(self._begun, failed, told=self._told)


class _NoSpan(Span):
    __slots__ = ()

    def tell(self, told: Attributes) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        pass


NO_SPAN = _NoSpan(None)
"""A block that is none."""


def span(name: str, kind: Kind, told: Attributes, parent: Mapping[str, str] | None = None) -> Span:
    """``with span("enqueue media.poster", "producer", {…}):`` the block, as a span. An error that leaves it is its."""
    recorder = spans.recorder
    return NO_SPAN if recorder is None else Span(recorder, name, kind, told, parent)
