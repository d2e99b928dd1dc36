"""What many look at is made once: pages that are kept for a moment, and streams that all hear of the same change."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FRESH = 2.0
"""Seconds for which a page that was made is shown to whoever asks for it."""
MOST_STREAMS = 100
"""Streams of one process: a browser has at most six to one host, over HTTP/2 some more."""
MOST_OF_ONE = 30
"""Streams of one user: who opens too many takes them from nobody else."""
_KEPT = 64
_MAKING = 64
PATIENCE = 10.0
"""Seconds for which somebody waits for a page; it is made to its end meanwhile, for who asks again."""
SLOWEST = 10.0
"""Seconds in which a client takes what a stream tells it, else the stream ends."""
HEARTBEAT = 15.0
"""Seconds after which a stream that has nothing to tell says that it lives, so that no proxy ends it."""
LIFE = 60.0
"""Seconds after which a stream ends, and the browser asks anew: by then its owner may no longer be allowed to look."""


LATE = "backend.timeout"
"""The code of a page that takes too long."""


class Content(NamedTuple):
    """A page's content: its whole text, and the parts of it that are live, by name."""

    title: str
    text: str
    parts: dict[str, str]
    status: int = 200
    trouble: str = ""


Make = Callable[[], Coroutine[Any, Any, Content]]


class Kept:
    """Contents by what was asked, each for two seconds; who asks while one is made waits for that one."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._made: dict[Hashable, tuple[float, Content]] = {}
        self._making: dict[Hashable, asyncio.Task[Content]] = {}

    async def get(self, key: Hashable, make: Make) -> Content:
        """The content, no older than :data:`FRESH` seconds when it was asked for.

        :class:`TimeoutError` after :data:`PATIENCE`, and at once where too many are being made already.
        """
        found = self._made.get(key)
        if found is not None and self._monotonic() - found[0] < FRESH:
            return found[1]
        task = self._making.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            if len(self._making) >= _MAKING:
                raise TimeoutError
            task = asyncio.ensure_future(self._make(key, make))
            self._making[key] = task
        # Who asked may leave; the others wait for it still.
        return await asyncio.wait_for(asyncio.shield(task), PATIENCE)

    def forget(self) -> None:
        """Something was changed: what was made before is not shown any more."""
        self._made.clear()
        self._making.clear()

    async def _make(self, key: Hashable, make: Make) -> Content:
        this = asyncio.current_task()
        try:
            content = await make()
            if self._making.get(key) is this:
                while len(self._made) >= _KEPT:
                    del self._made[next(iter(self._made))]
                self._made.pop(key, None)
                self._made[key] = (self._monotonic(), content)
            return content
        finally:
            if self._making.get(key) is this:
                del self._making[key]


@dataclass(eq=False)
class Watch:
    """What those hear who look at one page: made anew every so often, for as long as there are any."""

    number: int = 0
    content: Content | None = None
    change: bytes = b""
    """From the content before to this one."""
    watchers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Streams:
    """The watches of one process, and how many look."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._watches: dict[Hashable, Watch] = {}
        self._users = Counter[str]()
        self.count = 0

    def full(self, user: str) -> bool:
        """Whether there is no room for one more, of this user or of all."""
        return self.count >= MOST_STREAMS or self._users[user] >= MOST_OF_ONE

    def join(self, key: Hashable, user: str, make: Make, every: float) -> Watch:
        """Look too; the first one has it made from now on."""
        key = (key, id(asyncio.get_running_loop()))
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = Watch()
            watch.task = asyncio.ensure_future(self._run(key[0], watch, make, every))
        watch.watchers += 1
        self.count += 1
        self._users[user] += 1
        return watch

    def leave(self, key: Hashable, user: str, watch: Watch) -> None:
        """Look no more; after the last one nothing is made."""
        self.count -= 1
        self._users -= Counter((user,))
        watch.watchers -= 1
        if watch.watchers == 0:
            self._watches.pop((key, id(asyncio.get_running_loop())), None)
            if watch.task is not None:
                watch.task.cancel()

    async def _run(self, key: Hashable, watch: Watch, make: Make, every: float) -> None:
        while True:
            try:
                content = await self._kept.get(key, make)
            except TimeoutError:  # what was shown stays, and is said to be of before
                content = (watch.content or Content("", "", {}))._replace(trouble=LATE)
            before = {} if watch.content is None else watch.content.parts
            changed = {name: text for name, text in content.parts.items() if before.get(name) != text}
            watch.number, watch.content = watch.number + 1, content
            watch.change = event(watch.number, changed, content.trouble)
            news, watch.news = watch.news, asyncio.Event()
            news.set()
            await asyncio.sleep(max(every, FRESH))


def event(number: int, parts: dict[str, str], trouble: str = "") -> bytes:
    """An event of a stream (HTML Standard, server-sent events); JSON holds no line break, so that it is one line."""
    told = json.dumps({"parts": parts, "trouble": trouble}, ensure_ascii=False, separators=(",", ":"))
    # Of a text that is no Unicode (a lone surrogate) a sign remains.
    return f"id: {number}\ndata: {told}\n\n".encode("utf-8", "replace")
