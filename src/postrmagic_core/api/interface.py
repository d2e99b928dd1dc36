"""What an API is made of: operations, the calls they are made by, and what they answer with.

Nothing here knows a framework: :mod:`postrmagic_core.integrations` turns its requests into calls, and answers into its
responses.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel

from .._problem import Problem
from ..errors import ConfigurationError
from ..validation.uploads import Readable

_URL = re.compile(r"(?:https?:/)?/[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+")
Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Source(Protocol):
    """The body of a request, read once: as chunks that are awaited, or by a thread that waits."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they arrive."""
        ...

    def file(self) -> Readable:
        """The body as a file whose ``read`` waits."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation is told about its request, whichever framework received it.

    ``headers`` have lower-case names; values of one name are joined by ``", "``. ``values`` are those of the path, as
    text. ``query`` is what follows the question mark, still encoded. ``state`` holds what the layers of the pipeline
    told (``identity``, ``session``, …). ``client`` is the address of who calls, ``native`` the framework's own request.
    """

    operation: Operation
    method: str
    path: str
    headers: Mapping[str, str]
    query: str
    values: Mapping[str, str]
    source: Source
    state: MutableMapping[str, Any] = field(default_factory=dict)
    client: str | None = None
    native: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers with, where plain data does not say it all.

    ``data`` is what the operation declares. ``next`` is the cursor of the page that follows, of a list; ``meta`` what
    is told beside the data. ``status`` is the operation's first one unless it is given. ``headers`` are added.
    """

    data: object = None
    next: str | None = None
    meta: object = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileReply:
    """A file of the server as the answer; the framework sends it, ranges included where it can."""

    path: Path
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A problem document as the answer of a handler; ``headers`` are added."""

    problem: Problem
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlainResponse:
    """A whole response, ready to be sent: ``body``, or the ``file`` in its place. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when something is deprecated, when it ends, and where it says what to use in its place.

    ``since`` is told as ``Deprecation`` (RFC 9745), ``ends`` as ``Sunset`` (RFC 8594), ``link`` as ``Link`` with the
    relation ``deprecation``. Raises :class:`ConfigurationError` for what could not be told so.
    """

    since: date
    ends: date | None = None
    link: str | None = None

    def __post_init__(self) -> None:
        if self.ends is not None and self.ends < self.since:
            raise ConfigurationError("Deprecation: what ends must have been deprecated before: see since and ends")
        if self.link is not None and not _URL.fullmatch(self.link):
            raise ConfigurationError(f"Deprecation: link is a URL such as https://example.org/v2, got {self.link!r}")


@dataclass(frozen=True, slots=True)
class Example:
    """One call and its answer, as the reference shows them.

    ``body`` is JSON, or for a form its fields (a file as its name). ``answer`` is the whole answer's JSON.
    """

    title: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    status: int | None = None
    answer: object = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what it takes, what it answers, who may call it. All of the reference is made of these.

    ``path`` begins with a slash and is relative to the API's version: ``"/media/{id}"``. ``values`` maps its names to
    their types. ``answers`` maps statuses to what is told with them: a model of the whole body, a :class:`Files`, or
    ``None`` for no body. ``problems`` are the codes of what may go wrong here beside what may anywhere.
    """

    name: str
    method: Method
    path: str
    summary: str
    description: str
    group: str
    values: Mapping[str, Any]
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    body_type: Literal["application/json", "multipart/form-data"]
    answers: Mapping[int, Any]
    problems: Sequence[str] = ()
    access: str = ""
    """What the caller needs: a permission (``media:read``), ``"signed-in"``, or ``"public"``."""
    conditional: bool = False
    """Whether the answer carries an ``ETag`` and a request may ask by it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers the answer may carry beside its type, each with what it says."""
    examples: Sequence[Example] = ()
    deprecated: Deprecation | None = None
    callers: Sequence[str] | None = None
    """By which security schemes of the specification a caller says who it is; ``None``: by any."""


@dataclass(frozen=True, slots=True)
class Files:
    """Marks an answer whose body is a file of one of these media types."""

    media_types: Sequence[str]


Handler: TypeAlias = Callable[..., Any | Awaitable[Any]]
