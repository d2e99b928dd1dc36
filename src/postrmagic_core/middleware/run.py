"""One request's way through the layers: in, out again with the head or an error, and the end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from .interface import Done, Head, Request, Response
from .order import Compiled

logger = logging.getLogger("postrmagic_core.middleware")

_STOPPED = (StopIteration, StopAsyncIteration)


class Run:
    """The generators of one request, outermost first. Its coroutines suspend only where an async layer does.

    A generator that has ended is ``None``. Those from ``_level`` inwards have seen the head, or an error, and wait for
    the end; those further out wait for the head.
    """

    __slots__ = ("_generators", "_layers", "_level", "request")

    def __init__(self, layers: Sequence[Compiled], request: Request) -> None:
        self.request = request
        self._layers = layers
        self._generators: list[Any] = []
        self._level = 0

    async def begin(self) -> Response | None:
        """Start the layers, outermost first, until one answers.

        Returns the early response as the outer layers left it, ``None`` when the application is to be called. A layer
        that fails to start is an error to the layers around it.
        """
        request, generators = self.request, self._generators
        for call, place, is_async in self._layers:
            generator = call(request)
            generators.append(generator)
            try:
                said = await generator.asend(None) if is_async else next(generator)
            except _STOPPED:
                generators[-1] = None
            except Exception as error:
                generators[-1] = None
                self._level = len(generators)
                return await self.answer(error)
            else:
                if said is not None:
                    self._level = len(generators) - 1
                    return _whole(await self.outward(*_checked(said, place.name)))
        self._level = len(generators)
        return None

    async def answer(self, error: Exception) -> Response:
        """Throw ``error`` into the layers, innermost first, and return the response of who answers; or raise it."""
        return _whole(await self.outward(None, error))

    async def outward(self, head: Head | None, error: Exception | None = None) -> Head:
        """Show ``head`` to every layer that waits, innermost first; a :class:`Response` replaces the application's.

        Given an ``error`` instead, or when a layer fails, it is thrown into the layers further out until one answers;
        raised when none does.
        """
        generators, layers = self._generators, self._layers
        for index in range(self._level - 1, -1, -1):
            generator = generators[index]
            if generator is None:
                continue
            self._level = index
            _, place, is_async = layers[index]
            try:
                if error is None:
                    said = await generator.asend(head) if is_async else generator.send(head)
                else:
                    said = await generator.athrow(error) if is_async else generator.throw(error)
            except _STOPPED:
                generators[index] = None
            except Exception as failure:  # its own, or the one thrown in: the layers around it are asked
                generators[index] = None
                error = failure
            else:
                if said is not None:
                    head, error = _checked(said, place.name)
        if head is None or error is not None:
            raise error or TypeError("neither a head nor an error")
        return head

    async def finish(self, size: int, error: BaseException | None, disconnected: bool) -> None:
        """Tell the layers that wait how it ended (see :class:`Done`) and close every layer, innermost first.

        What a layer raises now is logged: the response has left.
        """
        interrupt: BaseException | None = None
        for index in range(len(self._generators) - 1, -1, -1):
            generator = self._generators[index]
            if generator is None:
                continue
            _, place, is_async = self._layers[index]
            try:
                if index >= self._level:
                    done = Done(size, error, disconnected)
                    await generator.asend(done) if is_async else generator.send(done)
                await generator.aclose() if is_async else generator.close()
            except _STOPPED:
                pass
            except Exception:
                logger.exception("middleware %s failed after the response", place.name)
            except BaseException as failure:  # a cancellation: the outer layers are closed all the same
                interrupt = interrupt or failure
        if interrupt is not None:
            raise interrupt


def _checked(said: object, name: str) -> tuple[Response | None, Exception | None]:
    if isinstance(said, Response):
        return said, None
    return None, TypeError(f"middleware {name} yielded {type(said).__name__}: expected a Response or nothing")


def _whole(head: Head) -> Response:
    if not isinstance(head, Response):  # only a Response ends an error or an early answer
        raise TypeError(f"expected a Response, got {type(head).__name__}")
    return head
