"""What a list is sorted by, and what identifies it: decided from what was declared and what was asked. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...errors import ConfigurationError, ValidationFailed

MOST_KEYS = 3
"""How many names a client may sort by at once."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED = {"limit", "after", "sort"}


@dataclass(frozen=True, slots=True)
class SortKey:
    """One name to sort by, and the direction."""

    name: str
    descending: bool

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name


def sort_keys(text: str, names: Collection[str]) -> tuple[SortKey, ...]:
    """The keys that ``sort=…`` asks for, each name once: where it is given again it changes nothing.

    Raises :class:`ValidationFailed` for a name that is not declared, and for more than three.
    """
    # One more than allowed is enough to see that there are too many.
    parts = text.split(",", MOST_KEYS)
    if len(parts) > MOST_KEYS:
        raise refused("/sort", "sort.too_many", f"expected at most {MOST_KEYS} names to sort by")
    found: dict[str, SortKey] = {}
    for part in parts:
        name = part.removeprefix("-")
        if name not in names:
            known = ", ".join(names)
            raise refused("/sort", "sort.unknown", f"expected some of {known}; '-' before a name sorts descending")
        found.setdefault(name, SortKey(name, part != name))
    return tuple(found.values())


def sort_pattern(names: Collection[str]) -> str:
    """The regular expression (ECMA 262) of every text that :func:`sort_keys` takes."""
    one = f"-?({'|'.join(names)})"
    return f"^{one}(,{one}){{0,{MOST_KEYS - 1}}}$"


def refused(pointer: str, code: str, message: str) -> ValidationFailed:
    """One error of a query parameter, ready to raise."""
    return ValidationFailed([{"pointer": pointer, "code": code, "message": message}])


def identity(
    name: str, subject: str, order: Sequence[SortKey], asked: Mapping[str, object], beside: Sequence[str | int]
) -> bytes:
    """32 bytes that name a list in one order for one subject, whatever the page; ``asked`` is made of JSON's types."""
    parts = [name, subject, [str(key) for key in order], dict(asked), list(beside)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).digest()


def checked_names(listing: str, order: Collection[str], filters: Collection[str]) -> None:
    """Raise :class:`ConfigurationError` for a name that cannot be a query parameter, or that is taken."""
    if not order:
        raise ConfigurationError(f"list {listing!r}: expected at least one name to sort by")
    for name in (*order, *filters):
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"list {listing!r}: expected a name of a-z, 0-9 and _ that begins with a letter; got {name!r}"
            )
    if taken := _RESERVED.intersection(filters):
        raise ConfigurationError(f"list {listing!r}: every list has {', '.join(sorted(taken))}: name the filter anew")


def checked_sizes(listing: str, size: int, max_size: int) -> None:
    """Raise :class:`ConfigurationError` unless a page of ``size`` rows is one that may be asked for."""
    if not 1 <= size <= max_size:
        raise ConfigurationError(f"list {listing!r}: expected 1 <= size <= max_size, got {size} and {max_size}")
