"""PostrMagic media library, version 1.0.0: a typed client.

Generated from its OpenAPI document: change that, and generate this again.
"""
# ruff: noqa - generated: names and numbers of parameters are the specification's

from __future__ import annotations

import inspect
import json
import os
import re
import secrets
import warnings
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import (
    BinaryIO,
    Generic,
    Literal,
    NotRequired,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    cast,
)
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx

USER_AGENT = "postr-magic-media-library-client/1.0.0"
_FIXED: Mapping[str, str] = {}

_R = TypeVar("_R")
_S = TypeVar("_S")
_T = TypeVar("_T")
_M = TypeVar("_M")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_ACCEPT = "application/json, application/problem+json"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Upload: TypeAlias = tuple[str, bytes | BinaryIO]
"""A file to be sent: its name, and its bytes or an open binary file."""


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"


UNSET = Unset.UNSET
"""Leaves a field as it is, where ``None`` would empty it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """A field at fault: where it stands in what was sent, a stable code, a message."""

    pointer: str
    code: str
    message: str


class ApiError(Exception):
    """The server answered with a problem; ``code`` is stable and for programs.

    ``retry_after`` is in seconds. Errors of the transport are httpx's own.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str = "",
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(status, code, title, detail, errors, retry_after, request_id)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after
        self.request_id = request_id

    def __str__(self) -> str:
        fields = "".join(f"; {one.pointer}: {one.message}" for one in self.errors)
        return f"{self.status} {self.code}: {self.detail or self.title}{fields}"


class ClientError(ApiError):
    """The request has to change: a status from 400 to 499."""


class ServerError(ApiError):
    """The server could not do it: a status from 500 to 599."""


class NotModified(Exception):
    """What was asked for is still what ``if_none_match`` names."""

    def __init__(self, etag: str | None = None) -> None:
        super().__init__(etag)
        self.etag = etag


class UnexpectedAnswer(Exception):
    """The answer is not what the specification says; the message quotes none of it."""


def _header(headers: httpx.Headers, name: str) -> str | None:
    found: str | None = headers.get(name)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    status: int
    headers: httpx.Headers = field(repr=False)

    @property
    def etag(self) -> str | None:
        """The version of what was told: give it as ``if_match`` or ``if_none_match``."""
        return _header(self.headers, "etag")

    @property
    def location(self) -> str | None:
        """Where what was made is."""
        return _header(self.headers, "location")

    @property
    def request_id(self) -> str | None:
        """The name of the request in the server's log."""
        return _header(self.headers, "x-request-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(_Told, Generic[_T, _M]):
    """What an operation answered, and ``meta``, what it told beside it."""

    data: _T
    meta: _M


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(_Told, Generic[_T, _M]):
    """A part of a list; ``next`` is the ``after`` of the part that follows."""

    items: list[_T]
    next: str | None
    meta: _M


@dataclass(frozen=True, slots=True, kw_only=True)
class File(_Told):
    """A file as it came."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile(_Told):
    """A file that was written to ``path``; ``size`` in bytes."""

    media_type: str
    path: Path
    size: int


class _Mismatch(Exception):
    def __init__(self, expected: str, pointer: str = "") -> None:
        super().__init__(f"expected {expected} at {pointer or '/'}")
        self.expected = expected
        self.pointer = pointer


def _at(step: object, read: Callable[[object], _T], value: object) -> _T:
    try:
        return read(value)
    except _Mismatch as mismatch:
        raise _Mismatch(mismatch.expected, f"/{step}{mismatch.pointer}") from None


def _anything(value: object) -> object:
    return value


def _nothing(value: object) -> None:
    if value is not None:
        raise _Mismatch("null")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _Mismatch("a text")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _Mismatch("an integer")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise _Mismatch("a number")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Mismatch("true or false")


def _instant(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value))
    except ValueError:
        raise _Mismatch("an instant of ISO 8601") from None
    if found.tzinfo is None:
        raise _Mismatch("an instant with its offset")
    return found


def _day(value: object) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise _Mismatch("a date of ISO 8601") from None


def _uuid(value: object) -> UUID:
    try:
        return UUID(_text(value))
    except ValueError:
        raise _Mismatch("a UUID") from None


def _members(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise _Mismatch("an object")


def _member(members: dict[str, object], name: str, read: Callable[[object], _T]) -> _T:
    if name not in members:
        raise _Mismatch("a value", f"/{name}")
    return _at(name, read, members[name])


def _optional(
    members: dict[str, object],
    name: str,
    read: Callable[[object], _T],
) -> _T | None:
    return _at(name, read, members[name]) if name in members else None


def _list_of(read: Callable[[object], _T]) -> Callable[[object], list[_T]]:
    def reader(value: object) -> list[_T]:
        if not isinstance(value, list):
            raise _Mismatch("a list")
        return [_at(index, read, one) for index, one in enumerate(value)]

    return reader


def _map_of(read: Callable[[object], _T]) -> Callable[[object], dict[str, _T]]:
    def reader(value: object) -> dict[str, _T]:
        return {key: _at("*", read, one) for key, one in _members(value).items()}

    return reader


def _or_none(read: Callable[[object], _T]) -> Callable[[object], _T | None]:
    def reader(value: object) -> _T | None:
        return None if value is None else read(value)

    return reader


def _either(
    first: Callable[[object], _T],
    second: Callable[[object], _S],
) -> Callable[[object], _T | _S]:
    def reader(value: object) -> _T | _S:
        try:
            return first(value)
        except _Mismatch:
            return second(value)

    return reader


def _when(
    name: str,
    expected: object,
    read: Callable[[object], _T],
) -> Callable[[object], _T]:
    def reader(value: object) -> _T:
        if _members(value).get(name) != expected:
            raise _Mismatch("another value", f"/{name}")
        return read(value)

    return reader


def _body(response: httpx.Response) -> object:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        raise _Mismatch("a JSON document") from None


def _answer_with(
    read: Callable[[object], _T],
    read_meta: Callable[[object], _M],
) -> Callable[[httpx.Response], Answer[_T, _M]]:
    def reader(response: httpx.Response) -> Answer[_T, _M]:
        members = _members(_body(response))
        return Answer(
            data=_member(members, "data", read),
            meta=_at("meta", read_meta, members.get("meta")),
            status=response.status_code,
            headers=response.headers,
        )

    return reader


def _answer(
    read: Callable[[object], _T],
) -> Callable[[httpx.Response], Answer[_T, None]]:
    return _answer_with(read, lambda _: None)


def _bare(read: Callable[[object], _T]) -> Callable[[httpx.Response], Answer[_T, None]]:
    def reader(response: httpx.Response) -> Answer[_T, None]:
        return Answer(
            data=read(_body(response)),
            meta=None,
            status=response.status_code,
            headers=response.headers,
        )

    return reader


def _page_with(
    read: Callable[[object], _T],
    read_meta: Callable[[object], _M],
) -> Callable[[httpx.Response], Page[_T, _M]]:
    def reader(response: httpx.Response) -> Page[_T, _M]:
        members = _members(_body(response))
        return Page(
            items=_member(members, "data", _list_of(read)),
            next=_optional(members, "next", _or_none(_text)),
            meta=_at("meta", read_meta, members.get("meta")),
            status=response.status_code,
            headers=response.headers,
        )

    return reader


def _page(read: Callable[[object], _T]) -> Callable[[httpx.Response], Page[_T, None]]:
    return _page_with(read, lambda _: None)


def _empty(response: httpx.Response) -> Answer[None, None]:
    return Answer(
        data=None,
        meta=None,
        status=response.status_code,
        headers=response.headers,
    )


def _file(response: httpx.Response) -> File:
    return File(
        media_type=response.headers.get("content-type", ""),
        content=response.content,
        status=response.status_code,
        headers=response.headers,
    )


def _by_status(
    status: int,
    read: Callable[[httpx.Response], _R],
    otherwise: Callable[[httpx.Response], _S],
) -> Callable[[httpx.Response], _R | _S]:
    def reader(response: httpx.Response) -> _R | _S:
        return read(response) if response.status_code == status else otherwise(response)

    return reader


_Part: TypeAlias = tuple[str, tuple[str | None, str | bytes | BinaryIO]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    operation: str
    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    parts: list[_Part] = field(default_factory=list, repr=False)


def _spoken(value: object) -> str:
    """One value as text, for a path, a query, a header or a field of a form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("expected a datetime with a time zone: datetime.now(UTC)")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float | UUID):
        return str(value)
    raise TypeError(f"expected a text, number or instant, got {type(value).__name__}")


def _path(template: str, *values: object) -> str:
    before, *rest = template.split("{}")
    found = [before]
    for value, text in zip(values, rest, strict=True):
        spoken = _spoken(value)
        if spoken in {"", ".", ".."}:
            raise ValueError("expected a value that names one thing, got none or dots")
        found += [quote(spoken, safe=""), text]
    return "".join(found)


def _pairs(values: Mapping[str, object]) -> list[tuple[str, str]]:
    found = []
    for name, value in values.items():
        several = isinstance(value, list | tuple | set | frozenset)
        for one in cast(Iterable[object], value) if several else [value]:
            if one is not None and one is not UNSET:
                found.append((name, _spoken(one)))
    return found


def _headers(values: Mapping[str, object]) -> dict[str, str]:
    found = dict(_pairs(values))
    for name, value in found.items():
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"expected printable ASCII on one line for {name}")
    return found


def _or_unset(value: _T | None) -> _T | Unset:
    return UNSET if value is None else value


def _plain(value: object) -> object:
    if isinstance(value, datetime | date | UUID):
        return _spoken(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"expected what JSON can say, got {type(value).__name__}")


