"""One record for each request, after its last byte."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

from .._clock import Clock, SystemClock
from ..log import get_logger
from ..log.looks import MASK
from ..log.policy import is_secret_name, scrub
from .interface import Done, Head, Layer, Middleware, Request, Response
from .order import middleware

log = get_logger("postrmagic_core.middleware.access")
_QUERY = 2048  # characters


def access_log(clock: Clock | None = None) -> Middleware:
    """Log method, path, query, status, bytes of body, milliseconds and client once the response is over.

    And the ids of request, trace and user, where ``request_id``, ``trace_context`` and ``authentication`` gave them.
    Values of query parameters with secret names are masked. A request that ended before its head has status 500 when
    it failed and 499 when the client left or the server stopped; ``disconnected`` says that the client did not wait,
    ``error`` names what the application raised after the head. Where a layer refused, ``code`` is the problem's: each
    refusal is logged once (OWASP ASVS 16.3.3). A websocket is one record when it has ended, or was refused.
    """
    time = clock or SystemClock()

    @middleware(name="access_log", after=["request_id", "trace_context"], scopes=["http", "websocket"])
    def layer(request: Request) -> Layer:
        started = time.monotonic()
        head: Head | None = None
        done: Done | None = None
        status = 499
        try:
            head = yield
            done = yield
        except Exception:
            status = 500
            raise
        finally:
            _write(request, Head(status) if head is None else head, done, time.monotonic() - started)

    return layer


def _write(request: Request, head: Head, done: Done | None, seconds: float) -> None:
    state = request.state
    fields: dict[str, object] = {"method": request.method, "path": request.path}
    if query := request.query:
        fields["query"] = shown_query(query)
    fields["status"] = head.status
    fields["bytes"] = done.size if done is not None else 0
    fields["duration_ms"] = int(seconds * 1_000_000) / 1000
    if isinstance(head, Response) and head.problem is not None:
        fields["code"] = head.problem.code
    fields["client"] = request.client
    fields["request_id"] = state.get("request_id")
    # From the state: the log context of whoever writes this may have lost them, as where a server closes a generator.
    if "trace_id" in state:
        fields["trace_id"] = state["trace_id"]
        fields["span_id"] = state["span_id"]
    user = getattr(state.get("identity"), "id", None)
    if user is not None:
        fields["user_id"] = user
    if done is None or done.disconnected:
        fields["disconnected"] = request.disconnected
    if done is not None and done.error is not None:
        fields["error"] = type(done.error).__qualname__
    log.info("request", **fields)


def shown_query(query: str) -> str:
    """A query string (encoded) with the values of secret names masked, at most 2,048 characters."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return "[unreadable]"
    shown = "&".join(f"{quote(name)}={MASK if is_secret_name(name) else _shown(value)}" for name, value in pairs)
    return shown if len(shown) <= _QUERY else shown[: shown.rfind("&", 0, _QUERY) + 1] + "…"


def _shown(value: str) -> str:
    # Masked while decoded: once it is encoded, what looks like a secret no longer does.
    return quote(scrub(value), safe="/:[]")
