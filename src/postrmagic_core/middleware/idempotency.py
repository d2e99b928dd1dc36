"""A request that is sent again does nothing twice (draft-ietf-httpapi-idempotency-key-header-07).

The first write unit of the handler takes the request's key in its own transaction, so that effect and key commit
together. A request repeated under its key gets the first response again.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from .._problem import CONTENT_TYPE, Problem, problem_for
from ..errors import PostrMagicError
from ..log.policy import is_secret_name
from .interface import AsyncLayer, Done, Head, Layer, Middleware, Request, Response
from .order import middleware
from .pipeline_request import of_pipeline
from .sessions import SessionAccess

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ._once import Answer, Claim, Found

HEADER = "idempotency-key"
REPLAYED = "idempotency-replayed"
GUARANTEE = "idempotency-guarantee"

logger = logging.getLogger("postrmagic_core.middleware")

_BYTES = 255
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # RFC 9651, section 3.3.3
_PLAIN = re.compile(r"[!#-+\--:<-\[\]-~]+")  # visible ASCII without quote, comma, semicolon and backslash
_SWEEP = 60.0  # seconds
# Who asks is known, and who may not has been refused: nothing of another caller is told.
_OUTSIDE = ("errors", "body_limit", "sessions", "csrf", "authentication")

# Of this connection, of this moment, or made anew when it is sent again.
_NOT_KEPT = frozenset({
    "age", "authentication-info", "connection", "content-length", "date", "keep-alive", "proxy-authenticate",
    "proxy-authentication-info", "proxy-connection", "server", "set-cookie", "set-cookie2", "te", "trailer",
    "transfer-encoding", "upgrade", "www-authenticate",
})  # fmt: skip


def idempotency(
    database: DatabaseManager | None,
    *,
    methods: Collection[str] = ("POST", "PATCH"),
    required: bool = False,
    keep: float = 86_400.0,
    lease: float = 60.0,
    max_body_bytes: int = 1_048_576,
    max_response_bytes: int = 65_536,
    by: Callable[[Request], str | None] | None = None,
) -> Middleware:
    """Carry out a request with an ``Idempotency-Key`` once, however often it is sent, and answer the same each time.

    The key counts for one caller, method and path: the caller is what ``by`` returns or, failing that, the identity,
    the session's user, the session, or the address. ``database`` is the one the handler writes to: its first unit that
    commits takes the key with it. A unit that comes too late is rolled back. ``None`` says in each response that
    nothing is promised.

    In seconds: ``keep``, how long a key is remembered; ``lease``, after which a request that has committed nothing
    may be tried again. A body of at most ``max_body_bytes`` is read before the handler starts; a response of more than
    ``max_response_bytes`` is not kept. ``required`` refuses requests without a key.
    """
    if not 0 < lease <= keep:
        raise ValueError(f"expected 0 < lease <= keep, got {lease} and {keep} seconds")
    if max_body_bytes < 0 or max_response_bytes < 0:
        raise ValueError(f"expected numbers of bytes, got {max_body_bytes} and {max_response_bytes}")
    wanted = frozenset(method.upper() for method in methods)
    asked = Asking(required, max_body_bytes, by)
    if database is None:
        return _unguarded(wanted, asked)
    return _guarded(database, wanted, asked, (round(keep * 1_000_000), round(lease * 1_000_000)), max_response_bytes)


def _guarded(
    database: DatabaseManager, wanted: Collection[str], asked: Asking, times_us: tuple[int, int], max_bytes: int
) -> Middleware:
    from . import _once

    owner, due = object(), [time.monotonic() + _SWEEP]
    terms = _once.Terms(*times_us)
    database.on_write(_once.taking(owner))

    @middleware(name="idempotency", after=_OUTSIDE)
    async def layer(request: Request) -> AsyncLayer:
        if request.method not in wanted:
            return
        key = asked.key(request)
        if key is None:
            return
        operation = key if isinstance(key, Response) else await asked.operation(request, key)
        if isinstance(operation, Response):
            yield operation
            return
        claim = _once.Claim(operation, secrets.token_bytes(16), terms, owner)
        face = request.face(database)
        found = await face.transact(claim.begin)
        if found is not None:
            yield _told(found)
            return
        seen = Seen(max_bytes, of_pipeline(request).document)
        request.on_response(seen.chunk)
        # Set and put back, never reset by token: the end may run in another context than the start.
        before = _once.current.get()
        _once.current.set(claim)
        try:
            try:
                seen.head = yield
            except Exception as error:
                seen.error = error
                if not claim.lost:
                    raise
            if claim.lost:
                _once.current.set(before)
                yield _told(await face.transact(claim.look))
                return
            seen.done = yield
        finally:
            _once.current.set(before)
            await _settle(face, claim, seen)
            if time.monotonic() >= due[0]:
                due[0] = time.monotonic() + _SWEEP
                await _sweep(face)

    return layer


def _unguarded(wanted: Collection[str], asked: Asking) -> Middleware:
    logger.warning("idempotency without a database: a request that is sent again is carried out again")

    @middleware(name="idempotency", after=_OUTSIDE)
    def layer(request: Request) -> Layer:
        named = asked.key(request) if request.method in wanted else None
        if isinstance(named, Response):
            yield named
        elif named is not None:
            head = yield
            head.set(GUARANTEE, "at-least-once")

    return layer


class Asking:
    """What a request asks for by its key."""

    def __init__(self, required: bool, max_body_bytes: int, by: Callable[[Request], str | None] | None) -> None:
        self._required = required
        self._max_body_bytes = max_body_bytes
        self._by = by
        detail = (
            f"With an Idempotency-Key the body may have at most {max_body_bytes} bytes, so that it can be compared."
        )
        self._too_large = _problem(413, "too_large", detail)

    def key(self, request: Request) -> str | Response | None:
        """The key; ``None`` without one, or a refusal."""
        given = request.headers.get_all(HEADER)
        if not given:
            return Response.of(_MISSING) if self._required else None
        key = key_of(given)
        return Response.of(_MALFORMED) if key is None else key

    async def operation(self, request: Request, key: str) -> tuple[str, bytes] | Response:
        """The name of the row and the fingerprint, or a refusal."""
        if request.content_length > self._max_body_bytes:
            return Response.of(self._too_large)
        body = await request.read_body(self._max_body_bytes)
        if body is None:
            gone = of_pipeline(request).ahead[-1]["type"] != "http.request"
            return Response(499) if gone else Response.of(self._too_large)
        kind, name = await self._caller(request)
        row = _digest(kind, name, request.method, request.path, key).hex()
        return f"request:{row}", _digest(request.query, body)

    async def _caller(self, request: Request) -> tuple[str, str]:
        name = None if self._by is None else self._by(request)
        if name is not None:
            return "by", name
        identity, access = request.state.get("identity"), request.state.get("session")
        if identity is not None:
            return "user", str(identity.id)
        if isinstance(access, SessionAccess):
            session = await access
            if session.user_id is not None:
                return "user", session.user_id
            if session.anchor is not None:
                return "session", session.anchor.hex()
        # Clients that no layer knows may share an address, but not their credentials.
        return "address", f"{request.client} {request.headers.get('authorization')}"


def key_of(given: Sequence[str]) -> str | None:
    """The key that the headers ``given`` name, ``None`` if that is not one key of 1 to 255 bytes.

    A string of RFC 9651, as the draft has it, or the same without quotes, as most clients send it.
    """
    text = given[0].strip(" \t") if len(given) == 1 else ""
    quoted = _STRING.fullmatch(text)
    if quoted is not None:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    elif not _PLAIN.fullmatch(text):
        return None
    return text if 0 < len(text) <= _BYTES else None


class Seen:
    """What became of the handler's response; of its body at most ``limit`` bytes."""

    head: Head | None = None
    done: Done | None = None
    error: Exception | None = None

    def __init__(self, limit: int, document: Callable[[Problem], bytes]) -> None:
        self._limit = limit
        self._document = document
        self._body: bytearray | None = bytearray()
        self._size = 0
        self._last = False

    def chunk(self, chunk: bytes, last: bool) -> None:
        """Hear the next piece of the body."""
        self._size += len(chunk)
        self._last = self._last or last
        if self._body is not None:
            if self._size > self._limit:
                self._body = None
            else:
                self._body += chunk

    def answers(self) -> tuple[Answer, Answer | None]:
        """What to keep if a unit of the handler committed, and if none did: ``None`` lets the request be tried again.

        Without an effect, a refusal (4xx) or a failure (5xx) decides nothing: the same key may be sent with a body that
        is put right. After an effect even a failure is the answer.
        """
        from ._once import Answer

        head = self.head
        if head is None:
            if self.error is None:
                return Answer(None), None
            problem = problem_for(self.error)
            return Answer(problem.status, [(b"content-type", CONTENT_TYPE.encode())], self._document(problem)), None
        if isinstance(head, Response):  # another layer's, in place of the application's
            body, whole = (head.body if len(head.body) <= self._limit else None), True
        else:
            whole = self._last or head.get("content-length") == str(self._size)
            body = bytes(self._body) if whole and self._body is not None else None
        answer = Answer(head.status, _kept(head), body)
        return answer, answer if whole and head.status < 400 else None


