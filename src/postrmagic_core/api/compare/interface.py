"""What comparing two specifications finds, and what somebody says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["breaking", "additive", "neutral"]
Side: TypeAlias = Literal["request", "response"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: whether it breaks clients, what it is (a code of ``RULES``), where, and what was and is.

    ``place`` reads as ``GET /media 200 data[].title``: the operation; ``query``, ``header``, ``cookie`` or ``path`` and
    a parameter, ``request``, or a status; the media type unless it is JSON; then the field. ``[]`` is each item of an
    array, ``.*`` each member of an object without fixed names.
    """

    kind: Kind
    code: str
    place: str
    words: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A breaking change that somebody looked at and let pass: its code and place, why, and on which day."""

    code: str
    place: str
    reason: str
    date: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What fails: breaking changes that nobody reviewed, and reviews of what is no difference any more."""

    unreviewed: Sequence[Change]
    stale: Sequence[Reviewed]

    @property
    def passes(self) -> bool:
        """Whether nothing fails."""
        return not self.unreviewed and not self.stale
