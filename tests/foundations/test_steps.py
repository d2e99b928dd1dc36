"""One procedure, two faces: the generator sees answers and errors alike from both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core._steps import Steps, adrive, drive


class Port:
    """Answers at once."""

    def double(self, number: int) -> int:
        """Twice the number; odd ones are refused."""
        if number % 2:
            raise ValueError(number)
        return 2 * number


class AsyncPort:
    """The same, awaitable."""

    async def double(self, number: int) -> int:
        """See :meth:`Port.double`."""
        await asyncio.sleep(0)
        return Port().double(number)


def doubling(number: int) -> Callable[[Any], Any]:
    """The step that asks for twice the number."""
    return lambda port: port.double(number)


def procedure(numbers: list[int], trail: list[str]) -> Steps[int]:
    """Sum of the doubles; an odd number counts nothing."""
    total = 0
    try:
        for number in numbers:
            try:
                total += yield doubling(number)
            except ValueError:
                trail.append(f"refused {number}")
    finally:
        trail.append("cleaned up")
        yield lambda port: port.double(0)
        trail.append("after a step in finally")
    return total


def test_both_drivers_give_the_same() -> None:
    """Answers are sent in, errors are thrown in, the return value comes out."""
    expected = ["refused 3", "cleaned up", "after a step in finally"]
    trail: list[str] = []
    assert drive(procedure([2, 3, 4], trail), Port()) == 12
    assert trail == expected
    trail.clear()
    assert asyncio.run(adrive(procedure([2, 3, 4], trail), AsyncPort())) == 12
    assert trail == expected


def test_an_unhandled_error_leaves_after_the_clean_up() -> None:
    """What a procedure does not catch reaches the caller, and its finally has run, steps included."""
    trail: list[str] = []

    def failing() -> Steps[None]:
        try:
            yield lambda port: port.double(1)
        finally:
            yield lambda port: port.double(2)
            trail.append("cleaned up")

    with pytest.raises(ValueError, match="1"):
        drive(failing(), Port())
    with pytest.raises(ValueError, match="1"):
        asyncio.run(adrive(failing(), AsyncPort()))
    assert trail == ["cleaned up", "cleaned up"]


def test_a_cancelled_procedure_cleans_up_with_awaits() -> None:
    """Cancellation is thrown in where the procedure waits, and its clean-up may still await."""
    trail: list[str] = []
    hangs = asyncio.Event()

    class Hanging(AsyncPort):
        async def hang(self) -> None:
            hangs.set()
            await asyncio.Event().wait()

    def hanging() -> Steps[None]:
        try:
            yield lambda port: port.hang()
        finally:
            yield lambda port: port.double(2)
            trail.append("cleaned up")

    async def main() -> None:
        task = asyncio.create_task(adrive(hanging(), Hanging()))
        await hangs.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert trail == ["cleaned up"]
