"""What browsers tell of page loads, and what visitors answer to one question: taken, checked, counted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final, Protocol

from .._clock import Clock, SystemClock
from .._metrics import Metrics
from .._problem import Problem
from ..errors import BackendError, ConfigurationError
from ..validation import InputLimits
from .beacons import Answered, Buckets, NoBeaconError, Pages, answer, timing
from .csrf import is_own
from .interface import AsyncLayer, Middleware, Request, Response
from .order import middleware
from .pipeline_request import of_pipeline
from .rate_limit import by_address

SCRIPT: Final = "experience.js"
LONGEST_COMMENT: Final = 500
_TIMING_BYTES, _ANSWER_BYTES = 2048, 8192
_ANSWER_LIMITS = InputLimits(depth=1, items=4, bytes=_ANSWER_BYTES)
# An answer is written to the database, a beacon is added to numbers.
_ANSWER_COSTS = 5.0
_DAY_US = 86_400 * 1_000_000

_STRANGE = Problem(403, "csrf.cross_site", detail="Only pages of this site may tell that.")
_JUNK = Problem(400, "http.400", detail="This is none of what a page of this site sends here.")
_LIMITED = Problem(429, "rate.limited", detail="Too many requests: try again later.")
_TYPE = Problem(415, "http.415", detail="Expected application/json.")
_NO_STORE = {"cache-control": "no-store"}
_SCRIPT_HEADERS = {
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": "public, max-age=86400",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}


class Felt(Protocol):
    """Who notes it: ``stack.observability.experience``."""

    @property
    def aio(self) -> Any:
        """The same names, to be awaited."""
        ...

    def timing(self, page: str, **figures: float) -> None:
        """Note the figures of a page's load: seconds, and ``layout_shift``, a score. At once, and in memory."""
        ...

    def asks(self, question: str, who: str = "") -> bool:
        """Whether ``who`` has yet to answer."""
        ...

    def answer(self, question: str, score: int, comment: str = "", *, who: str = "") -> bool:
        """Keep an answer; ``False`` where there is one of ``who`` already."""
        ...


def experience(
    felt: Felt,
    *,
    metrics: Metrics | None = None,
    base: str = "/_experience",
    pages: Collection[str] = (),
    survey: str = "",
    question: str = "",
    per_minute: int = 60,
    clock: Clock | None = None,
) -> Middleware:
    """Serve ``{base}/experience.js``, and take what it and your pages send: POST ``timing``, GET and POST ``survey``.

    Pages load the script with ``<script defer src="/_experience/experience.js"></script>``: it sends one beacon, when
    the page is left. A beacon's page is what ``<meta name="page">`` says, or the path; it counts as the one of
    ``pages`` (``/media/{id}``, or a name) or of the routes in ``metrics`` (see ``request_metrics``) that it fits, else
    as ``other``. What is no such beacon is 400, 413 or 415, what another site's page sends 403.

    With ``question``, a text, GET ``survey`` asks it: 200 with ``survey``, its name, ``question`` and ``scores``; 204
    who has answered. POST takes ``{"score": 1 to 5, "comment": …}`` once of each user, of each session, or of each
    client a day where there is neither; a second answer is 204 as well, and is not kept.

    A client (an IPv4 address, an IPv6 /64) may send ``per_minute`` beacons, of which an answer is worth five: 429.
    Nothing of a client is kept but in memory, hashed. Inside ``sessions``, outside ``csrf`` and ``authentication``.
    """
    if not base.startswith("/") or base.endswith("/"):
        raise ConfigurationError(f"experience: expected base to be a path such as /_experience, got {base!r}")
    if bool(question) != bool(survey):
        raise ConfigurationError("experience: expected both survey, a name, and question, a text, or neither")
    take = _Taking(felt, metrics or Metrics(), pages, (survey, question), per_minute, clock or SystemClock())
    paths: dict[str, Callable[[Request], Any]] = {
        f"{base}/{SCRIPT}": take.script,
        f"{base}/timing": take.timing,
    }
    if question:
        paths[f"{base}/survey"] = take.survey

    @middleware(
        name="experience",
        after=["errors", "trusted_proxies", "sessions"],
        before=["csrf", "authentication", "authorization", "idempotency"],
        when=lambda request: request.path in paths,
    )
    async def layer(request: Request) -> AsyncLayer:
        handle = paths.get(request.path)  # a layer that is called by hand is not kept from the others
        if handle is not None:
            yield await handle(request)

    return layer


