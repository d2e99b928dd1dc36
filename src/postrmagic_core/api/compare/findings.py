"""The steps by which a place is written, and the changes that were found."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .interface import Change, Kind
from .rules import RULES

_PLAIN_NAME = re.compile(r"[\w$*-]+")
_ORDER: Mapping[Kind, int] = {"breaking": 0, "additive": 1, "neutral": 2}


def field(name: str) -> str:
    """The step to a field of an object; a name with other signs than letters and digits is quoted."""
    return f".{name if _PLAIN_NAME.fullmatch(name) else ascii(name)}"


def item(index: str = "") -> str:
    """The step to the items of an array, or to one of them."""
    return f"[{index}]"


class Findings:
    """The changes that were found, each once."""

    def __init__(self) -> None:
        self._found: set[Change] = set()

    def add(self, code: str, place: str, words: str) -> None:
        """Note a change; its kind is the rule's."""
        self._found.add(Change(RULES[code].kind, code, place, words))

    def sorted(self) -> list[Change]:
        """Breaking ones first, then by place, code and words."""
        return sorted(self._found, key=lambda one: (_ORDER[one.kind], one.place, one.code, one.words))
