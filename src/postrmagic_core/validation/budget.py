"""What an input costs, found out before its meaning: size, depth, number of parts. Pure, linear."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from .interface import InputLimits

Broken: TypeAlias = tuple[str, int]
"""The code of a limit and its value."""

_TEXT = (str, bytes, bytearray)
_SCALARS = frozenset({int, float, bool, type(None)})
_BLANKS = b" \t\r\n"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def over_data(data: object, limits: InputLimits) -> Broken | None:
    """The limit that Python data breaks, if any; a cycle breaks ``depth``."""
    items = size = depth = 0
    level: list[Any] = [data]
    while level:
        items += len(level)
        if items > limits.items:
            return "limit.items", limits.items
        below: list[Any] = []
        holding = False
        for value in level:
            # By the exact class first: asking an abstract one takes as long as pydantic takes for the value.
            kind = type(value)
            if kind is str:
                size += len(value)
            elif kind is dict:
                holding = True
                size += _names(value)
                below += value.values()
            elif kind is list:
                holding = True
                below += value
            elif kind not in _SCALARS:
                if isinstance(value, _TEXT):
                    size += len(value)
                elif isinstance(value, Collection):
                    holding = True
                    size += _names(value) if isinstance(value, Mapping) else 0
                    below += value.values() if isinstance(value, Mapping) else value
        depth += holding
        if depth > limits.depth:
            return "limit.depth", limits.depth
        if size > limits.bytes:
            return "limit.bytes", limits.bytes
        level = below
    return None


def _names(mapping: Mapping[Any, Any]) -> int:
    try:
        return len("".join(mapping))
    except TypeError:  # not all of them are texts
        return sum(len(name) for name in mapping if isinstance(name, _TEXT))


def over_json(body: bytes, limits: InputLimits) -> Broken | None:
    """The limit that a JSON text breaks, if any, by counting its marks without parsing it."""
    if len(body) > limits.bytes:
        return "limit.bytes", limits.bytes
    # A text that is shorter than its parts may be many, and opens no more than its levels may be, in whatever order.
    if len(body) < limits.items and body.count(b"[") + body.count(b"{") <= limits.depth:
        return None
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