class _RefusedError(Exception):
    """It is not taken: ``response`` says why."""

    def __init__(self, outcome: str, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.response = Response.of(problem, headers)


class _Taking:
    """The answers to each path."""

    def __init__(
        self,
        felt: Felt,
        metrics: Metrics,
        pages: Collection[str],
        asked: tuple[str, str],
        per_minute: int,
        clock: Clock,
    ) -> None:
        self._felt = felt
        self._pages = Pages(pages, partial(_answering, metrics), clock)
        self._name, self._question = asked
        self._buckets = Buckets(per_minute, clock)
        self._clock = clock
        self._network = by_address()
        self._answered = Answered()
        self._count = partial(metrics.counter, "page_beacons_total")

    async def script(self, request: Request) -> Response:
        """The script."""
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        return Response(200, _script(), _SCRIPT_HEADERS)

    async def timing(self, request: Request) -> Response:
        """A beacon."""
        if request.method != "POST":
            return _not_allowed("POST")
        try:
            body = await self._body(request, _TIMING_BYTES, 1.0)
            try:
                page, figures = timing(body)
            except NoBeaconError:
                raise _RefusedError("invalid", _JUNK) from None
        except _RefusedError as refused:
            self._count(outcome=refused.outcome).add()
            return refused.response
        self._felt.timing(self._pages.of(page), **figures)
        self._count(outcome="taken").add()
        return Response(204, headers=_NO_STORE)

    async def survey(self, request: Request) -> Response:
        """The question, or an answer."""
        if request.method == "POST":
            try:
                return await self._take(request)
            except _RefusedError as refused:
                return refused.response
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD, POST")
        if is_own(request, ()) is False:
            return Response.of(_STRANGE)
        try:
            asked = await self._asks(request)
        except BackendError:  # nobody is asked what could not be kept
            asked = False
        if not asked:
            return Response(204, headers=_NO_STORE)
        told = {"survey": self._name, "question": self._question, "scores": [1, 2, 3, 4, 5]}
        headers = {**_NO_STORE, "content-type": "application/json", "x-content-type-options": "nosniff"}
        return Response(200, json.dumps(told).encode(), headers)

    async def _take(self, request: Request) -> Response:
        body = await self._body(request, _ANSWER_BYTES, _ANSWER_COSTS)
        try:
            score, comment = answer(body, _ANSWER_LIMITS, LONGEST_COMMENT)
        except NoBeaconError:
            raise _RefusedError("invalid", _JUNK) from None
        who = await _who(request)
        name, today = self._client(request), self._today()
        if who or not self._answered.has(name, today):
            await request.face(self._felt).answer(self._name, score, comment, who=who)
            if not who:
                self._answered.note(name, today)
        return Response(204, headers=_NO_STORE)

    async def _asks(self, request: Request) -> bool:
        who = await _who(request)
        if not who:
            return not self._answered.has(self._client(request), self._today())
        asked: bool = await request.face(self._felt).asks(self._name, who)
        return asked

    async def _body(self, request: Request, most: int, cost: float) -> bytes:
        """The body of what this site's own page sends, within what its client may send."""
        if is_own(request, ()) is not True:
            raise _RefusedError("cross_site", _STRANGE)
        kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise _RefusedError("invalid", _TYPE)
        if wait := self._buckets.take(self._network(request) or "", cost):
            raise _RefusedError("limited", _LIMITED, {"retry-after": str(math.ceil(wait))})
        too_large = Problem(413, "data.too_large", detail=f"What is taken here has {most} bytes at most.")
        if request.content_length > most:
            raise _RefusedError("too_large", too_large)
        body = await request.read_body(most)
        if body is None:
            left = of_pipeline(request).ahead[-1]["type"] == "http.disconnect"
            raise _RefusedError("invalid", _JUNK) if left else _RefusedError("too_large", too_large)
        return body

    def _client(self, request: Request) -> bytes:
        return self._buckets.name(self._network(request) or "")

    def _today(self) -> int:
        return self._clock.now_us() // _DAY_US


@cache
def _script() -> bytes:
    return files("postrmagic_core.middleware").joinpath("resources", SCRIPT).read_bytes()


async def _who(request: Request) -> str:
    """Whose session it is, or which; empty where there is none."""
    access = request.state.get("session")
    if access is None:
        return ""
    session = await access
    if session.user_id is not None:
        return f"user {session.user_id}"
    return "" if session.anchor is None else f"session {session.anchor.hex()}"


def _answering(metrics: Metrics) -> Iterator[str]:
    """The patterns of routes that have answered a GET here, as ``request_metrics`` counts them."""
    for name, labels, _ in metrics.counters():
        if name == "http_requests_total":
            told = dict(labels)
            if told["method"] == "GET" and told["status"] < "4" and told["route"] not in {"", "other"}:
                yield told["route"]


def _not_allowed(methods: str) -> Response:
    return Response.of(Problem(405, "http.405"), {"allow": methods})
