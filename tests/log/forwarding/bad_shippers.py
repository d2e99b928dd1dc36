"""Shippers that break one promise each, to a list that all shippers of a test share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import orjson

from postrmagic_core.log.forwarding import Refused
from postrmagic_core.testing.contracts.log_shipper import Inlet


class Good:
    """Keeps them all."""

    broken: ClassVar[set[str]] = set()
    texts: ClassVar[list[str]] = []
    mood: ClassVar[str] = ""

    def __init__(self) -> None:
        self.files: list[Any] = []

    def ship(self, lines: Sequence[bytes]) -> int:
        """All, unless the receiver is in no mood for it."""
        if Good.mood in ("down", "silent"):
            raise OSError(Good.mood)
        if Good.mood == "strict":
            raise Refused("malformed")
        self.texts.extend(orjson.loads(line)["event"] for line in lines)
        return 0

    def close(self) -> None:
        """Nothing."""


class Twice(Good):
    """Ships the last line of each batch again."""

    broken: ClassVar[set[str]] = {"lines_arrive_in_order", "closing_may_be_repeated"}

    def ship(self, lines: Sequence[bytes]) -> int:
        """One too many."""
        return super().ship([*lines, lines[-1]])


class Backwards(Good):
    """Does not keep the order."""

    broken: ClassVar[set[str]] = {"lines_arrive_in_order"}

    def ship(self, lines: Sequence[bytes]) -> int:
        """From the end."""
        return super().ship(lines[::-1])


class Swallowing(Good):
    """Says that all went well."""

    broken: ClassVar[set[str]] = {"nobody_there_is_an_os_error", "nobody_answering_is_an_os_error"}

    def ship(self, lines: Sequence[bytes]) -> int:
        """Whatever happens."""
        try:
            return super().ship(lines)
        except Refused:
            raise
        except OSError:
            return 0


class Giving(Good):
    """Calls an outage a refusal, so that lines are dropped."""

    broken: ClassVar[set[str]] = {"nobody_there_is_an_os_error", "nobody_answering_is_an_os_error"}

    def ship(self, lines: Sequence[bytes]) -> int:
        """At once."""
        try:
            return super().ship(lines)
        except OSError as error:
            raise Refused("given up") from error


class Stubborn(Good):
    """Takes a refusal for an outage, so that one line holds up all others."""

    broken: ClassVar[set[str]] = {"what_is_malformed_is_refused"}

    def ship(self, lines: Sequence[bytes]) -> int:
        """For ever."""
        try:
            return super().ship(lines)
        except Refused as error:
            raise OSError("later") from error


class Patient(Good):
    """Waits for who does not answer."""

    broken: ClassVar[set[str]] = {"nobody_answering_is_an_os_error"}

    def ship(self, lines: Sequence[bytes]) -> int:
        """Longer than it may."""
        if Good.mood == "silent":
            time.sleep(0.6)
        return super().ship(lines)


class Once(Good):
    """Cannot be opened again."""

    broken: ClassVar[set[str]] = {"closing_may_be_repeated"}
    closed = False

    def ship(self, lines: Sequence[bytes]) -> int:
        """Unless it was closed."""
        if self.closed:
            raise ValueError("closed")
        return super().ship(lines)

    def close(self) -> None:
        """For good."""
        self.closed = True


class Leaking(Good):
    """Leaves a descriptor open with each connection."""

    broken: ClassVar[set[str]] = {"closing_may_be_repeated"}
    left: ClassVar[list[Any]] = []

    def close(self) -> None:
        """Opens one more."""
        self.left.append(open("/dev/null", "rb"))  # noqa: SIM115, PTH123 - it is to stay open


BAD: dict[str, type[Good]] = {
    kind.__name__: kind for kind in (Twice, Backwards, Swallowing, Giving, Stubborn, Patient, Once, Leaking)
}


def inlet(kind: type[Good]) -> Inlet:
    """A receiver for shippers of ``kind``."""
    Good.texts.clear()
    Good.mood = ""

    @contextmanager
    def during(mood: str) -> Iterator[None]:
        Good.mood = mood
        yield
        Good.mood = ""

    moods = {mood: (lambda mood=mood: during(mood)) for mood in ("down", "silent", "strict")}
    return Inlet(kind, lambda: list(Good.texts), **moods)
