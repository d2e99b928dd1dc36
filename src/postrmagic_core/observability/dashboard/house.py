"""The dashboard itself: an ASGI application that answers with pages, streams of their changes, and its own assets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import quote

from ..._bridge import Bridge
from ..._clock import from_us
from ..._lifecycle import Lifecycle
from ...errors import PostrMagicError
from ...middleware.interface import Request
from . import answers, assets, live, messages
from .answers import Receive, Send
from .gate import CHALLENGE, Allows, Gate, is_own
from .interface import Ask, Page, Watched, by_group, pace, told, well
from .live import Content
from .pages import pages
from .rendering import Here, environment, render
from .stopping import Stop

_log = logging.getLogger("postrmagic_core.observability")

_THREADS = 2
_TICK = 1.0  # seconds within which a stream sees that the server stops
_RETRY = b"retry: 2000\n\n"
_FIELD = "do"


class Opening(Protocol):
    """A Stack, as far as type checkers can compare what it makes when it is first asked for."""

    def add(self, component: Lifecycle) -> None:
        """Open ``component`` with the Stack, and close it before its managers."""
        ...


class _Asked(NamedTuple):
    """One request beneath the dashboard: ``base`` is where it is mounted, ``path`` what follows."""

    request: Request
    base: str
    path: str
    query: dict[str, str]
    user: str

    @property
    def secure(self) -> bool:
        return self.request.scheme == "https"

    @property
    def head(self) -> bool:
        return self.request.method == "HEAD"


def dashboard(stack: Opening, *, allows: Allows | None = None, title: str = "") -> Dashboard:
    """An ASGI 3 application that shows what ``stack`` does; to be mounted at any path. It opens and closes with it.

    ``allows(request)`` gives the name of who asks, or ``None`` for who may not look, or, where ``request.method`` is
    ``POST``, may not act; it runs on the event loop. Left out, the identity that the pipeline found needs the
    permission ``observability:read`` to look and ``observability:act`` to press a button; where there is no identity,
    ``observability.token`` as the password of HTTP Basic, or as a bearer token, may do both. Otherwise nobody may.

    ``title`` stands above the menu; left out, it is the service's name. Raises :class:`MissingExtra` without Jinja.
    """
    made = Dashboard(cast("Watched", stack), allows=allows, title=title)
    stack.add(made)
    return made


class Dashboard(Lifecycle):
    """See :func:`dashboard`. Pages are made in two threads of its own, each at most every two seconds."""

    def __init__(self, stack: Watched, *, allows: Allows | None = None, title: str = "") -> None:
        super().__init__()
        environment()
        self._stack = stack
        self._gate = Gate(stack, allows)
        self._title = title or stack.settings.stack.service
        self._bridge = Bridge(_THREADS, "postrmagic-dashboard")
        # Of its own: frames are shown, and who may not look is told so, while views wait for what does not answer.
        self._frames = Bridge(1, "postrmagic-dashboard-frame")
        self._kept = live.Kept(stack.clock.monotonic)
        self._streams = live.Streams(self._kept)
        self._stop = Stop()
        self._keys = stack.settings.key_ring()

    @cached_property
    def pages(self) -> dict[str, Page]:
        """The pages, by their paths."""
        return {page.path: page for page in pages()}

    @property
    def watching(self) -> int:
        """How many streams are open in this process."""
        return self._streams.count

    def _open(self) -> None:
        self._stop.clear()

    def _close(self) -> None:
        self._stop.set()
        self._bridge.close()
        self._frames.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI 3.0, HTTP."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"the dashboard answers HTTP, not {scope['type']}")
        request = Request(scope)
        base, path = _place(scope)
        if path is None:
            await answers.redirect(send, f"{base}/")
        elif path.startswith("assets/"):
            await self._asset(request, path.removeprefix("assets/"), send)
        elif (user := self._gate.user(request)) is None:
            await self._refuse(request, base, send)
        else:
            query = answers.pairs(bytes(scope.get("query_string", b"")))
            asked = _Asked(request, base, path, {} if query is None else query, user)
            await self._route(asked, receive, send)

    async def _route(self, asked: _Asked, receive: Receive, send: Send) -> None:
        method, path = asked.request.method, asked.path
        page = self.pages.get(path.removeprefix("live/"))
        if page is None or (path.startswith("live/") and method != "GET"):
            await self._frame(asked, None, _note("No such page", "missing.html", 404), send)
        elif path.startswith("live/"):
            await self._stream(asked, page, receive, send)
        elif method in ("GET", "HEAD"):
            try:
                content = await self._kept.get(_key(asked, page), partial(self._make, asked, page))
            except TimeoutError:
                content = _late(page)
            await self._frame(asked, page, content, send)
        elif method == "POST":
            await self._act(asked, page, receive, send)
        else:
            await answers.answer(send, 405, b"", headers=[("allow", "GET, HEAD, POST")])

    async def _asset(self, request: Request, path: str, send: Send) -> None:
        found = assets.find(path) if request.method in ("GET", "HEAD") else None
        if found is None:
            await answers.answer(send, 404, b"")
            return
        store, head = "public, max-age=31536000, immutable", request.method == "HEAD"
        await answers.answer(send, 200, found.body, found.media_type, store=store, head=head)

    async def _refuse(self, request: Request, base: str, send: Send) -> None:
        """Nothing of the dashboard but that it is one: no menu, no figure, no name."""
        status = self._gate.status(request)
        headers = [("www-authenticate", CHALLENGE)] if status == 401 else []
        here = Here(base, "", {}, self._now())

        data = {"assets": assets.version(), "status": status}
        text = await self._frames.lift(lambda: render(here, "refused.html", data))
        noted = asyncio.ensure_future(self._bridge.lift(lambda: self._gate.note(request)))
        await asyncio.wait({noted}, timeout=live.PATIENCE)  # later it is noted still
        await answers.answer(send, status, text.encode(), headers=headers, head=request.method == "HEAD")

    async def _make(self, asked: _Asked, page: Page) -> Content:
        """A page's content, in a thread; it never fails: what cannot be shown says so."""
        return await self._bridge.lift(lambda: self._content(asked, page))

    def _content(self, asked: _Asked, page: Page) -> Content:
        here = Here(asked.base, page.path, asked.query, self._now())
        if self._stop:  # nobody sees it any more: what waited for a thread is not worth one
            return _late(page)
        try:
            shown = page.view(Ask(self._stack, asked.query, clock=self._stack.clock))
            text = render(here, shown.template, shown.data)
            well(page.title)
            return Content(shown.title or page.title, text, here.parts, shown.status)
        except Exception as error:  # the frame is shown, and says it; live, what was there stays
            code = told(page.title, error)
            return Content(page.title, render(here, "broken.html", {"code": code}), {}, 503, code)

    async def _frame(self, asked: _Asked, page: Page | None, content: Content, send: Send) -> None:
        kept = asked.request.cookies.get(messages.NAME, "")
        text, shown = await self._frames.lift(lambda: self._framed(asked, page, content, kept))
        cookie = messages.forget(f"{asked.base}/", secure=asked.secure)
        headers = [("set-cookie", cookie)] if shown else []
        await answers.answer(send, content.status, text.encode("utf-8", "replace"), headers=headers, head=asked.head)

    def _framed(self, asked: _Asked, page: Page | None, content: Content, kept: str) -> tuple[str, bool]:
        from markupsafe import Markup

        message = messages.read(self._keys, kept, asked.user) if kept else None
        here = Here(asked.base, "" if page is None else page.path, asked.query, self._now())
        stack = self._stack.settings.stack
        data = {
            "about": {"title": self._title, "release": stack.release, "environment": stack.environment},
            "assets": assets.version(),
            "content": Markup(content.text),  # noqa: S704 - it is our templates', which escaped what they were given
            "groups": by_group(self.pages.values()),
            "message": message,
            "page": page,
            "title": content.title,
            "user": asked.user,
        }
        return render(here, "_frame.html", data), message is not None

    async def _act(self, asked: _Asked, page: Page, receive: Receive, send: Send) -> None:
        """Do what a button says, and lead back to its page."""
        if not is_own(asked.request):
            await self._frame(asked, page, _note("Refused", "foreign.html", 403), send)
            return
        form = await answers.form(receive)
        action = None if form is None else page.actions.get(form.get(_FIELD, ""))
        if form is None or action is None:
            await self._frame(asked, page, _note("No such action", "missing.html", 400), send)
            return
        name = form.pop(_FIELD)
        call = partial(action, Ask(self._stack, asked.query, asked.user, self._stack.clock), form)
        message = await self._bridge.lift(lambda: _done(call, page, name, asked.user))
        self._kept.forget()
        cookie = await self._frames.lift(
            lambda: messages.keep(self._keys, message, asked.user, f"{asked.base}/", secure=asked.secure)
        )
        to = Here(asked.base, page.path, {}, self._now()).url(page.path, asked.query)
        await answers.redirect(send, to, headers=[("set-cookie", cookie)] if cookie else [])

    async def _stream(self, asked: _Asked, page: Page, receive: Receive, send: Send) -> None:
        """The changes of a page, until the client goes or takes nothing, the server stops, or a minute is over."""
        if self._streams.full(asked.user) or self._stop:
            await answers.answer(send, 503, b"", headers=[("retry-after", "10")])
            return
        key = _key(asked, page)
        watch = self._streams.join(key, asked.user, partial(self._make, asked, page), pace(page, asked.query))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await answers.start(send, 200, [("content-type", "text/event-stream"), ("x-accel-buffering", "no")])
            await self._tell(watch, gone, partial(_said, send))
        except TimeoutError:  # the server closes what was not ended
            _log.info(
                "a stream of the dashboard ended, as its client took nothing", extra={"client": asked.request.client}
            )
        finally:
            gone.cancel()
            self._streams.leave(key, asked.user, watch)

    async def _tell(self, watch: live.Watch, gone: asyncio.Future[None], send: Send) -> None:
        loop = asyncio.get_running_loop()
        began = spoke = loop.time()
        seen, chunk = 0, _RETRY
        while not (gone.done() or self._stop or loop.time() - began > live.LIFE):
            if watch.number != seen and watch.content is not None:
                # Who missed one, as somebody new did, is told all there is.
                one_more = seen and watch.number == seen + 1
                chunk += (
                    watch.change if one_more else live.event(watch.number, watch.content.parts, watch.content.trouble)
                )
                seen = watch.number
            if not chunk and loop.time() - spoke > live.HEARTBEAT:
                chunk = b": still here\n\n"
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                spoke, chunk = loop.time(), b""
                continue
            await _first(watch.news, gone)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _now(self) -> Any:
        return from_us(self._stack.clock.now_us())


