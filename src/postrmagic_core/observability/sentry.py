"""Errors to Sentry, or to what speaks its protocol: redacted as in the log, by a client that nobody else uses.

The source of the fields is https://develop.sentry.dev/sdk/data-model/event-payloads/.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .._errand import Errand
from .._lifecycle import Lifecycle, after_fork
from .._metrics import Metrics
from ..errors import ConfigurationError, MissingExtra
from ..log.policy import Redactor
from .errors.grouping import Grouping
from .errors.policy import theirs

if TYPE_CHECKING:
    from sentry_sdk import Client

_log = logging.getLogger("postrmagic_core.observability")

_MOST = 100
# Seconds: what closing may take, and a request.
_GRACE, _PATIENCE = 2.0, 5
# Who sends is not told of in what is sent.
_OWN_LOGGERS = ("sentry_sdk", "urllib3")
_TAGS = ("request_id", "trace_id", "job_id", "task", "queue", "service")
_TRACE = {"trace_id": re.compile("[0-9a-f]{32}").fullmatch, "span_id": re.compile("[0-9a-f]{16}").fullmatch}
_KNOWN = frozenset({"ts", "level", "logger", "event", "exception", "fingerprint", *_TAGS})


class Sentry(Lifecycle):
    """Sends errors to ``dsn`` by sentry-sdk, with our fingerprint: give it to :meth:`LogHandle.tap`.

    Its client is its own, with no integrations: it neither changes nor sees what the application does with
    ``sentry_sdk`` itself. Called, it puts the event aside; a thread sends it. At most 100 wait; closing sends what it
    can within 2 seconds. Counts ``sentry_sent_total`` and ``sentry_dropped_total``. Raises :class:`MissingExtra`
    without sentry-sdk, and :class:`ConfigurationError` for a DSN that is none. ``redact`` are further names to mask.
    """

    _waiting: deque[tuple[Mapping[str, Any], str]]
    _client: Client | None
    _told: bool

    def __init__(
        self,
        dsn: str,
        *,
        release: str = "",
        environment: str = "",
        redact: Iterable[str] = (),
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        _check(dsn)
        self._dsn = dsn
        self._release = release
        self._environment = environment
        self._redactor = Redactor(redact)
        metrics = metrics or Metrics()
        self._sent = metrics.counter("sentry_sent_total")
        self._dropped = metrics.counter("sentry_dropped_total")
        self._grouping = Grouping()
        self._errand = Errand("postrmagic-sentry", self._send, _log)
        self._forget()
        after_fork(self._forget)

    def __call__(self, event: Mapping[str, Any], error: BaseException | None) -> None:
        """Have an error sent: ``event`` as it is logged, redacted; ``error`` is read and not kept."""
        if not self._errand.is_open or str(event.get("logger", "")).startswith(_OWN_LOGGERS):
            return
        if len(self._waiting) >= _MOST:
            self._dropped.add()
            return
        self._waiting.append((event, self._grouping.of(event, error)))
        self._errand.ask()

    def _send(self) -> None:
        while self._waiting:
            event, fingerprint = self._waiting.popleft()
            try:
                if self._client is None:
                    self._client = self._made()
                sent = self._client.capture_event(told(event, fingerprint))  # type: ignore[arg-type]  # its TypedDict is closed
            except Exception:
                _log.warning("an error was not sent to Sentry", exc_info=True)
                sent = None
            (self._dropped if sent is None else self._sent).add()

    def _made(self) -> Client:
        from sentry_sdk import Client

        # What is left out (PII, request bodies, breadcrumbs, sessions) is off, or empty without integrations.
        return Client(
            self._dsn,
            release=self._release,
            environment=self._environment or "production",
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            send_client_reports=False,
            spotlight=False,
            max_breadcrumbs=0,
            transport=_transport(self._lost),
            transport_queue_size=_MOST,
            before_send=self._before_send,
        )

    def _before_send(self, event: Any, hint: Any) -> Any:
        """The last look at what leaves: whatever sentry-sdk has added or changed is redacted again."""
        clean = self._redactor.clean
        # Part by part: what is cleaned as a whole is cut off at some depth.
        parts = {name: clean({name: value})[name] for name, value in event.items() if name not in _NESTED and value}
        parts["contexts"] = {name: clean(value) for name, value in event.get("contexts", {}).items()}
        values = event.get("exception", {}).get("values", ())
        parts["exception"] = {"values": [_cleaned_exception(value, clean) for value in values]}
        return parts

    def _lost(self, reason: str) -> None:
        self._dropped.add()
        if not self._told:
            self._told = True
            _log.warning("errors cannot be sent to Sentry: %s (told once)", reason)

    def _open(self) -> None:
        self._errand.open()

    def _close(self) -> None:
        self._errand.close()
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=_GRACE)

    def _forget(self) -> None:
        """In a forked child: what waits to be sent is the parent's, and so is the client with its queue."""
        self._waiting = deque()
        self._client = None
        self._told = False


