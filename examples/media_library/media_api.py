"""The HTTP interface of the library, version 1, under ``/api/v1``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from postrmagic_core._clock import to_us
from postrmagic_core._problem import Problem
from postrmagic_core.errors import ValidationFailed, translating
from postrmagic_core.stack import Stack
from postrmagic_core.validation.output import content_disposition
from postrmagic_core.validation.uploads import inspect, receive, storage_error

from .answers import HEALTH, MEDIA, MEDIUM, NOTIFICATIONS, STATS, TAGS, answer
from .forms import change_form, cursor_of, position_of, seen_form
from .library import POLICY, Library, NotFound
from .names import filename_of, title_of
from .notifications import Notifications
from .wire import expect, identity_of, number_of, problem, read, user_of


@dataclass(frozen=True, slots=True)
class Api:
    """The routes over one Stack, its library and its notifications."""

    stack: Stack
    library: Library
    notifications: Notifications

    def routes(self) -> list[Route]:
        """Every route of the interface."""
        one = "/api/v1/media/{id}"
        return [
            Route("/api/v1/media", self.list_media, methods=["GET"]),
            Route("/api/v1/media", self.add_media, methods=["POST"]),
            Route(one, self.show_media, methods=["GET"]),
            Route(one, self.change_media, methods=["PATCH"]),
            Route(one, self.delete_media, methods=["DELETE"]),
            Route(one + "/file", self.file, methods=["GET"]),
            Route(one + "/thumbnail", self.thumbnail, methods=["GET"]),
            Route("/api/v1/tags", self.tags, methods=["GET"]),
            Route("/api/v1/stats", self.stats, methods=["GET"]),
            Route("/api/v1/notifications", self.list_notifications, methods=["GET"]),
            Route("/api/v1/notifications/read", self.read_notifications, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
        ]

    async def list_media(self, request: Request) -> Response:
        """A page of media, newest first; ``q`` searches, ``after`` goes on where ``next`` of the last page ended."""
        user = user_of(request)
        asked = request.query_params.get("q", "")[:500]
        after = position_of(request.query_params.get("after"))
        page = await run_in_threadpool(lambda: self.library.page(user.id, asked=asked, after=after))
        return answer(MEDIA, page["items"], next=cursor_of(page["next"]))

    async def add_media(self, request: Request) -> Response:
        """Take one image as multipart field ``file`` (and ``title``): 201, or 200 if the user already has this file."""
        user = user_of(request)
        expect(request, "multipart/form-data")
        # Starlette spools a large file to disk while it arrives.
        with translating(storage_error):
            async with request.form(max_files=1, max_fields=4, max_part_size=16 * 1024) as form:
                upload, title = form.get("file"), form.get("title") or ""
                if not isinstance(upload, UploadFile):
                    expected = "expected an image in the field 'file'"
                    raise ValidationFailed([{"pointer": "/file", "code": "missing", "message": expected}])
                filename = filename_of(upload.filename or "")
                named = title_of(title if isinstance(title, str) else "", filename)
                received = await run_in_threadpool(receive, upload.file, POLICY, self.library.storage.incoming)
        with received:
            info = await run_in_threadpool(lambda: inspect(received.path, POLICY, name=filename))
            added = await run_in_threadpool(
                lambda: self.library.add(user.id, received.path, info, title=named, filename=filename)
            )
        item = await run_in_threadpool(self.library.get, user.id, added.media_id)
        location = {"Location": f"/api/v1/media/{added.media_id}"}
        return answer(MEDIUM, item, status=201 if added.created else 200, headers=location)

    async def show_media(self, request: Request) -> Response:
        """One medium."""
        return answer(MEDIUM, await self._own(request))

    async def change_media(self, request: Request) -> Response:
        """Rename, or replace the tags of, one medium."""
        who, media_id = identity_of(request), _media_id(request)
        form = await read(request, change_form)
        await run_in_threadpool(lambda: self.library.change(who, media_id, title=form.title, tag_names=form.tags))
        return answer(MEDIUM, await self._own(request))

    async def delete_media(self, request: Request) -> Response:
        """Remove one medium."""
        await run_in_threadpool(self.library.delete, identity_of(request), _media_id(request))
        return Response(status_code=204)

    async def file(self, request: Request) -> Response:
        """The original, as a download under its first name; never shown as a page of this site."""
        item = await self._own(request)
        disposition = content_disposition(item["filename"])
        path = await run_in_threadpool(self.library.storage.intact, item["digest"])
        return FileResponse(path, media_type=item["mime"], headers={"Content-Disposition": disposition} | _PRIVATE)

    async def thumbnail(self, request: Request) -> Response:
        """The 320-pixel thumbnail, WebP where the client takes it; 404 until its job is done."""
        item = await self._own(request)
        if not item["thumbnail"]:
            return problem(Problem(404, "thumbnail.not_ready", detail="It is being made; ask again in a moment."))
        format_ = "webp" if "image/webp" in request.headers.get("accept", "") else "jpeg"
        path = self.library.storage.rendition(item["digest"], format_)
        return FileResponse(path, media_type=f"image/{format_}", headers={"Vary": "Accept"} | _PRIVATE)

    async def tags(self, request: Request) -> Response:
        """The user's tags, most used first."""
        user = user_of(request)
        return answer(TAGS, (await run_in_threadpool(self.library.stats, user.id))["tags"])

    async def stats(self, request: Request) -> Response:
        """How much the user has; beside it, what share of its reads the cache of this process could answer."""
        user = user_of(request)
        found = await run_in_threadpool(self.library.stats, user.id)
        return answer(STATS, found, cache={"hit_rate": round(self.stack.cache.stats().hit_rate, 3)})

    async def list_notifications(self, request: Request) -> Response:
        """What the user was told, the latest first, and how much of it is new."""
        user = user_of(request)
        found = await run_in_threadpool(self.notifications.latest, user.id)
        return answer(NOTIFICATIONS, found, unread=sum(each["read_us"] is None for each in found))

    async def read_notifications(self, request: Request) -> Response:
        """The user has seen what changed up to ``until``."""
        user = user_of(request)
        form = await read(request, seen_form)
        await run_in_threadpool(self.notifications.read, user.id, to_us(form.until))
        return Response(status_code=204)

    async def health(self, request: Request) -> Response:
        """200 when every backend answers, 503 otherwise; which one, and in how many milliseconds."""
        found = await run_in_threadpool(self.stack.health)
        parts = {name: {"ok": it.ok, "ms": round(it.seconds * 1000, 1)} for name, it in found.items()}
        return answer(HEALTH, parts, status=200 if all(it.ok for it in found.values()) else 503)

    async def _own(self, request: Request) -> dict[str, Any]:
        item = await run_in_threadpool(self.library.get, user_of(request).id, _media_id(request))
        self.stack.security.access.require(identity_of(request), "media:read", item, hidden=True)
        return item


_PRIVATE = {"Cache-Control": "private, no-cache", "Cross-Origin-Resource-Policy": "same-origin"}


def _media_id(request: Request) -> int:
    """The id in the path; what cannot be one is the id of nothing."""
    found = number_of(request.path_params["id"])
    if found is None:
        raise NotFound("a medium's id is a number")
    return found
