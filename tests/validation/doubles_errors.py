"""Errors without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postrmagic_core.validation import policy
from postrmagic_core.validation.messages import Catalogue


def pointer_with_every_name(loc: Sequence[int | str], data: object, *, absent: bool = False) -> str:
    """A pointer shows each name that was sent, however long, whatever is in it."""
    return "".join(f"/{step}" for step in loc)


def translate_in_pydantic_s_words(
    errors: Iterable[Mapping[str, Any]], data: object, catalogue: Catalogue
) -> list[dict[str, str]]:
    """The message is pydantic's own, or that of the exception a validator raised."""
    return [
        {"pointer": policy.pointer_to(error["loc"], data), "code": error["type"], "message": error["msg"]}
        for error in errors
    ]
