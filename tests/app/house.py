"""The application on a Stack of the test's own, and everything it could leave behind."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import MetaData, func, select, update

from media_library.application import Application, assemble
from media_library.library import Added
from media_library.posters import POSTERS, draw
from media_library.smoke import DEMO
from media_library.tables import users
from media_library.web import site
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.validation import ImageInfo

_numbers = itertools.count()


class _InProcess(httpx.BaseTransport):
    """Hands requests to an ASGI application that lives in the portal's event loop."""

    def __init__(self, site: Any, portal: BlockingPortal) -> None:
        self._site = httpx.ASGITransport(site, raise_app_exceptions=False)
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
    """An application that is open, with the accounts ``demo`` and ``guest``."""

    application: Application
    site: Any
    portal: BlockingPortal

    def browser(self, name: str | None = DEMO["name"]) -> Browser:
        """A new browser, with a session of the user ``name`` unless that is ``None``."""
        # As browsers say it of what a page of the site itself asks for.
        own = {"Sec-Fetch-Site": "same-origin"}
        browser = Browser(transport=_InProcess(self.site, self.portal), base_url="https://library.test", headers=own)
        if name is not None:
            sessions = self.application.stack.sessions
            session = sessions.load(None)
            session.login(str(self.user_id(name)))
            browser.cookies["__Host-session"] = sessions.save(session) or ""
        return browser

    def user_id(self, name: str = DEMO["name"]) -> int:
        """The id of the user ``name``."""
        user = self.application.accounts.by_name(name)
        assert user is not None
        return user.id

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
    metadata = MetaData()
    with application.stack.database.read() as unit:
        metadata.reflect(unit.connection)
        return {name: unit.scalar(select(func.count()).select_from(table)) for name, table in metadata.tables.items()}


def stored_files(application: Application) -> set[str]:
    """Every file below the media directory."""
    root = application.library.storage.root
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def furnish(settings: Settings) -> None:
    """Make the tables and the accounts ``demo`` and ``guest``."""
    application = assemble(Stack(settings, configure_logging=False))
    with application.stack:
        application.prepare()
        for name in (DEMO["name"], "guest"):
            application.accounts.create(name, DEMO["password"])


@contextmanager
def open_house(settings: Settings) -> Iterator[House]:
    """The site on these settings, furnished before."""
    application = assemble(Stack(settings, configure_logging=False))
    application.library.storage.prepare()
    with application.stack, start_blocking_portal() as portal:
        yield House(application, site(application), portal)
