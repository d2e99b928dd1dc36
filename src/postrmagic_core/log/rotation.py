"""When a log file is put aside, under which name, and which of those put aside have had their time: decisions only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from .interface import Rotation

_STAMP: Final = "%Y%m%dT%H%M%SZ"
PACKED = ".gz"
"""What follows the name of a compressed file."""
UNFINISHED = ".unfinished"
"""What follows the name of one that is being compressed."""


@dataclass(frozen=True, slots=True, order=True)
class Aside:
    """A file put aside: when (UTC, whole seconds), the how manieth of that second, and whether compressed."""

    at: datetime
    number: int
    packed: bool = False

    def name(self, base: str) -> str:
        """Its name: ``app.log.20260101T120000Z-1``, compressed ``….gz``."""
        return f"{base}.{self.at:{_STAMP}}-{self.number}{PACKED if self.packed else ''}"

    @staticmethod
    def parse(base: str, name: str) -> Aside | None:
        """What a file's ``name`` says; ``None``: it is none of ``base`` that was put aside."""
        found = re.fullmatch(
            rf"{re.escape(base)}\.(\d{{8}}T\d{{6}}Z)-([1-9]\d{{0,9}})({re.escape(PACKED)})?", name, re.ASCII
        )
        if found is None:
            return None
        try:
            at = datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            return None
        return Aside(at, int(found[2]), found[3] is not None)


def due(rotation: Rotation, size: int, begun: datetime, now: datetime) -> bool:
    """Whether a file of ``size`` bytes, ``begun`` at that instant (UTC), is to be put aside ``now``."""
    if size <= 0:
        return False
    too_large = rotation.max_bytes is not None and size >= rotation.max_bytes
    return too_large or _period(rotation.every, begun) < _period(rotation.every, now)


def _period(every: Literal["never", "hour", "day"], at: datetime) -> tuple[int, ...]:
    if every == "never":
        return ()
    day = (at.year, at.month, at.day)
    return day if every == "day" else (*day, at.hour)


def following(last: Aside | None, now: datetime) -> Aside:
    """What the next file put aside is called: names ascend, also where the clock went back."""
    at = now.replace(microsecond=0)
    if last is None or at > last.at:
        return Aside(at, 1)
    return Aside(last.at, last.number + 1)


@dataclass(frozen=True, slots=True)
class Tidying:
    """Names of files to remove and to compress, oldest first."""

    remove: list[str]
    compress: list[str]


def tidying(rotation: Rotation, base: str, names: Iterable[str], now: datetime) -> Tidying:
    """What is to be done with the files of a directory: the newest ``keep_files`` stay, none beyond ``keep_days``.

    A file that stands beside its compressed self was compressed by a process that was killed before it could remove
    it: both count as one. What such a process left unfinished goes if there is nothing left to make it of.
    """
    names = set(names)
    asides = {name: aside for name in names if (aside := Aside.parse(base, name)) is not None}
    order = sorted({(aside.at, aside.number) for aside in asides.values()}, reverse=True)
    limit = now - timedelta(days=rotation.keep_days)
    kept = {(at, number) for at, number in order[: rotation.keep_files] if at >= limit}
    ascending = sorted(asides, key=lambda name: asides[name])
    remove = [name for name in ascending if (asides[name].at, asides[name].number) not in kept]
    for name in sorted(names):
        made_of = name.removeprefix(".").removesuffix(UNFINISHED)
        if name == f".{made_of}{UNFINISHED}" and made_of not in names and Aside.parse(base, made_of) is not None:
            remove.append(name)
    gone = set(remove)
    loose = [name for name in ascending if name not in gone and not asides[name].packed]
    return Tidying(remove, loose if rotation.compress else [])
