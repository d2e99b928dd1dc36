"""Guards that do not guard, for the matrix of faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from postrmagic_core.api.interface import Call, PlainResponse


def as_read(kind: TypeAdapter[Any], text: str) -> Any:
    """A value of the path, however it is written."""
    return kind.validate_strings(text, strict=False)


def as_told(reader: object, call: Call) -> str:
    """The body's type, whatever it is."""
    return call.headers.get("content-type", "")


def unchecked(answering: object, given: Mapping[str, str]) -> dict[str, str]:
    """Headers as the handler gave them."""
    return {name.lower(): value for name, value in given.items()}


def empty(answering: object, status: int, reply: object) -> PlainResponse:
    """An answer of whatever status, without what was given for it."""
    return PlainResponse(status, {})
