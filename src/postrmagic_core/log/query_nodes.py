"""What a query is made of: each node says whether a record matches, and is written as it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .query_time import instant_text, us_of

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
OTHER: Final = len(LEVELS)
"""The rank of a level that is none of them, as a bit: no comparison finds it."""
EVERY_LEVEL: Final = (1 << (OTHER + 1)) - 1
ALIASES: Final = {
    "user": "user_id",
    "trace": "trace_id",
    "request": "request_id",
    "job": "job_id",
    "span": "span_id",
}
ABOUT: Final = frozenset({"ts", "level", "logger", "service", "release"})
"""Fields in which a word alone is not looked for."""
DEEP: Final = 8
"""How far into a field is looked."""
_WORD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?!\w)|\d+(?:\.\d+)+|\w+")
_PLAIN = re.compile(r"[^\s()\"*\-]+")


def words_of(text: str) -> tuple[str, ...]:
    """The words of ``text``, in lower case; a UUID, and numbers with points between them, are one word."""
    return tuple(_WORD.findall(text.lower()))


def rank_of(level: object) -> int:
    """The rank of a record's ``level``, 0 for debug to 4 for critical; 5: another."""
    return _RANKS.get(level, OTHER) if isinstance(level, str) else OTHER


_RANKS: Final[Mapping[str, int]] = {name: rank for rank, name in enumerate(LEVELS)}


