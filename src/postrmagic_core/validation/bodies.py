"""A request's body or query, of every kind, into one validation: JSON, urlencoded forms, forms with files.

The content type chooses the reader, and nothing else does. What is read is decoded exactly once (OWASP ASVS 1.1.1), by
one policy for all kinds: UTF-8 and nothing else, no name twice, limits before work.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import AsyncIterable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from ..errors import UnsupportedMedia
from .images import file_field
from .interface import InputLimits
from .messages import Catalogue
from .multipart import FormReader, PartLimits, is_boundary, parameters
from .policy import failed
from .uploads import Readable, chunks
from .validator import Validator

if TYPE_CHECKING:
    from .aio_uploads import AsyncUploads

T = TypeVar("T")
_PARTS = PartLimits()
_LONGEST_TYPE = 1_024
_JSON = re.compile(r"application/(?:json|[!#$&^_.+a-z0-9-]{1,127}\+json)\Z")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class _Kind:
    name: Literal["json", "urlencoded", "multipart"]
    boundary: str = ""


def validate_body(
    validator: Validator[T],
    content_type: str | bytes | None,
    source: bytes | Readable | Iterable[bytes],
    *,
    groups: Collection[str] = (),
    locale: str | None = None,
    directory: Path | str | None = None,
    parts: PartLimits = _PARTS,
) -> T:
    """Check the body of a request, read from ``source`` no further than the limits allow.

    ``content_type`` is the header's value: ``application/json`` or ``application/…+json``,
    ``application/x-www-form-urlencoded`` or ``multipart/form-data``. JSON is read strictly, forms by the usual writing
    (see :meth:`Validator.validate_form`). ``directory`` is where files are received; a field that takes one is
    described by :class:`.images.ImageUpload`. When this raises, no file is left there.

    Raises :class:`ValidationFailed`; :class:`UnsupportedMedia` for any other type, a charset other than UTF-8, or a
    header with wrong syntax; :class:`UsageError` for a file that comes without a ``directory`` for it.
    """
    kind = _kind(content_type)
    if kind.name == "multipart":
        reader = _reader(validator, kind.boundary, directory, parts, groups, locale)
        try:
            for chunk in [source] if isinstance(source, bytes) else chunks(source):
                reader.feed(bytes(chunk))
            reader.end()
            return validator.validate_form(reader.judge(), groups=groups, locale=locale)
        except BaseException:
            reader.abandon()
            raise
    body = _whole([source] if isinstance(source, bytes) else chunks(source), validator, locale)
    if kind.name == "json":
        return validator.validate_json(body, groups=groups, locale=locale)
    return validate_query(validator, body, groups=groups, locale=locale)


async def validate_body_async(
    validator: Validator[T],
    content_type: str | bytes | None,
    source: AsyncIterable[bytes],
    *,
    uploads: AsyncUploads,
    groups: Collection[str] = (),
    locale: str | None = None,
    directory: Path | str | None = None,
    parts: PartLimits = _PARTS,
) -> T:
    """:func:`validate_body` from an async iterator; files are written and looked at on the threads of ``uploads``."""
    kind = _kind(content_type)
    if kind.name == "multipart":
        reader = _reader(validator, kind.boundary, directory, parts, groups, locale)
        try:
            pairs = await uploads.read_form(source, reader)
            return await validator.aio.validate_form(pairs, groups=groups, locale=locale)
        except BaseException:
            reader.abandon()  # at once: nothing may be awaited in a task that is being cancelled
            raise
    body = bytearray()
    limit = validator.limits.bytes
    async for chunk in source:
        body += chunk
        if len(body) > limit:
            raise failed("limit.bytes", limit=limit, catalogue=validator.catalogue(locale))
    if kind.name == "json":
        return await validator.aio.validate_json(bytes(body), groups=groups, locale=locale)
    form = decoded(bytes(body), validator.limits, validator.catalogue(locale))
    return await validator.aio.validate_form(form, groups=groups, locale=locale)


def validate_query(
    validator: Validator[T], raw_query: bytes | str, *, groups: Collection[str] = (), locale: str | None = None
) -> T:
    """Check a query string (without its ``?``) or an urlencoded body, as it came: nothing may have decoded it before.

    Raises :class:`ValidationFailed`, see :func:`decoded`.
    """
    pairs = decoded(raw_query, validator.limits, validator.catalogue(locale))
    return validator.validate_form(pairs, groups=groups, locale=locale)


def decoded(raw: bytes | str, limits: InputLimits, catalogue: Catalogue) -> list[tuple[str, str]]:
    """The (name, text) pairs of ``application/x-www-form-urlencoded`` (WHATWG URL, section 5.1), decoded once.

    Pairs are separated by ``&`` alone, ``+`` is a space, empty pairs are left out. Refused, alone: more than
    ``limits.bytes`` or ``limits.items`` (before anything is decoded), a ``%`` without two hex digits
    (``form.escape``), bytes that are no UTF-8, and characters beyond ASCII that were sent without ``%``
    (``form.encoding``): which encoding those are in is read differently by each server.
    """
    if len(raw) > limits.bytes:
        raise failed("limit.bytes", limit=limits.bytes, catalogue=catalogue)
    if not raw.isascii():
        raise failed("form.encoding", catalogue=catalogue)
    sent = raw.encode("ascii") if isinstance(raw, str) else raw
    if sent.count(b"&") >= limits.items:
        raise failed("limit.items", limit=limits.items, catalogue=catalogue)
    if _BROKEN.search(sent):
        raise failed("form.escape", catalogue=catalogue)
    pairs = [pair.partition(b"=") for pair in sent.replace(b"+", b" ").split(b"&") if pair]
    try:
        return [(_unescaped(name).decode(), _unescaped(text).decode()) for name, _, text in pairs]
    except UnicodeDecodeError:
        raise failed("form.encoding", catalogue=catalogue) from None


def _unescaped(text: bytes) -> bytes:
    # Quoted-printable is the same code with `=` for `%` (RFC 2045, section 6.7), and the standard library reads it in
    # C: on a text of nothing but escapes, urllib's loop takes 25 times as long.
    return a2b_qp(text.replace(b"=", b"%3D").replace(b"%", b"=")) if b"%" in text else text


def _kind(content_type: str | bytes | None) -> _Kind:
    text = content_type.decode("latin-1") if isinstance(content_type, bytes) else content_type or ""
    found = parameters(text) if len(text) <= _LONGEST_TYPE else None
    if found is not None:
        name, options = found
        utf_8 = options.get("charset", "utf-8").lower() == "utf-8"
        if utf_8 and _JSON.match(name):
            return _Kind("json")
        if utf_8 and name == "application/x-www-form-urlencoded":
            return _Kind("urlencoded")
        if utf_8 and name == "multipart/form-data" and is_boundary(options.get("boundary", "")):
            return _Kind("multipart", options["boundary"])
    raise UnsupportedMedia(
        "a body of application/json, application/x-www-form-urlencoded or multipart/form-data (with its boundary) "
        "in UTF-8 was expected: see the request's Content-Type"
    )


def _whole(source: Iterable[bytes], validator: Validator[T], locale: str | None) -> bytes:
    body, limit = bytearray(), validator.limits.bytes
    for chunk in source:
        body += chunk
        if len(body) > limit:
            raise failed("limit.bytes", limit=limit, catalogue=validator.catalogue(locale))
    return bytes(body)


def _reader(
    validator: Validator[T],
    boundary: str,
    directory: Path | str | None,
    parts: PartLimits,
    groups: Collection[str],
    locale: str | None,
) -> FormReader:
    return FormReader(
        boundary,
        partial(file_field, partial(validator.validate_form, groups=groups)),
        None if directory is None else Path(directory),
        limits=validator.limits,
        parts=parts,
        catalogue=validator.catalogue(locale),
    )
