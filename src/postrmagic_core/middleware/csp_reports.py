"""What browsers report of violated policies, in the log: bounded, checked and without secrets."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any, TypeAlias

from .._clock import Clock, SystemClock
from .._problem import Problem
from ..errors import ValidationFailed
from ..log import get_logger
from ..validation import InputLimits
from ..validation.messages import ENGLISH
from ..validation.strict_json import parse
from .interface import AsyncLayer, Middleware, Request, Response
from .order import middleware
from .pipeline_request import of_pipeline

log = get_logger("postrmagic_core.middleware.csp_reports")

_MINUTE = 60.0
_TEXT = 300  # characters
_NUMBER = 2**31
_UNKNOWN = Problem(415, "csp_report.type", detail="Expected application/reports+json or application/csp-report.")
_JUNK = Problem(400, "csp_report.invalid", detail="This is no report as browsers write them.")

# Field of the record -> names in a report: Reporting API, CSP Level 2. Script samples, referrers and the policy itself
# are left out: the first two may hold secrets, the last is known.
_Names: TypeAlias = Mapping[str, tuple[str, ...]]
_URLS: _Names = {
    "document": ("documentURL", "document-uri"),
    "blocked": ("blockedURL", "blocked-uri"),
    "source": ("sourceFile", "source-file"),
}
_WORDS: _Names = {
    "directive": ("effectiveDirective", "effective-directive", "violated-directive"),
    "disposition": ("disposition",),
}
_NUMBERS: _Names = {
    "line": ("lineNumber", "line-number"),
    "column": ("columnNumber", "column-number"),
    "status": ("statusCode", "status-code"),
}
_WITH_PATH = re.compile(r"(https?|wss?)://(?:[^/@\\]*@)?(.*)", re.DOTALL | re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=:)", re.IGNORECASE)


def csp_reports(
    path: str = "/csp-reports", *, max_bytes: int = 65_536, per_minute: int = 100, clock: Clock | None = None
) -> Middleware:
    """Answer browsers' reports at ``path`` with 204 and log each as ``csp violation``.

    POSTs of ``application/reports+json`` (Reporting API) and ``application/csp-report`` (``report-uri``); another type
    is 415, more than ``max_bytes`` 413, what is no report 400. Reports of other kinds (deprecations, crashes) are
    logged as ``browser report`` with their type and URL.

    Anybody may send them, and send anything: each value has a bounded length, no control characters and, of a URL, no
    query, fragment or user. A process writes at most ``per_minute`` records in any minute; the next one tells how
    many it left out before, as ``left_out``.

    It stands outside ``csrf`` and ``sessions``: browsers send reports with cookies and without ``Origin``.
    """
    if not path.startswith("/") or max_bytes < 1 or per_minute < 1:
        raise ValueError(f"expected a path, a size and a rate, got {path!r}, {max_bytes} and {per_minute}")
    allowance = Allowance(per_minute, clock or SystemClock())
    too_large = Problem(413, "data.too_large", detail=f"The report is larger than {max_bytes} bytes.")
    limits = InputLimits(depth=16, items=5000, bytes=max_bytes)

    @middleware(name="csp_reports", after=["errors"], before=["sessions", "csrf", "authentication"])
    async def layer(request: Request) -> AsyncLayer:
        if request.path != path or request.method != "POST":
            return
        kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind not in _KINDS:
            yield Response.of(_UNKNOWN)
        elif request.content_length > max_bytes:
            yield Response.of(too_large)
        else:
            body = await request.read_body(max_bytes)
            if body is None:
                left = of_pipeline(request).ahead[-1]["type"] == "http.disconnect"
                yield Response.of(_JUNK if left else too_large)
                return
            try:
                records = list(_KINDS[kind](parse(body, limits, ENGLISH)))
            except (ValidationFailed, _NoReport):
                yield Response.of(_JUNK)
                return
            _write(records, allowance)
            yield Response(204)

    return layer


class Allowance:
    """At most so many in any minute, for all threads of the process; the rest is counted."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        self._taken: deque[float] = deque(maxlen=per_minute)
        self._left_out = 0
        self._lock = Lock()

    def take(self) -> int | None:
        """``None`` if this one is too many; else how many have been since the last that was not."""
        with self._lock:
            now = self._clock.monotonic()
            if len(self._taken) == self._taken.maxlen and now - self._taken[0] < _MINUTE:
                self._left_out += 1
                return None
            self._taken.append(now)
            left_out, self._left_out = self._left_out, 0
            return left_out


class _NoReport(Exception):
    """The JSON is none of a report."""


def _write(records: list[tuple[str, dict[str, Any]]], allowance: Allowance) -> None:
    for event, fields in records:
        left_out = allowance.take()
        if left_out is not None:
            log.warning(event, **fields, **({"left_out": left_out} if left_out else {}))


def _reported(document: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a list of reports (Reporting API, section 2.2)."""
    if not isinstance(document, list):
        raise _NoReport
    for report in document:
        kind, body = _named(report, "type"), _named(report, "body")
        if not isinstance(kind, str):
            raise _NoReport
        if kind == "csp-violation":
            yield "csp violation", _fields(body)
        else:
            yield "browser report", {"type": shown(kind), "document": _url(_named(report, "url") or "")}


def _violated(document: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The record of one violation (CSP Level 2, section 4.4)."""
    yield "csp violation", _fields(_named(document, "csp-report"))


_KINDS = {"application/reports+json": _reported, "application/csp-report": _violated}


def _fields(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _NoReport
    fields: dict[str, Any] = {}
    for field, names in _URLS.items():
        fields[field] = _url(_first(body, names) or "")
    for field, names in _WORDS.items():
        fields[field] = _word(_first(body, names) or "")
    for field, names in _NUMBERS.items():
        number = _first(body, names)
        if number is not None and (type(number) is not int or not 0 <= number < _NUMBER):
            raise _NoReport
        fields[field] = number
    if not fields["directive"]:
        raise _NoReport
    return {field: value for field, value in fields.items() if value not in {"", None}}


def _named(document: object, name: str) -> object:
    if not isinstance(document, Mapping):
        raise _NoReport
    return document.get(name)


def _first(body: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((body[name] for name in names if body.get(name) is not None), None)


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise _NoReport
    return shown(value)


def _url(value: object) -> str:
    """Scheme, host and path of a URL; of another scheme its name alone; ``inline`` and ``eval`` as they are."""
    if not isinstance(value, str):
        raise _NoReport
    plain = re.split(r"[?#]", value, maxsplit=1)[0]
    if (place := _WITH_PATH.fullmatch(plain)) is not None:
        return shown(f"{place[1]}://{place[2]}")
    scheme = _SCHEME.match(plain)
    return shown(scheme[0] if scheme is not None else plain)


def shown(text: str) -> str:
    """At most 300 characters of ``text``, what cannot be printed escaped."""
    cut = text if len(text) <= _TEXT else text[:_TEXT] + "…"
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in cut)
