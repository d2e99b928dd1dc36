"""A small API of six operations, with something of everything a document must be able to say."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, computed_field

from postrmagic_core.api.interface import Deprecation, Example, Files, Operation
from postrmagic_core.api.openapi import document
from postrmagic_core.api.problem_types import ProblemType
from postrmagic_core.api.problems import Problems
from postrmagic_core.validation import Input
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.responses import Data, Output, Page
from postrmagic_core.validation.rules import PlainText, Tag

SHOW = Operation(
    "show",
    "GET",
    "/things",
    "Show",
    "",
    "things",
    {},
    None,
    None,
    "application/json",
    {200: Data[str]},
    access="public",
)
"""The least operation."""


class Kind(Enum):
    """What a medium shows."""

    POSTER = "poster"
    FLYER = "flyer"


class Colour(Output):
    """A colour and its share."""

    type: Literal["colour"]
    hex: Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
    share: float


class Place(Output):
    """Where it hangs."""

    type: Literal["place"]
    town: str


class Part(Output):
    """A part of a medium, which has parts of its own."""

    name: str
    parts: list[Part]


class Medium(Output):
    """A medium as clients see it."""

    id: int
    title: Annotated[str, Field(description="What it is called.")]
    kind: Kind
    tags: list[str]
    facts: list[Annotated[Colour | Place, Field(discriminator="type")]]
    parts: list[Part]
    price: Decimal | None
    created_at: datetime
    note: str | None = None
    hidden: bool = Field(default=False, exclude=True)

    @computed_field
    def file(self) -> str:
        """Where the original is."""
        return f"/api/v1/media/{self.id}/file"


class ListQuery(Input):
    """Which media, and how many."""

    q: Annotated[str, Field(max_length=200, description="Words to look for.")] | None = None
    kind: Kind | None = Field(default=None, description="Only media of this kind.")
    tag: Annotated[list[Tag], Field(max_length=5, description="Each of these.")] = Field(default=[])
    uploaded_from: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=100, description="How many at most.")] = 24
    after: Annotated[str, Field(description="The ``next`` of the page before.")] | None = None
    sort: Literal["created_at", "-created_at", "title"] = "-created_at"
    old: Annotated[bool, Field(deprecated=True)] = False


class Upload(Input):
    """A new medium."""

    file: Annotated[ReceivedImage, ImageUpload(formats=("PNG", "WEBP"))]
    more: list[Annotated[ReceivedImage, ImageUpload(formats=("PNG",))]] = Field(default=[])
    title: Annotated[str, PlainText(max=200)] | None = Field(default=None, description="The file's name otherwise.")
    tags: Annotated[list[Tag], Field(max_length=20)] = Field(default=[])


class Change(Input):
    """What can be changed; what is left out stays."""

    title: Annotated[str, PlainText(max=200, min=1)] | None = None
    kind: Kind | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None


class Health(Output):
    """How the parts are."""

    ok: bool
    ms: float


MEDIUM: dict[str, Any] = {
    "id": 7,
    "title": "Jazz at the harbour",
    "kind": "poster",
    "tags": ["jazz", "summer"],
    "facts": [{"type": "colour", "hex": "#20304a", "share": 0.4}, {"type": "place", "town": "Bergen"}],
    "parts": [{"name": "front", "parts": []}],
    "price": "12.50",
    "created_at": "2026-05-01T10:00:00+00:00",
    "note": None,
    "file": "/api/v1/media/7/file",
}
NOT_FOUND: dict[str, Any] = {
    "type": "/problems/media.not_found",
    "title": "No such medium",
    "status": 404,
    "code": "media.not_found",
}
NODE = "018f3a52-0000-7000-8000-000000000000"
MediumId = Annotated[int, Field(ge=1, description="The medium's number.")]
FIRST_PAGE = Example("The first page", query={"q": "jazz", "limit": "2"}, answer={"data": [MEDIUM], "next": "AbCdEf"})

LIST = Operation(
    "list_media", "GET", "/media", "List your media", "Newest first.\n\nAsk with ``after`` for the page that follows.",
    "media", {}, ListQuery, None, "application/json", {200: Page[Medium]}, ["cursor.invalid"], "media:read:own", True,
    examples=[FIRST_PAGE],
)  # fmt: skip
UPLOAD = Operation(
    "upload_medium", "POST", "/media", "Upload a medium", "", "media", {}, None, Upload, "multipart/form-data",
    {201: Data[Medium]}, ["upload.too_many"], "media:upload", False, {"Location": "Where the medium is."},
    [Example("A poster", body={"file": "jazz.png", "title": "Jazz", "tags": ["jazz"]}, answer={"data": MEDIUM})],
)  # fmt: skip
CHANGE = Operation(
    "change_medium", "PATCH", "/media/{id}", "Change a medium", "", "media", {"id": MediumId}, None, Change,
    "application/json", {200: Data[Medium]}, ["media.not_found"], "media:edit:own", True,
    examples=[
        Example("Another title", {"id": "7"}, body={"title": "Jazz at the harbour"}, answer={"data": MEDIUM}),
        Example("A medium that is gone", {"id": "8"}, body={"tags": []}, status=404, answer=NOT_FOUND),
    ],
)  # fmt: skip
DELETE = Operation(
    "delete_medium", "DELETE", "/media/{id}", "Delete a medium", "It cannot be brought back.", "media",
    {"id": MediumId}, None, None, "application/json", {204: None}, ["media.not_found"], "signed-in", False, {},
    [Example("Gone for good", {"id": "7"})], Deprecation(date(2026, 1, 1), date(2027, 1, 1), "/docs/deleting"),
)  # fmt: skip
FILE = Operation(
    "show_file", "GET", "/media/{id}/{variant}", "Get a file", "", "files",
    {"id": MediumId, "variant": Literal["file", "thumbnail"]}, None, None, "application/json",
    {200: Files(("image/webp", "image/png"))}, ["media.not_found"], "public", False,
    {"ETag": "The file's digest.", "Content-Disposition": "Its name."},
)  # fmt: skip
HEALTH = Operation(
    "show_health", "GET", "/health/{node}", "See whether it works", "", "health", {"node": UUID}, None, None,
    "application/json", {200: Data[dict[str, Health]]}, [], "public", False, {},
    [Example("All is well", {"node": NODE}, answer={"data": {"db": {"ok": True, "ms": 0.4}}})],
)  # fmt: skip
OPERATIONS = [LIST, UPLOAD, CHANGE, DELETE, FILE, HEALTH]

OWN = [
    ProblemType("media.not_found", 404, "No such medium", "It was deleted, or is not yours. Ask for the list."),
    ProblemType("upload.too_many", 429, "Too many uploads", "Wait a while, and try again."),
]
PROBLEMS = Problems(OWN, base="/problems/")
SECURITY = {
    "session": {"type": "apiKey", "in": "cookie", "name": "session", "description": "The cookie of a browser."},
    "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
}
GROUPS = {"media": "Posters and flyers.", "files": "What was uploaded.", "health": "Whether it works."}


def described(*operations: Operation, **changed: Any) -> dict[str, Any]:
    """The document of these operations, or of all."""
    about: dict[str, Any] = {"title": "Library", "version": "1.2.0", "description": "Posters, tagged and searched."}
    about |= {"problems": PROBLEMS, "security": SECURITY} | ({} if operations else {"groups": GROUPS})
    return document(list(operations or OPERATIONS), **(about | changed))
