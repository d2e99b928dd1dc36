"""Which changes fail: breaking ones that nobody reviewed, and reviews that match nothing any more."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date

from ...errors import NotASpecification
from .interface import Change, Reviewed, Verdict
from .rules import RULES

_FIELDS = ("code", "place", "reason", "date")


def judge(changes: Iterable[Change], reviewed: Sequence[Reviewed]) -> Verdict:
    """Match each breaking change with the reviews, by code and place; reviews of nothing that breaks are stale."""
    breaking = [change for change in changes if change.kind == "breaking"]
    there = {(change.code, change.place) for change in breaking}
    known = {(one.code, one.place) for one in reviewed}
    return Verdict(
        [change for change in breaking if (change.code, change.place) not in known],
        [one for one in reviewed if (one.code, one.place) not in there],
    )


def read_reviewed(text: str) -> list[Reviewed]:
    """The ``[[reviewed]]`` entries of a TOML text; :class:`NotASpecification` says what is wrong with one."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotASpecification(f"the reviewed changes are no TOML: {error}") from None
    entries = parsed.pop("reviewed", [])
    if parsed or not isinstance(entries, list):
        raise NotASpecification("the reviewed changes hold something else: expected only [[reviewed]] entries")
    found = [_entry(number, entry) for number, entry in enumerate(entries, 1)]
    twice = {
        (one.code, one.place)
        for one in found
        if [(each.code, each.place) for each in found].count((one.code, one.place)) > 1
    }
    if twice:
        raise NotASpecification(f"{' at '.join(sorted(twice)[0])} is reviewed twice: keep one entry")
    return found


def _entry(number: int, entry: object) -> Reviewed:
    where = f"entry {number} of the reviewed changes"
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise NotASpecification(f"{where} must have {', '.join(_FIELDS)}, and nothing else")
    day = entry["date"]
    if type(day) is not date:
        raise NotASpecification(f"{where} must have a date without quotes, as date = 2026-01-31")
    if not all(isinstance(entry[name], str) and entry[name].strip() for name in _FIELDS[:3]):
        raise NotASpecification(f"{where} must have a code, a place and a reason, each a text that is not empty")
    if entry["code"] not in RULES:
        raise NotASpecification(f"{where} has a code that no rule has: postrmagic api compare shows the codes")
    return Reviewed(entry["code"], entry["place"], entry["reason"], day.isoformat())
