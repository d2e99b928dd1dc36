"""What an input costs, found out before its meaning: size, depth, number of parts. Pure, linear."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

from .interface import Limits

Broken: TypeAlias = tuple[str, int]
"""The code of a limit and its value."""

_TEXT = (str, bytes, bytearray)
_BLANKS = b" \t\r\n"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def over_data(data: object, limits: Limits) -> Broken | None:
    """The limit that Python data breaks, if any; a cycle breaks ``depth``."""
    items = size = depth = 0
    level: list[object] = [data]
    while level:
        items += len(level)
        if items > limits.items:
            return "limit.items", limits.items
        containers = [value for value in level if isinstance(value, Collection) and not isinstance(value, _TEXT)]
        depth += bool(containers)
        if depth > limits.depth:
            return "limit.depth", limits.depth
        size += sum(len(value) for value in level if isinstance(value, _TEXT))
        level = []
        for value in containers:
            if isinstance(value, Mapping):
                size += sum(len(key) for key in value if isinstance(key, _TEXT))
            level += value.values() if isinstance(value, Mapping) else value
        if size > limits.bytes:
            return "limit.bytes", limits.bytes
    return None


def over_json(body: bytes, limits: Limits) -> Broken | None:
    """The limit that a JSON text breaks, if any, by counting its marks without parsing it."""
    if len(body) > limits.bytes:
        return "limit.bytes", limits.bytes
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 4 * limits.items:  # a value has at most two texts: its name, and itself
        return "limit.items", limits.items
    # Each text becomes one quotation mark: what is in it does not count.
    bare = b'"'.join(unescaped.split(b'"')[::2]).translate(None, _BLANKS)
    opened = bare.count(b"[") + bare.count(b"{")
    empty = bare.count(b"[]") + bare.count(b"{}")
    if 1 + bare.count(b",") + opened - empty > limits.items:
        return "limit.items", limits.items
    if _deeper(bare.translate(_ONE_KIND, _NOT_BRACKETS), limits.depth):
        return "limit.depth", limits.depth
    return None


def _deeper(brackets: bytes, depth: int) -> bool:
    """Whether nesting exceeds ``depth``: each pass takes the innermost level away; what never closes also nests."""
    for _ in range(depth):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return b"[]" in brackets or brackets.count(b"[") > depth
