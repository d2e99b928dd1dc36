"""Which words and numbers lead to a record: the hashes that an index keeps of records, and those that a query needs."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias
from zlib import crc32

from ..query_nodes import DEEP, EVERY_LEVEL, Either, Equal, Every, Level, Node, Not, Within, Words, words_of
from .interface import Record

IDS: Final = ("request_id", "trace_id", "span_id", "parent_id", "job_id", "event_id")
"""Fields with another value in nearly every record: what is an id by its looks needs no closer look."""
_IDS = re.compile(r"(?:(?:[0-9a-f]{16}(?:[0-9a-f]{16})?|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n)+")
_CANONICAL = re.compile(r"-?[1-9]\d{0,18}|0")
# What a number, a truth value or null may look like as a word: such are not kept as words.
_NO_TEXT = re.compile(r"[\d.e]+|true|false|null|nan|inf|infinity")
_HEXADECIMAL = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REPEATED = frozenset(
    {"level", "logger", "service", "release", "event", "method", "task", "queue", "statement", "code"}
)
_SHORT_NUMBER = 15
_DEEP = 3 * DEEP  # a query counts the lists in lists otherwise
_DIGIT = re.compile(r"\d")
_LARGE = float(2**63)
_CASELESS = ("\u212a".encode(), "\u0130".encode())
"""Letters beyond ASCII that are written in lower case with letters of it."""


def hash_of(term: str) -> int:
    """32 bits of a word, or of ``key:number``."""
    return crc32(term.encode("utf-8", "replace"))


def hashes(records: list[Record]) -> array[int]:
    """Hashes of everything that a search may look for in ``records``, sorted; takes the ids out of the records."""
    found: set[str] = set()
    pairs: set[tuple[str, Any]] = set()
    some = records[::37]
    for key in IDS:
        if any(key in record for record in some):
            _ids(records, key, found, pairs)
    for record in records:
        record.pop("ts", None)
        try:
            pairs.update(record.items())
        except TypeError:  # a field of fields
            for key, value in record.items():
                _nested(key, value, pairs, ())
    for key, value in pairs:
        if type(value) is str:
            found.update(_terms(key, value) if key in _REPEATED else _long(key, value))
        elif type(value) is int:
            found.add(f"{key}:{value}")
        elif value is not None and value == value // 1 and -_LARGE < value < _LARGE:
            # Of 1, 1.0 and true a set keeps whichever came first: all are kept as the number.
            found.add(f"{key}:{int(value)}")
    try:
        return array("I", sorted(set(map(crc32, map(str.encode, found)))))
    except UnicodeEncodeError:
        return array("I", sorted(set(map(hash_of, found))))


def _ids(records: list[Record], key: str, found: set[str], pairs: set[tuple[str, Any]]) -> None:
    values = [record.pop(key, None) for record in records]
    try:
        distinct = set(values)
    except TypeError:
        for value in values:
            _nested(key, value, pairs, ())
        return
    distinct.discard(None)
    if not distinct:
        return
    try:
        plain = _IDS.fullmatch("\n".join(distinct) + "\n") is not None
    except TypeError:
        plain = False
    if plain:
        found.update(distinct)
    else:
        pairs.update((key, value) for value in distinct)


def _nested(key: str, value: Any, pairs: set[tuple[str, Any]], above: tuple[str, ...], depth: int = 0) -> None:
    """The leaves of ``value``: texts once, numbers under every key at or above which a query may ask for them."""
    if isinstance(value, dict | list):
        if depth < _DEEP:
            inner = value.items() if isinstance(value, dict) else ((None, one) for one in value)
            for name, one in inner:
                if name is None:
                    _nested(key, one, pairs, above, depth + 1)
                else:
                    _nested(f"{key}.{name}", one, pairs, (*above, key), depth + 1)
    else:
        pairs.add((key, value))
        if not isinstance(value, str) or _CANONICAL.fullmatch(value):
            pairs.update((one, value) for one in above)


def _long(key: str, text: str) -> tuple[str, ...]:
    words = words_of(text)
    return (*words, f"{key}:{text}") if _CANONICAL.fullmatch(text) else words


_terms = lru_cache(maxsize=2048)(_long)


@dataclass(frozen=True, slots=True)
class Has:
    """Blocks with this hash; ``common``: it is a mere word, which many may hold."""

    hash: int
    common: bool = False


@dataclass(frozen=True, slots=True)
class Both:
    """Blocks that all of ``parts`` lead to."""

    parts: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Blocks that one of ``parts`` leads to."""

    parts: tuple[Wanted, ...]


