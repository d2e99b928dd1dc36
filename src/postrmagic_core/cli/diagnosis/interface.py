"""What a check yields, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from ..._clock import Clock
    from ...configuration.sources import Sources
    from ...settings import Settings
    from ...stack import Stack

State: TypeAlias = Literal["ok", "advice", "problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found in one area.

    ``problem``: something is wrong or will be; ``advice``: it works, and could be better; ``unknown``: it could not be
    looked at. ``do`` is the command, setting or line that mends it, ``page`` the page of the documentation.
    """

    state: State
    found: str
    do: str = ""
    page: str = ""
    area: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at: the settings as far as they go, what is wrong with them, and the Stack if one is named.

    ``problems`` are by setting, variable or file. ``stack`` is not open, and no check opens it.
    """

    settings: Settings
    sources: Sources
    clock: Clock
    problems: Mapping[str, str]
    app: str | None = None
    stack: Stack | None = None

    @property
    def production(self) -> bool:
        """Whether these settings say that users are here."""
        return self.settings.stack.environment == "production"


Check: TypeAlias = Callable[[Patient], Iterable[Finding]]


def ok(found: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", found)


def advice(found: str, do: str, page: str = "") -> Finding:
    """It works, and could be better."""
    return Finding("advice", found, do, page)


def problem(found: str, do: str, page: str = "") -> Finding:
    """Something is wrong, or will be."""
    return Finding("problem", found, do, page)


def unknown(found: str, do: str = "", page: str = "") -> Finding:
    """It could not be looked at."""
    return Finding("unknown", found, do, page)


def graver(grave: bool, found: str, do: str, page: str = "") -> Finding:
    """A problem where it is ``grave``, else advice."""
    return problem(found, do, page) if grave else advice(found, do, page)