def _done(call: Callable[[], str], page: Page, name: str, user: str) -> messages.Told:
    """Do it, and note who did it."""
    about = {"page": page.path or "overview", "action": name, "by": user}
    try:
        text = call()
    except (ValueError, PostrMagicError) as error:
        _log.warning("an action of the dashboard was refused", extra={**about, "error": type(error).__qualname__})
        return messages.Told(str(error), good=False)
    except Exception as error:  # told in its place, as a page is
        _log.warning("an action of the dashboard failed", extra=about, exc_info=error)
        return messages.Told(f"It failed: {type(error).__name__}. The log says more.", good=False)
    _log.info("an action of the dashboard was done", extra=about)
    return messages.Told(text, good=True)


async def _first(news: asyncio.Event, gone: asyncio.Future[None]) -> None:
    """Wait for news, for the client to leave, or for a second."""
    heard = asyncio.ensure_future(news.wait())
    either: set[asyncio.Future[Any]] = {heard, gone}
    try:
        await asyncio.wait(either, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
    finally:
        heard.cancel()


async def _said(send: Send, message: answers.Message) -> None:
    await asyncio.wait_for(send(message), live.SLOWEST)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _late(page: Page) -> Content:
    text = environment().get_template("broken.html").render(code=live.LATE)
    return Content(page.title, text, {}, 503, live.LATE)


def _note(title: str, template: str, status: int) -> Content:
    return Content(title, environment().get_template(template).render(), {}, status)


def _key(asked: _Asked, page: Page) -> tuple[object, ...]:
    return asked.base, page.path, *sorted(asked.query.items())


def _place(scope: MutableMapping[str, Any]) -> tuple[str, str | None]:
    """The path that the dashboard is mounted at, encoded, and what follows it; ``None`` where not even a slash does.

    ``path`` has ``root_path`` at its start (ASGI 3.0, HTTP 2.3); servers of before leave it out.
    """
    root, path = str(scope.get("root_path", "")).rstrip("/"), str(scope.get("path", ""))
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    base = quote(root)
    return (base, path[1:]) if path.startswith("/") else (base, None)


async def _lifespan(receive: Receive, send: Send) -> None:
    """There is nothing to begin or to end here: the Stack opens and closes the dashboard."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
