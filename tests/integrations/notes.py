"""A small Api of plain functions, and the pipeline before it, for every framework."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from postrmagic_core.api import Api, Call, Inputs, Problems, ProblemType, Reply, Specification, delete, get, post, put
from postrmagic_core.api.conditional import Precondition, etag_of
from postrmagic_core.api.envelope import Data, Page
from postrmagic_core.api.interface import Deprecation, FileReply, Files
from postrmagic_core.api.versions import Version, Versions
from postrmagic_core.errors import AccessDenied
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.api_versions import api_versions
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.errors import errors
from postrmagic_core.security.access import Access, Role, Roles, User
from postrmagic_core.validation import AsyncUploads, Input, InputLimits
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.interface import ImagePolicy
from postrmagic_core.validation.responses import Output, Responses
from postrmagic_core.validation.rules import PlainText

_TEMPORARY = tempfile.TemporaryDirectory(prefix="notes-")
DIRECTORY = Path(_TEMPORARY.name)
GONE = ["note.not_found"]


class Taken(Exception):
    """There is a note of this title."""


class Missing(Exception):
    """There is no such note."""


class Note(Output):
    """A note."""

    id: int
    title: str


class NewNote(Input):
    """What a note is made of."""

    title: Annotated[str, PlainText(max=20, min=1)]


class NotesQuery(Input):
    """Which notes."""

    limit: Annotated[int, Field(ge=1, le=9)] = 9


class Notes:
    """Notes, in a dictionary."""

    group = "notes"

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}
        self.file = Path("nowhere")
        self.fail: Callable[[], Any] = lambda: {"id": 0, "title": "none"}

    def note(self, id: int) -> dict[str, Any]:
        """One of them."""
        if id not in self.kept:
            raise Missing
        return {"id": id, "title": self.kept[id]}

    @get("/notes", Page[Note], access="public", conditional=True)
    def list_notes(self, query: NotesQuery) -> Reply:
        """List notes."""
        return Reply([self.note(id) for id in sorted(self.kept)[: query.limit]])

    @post(
        "/notes",
        Data[Note],
        access="note:create",
        status=201,
        problems=["note.taken"],
        headers={"Location": "Where the note is."},
    )
    def add_note(self, body: NewNote) -> Reply:
        """Add a note."""
        if body.title in self.kept.values():
            raise Taken
        id = max(self.kept, default=0) + 1
        self.kept[id] = body.title
        return Reply(self.note(id), headers={"Location": f"/api/v1/notes/{id}"})

    @get("/notes/{id}", Data[Note], access="public", problems=GONE, conditional=True)
    def show_note(self, id: int) -> dict[str, Any]:
        """Show a note."""
        return self.note(id)

    @put("/notes/{id}", Data[Note], access="signed-in", problems=[*GONE, "precondition.failed"], conditional=True)
    def replace_note(self, call: Call, id: int, body: NewNote) -> dict[str, Any]:
        """Replace a note."""
        Precondition.of(call.headers).check(etag_of(Responses(Data[Note]).render({"data": self.note(id)}).body))
        self.kept[id] = body.title
        return self.note(id)

    @delete("/notes/{id}", access="signed-in", problems=GONE)
    def delete_note(self, id: int) -> None:
        """Delete a note."""
        self.note(id)
        del self.kept[id]

    @get("/notes/latest", Data[Note], access="public", problems=GONE)
    def latest_note(self) -> dict[str, Any]:
        """Show the latest note."""
        return self.note(max(self.kept, default=0))

    @get("/notes/{id}/file", Files(["text/plain"]), access="public", problems=GONE)
    def note_file(self, id: int) -> FileReply:
        """Get a note as a file."""
        return FileReply(self.file, "text/plain", {"ETag": f'"{self.note(id)["id"]}"'})

    @get("/diaries/{name}", Data[Note], access="signed-in", problems=GONE)
    def show_diary(self, name: str) -> None:
        """Show a diary, which is always somebody else's."""
        raise AccessDenied(f"not the owner of {name}", hidden=True)

    @get("/all-notes", Page[Note], access="public", deprecated=Deprecation(date(2026, 1, 1), date(2099, 1, 1), "/docs"))
    def all_notes(self) -> list[dict[str, Any]]:
        """List notes, as it was done before."""
        return [self.note(id) for id in self.kept]

    @get("/broken", Data[Note], access="public")
    def break_down(self) -> Any:
        """Fail, as the test wishes."""
        return self.fail()


class NewPicture(Input):
    """A form with a file."""

    file: Annotated[ReceivedImage, ImageUpload(ImagePolicy(), reencode=False)]


class Pictures:
    """Pictures."""

    @post("/pictures", Data[int], access="public", status=201)
    def add_picture(self, body: NewPicture) -> int:
        """Add a picture."""
        with body.file as image:
            return image.path.stat().st_size


PROBLEMS = Problems(
    ProblemType("note.not_found", 404, "No such note", "It was deleted. Ask for the list."),
    ProblemType("note.taken", 409, "There is a note of this title", "Take another title."),
    base="/problems/",
    errors={Taken: "note.taken", Missing: "note.not_found"},
)
SPECIFICATION = Specification([Notes, Pictures], title="Notes", version="1.0.0", problems=PROBLEMS)
NOTES = Notes()
UPLOADS = AsyncUploads()
API = Api(
    SPECIFICATION,
    [NOTES, Pictures()],
    Inputs(uploads=UPLOADS, directory=DIRECTORY, body=InputLimits(bytes=100), locales=("en", "de")),
)


def _pipeline() -> Pipeline:
    units: Any = None
    roles = Roles([Role("writer", allow=["note:create"])], ["note:create"])
    users = {"ann": User("1", frozenset({"writer"})), "bob": User("2")}

    def by_header(request: Request) -> User | None:
        return users.get(request.headers.get("x-user") or "")

    return Pipeline(
        [
            api_versions(Versions([Version("1")])),
            errors(),
            authentication(by_header),
            authorization(Access(roles, units), **SPECIFICATION.rules()),
        ],
        problem_types=PROBLEMS.base,
    )


PIPELINE = _pipeline()
