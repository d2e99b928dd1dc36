"""A version 2 of the interface beside version 1: what is new in it breaks nobody; or, as a control, it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import date
from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import Field, computed_field
from starlette.concurrency import run_in_threadpool

from media_library import web
from media_library.account_api import AccountApi, LoginApi
from media_library.admin_api import AdminApi
from media_library.answers import Medium
from media_library.application import Application
from media_library.authorization_api import AuthorizationApi
from media_library.calls import identity_of, user_of
from media_library.forms import Change, Id, MediaQuery
from media_library.media_api import MediaApi
from media_library.problems import PROBLEMS
from media_library.specification import SPECIFICATION
from media_library.token_api import TokenApi
from postrmagic_core.api import Api, Call, Problems, ProblemType, Reply, Specification, get, patch
from postrmagic_core.api.conditional import Precondition, etag_of
from postrmagic_core.api.envelope import Data, Page
from postrmagic_core.api.interface import Deprecation, Refusal
from postrmagic_core.api.versions import Version, Versions
from postrmagic_core.integrations.starlette import routes
from postrmagic_core.validation import AsyncUploads
from postrmagic_core.validation.responses import Output, Responses
from postrmagic_core.validation.rules import PlainText

SUNSET = date(9998, 1, 1)
VERSIONS = Versions([Version("1", Deprecation(date(2026, 1, 1), SUNSET, "/api/v2/docs")), Version("2")])


class RicherMedium(Medium):
    """A medium that tells more."""

    @computed_field
    def alt(self) -> str:
        """What the picture is, for who does not see it."""
        return f"Poster: {self.title}"

    @computed_field
    def file(self) -> str:
        """Where the original is."""
        return f"/api/v2/media/{self.id}/file"

    @computed_field
    def thumbnail(self) -> str | None:
        """Where the thumbnail is, once it is made."""
        return f"/api/v2/media/{self.id}/thumbnail" if self.is_ready else None


class RenamedMedium(Medium):
    """A medium whose title has another name: that breaks clients."""

    title: str = Field(exclude=True)

    @computed_field
    def heading(self) -> str:
        """What it is called."""
        return self.title


class RicherQuery(MediaQuery):
    """A list that can be asked for less."""

    ready: bool = Field(default=False, description="Only media that have a thumbnail.")


class RicherChange(Change):
    """A change that can say why."""

    reason: Annotated[str, PlainText(max=200)] | None = Field(default=None, description="Why it is changed.")


RICHER_PROBLEMS = Problems(
    PROBLEMS.types,
    ProblemType("media.archived", 410, "This medium was archived", "Take it out of the archive first."),
    base=PROBLEMS.base,
    errors=PROBLEMS._errors,
)


class Total(Output):
    """How many media there are."""

    media: int


_RICHER = Responses(Data[RicherMedium])


def _expected(call: Call) -> Callable[[dict[str, Any]], None] | None:
    if "if-match" not in call.headers:
        return None
    precondition = Precondition.of(call.headers)
    return lambda item: precondition.check(etag_of(_RICHER.render({"data": item}).body))


class RicherMediaApi(MediaApi):
    """Version 1 and what is new."""

    @get("/media", Page[RicherMedium], access="media:read:own", conditional=True)
    async def list_media(  # pyright: ignore[reportIncompatibleMethodOverride]  # nobody but the interface calls it
        self, call: Call, query: RicherQuery
    ) -> Any:
        """List media, the newest first."""
        user = user_of(call)
        told = query.model_dump(exclude={"ready"}, exclude_unset=True)
        asked = self.library.ask(user.id, MediaQuery(**told))
        page = await run_in_threadpool(self.library.page, user.id, asked=asked)
        items = [item for item in page["items"] if item["thumbnail"] or not query.ready]
        return Reply(items, next=page["next"])

    @get(
        "/media/{id}",
        Data[RicherMedium],
        access="media:read:own",
        problems=["media.not_found", "media.archived"],
        conditional=True,
    )
    async def show_medium(self, call: Call, id: Id) -> Any:
        """Show one medium."""
        found = await self._own(call, id)
        return Refusal(RICHER_PROBLEMS.problem("media.archived")) if "archived" in found["tags"] else found

    @patch(
        "/media/{id}",
        Data[RicherMedium],
        access="media:edit:own",
        problems=["media.not_found", "precondition.failed"],
        conditional=True,
    )
    async def change_medium(  # type: ignore[override]  # nobody but the interface calls it: by its own form
        self, call: Call, id: Id, body: RicherChange
    ) -> dict[str, Any]:
        """Rename a medium, or replace its tags; what is left out stays."""
        expected = _expected(call)
        change = partial(self.library.change, title=body.title, tag_names=body.tags, expected=expected)
        await run_in_threadpool(change, identity_of(call), id)
        return await self._own(call, id)

    @get("/media-total", Data[Total], access="media:read:own")
    async def count_media(self, call: Call) -> dict[str, Any]:
        """Tell how many media there are."""
        return {"media": (await run_in_threadpool(self.library.stats, user_of(call).id))["media"]}


class RenamedMediaApi(MediaApi):
    """Version 1 with a field that has another name."""

    @get("/media/{id}", Data[RenamedMedium], access="media:read:own", problems=["media.not_found"], conditional=True)
    async def show_medium(self, call: Call, id: Id) -> dict[str, Any]:
        """Show one medium."""
        return await self._own(call, id)


def _second(media: type[MediaApi], problems: Problems) -> Specification:
    return Specification(
        [media, LoginApi, AccountApi, TokenApi, AuthorizationApi, AdminApi],
        title=SPECIFICATION.title,
        version="2.0.0",
        problems=problems,
        security=SPECIFICATION.security,
    )


ADDITIVE = _second(RicherMediaApi, RICHER_PROBLEMS)
BREAKING = _second(RenamedMediaApi, PROBLEMS)


def serve_both(monkeypatch: pytest.MonkeyPatch, second: Specification) -> None:
    """Let the site that is opened next serve ``second`` beside version 1, which is deprecated then."""
    first, first_rules = web.interface, web._rules
    of_media = second.resources[0]

    def interfaces(application: Application, uploads: AsyncUploads) -> list[Api]:
        one = first(application, uploads)
        handlers: list[Any] = [endpoint._handler for endpoint in one.endpoints]
        resources = {type(handler.__self__): handler.__self__ for handler in handlers}
        media = resources.pop(MediaApi)
        parts = {part.name: getattr(media, part.name) for part in fields(media)}
        return [one, Api(second, [of_media(**parts), *resources.values()], one.inputs)]

    def rules() -> dict[str, Any]:
        one, other = first_rules(), second.rules()
        public = [*one["public"], *(path for path in other["public"] if path not in one["public"])]
        signed_in = [*one["signed_in"], *other["signed_in"]]
        return {"rules": one["rules"] | other["rules"], "signed_in": signed_in, "public": public}

    def paths(apis: list[Api]) -> list[Any]:
        found = {route.path: route for api in reversed(apis) for route in routes(api)}
        return list(found.values())

    monkeypatch.setattr(web, "VERSIONS", VERSIONS)
    monkeypatch.setattr(web, "_rules", rules)
    monkeypatch.setattr(web, "interface", interfaces)
    monkeypatch.setattr(web, "interface_routes", paths)
