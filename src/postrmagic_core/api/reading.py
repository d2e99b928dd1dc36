"""What a call brings, checked: the values of its path, its query, its body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from ..errors import QueryTooLong, UnsupportedMedia, UsageError, ValidationFailed
from ..validation import Input, InputLimits, Validator
from ..validation.bodies import validate_body, validate_body_async, validate_query
from ..validation.locales import negotiate
from .interface import Call, Operation

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..validation import AsyncUploads

_KEPT = 100  # characters: longer ones are nobody's browser's, and are not remembered
_negotiated = lru_cache(maxsize=256)(negotiate)


class NoQuery(Input):
    """What an operation without a query takes: nothing, so that a name that is misspelt is told."""


class NoSuchPath(LookupError):
    """A value of the path cannot be one: what it names does not exist."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What reading needs beside the call.

    ``database`` is asked by rules such as ``Unique``. ``directory`` takes the files of forms; on servers that await the
    threads of ``uploads`` write them, which is open then. ``body`` limits what is no file. Problems are told in one of
    ``locales``, the first where the client asks for none of them.
    """

    database: DatabaseManager | None = None
    uploads: AsyncUploads | None = None
    directory: Path | None = None
    body: InputLimits = InputLimits(bytes=64 * 1024)  # noqa: RUF009 - frozen
    locales: tuple[str, ...] = ("en",)


class Reader:
    """Reads the calls of one operation."""

    def __init__(self, operation: Operation, inputs: Inputs, *, takes_call: bool) -> None:
        self._inputs = inputs
        self._takes_call = takes_call
        self._values = {name: TypeAdapter(kind) for name, kind in operation.values.items()}
        self._query = Validator(operation.query or NoQuery)
        self._takes_query = operation.query is not None
        self._body_type = operation.body_type
        body = operation.body
        self.body = None if body is None else Validator(body, database=inputs.database, limits=inputs.body)

    def locale(self, call: Call) -> str:
        """The language that the client reads best, of those there are."""
        asked = call.headers.get("accept-language")
        if asked is not None and len(asked) > _KEPT:
            return negotiate(asked, self._inputs.locales)
        return _negotiated(asked, self._inputs.locales)

    def given(self, call: Call, locale: str) -> dict[str, Any]:
        """Everything but the body, by parameter.

        Raises :class:`NoSuchPath`, :class:`QueryTooLong` and :class:`ValidationFailed`.
        """
        found: dict[str, Any] = {name: _value(kind, call.values[name]) for name, kind in self._values.items()}
        if call.query or self._takes_query:
            query = self._read_query(call.query, locale)
            if self._takes_query:
                found["query"] = query
        if self._takes_call:
            found["call"] = call
        return found

    def _read_query(self, text: str, locale: str) -> Any:
        try:
            return validate_query(self._query, text, locale=locale)
        except ValidationFailed as error:
            if not is_too_large(error):
                raise
        raise QueryTooLong("the query has more bytes than are read")

    async def checked(self, call: Call, locale: str) -> Any:
        """The body, from a source that is awaited."""
        validator, inputs = self._validator(), self._inputs
        kind, source = self._expected(call), call.source.chunks()
        if inputs.uploads is None and self._body_type == "multipart/form-data":
            raise UsageError("this operation takes a file: give the Api its Inputs(uploads=AsyncUploads())")
        uploads = cast("AsyncUploads", inputs.uploads)  # JSON asks nothing of it
        return await validate_body_async(
            validator, kind, source, uploads=uploads, directory=inputs.directory, locale=locale
        )

    def checked_now(self, call: Call, locale: str) -> Any:
        """The body, from a source that is waited for."""
        validator, inputs = self._validator(), self._inputs
        kind, source = self._expected(call), call.source.file()
        return validate_body(validator, kind, source, directory=inputs.directory, locale=locale)

    def _expected(self, call: Call) -> str:
        """The body's type: any other than the operation's is refused, so that no site's plain form passes for JSON."""
        told = call.headers.get("content-type", "")
        if told.partition(";")[0].strip().lower() != self._body_type:
            raise UnsupportedMedia(f"a body of {self._body_type} was expected: see the request's Content-Type")
        return told

    def _validator(self) -> Validator[Any]:
        if self.body is None:
            raise UsageError("this operation takes no body")
        return self.body


def _value(kind: TypeAdapter[Any], text: str) -> Any:
    """One thing has one path: a number, a date or a UUID is written one way, a text as it is."""
    try:
        value = kind.validate_strings(text, strict=False)
    except ValidationError:
        raise NoSuchPath from None
    if not isinstance(value, str) and _written(kind, value) != text:
        raise NoSuchPath
    return value


def _written(kind: TypeAdapter[Any], value: object) -> str:
    written = value if type(value) is int else kind.dump_python(value, mode="json")
    return str(written).lower() if isinstance(written, bool) else str(written)


def is_too_large(error: ValidationFailed) -> bool:
    """Whether the only thing wrong is the size of the whole."""
    return [one["code"] for one in error.errors] == ["limit.bytes"]
