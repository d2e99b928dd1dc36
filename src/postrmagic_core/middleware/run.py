"""One request's way through the layers: in, out again with the head or an error, and the end."""

from __future__ import annotations

import logging
from typing import Any

from .interface import Done, Head, Response
from .order import Layers
from .pipeline_request import PipelineRequest

logger = logging.getLogger("postrmagic_core.middleware")

_STOPPED = (StopIteration, StopAsyncIteration)


class Run:
    """The generators of one request, outermost first. Its coroutines suspend only where an async layer does.

    Most layers are plain and pass. These are stepped by functions, ``entered``, ``shown`` and ``ended``: a coroutine
    costs as much as a layer. Each returns false where it cannot go on alone, and its coroutine takes over: ``begin``,
    ``outward``, ``finish``.

    A generator that has ended is ``None``. Those from ``_level`` inwards have seen the head, or an error, and wait for
    the end; those further out wait for the head.
    """

    _level = 0
    _said: object = None
    """What stopped a function: what the layer at ``_level`` yielded or raised. ``None``: an async layer is next."""
    _interrupt: BaseException | None = None

    def __init__(self, layers: Layers, request: PipelineRequest) -> None:
        self._layers = layers
        self.request = request
        self._generators: list[Any] = []

    def entered(self) -> bool:
        """Start the layers, outermost first, as long as they are plain and pass; whether all of them have."""
        steps, generators, request = self._layers.steps, self._generators, self.request
        for call, is_async, when in steps[len(generators) :] if generators else steps:
            if when is not None and not when(request):
                generators.append(None)
                continue
            if is_async:
                return False
            try:
                generator = call(request)
                said = next(generator)
                generators.append(generator)
            except StopIteration:
                generators.append(None)
                continue
            except Exception as error:
                generators.append(None)
                said = error
            if said is not None:
                self._level, self._said = len(generators) - 1, said
                return False
        self._level = len(generators)
        return True

    async def begin(self) -> Response | None:
        """Start the layers until one answers.

        Returns the early response as the outer layers left it, ``None`` when the application is to be called. A layer
        that fails to start is an error to the layers around it.
        """
        generators = self._generators
        while self._said is not None or not self.entered():
            if self._said is None:
                generators.append(None)
                try:
                    generator = self._layers.steps[len(generators) - 1][0](self.request)
                    self._said = await generator.asend(None)
                    generators[-1] = generator
                except StopAsyncIteration:
                    continue
                except Exception as error:
                    self._said = error
            if self._said is not None:
                self._level = len(generators) - 1
                return _whole(await self.outward(None))
        return None

    def shown(self, head: Head) -> bool:
        """Show ``head`` to the layers that wait, innermost first, as long as they are plain and pass."""
        kinds, generators = self._layers.is_async, self._generators
        for index in range(self._level - 1, -1, -1):
            generator = generators[index]
            if generator is None:
                continue
            if kinds[index]:
                self._level = index + 1
                return False
            try:
                said = generator.send(head)
            except StopIteration:
                generators[index] = None
                continue
            except Exception as failure:
                generators[index] = None
                said = failure
            if said is not None:
                self._level, self._said = index, said
                return False
        self._level = 0
        return True

    async def outward(self, head: Head | None, error: Exception | None = None) -> Head:
        """Show ``head`` to every layer that waits; a :class:`Response` replaces the application's.

        Given an ``error`` instead, or when a layer fails, it is thrown into the layers further out until one answers;
        raised when none does.
        """
        while True:
            if self._said is not None:
                said, self._said = self._said, None
                head, error = _heard(said, self._layers.names[self._level])
                if head is not None and (problem := head.problem) is not None and self.request.problem_types:
                    # Before the layers further out see it: what they keep of it, or count, is what leaves.
                    head.tell(problem, self.request.document(problem))
            if head is not None and error is None and self.shown(head):
                return head
            if self._said is None:
                if self._level == 0:
                    raise error or TypeError("neither a head nor an error")
                await self._step(head, error)

    async def _step(self, head: Head | None, error: Exception | None) -> None:
        """Show one layer the head, or throw the error into it; what it says of that, if anything, is ``_said``."""
        self._level = index = self._level - 1
        generator, is_async = self._generators[index], self._layers.is_async[index]
        if generator is None:
            return
        try:
            if error is None:
                self._said = await generator.asend(head)
            else:
                self._said = await generator.athrow(error) if is_async else generator.throw(error)
        except _STOPPED:
            self._generators[index] = None
        except Exception as failure:  # its own, or the one thrown in: the layers around it are asked
            self._generators[index] = None
            self._said = failure

    async def answer(self, error: Exception) -> Response:
        """Throw ``error`` into the layers, innermost first, and return the response of who answers; or raise it."""
        return _whole(await self.outward(None, error))

    def ended(self, size: int, error: BaseException | None, disconnected: bool) -> bool:
        """Tell the layers that wait how it ended, and close every layer, innermost first, as long as they are plain."""
        kinds, generators = self._layers.is_async, self._generators
        done = Done(size, error, disconnected) if any(generators) else None
        for index in range(len(generators) - 1, -1, -1):
            generator = generators[index]
            if generator is None:
                continue
            if kinds[index]:
                return False
            generators[index] = None
            try:
                if index >= self._level:
                    generator.send(done)
                generator.close()
            except StopIteration:
                pass
            except BaseException as failure:
                self._failed(index, failure)
        if self._interrupt is not None:
            raise self._interrupt
        return True

    async def finish(self, size: int, error: BaseException | None, disconnected: bool) -> None:
        """Tell the layers that wait how it ended (see :class:`Done`) and close every layer, innermost first.

        What a layer raises now is logged: the response has left. A cancellation is raised once all are closed.
        """
        while not self.ended(size, error, disconnected):
            index = max(at for at, generator in enumerate(self._generators) if generator is not None)
            generator, self._generators[index] = self._generators[index], None
            try:
                if index >= self._level:
                    await generator.asend(Done(size, error, disconnected))
                await generator.aclose()
            except StopAsyncIteration:
                pass
            except BaseException as failure:
                self._failed(index, failure)

    def _failed(self, index: int, failure: BaseException) -> None:
        if isinstance(failure, Exception):
            name = self._layers.names[index]
            logger.error("middleware %s failed after the response", name, exc_info=failure)
        else:  # a cancellation: the outer layers are closed all the same
            self._interrupt = self._interrupt or failure


def _heard(said: object, name: str) -> tuple[Response | None, Exception | None]:
    if isinstance(said, Response):
        return said, None
    if isinstance(said, Exception):
        return None, said
    return None, TypeError(f"middleware {name} yielded {type(said).__name__}: expected a Response or nothing")


def _whole(head: Head) -> Response:
    if not isinstance(head, Response):  # only a Response ends an error or an early answer
        raise TypeError(f"expected a Response, got {type(head).__name__}")
    return head