_NESTED = frozenset({"exception", "contexts"})


def told(event: Mapping[str, Any], fingerprint: str) -> dict[str, Any]:
    """A cleaned event as Sentry has it."""
    level = event.get("level")
    sent: dict[str, Any] = {
        "timestamp": event.get("ts"),
        "level": "fatal" if level == "critical" else level,
        "logger": event.get("logger"),
        "logentry": {"message": event.get("event")},
        "fingerprint": [fingerprint],
        "transaction": event.get("route") or event.get("task"),
        "tags": {name: str(event[name]) for name in _TAGS if name in event},
        # Not "extra", of which sentry-sdk keeps ten items.
        "contexts": {"log": {name: value for name, value in event.items() if name not in _KNOWN}},
    }
    trace = {name: event.get(name) for name in _TRACE}
    if all(isinstance(text, str) and _TRACE[name](text) for name, text in trace.items()):
        sent["contexts"]["trace"] = trace
    error = event.get("exception")
    if isinstance(error, Mapping):
        sent["exception"] = {"values": list(_chain(error))[::-1]}
    return {name: value for name, value in sent.items() if value}


def _chain(error: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An exception, then its causes; of a group its first members, too."""
    frames = error.get("frames")
    shown = [_frame(frame) for frame in (frames if isinstance(frames, list) else ()) if isinstance(frame, Mapping)]
    value: dict[str, Any] = {"type": error.get("type"), "value": error.get("message")}
    yield value | ({"stacktrace": {"frames": shown}} if shown else {})
    members = error.get("errors")
    for inner in (*(members if isinstance(members, list) else ()), error.get("cause")):
        if isinstance(inner, Mapping):
            yield from _chain(inner)


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    file = str(frame.get("file", ""))
    return {"filename": file, "function": frame.get("function"), "lineno": frame.get("line"), "in_app": theirs(file)}


def _cleaned_exception(value: Mapping[str, Any], clean: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Any:
    frames = value.get("stacktrace", {}).get("frames", ())
    cleaned = clean({name: part for name, part in value.items() if name != "stacktrace"})
    return cleaned | ({"stacktrace": {"frames": [clean(frame) for frame in frames]}} if frames else {})


def _check(dsn: str) -> None:
    try:
        from sentry_sdk.utils import BadDsn, Dsn
    except ImportError as error:
        raise MissingExtra(
            "sending errors to Sentry needs sentry-sdk: pip install 'postrmagic-core[sentry]'"
        ) from error
    try:
        Dsn(dsn)
    except (BadDsn, ValueError):
        # Without its text: it holds a key.
        raise ConfigurationError("observability.sentry_dsn is no DSN, as https://key@host/project") from None


def _transport(lost: Callable[[str], None]) -> Any:
    """How sentry-sdk sends here: each event once, within five seconds; what is not taken is told."""
    from sentry_sdk.transport import HttpTransport

    class Transport(HttpTransport):
        TIMEOUT = _PATIENCE

        def _get_pool_options(self) -> dict[str, Any]:
            # urllib3 would log each of three more tries of each event.
            return {**super()._get_pool_options(), "retries": False}

        def on_dropped_event(self, reason: str) -> None:
            lost(reason)

    return Transport