def _kept(head: Head) -> list[tuple[bytes, bytes]]:
    """The headers that may be sent again; none that carries a secret or belongs to the connection."""
    named = {name.strip().lower() for line in head.get_all("connection") for name in line.split(",")}
    kept = []
    for name, value in head.headers:
        plain = name.decode("latin-1").lower()
        if plain not in _NOT_KEPT and plain not in named and not is_secret_name(plain):
            kept.append((name, value))
    return kept


async def _settle(face: Any, claim: Claim, seen: Seen) -> None:
    """Keep the response, or free the key; where the database is away the row's expiry decides."""
    if claim.lost:
        return
    if_taken, if_open = seen.answers()
    # What still runs on behalf of the request may commit if the key stays, not if somebody else may try again.
    claim.kept, claim.lost = if_open is not None, if_open is None
    try:
        await face.transact(claim.settle, if_taken, if_open)
    except PostrMagicError as error:
        logger.warning("the response to an Idempotency-Key was not kept: %s", error.code)


async def _sweep(face: Any) -> None:
    from ..database import expired

    try:
        rows = await face.transact(expired.expired)
        if rows:
            await face.transact(expired.forget, rows)
    except PostrMagicError as error:
        logger.warning("expired rows of pm_once were not deleted: %s", error.code)


