"""The HTTP interface of the library: media, their files and thumbnails, tags, figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool

from postrmagic_core._problem import Problem
from postrmagic_core.api import Call, Reply, delete, get, patch, post
from postrmagic_core.api.bulk import BulkAnswer, bulk
from postrmagic_core.api.conditional import Precondition, etag_of
from postrmagic_core.api.envelope import Data, DataWith, Page
from postrmagic_core.api.interface import FileReply, Files, Refusal
from postrmagic_core.api.prepared import PreparedReply
from postrmagic_core.errors import AccessDenied
from postrmagic_core.security import User as Identity
from postrmagic_core.stack import Stack
from postrmagic_core.validation.output import content_disposition
from postrmagic_core.validation.responses import Responses

from .answers import CacheFigures, Count, Medium, Stats
from .calls import identity_of, user_of
from .forms import BulkChanges, Change, Deletion, Id, MediaQuery, NewMedium, Revision
from .library import Library
from .pages import Pages
from .problems import PROBLEMS

_GONE = ["media.not_found"]
_IMAGES = Files(["image/jpeg", "image/png", "image/webp"])
_PRIVATE = {"Cache-Control": "private, no-cache", "Cross-Origin-Resource-Policy": "same-origin"}
_MEDIUM = Responses(Data[Medium])


@dataclass(frozen=True, slots=True)
class MediaApi:
    """Posters: the files that a user uploaded, what they are called and how they are tagged."""

    group = "media"

    stack: Stack
    library: Library
    pages: Pages

    @get("/media", Page[Medium], access="media:read:own", conditional=True)
    async def list_media(self, call: Call, query: MediaQuery) -> PreparedReply:
        """List media.

        The newest come first, unless ``sort`` says otherwise. ``q`` searches: words are all required, ``word*`` matches
        a beginning, ``-word`` excludes, ``tag:name`` and ``tag:"two words"`` go by tag. Case and accents do not matter.
        """
        user = user_of(call)
        asked = self.library.ask(user.id, query)
        return await run_in_threadpool(self.pages.reply, user.id, asked)

    @post(
        "/media",
        Data[Medium],
        access="media:create",
        status=201,
        also={200: Data[Medium]},
        problems=["quota.exceeded", "overloaded"],
        headers={"Location": "Where the medium is."},
    )
    async def add_medium(self, call: Call, body: NewMedium) -> Reply:
        """Upload an image.

        201, or 200 if the very same file is in the library already. The file is decoded whole before it is taken. Its
        thumbnail and its colours follow in a moment.
        """
        with body.file as image:  # first of all: what was received is removed, whoever is refused
            user = user_of(call)
            named = _title_of(body.title, image.name)
            added = await run_in_threadpool(
                lambda: self.library.add(user.id, image.path, image, title=named, filename=image.name)
            )
        item = await run_in_threadpool(self.library.get, user.id, added.media_id)
        location = {"Location": f"/api/v1/media/{added.media_id}"}
        return Reply(item, status=201 if added.created else 200, headers=location)

    @get("/media/{id}", Data[Medium], access="media:read:own", problems=_GONE, conditional=True)
    async def show_medium(self, call: Call, id: Id) -> dict[str, Any]:
        """Show a medium."""
        return await self._own(call, id)

    @patch(
        "/media/{id}",
        Data[Medium],
        access="media:edit:own",
        problems=[*_GONE, "precondition.failed"],
        conditional=True,
    )
    async def change_medium(self, call: Call, id: Id, body: Change) -> dict[str, Any]:
        """Change a medium.

        Its title, its tags, or both; what is left out stays. With ``If-Match`` and the ``ETag`` of the version that was
        read, it is changed only if it is that one still.
        """
        who = identity_of(call)
        change = partial(self.library.change, title=body.title, tag_names=body.tags, expected=_expected(call))
        await run_in_threadpool(change, who, id)
        # To whoever may change it, whether they may read or not: a change that is made is never answered by 404.
        return await run_in_threadpool(self.library.get, user_of(call).id, id)

    @delete("/media/{id}", access="media:delete:own", problems=[*_GONE, "precondition.failed"])
    async def delete_medium(self, call: Call, id: Id) -> None:
        """Delete a medium.

        With ``If-Match`` only if it is the version that was read.
        """
        await run_in_threadpool(partial(self.library.delete, expected=_expected(call)), identity_of(call), id)

    @post("/media/bulk", BulkAnswer[Medium], access="media:edit:own")
    async def change_media(self, call: Call, body: BulkChanges) -> Reply:
        """Change many media.

        Up to a hundred are changed or deleted; each succeeds or fails by itself. The answer tells of each item, in
        their order, what became of it.
        """
        carry_out = partial(self._one_of_many, identity_of(call), user_of(call).id)
        result = await run_in_threadpool(partial(bulk, body.items, carry_out, refusals=_refusal, time_limit=10.0))
        return result.reply(PROBLEMS.base)

    @get("/media/{id}/file", _IMAGES, access="media:read:own", problems=[*_GONE, "media.damaged"])
    async def get_file(self, call: Call, id: Id) -> FileReply:
        """Download the original.

        It comes under its first name, as a download.
        """
        item = await self._own(call, id)
        path = await run_in_threadpool(self.library.storage.intact, item["digest"])
        headers = {"Content-Disposition": content_disposition(item["filename"]), "ETag": f'"{item["digest"][:32]}"'}
        return FileReply(path, item["mime"], headers | _PRIVATE)

    @get(
        "/media/{id}/thumbnail",
        Files(["image/webp", "image/jpeg"]),
        access="media:read:own",
        problems=[*_GONE, "thumbnail.not_ready"],
    )
    async def get_thumbnail(self, call: Call, id: Id) -> FileReply | Refusal:
        """Get the thumbnail.

        It is 320 pixels wide: WebP where the client takes it, else JPEG.
        """
        item = await self._own(call, id)
        if not item["thumbnail"]:
            return Refusal(PROBLEMS.problem("thumbnail.not_ready"))
        format_ = "webp" if "image/webp" in call.headers.get("accept", "") else "jpeg"
        path = self.library.storage.rendition(item["digest"], format_)
        headers = {"Vary": "Accept", "ETag": f'"{item["digest"][:32]}-{format_}"'}
        return FileReply(path, f"image/{format_}", headers | _PRIVATE)

    @get("/tags", Data[list[Count]], access="media:read:own", conditional=True)
    async def list_tags(self, call: Call) -> list[dict[str, Any]]:
        """List tags.

        The fifty that are used most, the most used first.
        """
        found: list[dict[str, Any]] = (await run_in_threadpool(self.library.stats, user_of(call).id))["tags"]
        return found

    @get("/stats", DataWith[Stats, CacheFigures], access="media:read:own")
    async def show_stats(self, call: Call) -> Reply:
        """Show figures.

        How much the user has: media, room, tags, uploads per month, types, colours. What is counted in the background
        is null until it was counted once. ``meta`` tells what share of its reads the cache of this process could
        answer.
        """
        found = await run_in_threadpool(self.library.stats, user_of(call).id)
        return Reply(found, meta={"cache_hit_rate": round(self.stack.cache.stats().hit_rate, 3)})

    async def _own(self, call: Call, media_id: int) -> dict[str, Any]:
        item = await run_in_threadpool(self.library.get, user_of(call).id, media_id)
        self.stack.security.access.require(identity_of(call), "media:read", item, hidden=True)
        return item

    def _one_of_many(self, who: Identity, user_id: int, item: Revision | Deletion) -> dict[str, Any] | None:
        if isinstance(item, Deletion):
            self.library.delete(who, item.id)
            return None
        self.library.change(who, item.id, title=item.title, tag_names=item.tags)
        return self.library.get(user_id, item.id)


def _title_of(given: str, filename: str) -> str:
    """The title as given, or made of the file's name; one line of at most 200 characters."""
    words = given or filename.rpartition(".")[0].replace("-", " ").replace("_", " ")
    return " ".join(words.split())[:200] or "Untitled"


def _expected(call: Call) -> Callable[[dict[str, Any]], None] | None:
    """What a write asks about the medium as it is then; ``None`` where the client does not ask."""
    if "if-match" not in call.headers and "if-none-match" not in call.headers:
        return None
    precondition = Precondition.of(call.headers)
    return lambda item: precondition.check(etag_of(_MEDIUM.render({"data": item}).body))


def _refusal(error: Exception) -> Problem:
    """What one item of many is refused with: that somebody else has such a medium is not told."""
    hidden = isinstance(error, AccessDenied) and error.hidden
    return PROBLEMS.problem("media.not_found") if hidden else PROBLEMS.for_error(error)
