"""The application on a Stack of the test's own, and everything it could leave behind."""

from __future__ import annotations

import hashlib
import itertools
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import func, inspect, literal, select, table, union_all, update

from media_library.application import Application, assemble
from media_library.library import Added
from media_library.listings import MEDIA
from media_library.posters import POSTERS, draw
from media_library.roles import ADMIN, USER
from media_library.seed import DEMO
from media_library.tables import users
from media_library.web import site
from postrmagic_core._clock import Clock
from postrmagic_core.security.access import User as Identity
from postrmagic_core.security.passwords import manager as passwords
from postrmagic_core.security.passwords.hashing import Hashing
from postrmagic_core.security.passwords.interface import Argon2Cost
from postrmagic_core.security.passwords.policy import FLOOR
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.validation import ImageInfo

ISSUER = "https://library.test"

_numbers = itertools.count()


class _InProcess(httpx.BaseTransport):
    """Hands requests to an ASGI application that lives in the portal's event loop."""

    def __init__(self, site: Any, portal: BlockingPortal, address: str) -> None:
        self._site = httpx.ASGITransport(site, raise_app_exceptions=False, client=(address, 50_000))
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The whole response to one request."""
        whole = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        return self._portal.call(self._answer, whole)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._site.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())


class Browser(httpx.Client):
    """A browser without a page: keeps cookies, talks to the site in this process."""

    @property
    def session(self) -> str:
        """The session's cookie."""
        return self.cookies["__Host-session"]

    @session.setter
    def session(self, value: str) -> None:
        # As the site itself would set it: another one of the name beside it would be sent, too.
        self.cookies.set("__Host-session", value, domain="library.test", path="/")

    def upload(self, name: str, data: bytes, **fields: str) -> httpx.Response:
        """Upload one file."""
        return self.post("/api/v1/media", files={"file": (name, data)}, data=fields)

    def added(self, data: bytes | None = None, name: str = "poster.jpeg") -> dict[str, Any]:
        """The answer to the upload of a small picture."""
        response = self.upload(name, small() if data is None else data)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()["data"]
        return found


@dataclass(frozen=True)
class House:
    """An application that is open, with the accounts ``demo`` and ``guest``, and the administrator ``keeper``."""

    application: Application
    site: Any
    portal: BlockingPortal

    def browser(self, name: str | None = DEMO["name"], *, address: str = "127.0.0.1") -> Browser:
        """A new browser at ``address``, with a session of the user ``name`` unless that is ``None``."""
        # As browsers say it of what a page of the site itself asks for.
        own = {"Sec-Fetch-Site": "same-origin"}
        transport = _InProcess(self.site, self.portal, address)
        browser = Browser(transport=transport, base_url=ISSUER, headers=own)
        if name is not None:
            # As after a login, without the time that verifying a password takes.
            sessions, user = self.application.stack.sessions, self.application.accounts.by_name(name)
            assert user is not None
            session = sessions.load(None)
            self.application.logins.complete(session, user)
            browser.session = sessions.save(session) or ""
        return browser

    def who(self, name: str = DEMO["name"]) -> Identity:
        """The user ``name`` with the roles they have."""
        return self.application.stack.security.access.identity(str(self.user_id(name)))

    def user_id(self, name: str = DEMO["name"]) -> int:
        """The id of the user ``name``."""
        user = self.application.accounts.by_name(name)
        assert user is not None
        return user.id

    def page(self, user_id: int, **asked: object) -> dict[str, Any]:
        """What a user is answered who asks for a list by these parameters, without HTTP."""
        application = self.application
        query = application.library.ask(user_id, MEDIA.Query.model_validate(asked))
        found: dict[str, Any] = json.loads(application.pages.reply(user_id, query).body)
        return found

    @property
    def left(self) -> dict[str, object]:
        """All that a request can leave behind: the number of rows of every table, and every file."""
        return row_counts(self.application) | {"files": stored_files(self.application)}

    def limit(self, quota_bytes: int) -> None:
        """Give the demo user a smaller quota."""
        with self.application.stack.database.write() as tx:
            tx.execute(update(users).where(users.c.name == DEMO["name"]).values(quota_bytes=quota_bytes))

    def add(self, data: bytes, name: str = DEMO["name"]) -> Added:
        """Add a picture as the user ``name`` without HTTP."""
        path, info = arrived(self.application, data)
        return self.application.library.add(self.user_id(name), path, info, title="poster", filename="poster.jpeg")


def small() -> bytes:
    """A tiny poster, other than all before."""
    return draw(POSTERS[0], seed=next(_numbers), size=(60, 80))


def arrived(application: Application, data: bytes) -> tuple[Path, ImageInfo]:
    """The small JPEG ``data`` as a file that was received, and what looking at it would tell."""
    path = application.library.storage.incoming / secrets.token_hex(16)
    path.write_bytes(data)
    return path, ImageInfo("JPEG", 60, 80, hashlib.sha256(data).hexdigest(), len(data), "image/jpeg")


def row_counts(application: Application) -> dict[str, object]:
    """How many rows each table of the application's database has, the package's own included."""
    application.stack.observability.experience.flush()  # what waits to be counted is of before
    with application.stack.database.read() as unit:
        names = inspect(unit.connection).get_table_names()
        counts = [
            select(literal(name).label("name"), func.count().label("rows")).select_from(table(name)) for name in names
        ]
        return {row["name"]: row["rows"] for row in unit.execute(union_all(*counts)).mappings()}


def stored_files(application: Application) -> set[str]:
    """Every file below the media directory."""
    root = application.library.storage.root
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def hash_at_the_least_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let applications that are made from here on hash passwords at the least cost there may be."""
    hashing = partial(Hashing, FLOOR, Argon2Cost())
    monkeypatch.setattr(passwords, "Hashing", lambda _cost, _most, *others: hashing(*others))


def furnish(settings: Settings) -> None:
    """Make the tables and the accounts ``demo``, ``guest`` and ``keeper``, all with one password, hashed once."""
    application = assemble(Stack(settings, configure_logging=False))
    with application.stack:
        application.prepare()
        hashed = application.stack.security.passwords.hash(DEMO["password"])
        for name, roles in ((DEMO["name"], [USER]), ("guest", [USER]), ("keeper", [USER, ADMIN])):
            application.accounts.add(name, hashed, roles=roles)


@contextmanager
def open_house(settings: Settings, clock: Clock | None = None, *, oauth: bool = True) -> Iterator[House]:
    """The site on these settings, furnished before; unless they name an issuer, with one of its own if it has any."""
    if oauth and settings.oauth.issuer is None:
        settings = settings.replace(oauth={"issuer": ISSUER})
    application = assemble(Stack(settings, configure_logging=False, clock=clock))
    application.library.storage.prepare()
    opened = site(application)
    with (
        application.stack,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(opened.router.lifespan_context(opened)),
    ):
        yield House(application, opened, portal)