Wanted: TypeAlias = Has | Both | OneOf | None
"""Which blocks may hold what a query asks for; ``None``: any."""


def wanted(node: Node) -> Wanted:
    """What leads to records that ``node`` matches: every one of them, and others."""
    if isinstance(node, Every):
        return _both(wanted(one) for one in node.nodes)
    if isinstance(node, Either):
        return _one_of([wanted(one) for one in node.nodes])
    if isinstance(node, Words):
        words = node.words[:-1] if node.prefix else node.words
        if "ts" in node.keys or (node.keys and all(map(_NO_TEXT.fullmatch, words))):
            return None
        return _both(map(_word, words))
    if isinstance(node, Equal) and "ts" not in node.keys:
        return _equal(node)
    return None


def _equal(node: Equal) -> Wanted:
    text = node.text
    if node.prefix:  # only what a blank ends is a whole word
        words = words_of(text[: max((at for at, one in enumerate(text) if one.isspace()), default=0)])
        return _both(_word(word) for word in words if not _NO_TEXT.fullmatch(word))
    if _CANONICAL.fullmatch(text):
        numbers: list[Wanted] = [Has(hash_of(f"{key}:{text}")) for key in node.keys]
        return _one_of([*numbers, Has(hash_of(text))] if len(text) > _SHORT_NUMBER else numbers)
    if _HEXADECIMAL.fullmatch(text):
        return Has(hash_of(text))
    words = words_of(text)
    return None if all(map(_NO_TEXT.fullmatch, words)) else _both(map(_word, words))


def _word(word: str) -> Has:
    return Has(hash_of(word), common=_DIGIT.search(word) is None)


def _both(parts: Iterable[Wanted]) -> Wanted:
    found = dict.fromkeys(part for part in parts if part is not None)
    # What is rare comes first: it may leave nothing to look for.
    kept = tuple(sorted(found, key=lambda part: isinstance(part, Has) and part.common))
    return Both(kept) if len(kept) > 1 else (kept[0] if kept else None)


def _one_of(parts: list[Wanted]) -> Wanted:
    kept = tuple(dict.fromkeys(parts))
    if None in kept:
        return None
    return kept[0] if len(kept) == 1 else OneOf(kept)


def ranks(node: Node) -> int:
    """The levels, as bits by rank, that records have which ``node`` matches."""
    if isinstance(node, Level):
        return node.ranks
    if isinstance(node, Not) and isinstance(node.node, Level):
        return EVERY_LEVEL & ~node.node.ranks
    if isinstance(node, Every):
        found = EVERY_LEVEL
        for one in node.nodes:
            found &= ranks(one)
        return found
    if isinstance(node, Either):
        found = 0
        for one in node.nodes:
            found |= ranks(one)
        return found
    return EVERY_LEVEL


def bounds(node: Node) -> tuple[int | None, int | None]:
    """From and before which instant (µs) all records are which ``node`` matches, as far as it says so."""
    if isinstance(node, Within):
        return node.since.us if node.since else None, node.until.us if node.until else None
    if isinstance(node, Every):
        both = [bounds(one) for one in node.nodes]
        since = [low for low, _ in both if low is not None]
        until = [high for _, high in both if high is not None]
        return max(since, default=None), min(until, default=None)
    return None, None


def by_level_alone(node: Node) -> bool:
    """Whether nothing but level and time decide."""
    if isinstance(node, Every):
        return all(by_level_alone(one) for one in node.nodes)
    return isinstance(node, Level | Within) or (isinstance(node, Not) and isinstance(node.node, Level))


def needles(node: Node) -> list[bytes]:
    """Words in ASCII, the longest first, that every line holds, whatever its case, whose record ``node`` matches."""
    return sorted(_needles(node), key=len, reverse=True)


def _needles(node: Node) -> list[bytes]:
    if isinstance(node, Every):
        return [found for one in node.nodes for found in _needles(one)]
    if isinstance(node, Words):
        return [word.encode() for word in node.words if word.isascii() and not (node.keys and _NO_TEXT.fullmatch(word))]
    if isinstance(node, Equal):
        if _CANONICAL.fullmatch(node.text) and not node.prefix:
            return [node.text.encode()]
        # A fraction may be written in several ways.
        return [word.encode() for word in words_of(node.text) if word.isascii() and not _NO_TEXT.fullmatch(word)]
    return []


def plain(text: bytes) -> bool:
    """Whether words in ASCII can be looked for in these lines of JSON as they are, but for their case."""
    return b"\\u" not in text and (text.isascii() or not any(one in text for one in _CASELESS))
