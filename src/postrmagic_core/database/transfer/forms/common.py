"""What the forms of all families share. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..interface import Value

NULL_FIELD = b"\\N"
NULL_CANONICAL = b"N"
_NONE = type(None)


def all_of(values: Sequence[Value], *, kinds: frozenset[type], nullable: bool) -> bool:
    """Whether every value is of one of ``kinds``, or NULL where it may be."""
    found = set(map(type, values))
    if nullable:
        found.discard(_NONE)
    return found <= kinds


def first(values: Sequence[Value], fits: Callable[[Value], bool], *, nullable: bool) -> int | None:
    """The index of the first value that does not fit."""
    for index, value in enumerate(values):
        if not (nullable if value is None else fits(value)):
            return index
    return None


def present(values: Sequence[Value]) -> Sequence[Value]:
    """The values that are not NULL."""
    return [value for value in values if value is not None] if None in values else values


def with_nulls(values: Sequence[Value], shown: Sequence[bytes], null: bytes) -> list[bytes]:
    """``shown``, which is what each value but NULL became, with ``null`` in the places of the others."""
    if len(shown) == len(values):
        return list(shown)
    each = iter(shown)
    return [null if value is None else next(each) for value in values]


def foreign(value: Value) -> bytes:
    """The canonical text of a value that no such column holds: no server says the like."""
    return b"!" + type(value).__name__.encode() + repr(value).encode()
