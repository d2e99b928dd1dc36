"""A Stack with a dashboard, and who visits it: pages and buttons over ASGI, as a browser would."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from postrmagic_core.middleware.interface import Request
from postrmagic_core.observability.dashboard import Dashboard, dashboard
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from tests.observability.dashboard.made_up import QuickStack

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7777*7}}"
"""What stands in names and messages, and must be text wherever it is shown."""
_LIVE = re.compile(r"<script>alert|<img src=x|54439")
_MESSAGE = re.compile(r'<p class="message (good|bad)" role="status">(.*?)</p>', re.DOTALL)
_WHO = "x-test-user"


def allowed(request: Request) -> str | None:
    """Whoever says a name may look; who is no guest may act."""
    name = request.headers.get(_WHO)
    return None if name == "guest" and request.method == "POST" else name


@contextmanager
def visited(directory: Path, **rooms: dict[str, Any]) -> Iterator[tuple[Stack, Visitor]]:
    """An open Stack on files in ``directory``, and an administrator at its dashboard."""
    stack_room = {"data_dir": directory, "service": "posters", "release": "2.0", "environment": "test"}
    watched = {"publish_every": 60.0} | rooms.pop("observability", {})
    stack = QuickStack(Settings(stack=stack_room, observability=watched, **rooms), configure_logging=False)
    made = dashboard(stack, allows=allowed)
    with stack, stack.logging():
        yield stack, Visitor(made)


class Visitor:
    """Asks for pages and presses buttons; each page is made anew, and nothing hostile in it is ever live."""

    _numbers = count()

    def __init__(self, made: Dashboard, name: str = "admin") -> None:
        self.made = made
        self.name = name

    def guest(self) -> Visitor:
        """Somebody who may look and not act."""
        return Visitor(self.made, "guest")

    def get(self, path: str, status: int = 200, **query: object) -> str:
        """The text of a page's content."""
        asked = {**query, "visit": next(self._numbers)}
        answer = asyncio.run(self._ask("GET", path, params=asked))
        assert answer.status_code == status, answer.text
        assert _LIVE.search(answer.text) is None
        return answer.text.partition('<main id="main"')[2].partition("</main>")[0]

    def press(self, path: str, do: str, **form: object) -> tuple[bool, str]:
        """Whether it was done, and what the page says then."""
        answer = asyncio.run(self._press(path, {**form, "do": do}))
        found = _MESSAGE.search(answer.text)
        assert found is not None, answer.text
        return found[1] == "good", html.unescape(found[2])

    def refused(self, path: str, do: str, **form: object) -> int:
        """The status of an answer that is no page to follow."""
        return asyncio.run(self._ask("POST", path, data={**form, "do": do}, headers=_FORM)).status_code

    async def _press(self, path: str, form: dict[str, object]) -> httpx.Response:
        async with self._client() as client:
            done = await client.post(path, data=form, headers=_FORM)
            assert done.status_code == 303, done.text
            return await client.get(done.headers["location"])

    async def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async with self._client() as client:
            return await client.request(method, path, **how)

    def _client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.made)
        return httpx.AsyncClient(transport=transport, base_url="https://posters.test", headers={_WHO: self.name})


_FORM = {"sec-fetch-site": "same-origin"}


def shown(page: str) -> str:
    """A page as its text, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