def _told(found: Found) -> Response:
    answer = found.answer
    if found.state == "mismatch":
        return Response.of(_MISMATCH)
    if found.state == "in flight":
        return Response.of(_IN_FLIGHT, {"retry-after": "1"})
    if answer.status is None or answer.body is None:
        known: dict[str, object] = {} if answer.status is None else {"original_status": answer.status}
        return Response.of(_problem(409, "done", _DONE, known))
    response = Response(answer.status, answer.body)
    response.headers = [(bytes(name), bytes(value)) for name, value in answer.headers]
    response.set(REPLAYED, "true")
    return response


def _problem(status: int, name: str, detail: str, extra: dict[str, object] | None = None) -> Problem:
    return Problem(status, f"idempotency.{name}", detail=detail, extra=extra or {})


_MISSING = _problem(400, "required", "This request needs an Idempotency-Key: a new UUID for each new operation.")
_MALFORMED = _problem(400, "key", "Expected one Idempotency-Key: a string of 1 to 255 printable ASCII characters.")
_MISMATCH = _problem(
    422, "mismatch", "This Idempotency-Key was used for another request: take a new key for a new one."
)
_IN_FLIGHT = _problem(
    409, "in_flight", "The first request with this Idempotency-Key is under way: send this again later."
)
_DONE = "This request was carried out, and will not be again; its response was not kept. Look at what it changed."


def _digest(*parts: str | bytes) -> bytes:
    """SHA-256 of the parts and their lengths."""
    found = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(b"%d:" % len(raw))
        found.update(raw)
    return found.digest()
