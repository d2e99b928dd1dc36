"""A request as a pipeline carries it: what a layer sees, and what is shared by those that carry it out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from .._problem import Problem, checked_types
from ..errors import BodyTooSlow, UsageError
from .interface import Managed, Request


class PipelineRequest(Request):
    """What every layer of a pipeline is given: its body arrives, its hooks are called."""

    # What most requests never change costs them nothing here.
    body_hooks: tuple[Callable[[bytes], None], ...] = ()
    response_hooks: tuple[Callable[[bytes, bool], None], ...] = ()
    patience: Callable[[int], float] | None = None
    """Seconds for which the next piece of the body is waited for, by how many bytes there are already."""
    arrived = 0
    """Bytes of the body there are already; counted where there is :attr:`patience`."""
    too_slow = False
    """Whether the body came too late: the application may have made an answer of its own of that."""
    problem_types: str | None = None
    """Where the application says what its types of problems mean: what its documents' ``type`` begins with."""
    problem_titles: Mapping[str, str] = {}
    """What the package's own types are called, by code; empty without :attr:`problem_types`."""
    source: Callable[[], Awaitable[MutableMapping[str, Any]]]
    """Where the body comes from, in messages: ASGI's ``receive``."""
    ahead: tuple[MutableMapping[str, Any], ...] = ()
    """Messages that :meth:`read_body` took and the application has not had."""
    inline = False
    """Whether no event loop is there, as under WSGI: faces must not wait."""
    _complete = False

    def on_body(self, hook: Callable[[bytes], None]) -> None:
        """Call ``hook`` with each chunk of the body before the application gets it; it may raise to refuse."""
        self.body_hooks += (hook,)

    def on_response(self, hook: Callable[[bytes, bool], None]) -> None:
        """Call ``hook(chunk, last)`` with each chunk of the body that the application answers."""
        self.response_hooks += (hook,)

    async def arrive(self) -> MutableMapping[str, Any]:
        """The next message from :attr:`source`, waited for as long as :attr:`patience` says."""
        if self.patience is None or self._complete:
            return await self.source()
        try:
            async with asyncio.timeout(self.patience(self.arrived)):
                message = await self.source()
        except TimeoutError:
            self.too_slow = True
            raise BodyTooSlow("the request's body arrives too slowly") from None
        self.arrived += len(message.get("body", b""))
        self._complete = not message.get("more_body")
        return message

    async def read_body(self, max_bytes: int) -> bytes | None:
        """The whole body, which the application reads again; ``None`` if it is longer, or did not arrive whole."""
        chunks, size, taken = [], 0, iter(self.ahead)
        while True:
            message = next(taken, None)
            if message is None:
                message = await self.arrive()
                self.ahead += (message,)
            if message["type"] != "http.request":
                return None
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > max_bytes:
                return None
            if not message.get("more_body"):
                return b"".join(chunks)

    def face(self, manager: Managed) -> Any:
        """The face of ``manager`` to await in an async middleware: ``manager.aio``, under WSGI one that never waits."""
        return InlineFace(manager) if self.inline else manager.aio

    def document(self, problem: Problem) -> bytes:
        """The body of ``problem`` as this application tells it: with its type, and the title of that."""
        title = problem.title or self.problem_titles.get(problem.code, "")
        return replace(problem, title=title).body(self.problem_types)


def of_pipeline(request: Request) -> PipelineRequest:
    """The same request, for a layer that needs to know how it is carried; :class:`UsageError` for one made by hand."""
    if not isinstance(request, PipelineRequest):
        raise UsageError("this layer needs a request that a Pipeline carries: put it into one, as Pipeline([layer])")
    return request


def request_class(problem_types: str | None) -> type[PipelineRequest]:
    """The class of a pipeline's requests: what is the same for all of them is no work for any."""
    if problem_types is None:
        return PipelineRequest
    from ..api.problem_types import TITLES

    class Told(PipelineRequest):
        """A request of an application whose problems have types."""

    Told.problem_types, Told.problem_titles = checked_types(problem_types), TITLES
    return Told


class InlineFace:
    """A sync manager whose methods can be awaited: they run at once, in the calling thread."""

    def __init__(self, manager: object) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._manager, name)

        async def inline(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return inline
