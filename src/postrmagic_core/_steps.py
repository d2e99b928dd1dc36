"""Procedures written once for both faces: a generator decides, its driver does the I/O.

A procedure yields callables of one argument, the port (an object with the operations of one face), and receives what
they return; their errors are thrown into it, so that ``try`` and ``finally`` mean what they say. The sync face drives
it with plain calls, the async face awaits each answer. Private to the package: what users call are managers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

R = TypeVar("R")

Steps: TypeAlias = Generator[Callable[[Any], Any], Any, R]


def drive(steps: Steps[R], port: object) -> R:
    """Run ``steps`` to their end with the plain operations of ``port``; returns or raises what they do."""
    try:
        step = next(steps)
        while True:
            try:
                answer = step(port)
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration carries Any


async def adrive(steps: Steps[R], port: object) -> R:
    """:func:`drive` for a port whose operations are awaitable; a cancellation is thrown into ``steps`` too."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await step(port)
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration carries Any