def _json(value: object) -> bytes:
    if isinstance(value, dict):
        value = {name: one for name, one in value.items() if one is not UNSET}
    return json.dumps(value, default=_plain, allow_nan=False).encode()


def _parts(
    fields: Mapping[str, object],
    files: Mapping[str, Upload | Sequence[Upload] | None],
) -> list[_Part]:
    found: list[_Part] = [(name, (None, text)) for name, text in _pairs(fields)]
    for name, given in files.items():
        if isinstance(given, tuple) and given and isinstance(given[0], str):
            found.append((name, cast(Upload, given)))
        elif given is not None:
            found += [(name, one) for one in cast(Sequence[Upload], given)]
    return found


def _problem(response: httpx.Response) -> ApiError:
    status = response.status_code
    members: dict[str, object] = {}
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        with suppress(_Mismatch):
            members = _members(_body(response))
    told = {name: text for name, text in members.items() if isinstance(text, str)}
    kind = {4: ClientError, 5: ServerError}.get(status // 100, ApiError)
    return kind(
        status,
        told.get("code", f"http.{status}"),
        told.get("title", response.reason_phrase),
        told.get("detail", ""),
        tuple(_field_errors(members.get("errors"))),
        _seconds(response.headers.get("retry-after")),
        response.headers.get("x-request-id"),
    )


def _field_errors(value: object) -> Iterator[FieldError]:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            told = {name: one.get(name) for name in ("pointer", "code", "message")}
            yield FieldError(**{name: str(text or "") for name, text in told.items()})


def _seconds(header: str | None) -> float | None:
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    until = _http_date(header)
    if until is None:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _http_date(header: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _check(ask: _Ask, response: httpx.Response) -> None:
    """Raise what the answer says went wrong."""
    if response.status_code == 304 and "If-None-Match" in ask.headers:
        raise NotModified(response.headers.get("etag"))
    if not response.is_success:
        raise _problem(response)


def _read(
    ask: _Ask,
    response: httpx.Response,
    read: Callable[[httpx.Response], _R],
) -> _R:
    try:
        return read(response)
    except _Mismatch as mismatch:
        told = f"{ask.operation}, status {response.status_code}: {mismatch}"
    raise UnexpectedAnswer(told)


def _next_cursor(before: str | None, following: str | None) -> str | None:
    if following is not None and following == before:
        raise UnexpectedAnswer("expected a cursor that leads on, got the one sent")
    return following


def _warn(ask: _Ask, response: httpx.Response, warned: set[str]) -> None:
    """Say once per operation that it is deprecated (RFC 9745, RFC 8594)."""
    since = response.headers.get("deprecation")
    if since is None or ask.operation in warned:
        return
    warned.add(ask.operation)
    told = f"{ask.operation} is deprecated"
    if re.fullmatch(r"@[0-9]{1,11}", since):
        told += f" since {datetime.fromtimestamp(int(since[1:]), UTC).date()}"
    if (sunset := _http_date(response.headers.get("sunset"))) is not None:
        told += f" and ends on {sunset.date()}"
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals is globals():
        level, frame = level + 1, frame.f_back
    warnings.warn(told, DeprecationWarning, stacklevel=level)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at ``path`` once all of it is written."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _base(url: str) -> str:
    parts = urlsplit(url)
    known = parts.scheme in {"http", "https"} and parts.hostname is not None
    if not known or parts.query or parts.fragment:
        raise ValueError('expected a base_url such as "https://library.example.org"')
    return url.rstrip("/")


def _bearer(token: str | None) -> dict[str, str]:
    if token is None:
        return {}
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        raise ValueError("expected a token of RFC 6750, section 2.1")
    return {"Authorization": f"Bearer {token}"}


IssueTokenPermissionsItem: TypeAlias = Literal[
    "account:manage",
    "account:manage:own",
    "audit:read",
    "audit:read:own",
    "media:create",
    "media:create:own",
    "media:delete",
    "media:delete:own",
    "media:edit",
    "media:edit:own",
    "media:read",
    "media:read:own",
    "notification:read",
    "notification:read:own",
    "observability:act",
    "observability:act:own",
    "observability:read",
    "observability:read:own",
    "user:grant",
    "user:grant:own",
    "user:read",
    "user:read:own",
]


class Revision(TypedDict):
    """What is to be changed of one medium among many."""

    title: NotRequired[str | None]
    tags: NotRequired[Sequence[str] | None]
    action: Literal["change"]
    id: int


class Deletion(TypedDict):
    """One medium among many that is to be deleted."""

    action: Literal["delete"]
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """A medium as clients see it: no digest, no user, links instead of paths.

    filename: The name under which it was uploaded.
    size: Of the original, in bytes.
    type: The media type of the original.
    width: In pixels.
    height: In pixels.
    tags: In the order of the alphabet.
    colours: Its main colours, such as #1d2b53, the one it has most of first; null
        until they were looked for.
    orientation: landscape, portrait or square; null until it was looked at.
    created_at: When it was uploaded.
    file: Where the original is.
    thumbnail: Where the thumbnail is, once it is made.
    """

    id: int
    title: str
    filename: str
    size: int
    type: str
    width: int
    height: int
    tags: list[str]
    colours: list[str] | None
    orientation: str | None
    created_at: datetime
    file: str
    thumbnail: str | None

    @classmethod
    def _read(cls, value: object) -> Medium:
        members = _members(value)
        return cls(
            id=_member(members, "id", _integer),
            title=_member(members, "title", _text),
            filename=_member(members, "filename", _text),
            size=_member(members, "size", _integer),
            type=_member(members, "type", _text),
            width=_member(members, "width", _integer),
            height=_member(members, "height", _integer),
            tags=_member(members, "tags", _list_of(_text)),
            colours=_member(members, "colours", _or_none(_list_of(_text))),
            orientation=_member(members, "orientation", _or_none(_text)),
            created_at=_member(members, "created_at", _instant),
            file=_member(members, "file", _text),
            thumbnail=_member(members, "thumbnail", _or_none(_text)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCounts:
    """How many items were carried out, and how many were not."""

    succeeded: int
    failed: int

    @classmethod
    def _read(cls, value: object) -> BulkCounts:
        members = _members(value)
        return cls(
            succeeded=_member(members, "succeeded", _integer),
            failed=_member(members, "failed", _integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumItemDone:
    """A part of an answer: MediumItemDone."""

    index: int
    status: int
    data: Medium | None

    @classmethod
    def _read(cls, value: object) -> MediumItemDone:
        members = _members(value)
        return cls(
            index=_member(members, "index", _integer),
            status=_member(members, "status", _integer),
            data=_member(members, "data", _or_none(Medium._read)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailed:
    """An item that was not carried out.

    problem: Why one item failed: a problem document (RFC 9457).
    """

    index: int
    status: int
    problem: ItemProblem

    @classmethod
    def _read(cls, value: object) -> ItemFailed:
        members = _members(value)
        return cls(
            index=_member(members, "index", _integer),
            status=_member(members, "status", _integer),
            problem=_member(members, "problem", ItemProblem._read),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProblem:
    """Why one item failed: a problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[FieldProblem] | None = None

    @classmethod
    def _read(cls, value: object) -> ItemProblem:
        members = _members(value)
        return cls(
            type=_member(members, "type", _text),
            title=_member(members, "title", _text),
            status=_member(members, "status", _integer),
            code=_member(members, "code", _text),
            detail=_optional(members, "detail", _or_none(_text)),
            errors=_optional(members, "errors", _or_none(_list_of(FieldProblem._read))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field at fault: its place in the item (RFC 6901), a stable code, and words
    for people.
    """

    pointer: str
    code: str
    message: str

    @classmethod
    def _read(cls, value: object) -> FieldProblem:
        members = _members(value)
        return cls(
            pointer=_member(members, "pointer", _text),
            code=_member(members, "code", _text),
            message=_member(members, "message", _text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many media have a tag.

    count: How many media have the tag.
    """

    name: str
    count: int

    @classmethod
    def _read(cls, value: object) -> Count:
        members = _members(value)
        return cls(
            name=_member(members, "name", _text),
            count=_member(members, "count", _integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFigures:
    """What share of reads the cache of this process could answer, from 0 to 1.

    cache_hit_rate: From 0 to 1.
    """

    cache_hit_rate: float

    @classmethod
    def _read(cls, value: object) -> CacheFigures:
        members = _members(value)
        return cls(cache_hit_rate=_member(members, "cache_hit_rate", _number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What a user has; the figures are ``None`` until they are first computed.

    media: How many there are.
    bytes: The room that the originals take.
    quota_bytes: The room that they may take.
    tags: The fifty tags that are used most, the most used first.
    activity: The last twelve months, the present one last.
    types: The most frequent first.
    colours: The ten most frequent, the most frequent first.
    refreshed_at: When activity, types and colours were counted; null with them.
    """

    media: int
    bytes: int
    quota_bytes: int
    tags: list[Count]
    activity: list[Month] | None
    types: list[TypeCount] | None
    colours: list[ColourCount] | None
    refreshed_at: str | None

    @classmethod
    def _read(cls, value: object) -> Stats:
        members = _members(value)
        return cls(
            media=_member(members, "media", _integer),
            bytes=_member(members, "bytes", _integer),
            quota_bytes=_member(members, "quota_bytes", _integer),
            tags=_member(members, "tags", _list_of(Count._read)),
            activity=_member(members, "activity", _or_none(_list_of(Month._read))),
            types=_member(members, "types", _or_none(_list_of(TypeCount._read))),
            colours=_member(members, "colours", _or_none(_list_of(ColourCount._read))),
            refreshed_at=_member(members, "refreshed_at", _or_none(_text)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """How many media were uploaded in a month.

    month: Year and month, such as 2026-06, in UTC.
    uploads: How many media of that month there are.
    """

    month: str
    uploads: int

    @classmethod
    def _read(cls, value: object) -> Month:
        members = _members(value)
        return cls(
            month=_member(members, "month", _text),
            uploads=_member(members, "uploads", _integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCount:
    """How many media are of a type.

    type: A media type, such as image/jpeg.
    count: How many media are of the type.
    """

    type: str
    count: int

    @classmethod
    def _read(cls, value: object) -> TypeCount:
        members = _members(value)
        return cls(
            type=_member(members, "type", _text),
            count=_member(members, "count", _integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourCount:
    """How many media show a colour.

    colour: One of all that are like it, as #rrggbb.
    count: How many media show the colour.
    """

    colour: str
    count: int

    @classmethod
    def _read(cls, value: object) -> ColourCount:
        members = _members(value)
        return cls(
            colour=_member(members, "colour", _text),
            count=_member(members, "count", _integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who is logged in.

    roles: In the order of the alphabet.
    admin: Whether administration is among the roles.
    """

    id: int
    name: str
    roles: list[str]
    admin: bool

    @classmethod
    def _read(cls, value: object) -> Me:
        members = _members(value)
        return cls(
            id=_member(members, "id", _integer),
            name=_member(members, "name", _text),
            roles=_member(members, "roles", _list_of(_text)),
            admin=_member(members, "admin", _boolean),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStepNeeded:
    """The password was right, and the second step is awaited for that many seconds.

    second_factor: Always required.
    expires_in: In seconds.
    """

    second_factor: str
    expires_in: float

    @classmethod
    def _read(cls, value: object) -> SecondStepNeeded:
        members = _members(value)
        return cls(
            second_factor=_member(members, "second_factor", _text),
            expires_in=_member(members, "expires_in", _number),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """How a second factor stands.

    enabled: Whether a login asks for it.
    since: When it was confirmed.
    recovery_codes: How many are left.
    """

    enabled: bool
    since: datetime | None
    recovery_codes: int

    @classmethod
    def _read(cls, value: object) -> Factor:
        members = _members(value)
        return cls(
            enabled=_member(members, "enabled", _boolean),
            since=_member(members, "since", _or_none(_instant)),
            recovery_codes=_member(members, "recovery_codes", _integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an authenticator app needs.

    secret: To be typed into the app, where it cannot read the QR code.
    qr: The QR code, as a data: URL of an image.
    alt: What the image is, for who does not see it.
    uri: What the QR code says.
    """

    secret: str
    qr: str
    alt: str
    uri: str

    @classmethod
    def _read(cls, value: object) -> Enrolment:
        members = _members(value)
        return cls(
            secret=_member(members, "secret", _text),
            qr=_member(members, "qr", _text),
            alt=_member(members, "alt", _text),
            uri=_member(members, "uri", _text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodes:
    """Recovery codes, shown once.

    recovery_codes: Each is good once.
    """

    recovery_codes: list[str]

    @classmethod
    def _read(cls, value: object) -> RecoveryCodes:
        members = _members(value)
        return cls(recovery_codes=_member(members, "recovery_codes", _list_of(_text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a user is logged in.

    id: Names the session to DELETE /account/devices/{id}; it opens nothing.
    agent: The names of the browser and the system, where they are known.
    network: The network it was last used from, where it is known.
    began_at: When it logged in.
    last_seen_at: When it was last used.
    current: Whether it is the session that asks.
    """

    id: str
    agent: str | None
    network: str | None
    began_at: datetime
    last_seen_at: datetime
    current: bool

    @classmethod
    def _read(cls, value: object) -> Device:
        members = _members(value)
        return cls(
            id=_member(members, "id", _text),
            agent=_member(members, "agent", _or_none(_text)),
            network=_member(members, "network", _or_none(_text)),
            began_at=_member(members, "began_at", _instant),
            last_seen_at=_member(members, "last_seen_at", _instant),
            current=_member(members, "current", _boolean),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """How many notifications are new.

    unread: How many notifications are not read.
    """

    unread: int

    @classmethod
    def _read(cls, value: object) -> Unread:
        members = _members(value)
        return cls(unread=_member(members, "unread", _integer))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification as clients see it.

    kind: What happened, for programs.
    amount: How many times, or how much, as the message says.
    message: What happened, for people.
    changed_at: When it last happened.
    read: Whether it was marked as read.
    """

    kind: str
    amount: int
    message: str
    changed_at: datetime
    read: bool

    @classmethod
    def _read(cls, value: object) -> Notification:
        members = _members(value)
        return cls(
            kind=_member(members, "kind", _text),
            amount=_member(members, "amount", _integer),
            message=_member(members, "message", _text),
            changed_at=_member(members, "changed_at", _instant),
            read=_member(members, "read", _boolean),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is told of an access token.

    id: Names the token to DELETE /tokens/{id}; it opens nothing.
    permissions: What it is limited to; null where it may do what its owner may.
    created_at: When it was made.
    expires_at: When it ends.
    last_used_at: To the minute; null where it never was.
    """

    id: str
    name: str
    permissions: list[str] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None

    @classmethod
    def _read(cls, value: object) -> Token:
        members = _members(value)
        return cls(
            id=_member(members, "id", _text),
            name=_member(members, "name", _text),
            permissions=_member(members, "permissions", _or_none(_list_of(_text))),
            created_at=_member(members, "created_at", _instant),
            expires_at=_member(members, "expires_at", _instant),
            last_used_at=_member(members, "last_used_at", _or_none(_instant)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made.

    token: To be sent as ``Authorization: Bearer …``; it is shown once.
    about: What is told of an access token.
    """

    token: str
    about: Token

    @classmethod
    def _read(cls, value: object) -> NewToken:
        members = _members(value)
        return cls(
            token=_member(members, "token", _text),
            about=_member(members, "about", Token._read),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an application asks of a user.

    client: An application as its operator registered it.
    host: Where the browser goes afterwards: a host, or the scheme of an app.
    scopes: What it wants to do.
    lifetime: For how long it may, in seconds, unless it is ended before.
    """

    client: AskingClient
    host: str
    scopes: list[AboutScope]
    lifetime: float

    @classmethod
    def _read(cls, value: object) -> Question:
        members = _members(value)
        return cls(
            client=_member(members, "client", AskingClient._read),
            host=_member(members, "host", _text),
            scopes=_member(members, "scopes", _list_of(AboutScope._read)),
            lifetime=_member(members, "lifetime", _number),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingClient:
    """An application as its operator registered it.

    id: Given at its registration; it is no secret.
    """

    id: str
    name: str

    @classmethod
    def _read(cls, value: object) -> AskingClient:
        members = _members(value)
        return cls(
            id=_member(members, "id", _text),
            name=_member(members, "name", _text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutScope:
    """A scope in words.

    about: What an application may do by it.
    """

    name: str
    about: str

    @classmethod
    def _read(cls, value: object) -> AboutScope:
        members = _members(value)
        return cls(
            name=_member(members, "name", _text),
            about=_member(members, "about", _text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """An application that a user lets use the library.

    id: Names it to DELETE /authorizations/{id}; it opens nothing.
    client: An application as its operator registered it.
    scopes: What it may do.
    created_at: When it was allowed.
    expires_at: When it ends.
    last_used_at: When it last refreshed its access; null where it never did.
    """

    id: str
    client: AskingClient
    scopes: list[AboutScope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None

    @classmethod
    def _read(cls, value: object) -> Authorization:
        members = _members(value)
        return cls(
            id=_member(members, "id", _text),
            client=_member(members, "client", AskingClient._read),
            scopes=_member(members, "scopes", _list_of(AboutScope._read)),
            created_at=_member(members, "created_at", _instant),
            expires_at=_member(members, "expires_at", _instant),
            last_used_at=_member(members, "last_used_at", _or_none(_instant)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """Where the browser goes on.

    location: An address of the application's, with the answer in its query.
    """

    location: str

    @classmethod
    def _read(cls, value: object) -> Onward:
        members = _members(value)
        return cls(location=_member(members, "location", _text))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRoles:
    """Which roles there are.

    roles: All the roles there are.
    """

    roles: list[AboutRole]

    @classmethod
    def _read(cls, value: object) -> KnownRoles:
        members = _members(value)
        return cls(roles=_member(members, "roles", _list_of(AboutRole._read)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutRole:
    """A role in words.

    about: What the role is for.
    """

    name: str
    about: str

    @classmethod
    def _read(cls, value: object) -> AboutRole:
        members = _members(value)
        return cls(
            name=_member(members, "name", _text),
            about=_member(members, "about", _text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as administrators see it.

    created_at: When it was made.
    """

    id: int
    name: str
    roles: list[str]
    created_at: datetime

    @classmethod
    def _read(cls, value: object) -> Account:
        members = _members(value)
        return cls(
            id=_member(members, "id", _integer),
            name=_member(members, "name", _text),
            roles=_member(members, "roles", _list_of(_text)),
            created_at=_member(members, "created_at", _instant),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesOf:
    """The roles of an account."""

    id: int
    name: str
    roles: list[str]

    @classmethod
    def _read(cls, value: object) -> RolesOf:
        members = _members(value)
        return cls(
            id=_member(members, "id", _integer),
            name=_member(members, "name", _text),
            roles=_member(members, "roles", _list_of(_text)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why an account has a permission or lacks it.

    allowed: Whether it has the permission.
    sentence: Why, in one sentence.
    explanation: Why, with everything that was looked at.
    """

    allowed: bool
    sentence: str
    explanation: str

    @classmethod
    def _read(cls, value: object) -> Explained:
        members = _members(value)
        return cls(
            allowed=_member(members, "allowed", _boolean),
            sentence=_member(members, "sentence", _text),
            explanation=_member(members, "explanation", _text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the audit log, with names instead of ids.

    at: When it happened.
    actor: Who did it; null for the system.
    action: What was done, for programs.
    subject: To whom or what, if to any.
    outcome: How it ended, for programs.
    detail: What else is known; its members depend on the action.
    """

    id: str
    at: datetime
    actor: str | None
    action: str
    subject: str | None
    outcome: str
    detail: dict[str, object]

    @classmethod
    def _read(cls, value: object) -> Entry:
        members = _members(value)
        return cls(
            id=_member(members, "id", _text),
            at=_member(members, "at", _instant),
            actor=_member(members, "actor", _or_none(_text)),
            action=_member(members, "action", _text),
            subject=_member(members, "subject", _or_none(_text)),
            outcome=_member(members, "outcome", _text),
            detail=_member(members, "detail", _members),
        )


class Client:
    """PostrMagic media library: each operation as a method.

    ``base_url`` is the server's address, without the path of the API. A client of
    httpx that is given as ``http`` is borrowed: its cookies, time-outs and address are
    used, and it is not closed here. ``token`` is sent as ``Authorization: Bearer``.
    ``csrf_token`` is for sessions by cookie whose server asks for one: it may be set
    later. ``timeout`` is in seconds. Nothing is sent twice by itself.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        csrf_token: str | None = None,
        timeout: float = 30.0,
        http: httpx.Client | None = None,
    ) -> None:
        if base_url is None and http is not None:
            base_url = str(http.base_url)
        self._base = _base(base_url or "")
        self._authorization = _bearer(token)
        self.csrf_token = csrf_token
        self._warned: set[str] = set()
        self._owned = http is None
        if http is None:
            headers = {"User-Agent": USER_AGENT}
            http = httpx.Client(timeout=timeout, headers=headers)
        self._http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless the client of httpx is borrowed."""
        if self._owned:
            self._http.close()

    def _request(self, ask: _Ask) -> httpx.Request:
        headers = {"Accept": _ACCEPT, **_FIXED, **self._authorization, **ask.headers}
        if ask.method not in _SAFE:
            # No other site is behind this request: what a browser would have said.
            headers["Sec-Fetch-Site"] = "none"
            headers |= _headers({"X-CSRF-Token": self.csrf_token})
        return self._http.build_request(
            ask.method,
            self._base + ask.path,
            params=tuple(ask.query) or None,
            headers=headers,
            content=ask.content,
            files=ask.parts or None,
        )

    def _call(self, ask: _Ask, read: Callable[[httpx.Response], _R]) -> _R:
        response = self._http.send(self._request(ask))
        _warn(ask, response, self._warned)
        _check(ask, response)
        return _read(ask, response, read)

    def _save(self, ask: _Ask, destination: str | os.PathLike[str]) -> SavedFile:
        response = self._http.send(self._request(ask), stream=True)
        try:
            _warn(ask, response, self._warned)
            if not response.is_success:
                response.read()
            _check(ask, response)
            path, size = Path(destination), 0
            with _whole_file(path) as file:
                for chunk in response.iter_bytes():
                    size += file.write(chunk)
        finally:
            response.close()
        return SavedFile(
            path=path,
            size=size,
            media_type=response.headers.get("content-type", ""),
            status=response.status_code,
            headers=response.headers,
        )

    def _every(
        self,
        turn: Callable[[str | None], Page[_T, _M]],
    ) -> Iterator[_T]:
        after: str | None = None
        while True:
            page = turn(after)
            for item in page.items:
                yield item
            after = _next_cursor(after, page.next)
            if after is None:
                return

    def list_media(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        sort: str | None = None,
        q: str | None = None,
        tag: str | None = None,
        type: Sequence[Literal["image/jpeg", "image/png", "image/webp"]] | None = None,
        orientation: Sequence[Literal["landscape", "portrait", "square"]] | None = None,
        uploaded_from: datetime | None = None,
        uploaded_before: datetime | None = None,
        if_none_match: str | None = None,
    ) -> Page[Medium, None]:
        """List media

        The newest come first, unless ``sort`` says otherwise. ``q`` searches: words
        are all required, ``word*`` matches a beginning, ``-word`` excludes,
        ``tag:name`` and ``tag:"two words"`` go by tag. Case and accents do not
        matter.

        limit: How many items at most.
        after: The `next` of an earlier page, to go on behind it; with the same sort
            and filters.
        sort: What to sort by, at most 3 of these with commas between: created_at,
            title, size. `-` before one sorts descending.
        q: Words that title and file name hold, and tags.
        tag: A tag they have.
        type: The type of the file.
        orientation: Which way the picture is turned.
        uploaded_from: Uploaded then or later.
        uploaded_before: Uploaded before then.
        if_none_match: The ``ETag`` of an earlier answer: as long as nothing changed,
            the answer is 304 and has no body.
        """
        return self._call(
            _Ask(
                operation="list_media",
                method="GET",
                path=_path("/api/v1/media"),
                query=_pairs(
                    {
                        "limit": limit,
                        "after": after,
                        "sort": sort,
                        "q": q,
                        "tag": tag,
                        "type": type,
                        "orientation": orientation,
                        "uploaded_from": uploaded_from,
                        "uploaded_before": uploaded_before,
                    },
                ),
                headers=_headers({"If-None-Match": if_none_match}),
            ),
            _page(Medium._read),
        )

    def list_media_all(
        self,
        *,
        limit: int | None = None,
        sort: str | None = None,
        q: str | None = None,
        tag: str | None = None,
        type: Sequence[Literal["image/jpeg", "image/png", "image/webp"]] | None = None,
        orientation: Sequence[Literal["landscape", "portrait", "square"]] | None = None,
        uploaded_from: datetime | None = None,
        uploaded_before: datetime | None = None,
    ) -> Iterator[Medium]:
        """Every item of ``list_media``, page by page as they are asked for."""
        return self._every(
            lambda _after: self.list_media(
                limit=limit,
                sort=sort,
                q=q,
                tag=tag,
                type=type,
                orientation=orientation,
                uploaded_from=uploaded_from,
                uploaded_before=uploaded_before,
                after=_after,
            ),
        )

    def add_medium(
        self,
        *,
        file: Upload,
        title: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Medium, None]:
        """Upload an image

        201, or 200 if the very same file is in the library already. The file is
        decoded whole before it is taken. Its thumbnail and its colours follow in a
        moment.

        file: A JPEG, PNG or WebP image; its name is kept.
        title: Made of the file's name if left out.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="add_medium",
                method="POST",
                path=_path("/api/v1/media"),
                headers=_headers({"Idempotency-Key": idempotency_key}),
                parts=_parts({"title": title}, {"file": file}),
            ),
            _answer(Medium._read),
        )

    def show_medium(
        self,
        id: int,
        /,
        *,
        if_none_match: str | None = None,
    ) -> Answer[Medium, None]:
        """Show a medium

        id: The number that names it.
        if_none_match: The ``ETag`` of an earlier answer: as long as nothing changed,
            the answer is 304 and has no body.
        """
        return self._call(
            _Ask(
                operation="show_medium",
                method="GET",
                path=_path("/api/v1/media/{}", id),
                headers=_headers({"If-None-Match": if_none_match}),
            ),
            _answer(Medium._read),
        )

    def change_medium(
        self,
        id: int,
        /,
        *,
        title: str | None | Unset = UNSET,
        tags: Sequence[str] | None | Unset = UNSET,
        if_match: str | None = None,
    ) -> Answer[Medium, None]:
        """Change a medium

        Its title, its tags, or both; what is left out stays. With ``If-Match`` and
        the ``ETag`` of the version that was read, it is changed only if it is that
        one still.

        id: The number that names it.
        tags: All of them: those that are not named are taken away.
        if_match: The ``ETag`` of what was read: the change is made only if it is
            still so, else the answer is 412.
        """
        return self._call(
            _Ask(
                operation="change_medium",
                method="PATCH",
                path=_path("/api/v1/media/{}", id),
                headers=_headers(
                    {"If-Match": if_match, "Content-Type": "application/json"},
                ),
                content=_json({"title": title, "tags": tags}),
            ),
            _answer(Medium._read),
        )

    def delete_medium(
        self,
        id: int,
        /,
        *,
        if_match: str | None = None,
    ) -> Answer[None, None]:
        """Delete a medium

        With ``If-Match`` only if it is the version that was read.

        id: The number that names it.
        if_match: The ``etag`` that was read: of another version nothing is changed.
        """
        return self._call(
            _Ask(
                operation="delete_medium",
                method="DELETE",
                path=_path("/api/v1/media/{}", id),
                headers=_headers({"If-Match": if_match}),
            ),
            _empty,
        )

    def change_media(
        self,
        *,
        items: Sequence[Revision | Deletion],
        idempotency_key: str | None = None,
    ) -> Answer[list[MediumItemDone | ItemFailed], BulkCounts]:
        """Change many media

        Up to a hundred are changed or deleted; each succeeds or fails by itself. The
        answer tells of each item, in their order, what became of it.

        items: Carried out in this order.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="change_media",
                method="POST",
                path=_path("/api/v1/media/bulk"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"items": items}),
            ),
            _answer_with(
                _list_of(_either(MediumItemDone._read, ItemFailed._read)),
                BulkCounts._read,
            ),
        )

    def get_file(self, id: int, /, *, accept: str = "*/*") -> File:
        """Download the original

        It comes under its first name, as a download.

        id: The number that names it.
        accept: Media types that will do.
        """
        return self._call(
            _Ask(
                operation="get_file",
                method="GET",
                path=_path("/api/v1/media/{}/file", id),
                headers=_headers({"Accept": accept}),
            ),
            _file,
        )

    def get_file_to(
        self,
        id: int,
        destination: str | os.PathLike[str],
        /,
        *,
        accept: str = "*/*",
    ) -> SavedFile:
        """``get_file``, written to a file: it appears once it is whole.

        id: The number that names it.
        destination: Where it is written.
        accept: Media types that will do.
        """
        return self._save(
            _Ask(
                operation="get_file",
                method="GET",
                path=_path("/api/v1/media/{}/file", id),
                headers=_headers({"Accept": accept}),
            ),
            destination,
        )

    def get_thumbnail(self, id: int, /, *, accept: str = "*/*") -> File:
        """Get the thumbnail

        It is 320 pixels wide: WebP where the client takes it, else JPEG.

        id: The number that names it.
        accept: Media types that will do.
        """
        return self._call(
            _Ask(
                operation="get_thumbnail",
                method="GET",
                path=_path("/api/v1/media/{}/thumbnail", id),
                headers=_headers({"Accept": accept}),
            ),
            _file,
        )

    def get_thumbnail_to(
        self,
        id: int,
        destination: str | os.PathLike[str],
        /,
        *,
        accept: str = "*/*",
    ) -> SavedFile:
        """``get_thumbnail``, written to a file: it appears once it is whole.

        id: The number that names it.
        destination: Where it is written.
        accept: Media types that will do.
        """
        return self._save(
            _Ask(
                operation="get_thumbnail",
                method="GET",
                path=_path("/api/v1/media/{}/thumbnail", id),
                headers=_headers({"Accept": accept}),
            ),
            destination,
        )

    def list_tags(
        self,
        *,
        if_none_match: str | None = None,
    ) -> Answer[list[Count], None]:
        """List tags

        The fifty that are used most, the most used first.

        if_none_match: The ``ETag`` of an earlier answer: as long as nothing changed,
            the answer is 304 and has no body.
        """
        return self._call(
            _Ask(
                operation="list_tags",
                method="GET",
                path=_path("/api/v1/tags"),
                headers=_headers({"If-None-Match": if_none_match}),
            ),
            _answer(_list_of(Count._read)),
        )

    def show_stats(self) -> Answer[Stats, CacheFigures]:
        """Show figures

        How much the user has: media, room, tags, uploads per month, types, colours.
        What is counted in the background is null until it was counted once. ``meta``
        tells what share of its reads the cache of this process could answer.
        """
        return self._call(
            _Ask(operation="show_stats", method="GET", path=_path("/api/v1/stats")),
            _answer_with(Stats._read, CacheFigures._read),
        )

    def show_me(self) -> Answer[Me, None]:
        """Tell who is asking

        To nobody it is 401, with the ``notices`` that were left for them.
        """
        return self._call(
            _Ask(operation="show_me", method="GET", path=_path("/api/v1/me")),
            _answer(Me._read),
        )

    def sign_up(
        self,
        *,
        name: str,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[Me, None]:
        """Sign up

        Makes an account and logs in to it; what is wrong is told field by field.

        name: a to z, 0 to 9 and . _ - with a letter or digit at the beginning.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="sign_up",
                method="POST",
                path=_path("/api/v1/signup"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"name": name, "password": password}),
            ),
            _answer(Me._read),
        )

    def log_in(
        self,
        *,
        name: str,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[Me, None] | Answer[SecondStepNeeded, None]:
        """Log in

        A wrong name and a wrong password look the same. Without a second factor that
        is all: a session with a new id. With one the answer is 202, and the second
        step is awaited for five minutes.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="log_in",
                method="POST",
                path=_path("/api/v1/login"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"name": name, "password": password}),
            ),
            _by_status(200, _answer(Me._read), _answer(SecondStepNeeded._read)),
        )

    def log_in_with_code(
        self,
        *,
        code: str | None = None,
        recovery_code: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Me, None]:
        """Complete a login

        The second step: a code of the authenticator app, or a recovery code.

        code: The code of now.
        recovery_code: One that was not used before.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="log_in_with_code",
                method="POST",
                path=_path("/api/v1/login/second-factor"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json(
                    {
                        "code": _or_unset(code),
                        "recovery_code": _or_unset(recovery_code),
                    },
                ),
            ),
            _answer(Me._read),
        )

    def log_out(self, *, idempotency_key: str | None = None) -> Answer[None, None]:
        """Log out

        The session ends, here and in every process.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="log_out",
                method="POST",
                path=_path("/api/v1/logout"),
                headers=_headers({"Idempotency-Key": idempotency_key}),
            ),
            _empty,
        )

    def reset_password(
        self,
        *,
        token: str,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Reset the password

        By the token of a link. It logs nobody in: password and second factor are
        asked for. Every session of the account ends.

        token: What stands behind ``#reset=`` in the link.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="reset_password",
                method="POST",
                path=_path("/api/v1/password-reset"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"token": token, "password": password}),
            ),
            _empty,
        )

    def change_password(
        self,
        *,
        current: str,
        new: str,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Change the password

        The present one is needed; every other session ends.

        current: The present one.
        new: The next one.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="change_password",
                method="POST",
                path=_path("/api/v1/account/password"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"current": current, "new": new}),
            ),
            _empty,
        )

    def show_factor(self) -> Answer[Factor, None]:
        """Show the second factor

        Whether there is one, since when, and how many recovery codes are left.
        """
        return self._call(
            _Ask(
                operation="show_factor",
                method="GET",
                path=_path("/api/v1/account/factor"),
            ),
            _answer(Factor._read),
        )

    def enrol_factor(
        self,
        *,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[Enrolment, None]:
        """Set up a second factor

        The secret for an authenticator app, as a text and as a QR code. The password
        is needed.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="enrol_factor",
                method="POST",
                path=_path("/api/v1/account/factor"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"password": password}),
            ),
            _answer(Enrolment._read),
        )

    def confirm_factor(
        self,
        *,
        code: str,
        idempotency_key: str | None = None,
    ) -> Answer[RecoveryCodes, None]:
        """Confirm the second factor

        By the app's first code: from here on it is asked for. The recovery codes are
        shown once; other sessions end.

        code: The code that the app shows now.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="confirm_factor",
                method="POST",
                path=_path("/api/v1/account/factor/confirm"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"code": code}),
            ),
            _answer(RecoveryCodes._read),
        )

    def disable_factor(
        self,
        *,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Turn the second factor off

        The password is needed.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="disable_factor",
                method="POST",
                path=_path("/api/v1/account/factor/disable"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"password": password}),
            ),
            _empty,
        )

    def renew_recovery_codes(
        self,
        *,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[RecoveryCodes, None]:
        """Renew recovery codes

        All before end; the new ones are shown once. The password is needed.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="renew_recovery_codes",
                method="POST",
                path=_path("/api/v1/account/recovery-codes"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"password": password}),
            ),
            _answer(RecoveryCodes._read),
        )

    def list_devices(self) -> Answer[list[Device], None]:
        """List devices

        Where the user is logged in, the last used first.
        """
        return self._call(
            _Ask(
                operation="list_devices",
                method="GET",
                path=_path("/api/v1/account/devices"),
            ),
            _answer(_list_of(Device._read)),
        )

    def end_other_devices(self) -> Answer[None, None]:
        """End all other sessions

        Every session of the user but this one.
        """
        return self._call(
            _Ask(
                operation="end_other_devices",
                method="DELETE",
                path=_path("/api/v1/account/devices"),
            ),
            _empty,
        )

    def end_device(self, id: str, /) -> Answer[None, None]:
        """End a device's session

        Its next request is nobody's.
        """
        return self._call(
            _Ask(
                operation="end_device",
                method="DELETE",
                path=_path("/api/v1/account/devices/{}", id),
            ),
            _empty,
        )

    def list_notifications(self) -> Answer[list[Notification], Unread]:
        """List notifications

        The latest come first; ``meta`` tells how many are new.
        """
        return self._call(
            _Ask(
                operation="list_notifications",
                method="GET",
                path=_path("/api/v1/notifications"),
            ),
            _answer_with(_list_of(Notification._read), Unread._read),
        )

    def read_notifications(
        self,
        *,
        until: datetime,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Mark notifications as read

        Those that changed up to ``until``.

        until: The latest ``changed_at`` that was shown.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="read_notifications",
                method="POST",
                path=_path("/api/v1/notifications/read"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"until": until}),
            ),
            _empty,
        )

    def list_tokens(self) -> Answer[list[Token], None]:
        """List tokens

        Those of the user that are good, the newest first.
        """
        return self._call(
            _Ask(operation="list_tokens", method="GET", path=_path("/api/v1/tokens")),
            _answer(_list_of(Token._read)),
        )

    def issue_token(
        self,
        *,
        password: str,
        name: str,
        permissions: Sequence[IssueTokenPermissionsItem] | None = None,
        days: int | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[NewToken, None]:
        """Make a token

        It is shown once; the password is needed. It may do what its owner may, as
        long as they may, and no more than its ``permissions`` say, if any are given.

        name: What it is for, in the words of its owner.
        permissions: What it is limited to; left out, it may do what its owner may.
        days: For how many days it is good.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="issue_token",
                method="POST",
                path=_path("/api/v1/tokens"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json(
                    {
                        "password": password,
                        "name": name,
                        "permissions": _or_unset(permissions),
                        "days": _or_unset(days),
                    },
                ),
            ),
            _answer(NewToken._read),
        )

    def revoke_token(self, id: str, /) -> Answer[None, None]:
        """Revoke a token

        Its next request is nobody's.
        """
        return self._call(
            _Ask(
                operation="revoke_token",
                method="DELETE",
                path=_path("/api/v1/tokens/{}", id),
            ),
            _empty,
        )

    def preview_authorization(
        self,
        *,
        query: str,
        idempotency_key: str | None = None,
    ) -> Answer[Question, None]:
        """Show what an application asks for

        In words, to be allowed or denied. Nothing is allowed by it.

        query: What follows the question mark of GET /oauth/authorize, still encoded.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="preview_authorization",
                method="POST",
                path=_path("/api/v1/authorizations/preview"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"query": query}),
            ),
            _answer(Question._read),
        )

    def list_authorizations(self) -> Answer[list[Authorization], None]:
        """List connected applications

        Those that may use the library of the user now, the newest first.
        """
        return self._call(
            _Ask(
                operation="list_authorizations",
                method="GET",
                path=_path("/api/v1/authorizations"),
            ),
            _answer(_list_of(Authorization._read)),
        )

    def decide_authorization(
        self,
        *,
        query: str,
        allow: bool,
        scopes: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Onward, None]:
        """Allow or deny it

        The browser then goes on to ``location``, where the application gets a code,
        or is told that it was denied.

        query: What follows the question mark of GET /oauth/authorize, still encoded.
        allow: Whether it may use the library.
        scopes: Which of the scopes that it asks for it gets; left out, all of them.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return self._call(
            _Ask(
                operation="decide_authorization",
                method="POST",
                path=_path("/api/v1/authorizations"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json(
                    {"query": query, "allow": allow, "scopes": _or_unset(scopes)},
                ),
            ),
            _answer(Onward._read),
        )

    def revoke_authorization(self, id: str, /) -> Answer[None, None]:
        """Disconnect an application

        Its tokens are nobody's from their next request on.
        """
        return self._call(
            _Ask(
                operation="revoke_authorization",
                method="DELETE",
                path=_path("/api/v1/authorizations/{}", id),
            ),
            _empty,
        )

    def list_users(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        sort: str | None = None,
    ) -> Page[Account, KnownRoles]:
        """List accounts

        With their roles; ``meta`` tells which roles there are.

        limit: How many items at most.
        after: The `next` of an earlier page, to go on behind it; with the same sort
            and filters.
        sort: What to sort by, at most 3 of these with commas between: id, name,
            created_at. `-` before one sorts descending.
        """
        return self._call(
            _Ask(
                operation="list_users",
                method="GET",
                path=_path("/api/v1/admin/users"),
                query=_pairs({"limit": limit, "after": after, "sort": sort}),
            ),
            _page_with(Account._read, KnownRoles._read),
        )

    def list_users_all(
        self,
        *,
        limit: int | None = None,
        sort: str | None = None,
    ) -> Iterator[Account]:
        """Every item of ``list_users``, page by page as they are asked for."""
        return self._every(
            lambda _after: self.list_users(limit=limit, sort=sort, after=_after),
        )

    def show_roles(self, id: int, /) -> Answer[RolesOf, None]:
        """Show an account's roles

        id: The number that names it.
        """
        return self._call(
            _Ask(
                operation="show_roles",
                method="GET",
                path=_path("/api/v1/admin/users/{}/roles", id),
            ),
            _answer(RolesOf._read),
        )

    def grant_role(self, id: int, role: str, /) -> Answer[RolesOf, None]:
        """Give a role

        One that was given already stays.

        id: The number that names it.
        """
        return self._call(
            _Ask(
                operation="grant_role",
                method="PUT",
                path=_path("/api/v1/admin/users/{}/roles/{}", id, role),
            ),
            _answer(RolesOf._read),
        )

    def revoke_role(self, id: int, role: str, /) -> Answer[RolesOf, None]:
        """Take a role away

        409 where somebody must have it and nobody else does.

        id: The number that names it.
        """
        return self._call(
            _Ask(
                operation="revoke_role",
                method="DELETE",
                path=_path("/api/v1/admin/users/{}/roles/{}", id, role),
            ),
            _answer(RolesOf._read),
        )

    def explain_permission(
        self,
        id: int,
        /,
        *,
        permission: IssueTokenPermissionsItem,
    ) -> Answer[Explained, None]:
        """Explain a permission

        Whether the account has it, with everything that was looked at.

        id: The number that names it.
        permission: ``:own`` at its end: for their own objects only.
        """
        return self._call(
            _Ask(
                operation="explain_permission",
                method="GET",
                path=_path("/api/v1/admin/users/{}/explain", id),
                query=_pairs({"permission": permission}),
            ),
            _answer(Explained._read),
        )

    def list_audit(
        self,
        *,
        limit: int | None = None,
        action: str | None = None,
    ) -> Answer[list[Entry], None]:
        """List the audit log

        Its last entries, the newest first.

        limit: How many entries at most.
        action: Only entries of this action, such as role.granted.
        """
        return self._call(
            _Ask(
                operation="list_audit",
                method="GET",
                path=_path("/api/v1/admin/audit"),
                query=_pairs({"limit": limit, "action": action}),
            ),
            _answer(_list_of(Entry._read)),
        )


class AsyncClient:
    """PostrMagic media library: each operation as a method.

    ``base_url`` is the server's address, without the path of the API. A client of
    httpx that is given as ``http`` is borrowed: its cookies, time-outs and address are
    used, and it is not closed here. ``token`` is sent as ``Authorization: Bearer``.
    ``csrf_token`` is for sessions by cookie whose server asks for one: it may be set
    later. ``timeout`` is in seconds. Nothing is sent twice by itself.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        csrf_token: str | None = None,
        timeout: float = 30.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if base_url is None and http is not None:
            base_url = str(http.base_url)
        self._base = _base(base_url or "")
        self._authorization = _bearer(token)
        self.csrf_token = csrf_token
        self._warned: set[str] = set()
        self._owned = http is None
        if http is None:
            headers = {"User-Agent": USER_AGENT}
            http = httpx.AsyncClient(timeout=timeout, headers=headers)
        self._http = http

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless the client of httpx is borrowed."""
        if self._owned:
            await self._http.aclose()

    def _request(self, ask: _Ask) -> httpx.Request:
        headers = {"Accept": _ACCEPT, **_FIXED, **self._authorization, **ask.headers}
        if ask.method not in _SAFE:
            # No other site is behind this request: what a browser would have said.
            headers["Sec-Fetch-Site"] = "none"
            headers |= _headers({"X-CSRF-Token": self.csrf_token})
        return self._http.build_request(
            ask.method,
            self._base + ask.path,
            params=tuple(ask.query) or None,
            headers=headers,
            content=ask.content,
            files=ask.parts or None,
        )

    async def _call(self, ask: _Ask, read: Callable[[httpx.Response], _R]) -> _R:
        response = await self._http.send(self._request(ask))
        _warn(ask, response, self._warned)
        _check(ask, response)
        return _read(ask, response, read)

    async def _save(self, ask: _Ask, destination: str | os.PathLike[str]) -> SavedFile:
        response = await self._http.send(self._request(ask), stream=True)
        try:
            _warn(ask, response, self._warned)
            if not response.is_success:
                await response.aread()
            _check(ask, response)
            path, size = Path(destination), 0
            with _whole_file(path) as file:
                async for chunk in response.aiter_bytes():
                    size += file.write(chunk)
        finally:
            await response.aclose()
        return SavedFile(
            path=path,
            size=size,
            media_type=response.headers.get("content-type", ""),
            status=response.status_code,
            headers=response.headers,
        )

    async def _every(
        self,
        turn: Callable[[str | None], Awaitable[Page[_T, _M]]],
    ) -> AsyncIterator[_T]:
        after: str | None = None
        while True:
            page = await turn(after)
            for item in page.items:
                yield item
            after = _next_cursor(after, page.next)
            if after is None:
                return

    async def list_media(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        sort: str | None = None,
        q: str | None = None,
        tag: str | None = None,
        type: Sequence[Literal["image/jpeg", "image/png", "image/webp"]] | None = None,
        orientation: Sequence[Literal["landscape", "portrait", "square"]] | None = None,
        uploaded_from: datetime | None = None,
        uploaded_before: datetime | None = None,
        if_none_match: str | None = None,
    ) -> Page[Medium, None]:
        """List media

        The newest come first, unless ``sort`` says otherwise. ``q`` searches: words
        are all required, ``word*`` matches a beginning, ``-word`` excludes,
        ``tag:name`` and ``tag:"two words"`` go by tag. Case and accents do not
        matter.

        limit: How many items at most.
        after: The `next` of an earlier page, to go on behind it; with the same sort
            and filters.
        sort: What to sort by, at most 3 of these with commas between: created_at,
            title, size. `-` before one sorts descending.
        q: Words that title and file name hold, and tags.
        tag: A tag they have.
        type: The type of the file.
        orientation: Which way the picture is turned.
        uploaded_from: Uploaded then or later.
        uploaded_before: Uploaded before then.
        if_none_match: The ``ETag`` of an earlier answer: as long as nothing changed,
            the answer is 304 and has no body.
        """
        return await self._call(
            _Ask(
                operation="list_media",
                method="GET",
                path=_path("/api/v1/media"),
                query=_pairs(
                    {
                        "limit": limit,
                        "after": after,
                        "sort": sort,
                        "q": q,
                        "tag": tag,
                        "type": type,
                        "orientation": orientation,
                        "uploaded_from": uploaded_from,
                        "uploaded_before": uploaded_before,
                    },
                ),
                headers=_headers({"If-None-Match": if_none_match}),
            ),
            _page(Medium._read),
        )

    def list_media_all(
        self,
        *,
        limit: int | None = None,
        sort: str | None = None,
        q: str | None = None,
        tag: str | None = None,
        type: Sequence[Literal["image/jpeg", "image/png", "image/webp"]] | None = None,
        orientation: Sequence[Literal["landscape", "portrait", "square"]] | None = None,
        uploaded_from: datetime | None = None,
        uploaded_before: datetime | None = None,
    ) -> AsyncIterator[Medium]:
        """Every item of ``list_media``, page by page as they are asked for."""
        return self._every(
            lambda _after: self.list_media(
                limit=limit,
                sort=sort,
                q=q,
                tag=tag,
                type=type,
                orientation=orientation,
                uploaded_from=uploaded_from,
                uploaded_before=uploaded_before,
                after=_after,
            ),
        )

    async def add_medium(
        self,
        *,
        file: Upload,
        title: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Medium, None]:
        """Upload an image

        201, or 200 if the very same file is in the library already. The file is
        decoded whole before it is taken. Its thumbnail and its colours follow in a
        moment.

        file: A JPEG, PNG or WebP image; its name is kept.
        title: Made of the file's name if left out.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="add_medium",
                method="POST",
                path=_path("/api/v1/media"),
                headers=_headers({"Idempotency-Key": idempotency_key}),
                parts=_parts({"title": title}, {"file": file}),
            ),
            _answer(Medium._read),
        )

    async def show_medium(
        self,
        id: int,
        /,
        *,
        if_none_match: str | None = None,
    ) -> Answer[Medium, None]:
        """Show a medium

        id: The number that names it.
        if_none_match: The ``ETag`` of an earlier answer: as long as nothing changed,
            the answer is 304 and has no body.
        """
        return await self._call(
            _Ask(
                operation="show_medium",
                method="GET",
                path=_path("/api/v1/media/{}", id),
                headers=_headers({"If-None-Match": if_none_match}),
            ),
            _answer(Medium._read),
        )

    async def change_medium(
        self,
        id: int,
        /,
        *,
        title: str | None | Unset = UNSET,
        tags: Sequence[str] | None | Unset = UNSET,
        if_match: str | None = None,
    ) -> Answer[Medium, None]:
        """Change a medium

        Its title, its tags, or both; what is left out stays. With ``If-Match`` and
        the ``ETag`` of the version that was read, it is changed only if it is that
        one still.

        id: The number that names it.
        tags: All of them: those that are not named are taken away.
        if_match: The ``ETag`` of what was read: the change is made only if it is
            still so, else the answer is 412.
        """
        return await self._call(
            _Ask(
                operation="change_medium",
                method="PATCH",
                path=_path("/api/v1/media/{}", id),
                headers=_headers(
                    {"If-Match": if_match, "Content-Type": "application/json"},
                ),
                content=_json({"title": title, "tags": tags}),
            ),
            _answer(Medium._read),
        )

    async def delete_medium(
        self,
        id: int,
        /,
        *,
        if_match: str | None = None,
    ) -> Answer[None, None]:
        """Delete a medium

        With ``If-Match`` only if it is the version that was read.

        id: The number that names it.
        if_match: The ``etag`` that was read: of another version nothing is changed.
        """
        return await self._call(
            _Ask(
                operation="delete_medium",
                method="DELETE",
                path=_path("/api/v1/media/{}", id),
                headers=_headers({"If-Match": if_match}),
            ),
            _empty,
        )

    async def change_media(
        self,
        *,
        items: Sequence[Revision | Deletion],
        idempotency_key: str | None = None,
    ) -> Answer[list[MediumItemDone | ItemFailed], BulkCounts]:
        """Change many media

        Up to a hundred are changed or deleted; each succeeds or fails by itself. The
        answer tells of each item, in their order, what became of it.

        items: Carried out in this order.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="change_media",
                method="POST",
                path=_path("/api/v1/media/bulk"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"items": items}),
            ),
            _answer_with(
                _list_of(_either(MediumItemDone._read, ItemFailed._read)),
                BulkCounts._read,
            ),
        )

    async def get_file(self, id: int, /, *, accept: str = "*/*") -> File:
        """Download the original

        It comes under its first name, as a download.

        id: The number that names it.
        accept: Media types that will do.
        """
        return await self._call(
            _Ask(
                operation="get_file",
                method="GET",
                path=_path("/api/v1/media/{}/file", id),
                headers=_headers({"Accept": accept}),
            ),
            _file,
        )

    async def get_file_to(
        self,
        id: int,
        destination: str | os.PathLike[str],
        /,
        *,
        accept: str = "*/*",
    ) -> SavedFile:
        """``get_file``, written to a file: it appears once it is whole.

        id: The number that names it.
        destination: Where it is written.
        accept: Media types that will do.
        """
        return await self._save(
            _Ask(
                operation="get_file",
                method="GET",
                path=_path("/api/v1/media/{}/file", id),
                headers=_headers({"Accept": accept}),
            ),
            destination,
        )

    async def get_thumbnail(self, id: int, /, *, accept: str = "*/*") -> File:
        """Get the thumbnail

        It is 320 pixels wide: WebP where the client takes it, else JPEG.

        id: The number that names it.
        accept: Media types that will do.
        """
        return await self._call(
            _Ask(
                operation="get_thumbnail",
                method="GET",
                path=_path("/api/v1/media/{}/thumbnail", id),
                headers=_headers({"Accept": accept}),
            ),
            _file,
        )

    async def get_thumbnail_to(
        self,
        id: int,
        destination: str | os.PathLike[str],
        /,
        *,
        accept: str = "*/*",
    ) -> SavedFile:
        """``get_thumbnail``, written to a file: it appears once it is whole.

        id: The number that names it.
        destination: Where it is written.
        accept: Media types that will do.
        """
        return await self._save(
            _Ask(
                operation="get_thumbnail",
                method="GET",
                path=_path("/api/v1/media/{}/thumbnail", id),
                headers=_headers({"Accept": accept}),
            ),
            destination,
        )

    async def list_tags(
        self,
        *,
        if_none_match: str | None = None,
    ) -> Answer[list[Count], None]:
        """List tags

        The fifty that are used most, the most used first.

        if_none_match: The ``ETag`` of an earlier answer: as long as nothing changed,
            the answer is 304 and has no body.
        """
        return await self._call(
            _Ask(
                operation="list_tags",
                method="GET",
                path=_path("/api/v1/tags"),
                headers=_headers({"If-None-Match": if_none_match}),
            ),
            _answer(_list_of(Count._read)),
        )

    async def show_stats(self) -> Answer[Stats, CacheFigures]:
        """Show figures

        How much the user has: media, room, tags, uploads per month, types, colours.
        What is counted in the background is null until it was counted once. ``meta``
        tells what share of its reads the cache of this process could answer.
        """
        return await self._call(
            _Ask(operation="show_stats", method="GET", path=_path("/api/v1/stats")),
            _answer_with(Stats._read, CacheFigures._read),
        )

    async def show_me(self) -> Answer[Me, None]:
        """Tell who is asking

        To nobody it is 401, with the ``notices`` that were left for them.
        """
        return await self._call(
            _Ask(operation="show_me", method="GET", path=_path("/api/v1/me")),
            _answer(Me._read),
        )

    async def sign_up(
        self,
        *,
        name: str,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[Me, None]:
        """Sign up

        Makes an account and logs in to it; what is wrong is told field by field.

        name: a to z, 0 to 9 and . _ - with a letter or digit at the beginning.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="sign_up",
                method="POST",
                path=_path("/api/v1/signup"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"name": name, "password": password}),
            ),
            _answer(Me._read),
        )

    async def log_in(
        self,
        *,
        name: str,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[Me, None] | Answer[SecondStepNeeded, None]:
        """Log in

        A wrong name and a wrong password look the same. Without a second factor that
        is all: a session with a new id. With one the answer is 202, and the second
        step is awaited for five minutes.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="log_in",
                method="POST",
                path=_path("/api/v1/login"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"name": name, "password": password}),
            ),
            _by_status(200, _answer(Me._read), _answer(SecondStepNeeded._read)),
        )

    async def log_in_with_code(
        self,
        *,
        code: str | None = None,
        recovery_code: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Me, None]:
        """Complete a login

        The second step: a code of the authenticator app, or a recovery code.

        code: The code of now.
        recovery_code: One that was not used before.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="log_in_with_code",
                method="POST",
                path=_path("/api/v1/login/second-factor"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json(
                    {
                        "code": _or_unset(code),
                        "recovery_code": _or_unset(recovery_code),
                    },
                ),
            ),
            _answer(Me._read),
        )

    async def log_out(
        self,
        *,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Log out

        The session ends, here and in every process.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="log_out",
                method="POST",
                path=_path("/api/v1/logout"),
                headers=_headers({"Idempotency-Key": idempotency_key}),
            ),
            _empty,
        )

    async def reset_password(
        self,
        *,
        token: str,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Reset the password

        By the token of a link. It logs nobody in: password and second factor are
        asked for. Every session of the account ends.

        token: What stands behind ``#reset=`` in the link.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="reset_password",
                method="POST",
                path=_path("/api/v1/password-reset"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"token": token, "password": password}),
            ),
            _empty,
        )

    async def change_password(
        self,
        *,
        current: str,
        new: str,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Change the password

        The present one is needed; every other session ends.

        current: The present one.
        new: The next one.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="change_password",
                method="POST",
                path=_path("/api/v1/account/password"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"current": current, "new": new}),
            ),
            _empty,
        )

    async def show_factor(self) -> Answer[Factor, None]:
        """Show the second factor

        Whether there is one, since when, and how many recovery codes are left.
        """
        return await self._call(
            _Ask(
                operation="show_factor",
                method="GET",
                path=_path("/api/v1/account/factor"),
            ),
            _answer(Factor._read),
        )

    async def enrol_factor(
        self,
        *,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[Enrolment, None]:
        """Set up a second factor

        The secret for an authenticator app, as a text and as a QR code. The password
        is needed.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="enrol_factor",
                method="POST",
                path=_path("/api/v1/account/factor"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"password": password}),
            ),
            _answer(Enrolment._read),
        )

    async def confirm_factor(
        self,
        *,
        code: str,
        idempotency_key: str | None = None,
    ) -> Answer[RecoveryCodes, None]:
        """Confirm the second factor

        By the app's first code: from here on it is asked for. The recovery codes are
        shown once; other sessions end.

        code: The code that the app shows now.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="confirm_factor",
                method="POST",
                path=_path("/api/v1/account/factor/confirm"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"code": code}),
            ),
            _answer(RecoveryCodes._read),
        )

    async def disable_factor(
        self,
        *,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Turn the second factor off

        The password is needed.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="disable_factor",
                method="POST",
                path=_path("/api/v1/account/factor/disable"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"password": password}),
            ),
            _empty,
        )

    async def renew_recovery_codes(
        self,
        *,
        password: str,
        idempotency_key: str | None = None,
    ) -> Answer[RecoveryCodes, None]:
        """Renew recovery codes

        All before end; the new ones are shown once. The password is needed.

        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="renew_recovery_codes",
                method="POST",
                path=_path("/api/v1/account/recovery-codes"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"password": password}),
            ),
            _answer(RecoveryCodes._read),
        )

    async def list_devices(self) -> Answer[list[Device], None]:
        """List devices

        Where the user is logged in, the last used first.
        """
        return await self._call(
            _Ask(
                operation="list_devices",
                method="GET",
                path=_path("/api/v1/account/devices"),
            ),
            _answer(_list_of(Device._read)),
        )

    async def end_other_devices(self) -> Answer[None, None]:
        """End all other sessions

        Every session of the user but this one.
        """
        return await self._call(
            _Ask(
                operation="end_other_devices",
                method="DELETE",
                path=_path("/api/v1/account/devices"),
            ),
            _empty,
        )

    async def end_device(self, id: str, /) -> Answer[None, None]:
        """End a device's session

        Its next request is nobody's.
        """
        return await self._call(
            _Ask(
                operation="end_device",
                method="DELETE",
                path=_path("/api/v1/account/devices/{}", id),
            ),
            _empty,
        )

    async def list_notifications(self) -> Answer[list[Notification], Unread]:
        """List notifications

        The latest come first; ``meta`` tells how many are new.
        """
        return await self._call(
            _Ask(
                operation="list_notifications",
                method="GET",
                path=_path("/api/v1/notifications"),
            ),
            _answer_with(_list_of(Notification._read), Unread._read),
        )

    async def read_notifications(
        self,
        *,
        until: datetime,
        idempotency_key: str | None = None,
    ) -> Answer[None, None]:
        """Mark notifications as read

        Those that changed up to ``until``.

        until: The latest ``changed_at`` that was shown.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="read_notifications",
                method="POST",
                path=_path("/api/v1/notifications/read"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"until": until}),
            ),
            _empty,
        )

    async def list_tokens(self) -> Answer[list[Token], None]:
        """List tokens

        Those of the user that are good, the newest first.
        """
        return await self._call(
            _Ask(operation="list_tokens", method="GET", path=_path("/api/v1/tokens")),
            _answer(_list_of(Token._read)),
        )

    async def issue_token(
        self,
        *,
        password: str,
        name: str,
        permissions: Sequence[IssueTokenPermissionsItem] | None = None,
        days: int | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[NewToken, None]:
        """Make a token

        It is shown once; the password is needed. It may do what its owner may, as
        long as they may, and no more than its ``permissions`` say, if any are given.

        name: What it is for, in the words of its owner.
        permissions: What it is limited to; left out, it may do what its owner may.
        days: For how many days it is good.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="issue_token",
                method="POST",
                path=_path("/api/v1/tokens"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json(
                    {
                        "password": password,
                        "name": name,
                        "permissions": _or_unset(permissions),
                        "days": _or_unset(days),
                    },
                ),
            ),
            _answer(NewToken._read),
        )

    async def revoke_token(self, id: str, /) -> Answer[None, None]:
        """Revoke a token

        Its next request is nobody's.
        """
        return await self._call(
            _Ask(
                operation="revoke_token",
                method="DELETE",
                path=_path("/api/v1/tokens/{}", id),
            ),
            _empty,
        )

    async def preview_authorization(
        self,
        *,
        query: str,
        idempotency_key: str | None = None,
    ) -> Answer[Question, None]:
        """Show what an application asks for

        In words, to be allowed or denied. Nothing is allowed by it.

        query: What follows the question mark of GET /oauth/authorize, still encoded.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="preview_authorization",
                method="POST",
                path=_path("/api/v1/authorizations/preview"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json({"query": query}),
            ),
            _answer(Question._read),
        )

    async def list_authorizations(self) -> Answer[list[Authorization], None]:
        """List connected applications

        Those that may use the library of the user now, the newest first.
        """
        return await self._call(
            _Ask(
                operation="list_authorizations",
                method="GET",
                path=_path("/api/v1/authorizations"),
            ),
            _answer(_list_of(Authorization._read)),
        )

    async def decide_authorization(
        self,
        *,
        query: str,
        allow: bool,
        scopes: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Onward, None]:
        """Allow or deny it

        The browser then goes on to ``location``, where the application gets a code,
        or is told that it was denied.

        query: What follows the question mark of GET /oauth/authorize, still encoded.
        allow: Whether it may use the library.
        scopes: Which of the scopes that it asks for it gets; left out, all of them.
        idempotency_key: Names the attempt, for a server that remembers what it
            answered.
        """
        return await self._call(
            _Ask(
                operation="decide_authorization",
                method="POST",
                path=_path("/api/v1/authorizations"),
                headers=_headers(
                    {
                        "Idempotency-Key": idempotency_key,
                        "Content-Type": "application/json",
                    },
                ),
                content=_json(
                    {"query": query, "allow": allow, "scopes": _or_unset(scopes)},
                ),
            ),
            _answer(Onward._read),
        )

    async def revoke_authorization(self, id: str, /) -> Answer[None, None]:
        """Disconnect an application

        Its tokens are nobody's from their next request on.
        """
        return await self._call(
            _Ask(
                operation="revoke_authorization",
                method="DELETE",
                path=_path("/api/v1/authorizations/{}", id),
            ),
            _empty,
        )

    async def list_users(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        sort: str | None = None,
    ) -> Page[Account, KnownRoles]:
        """List accounts

        With their roles; ``meta`` tells which roles there are.

        limit: How many items at most.
        after: The `next` of an earlier page, to go on behind it; with the same sort
            and filters.
        sort: What to sort by, at most 3 of these with commas between: id, name,
            created_at. `-` before one sorts descending.
        """
        return await self._call(
            _Ask(
                operation="list_users",
                method="GET",
                path=_path("/api/v1/admin/users"),
                query=_pairs({"limit": limit, "after": after, "sort": sort}),
            ),
            _page_with(Account._read, KnownRoles._read),
        )

    def list_users_all(
        self,
        *,
        limit: int | None = None,
        sort: str | None = None,
    ) -> AsyncIterator[Account]:
        """Every item of ``list_users``, page by page as they are asked for."""
        return self._every(
            lambda _after: self.list_users(limit=limit, sort=sort, after=_after),
        )

    async def show_roles(self, id: int, /) -> Answer[RolesOf, None]:
        """Show an account's roles

        id: The number that names it.
        """
        return await self._call(
            _Ask(
                operation="show_roles",
                method="GET",
                path=_path("/api/v1/admin/users/{}/roles", id),
            ),
            _answer(RolesOf._read),
        )

    async def grant_role(self, id: int, role: str, /) -> Answer[RolesOf, None]:
        """Give a role

        One that was given already stays.

        id: The number that names it.
        """
        return await self._call(
            _Ask(
                operation="grant_role",
                method="PUT",
                path=_path("/api/v1/admin/users/{}/roles/{}", id, role),
            ),
            _answer(RolesOf._read),
        )

    async def revoke_role(self, id: int, role: str, /) -> Answer[RolesOf, None]:
        """Take a role away

        409 where somebody must have it and nobody else does.

        id: The number that names it.
        """
        return await self._call(
            _Ask(
                operation="revoke_role",
                method="DELETE",
                path=_path("/api/v1/admin/users/{}/roles/{}", id, role),
            ),
            _answer(RolesOf._read),
        )

    async def explain_permission(
        self,
        id: int,
        /,
        *,
        permission: IssueTokenPermissionsItem,
    ) -> Answer[Explained, None]:
        """Explain a permission

        Whether the account has it, with everything that was looked at.

        id: The number that names it.
        permission: ``:own`` at its end: for their own objects only.
        """
        return await self._call(
            _Ask(
                operation="explain_permission",
                method="GET",
                path=_path("/api/v1/admin/users/{}/explain", id),
                query=_pairs({"permission": permission}),
            ),
            _answer(Explained._read),
        )

    async def list_audit(
        self,
        *,
        limit: int | None = None,
        action: str | None = None,
    ) -> Answer[list[Entry], None]:
        """List the audit log

        Its last entries, the newest first.

        limit: How many entries at most.
        action: Only entries of this action, such as role.granted.
        """
        return await self._call(
            _Ask(
                operation="list_audit",
                method="GET",
                path=_path("/api/v1/admin/audit"),
                query=_pairs({"limit": limit, "action": action}),
            ),
            _answer(_list_of(Entry._read)),
        )