class Node(Protocol):
    """A part of a query."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether a record, parsed from its line, is among what is asked for."""
        ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Every:
    """Everything of ``nodes`` holds; of none, anything."""

    nodes: tuple[Node, ...]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        return all(node.matches(event) for node in self.nodes)

    def __str__(self) -> str:
        return " ".join(f"({node})" if isinstance(node, Either) else str(node) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Either:
    """One of ``nodes`` holds."""

    nodes: tuple[Node, ...]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        return any(node.matches(event) for node in self.nodes)

    def __str__(self) -> str:
        return " OR ".join(map(str, self.nodes))


@dataclass(frozen=True, slots=True)
class Not:
    """``node`` does not hold: of a field, also where a record has none of that name."""

    node: Node

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        return not self.node.matches(event)

    def __str__(self) -> str:
        return f"-({self.node})" if isinstance(self.node, Every | Either) else f"-{self.node}"


@dataclass(frozen=True, slots=True)
class Words:
    """``words`` occur in a row in a text of ``keys``, or of any; with ``prefix`` the last may go on."""

    keys: tuple[str, ...]
    words: tuple[str, ...]
    prefix: bool = False

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        if self.keys:
            return any(self._in(written(value)) for value in values(event, self.keys))
        return any(self._in(value) for value in texts(event))

    def _in(self, text: str) -> bool:
        low = text.lower()
        first = self.words[0]
        if first not in low:
            return False
        # A line break is in no word. One search in one text takes the same however often the words are repeated.
        row = "\n".join(self.words)
        return f"\n{row}{'' if self.prefix else chr(10)}" in "\n{}\n".format("\n".join(_WORD.findall(low)))

    def __str__(self) -> str:
        text = " ".join(self.words)
        star = "*" if self.prefix else ""
        return f'{_named(self.keys, ":")}"{text}"{star}' if self.keys or " " in text else f"{_quoted(text)}{star}"


@dataclass(frozen=True, slots=True)
class Equal:
    """A value of ``keys`` is ``text`` (lower case), or with ``prefix`` begins so."""

    keys: tuple[str, ...]
    text: str
    prefix: bool = False

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        for value in values(event, self.keys):
            low = written(value).lower()
            if low.startswith(self.text) if self.prefix else low == self.text:
                return True
        return False

    def __str__(self) -> str:
        return f"{_named(self.keys, '=')}{_quoted(self.text)}{'*' if self.prefix else ''}"


@dataclass(frozen=True, slots=True)
class Present:
    """A record has one of ``keys``, and not null."""

    keys: tuple[str, ...]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        return any(value is not None for value in values(event, self.keys))

    def __str__(self) -> str:
        return f"{_named(self.keys, ':')}*"


@dataclass(frozen=True, slots=True)
class Compared:
    """A number of ``keys`` compares with ``number`` as ``sign`` says."""

    keys: tuple[str, ...]
    sign: str
    number: float

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        return any(
            self._holds(value)
            for value in values(event, self.keys)
            if isinstance(value, int | float) and not isinstance(value, bool)
        )

    def _holds(self, value: float) -> bool:
        if self.sign == ">":
            return value > self.number
        if self.sign == ">=":
            return value >= self.number
        return value < self.number if self.sign == "<" else value <= self.number

    def __str__(self) -> str:
        return f"{_named(self.keys, self.sign)}{self.number!r}"


@dataclass(frozen=True, slots=True)
class Level:
    """The record's level is one of a set: bit *n* stands for the *n*-th of :data:`LEVELS`."""

    ranks: int

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        return bool(self.ranks >> rank_of(event.get("level")) & 1)

    def __str__(self) -> str:
        chosen = [rank for rank in range(OTHER) if self.ranks >> rank & 1]
        if not chosen:
            return f"level<{LEVELS[0]}"
        if len(chosen) == 1:
            return f"level:{LEVELS[chosen[0]]}"
        return f"level>={LEVELS[chosen[0]]}" if chosen[-1] == OTHER - 1 else f"level<={LEVELS[chosen[-1]]}"


@dataclass(frozen=True, slots=True)
class Instant:
    """Microseconds since the epoch, and how a record writes them."""

    us: int

    @property
    def text(self) -> str:
        """As a record's ``ts`` says it."""
        return instant_text(self.us)


@dataclass(frozen=True, slots=True)
class Within:
    """The record is not older than ``since`` and older than ``until``."""

    since: Instant | None
    until: Instant | None

    def matches(self, event: Mapping[str, Any]) -> bool:
        """See :meth:`Node.matches`."""
        us = us_of(event.get("ts"))
        if us is None:
            return False
        return (self.since is None or us >= self.since.us) and (self.until is None or us < self.until.us)

    def __str__(self) -> str:
        parts = [] if self.since is None else [f"since:{self.since.text}"]
        return " ".join(parts if self.until is None else [*parts, f"until:{self.until.text}"])


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; written out, it is read again as the same."""

    node: Node

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether a record, parsed from its line, is among what is asked for."""
        return self.node.matches(event)

    def __str__(self) -> str:
        return str(self.node)


def values(event: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Any]:
    """Every text, number, truth value and null at or below one of ``keys``; ``exception.type`` is a key in a field."""
    for key in keys:
        yield from _at(event, key, 0)


def _at(node: Mapping[str, Any], key: str, depth: int) -> Iterator[Any]:
    if key in node:
        yield from leaves(node[key], depth)
    at = key.find(".")
    while at > 0 and depth < DEEP:
        inner = node.get(key[:at])
        for one in inner if isinstance(inner, list) else (inner,):
            if isinstance(one, dict):
                yield from _at(one, key[at + 1 :], depth + 1)
        at = key.find(".", at + 1)


def leaves(value: Any, depth: int = 0) -> Iterator[Any]:
    """What ``value`` consists of, down to :data:`DEEP`."""
    if isinstance(value, dict | list):
        if depth < DEEP:
            for inner in value.values() if isinstance(value, dict) else value:
                yield from leaves(inner, depth + 1)
    else:
        yield value


def texts(event: Mapping[str, Any]) -> Iterator[str]:
    """Every text in which a word alone is looked for."""
    for key, value in event.items():
        if key in ABOUT:
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from (one for one in leaves(value) if isinstance(one, str))


def written(value: Any) -> str:
    """A value as text: as JSON writes it."""
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _named(keys: tuple[str, ...], sign: str) -> str:
    return f"{keys[-1]}{sign}" if keys else ""


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in ("OR", "AND", "NOT"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
