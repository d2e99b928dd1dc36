"""From pydantic's errors to ours: where, which code, which words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from ..errors import ValidationFailed
from .messages import ENGLISH, Catalogue, text, told

# What pydantic puts into an error's context from the input rather than from the rule.
_FROM_INPUT = {"error", "tag", "actual_length", "tz_actual", "encoding_error", "attribute", "object_type"}
_RENAMED = {"json_invalid": "json.invalid"}
_SHOWN_NAME = 64
# Errors of a field that may not be there: their pointer names it all the same.
_MAY_BE_ABSENT = {"missing", "together.required", "together.same", "group.required"}


def failed(code: str, pointer: str = "", *, catalogue: Catalogue = ENGLISH, **context: object) -> ValidationFailed:
    """One error of ours, ready to raise; ``context`` is what its text names."""
    return ValidationFailed([entry(code, pointer, context, catalogue)])


def entry(code: str, pointer: str, context: Mapping[str, Any], catalogue: Catalogue) -> dict[str, str]:
    """One element of :attr:`ValidationFailed.errors`."""
    return {"pointer": pointer, "code": code, "message": told(code, context, catalogue)}


def translate(errors: Iterable[Mapping[str, Any]], data: object, catalogue: Catalogue) -> list[dict[str, str]]:
    """Pydantic's ``errors(include_input=False)`` about ``data`` as ours; each pointer, code and text once."""
    ours: dict[tuple[str, ...], dict[str, str]] = {}
    for error in errors:
        code: str = _RENAMED.get(error["type"]) or error["type"]
        context = {name: value for name, value in error.get("ctx", {}).items() if name not in _FROM_INPUT}
        found = entry(code, pointer_to(error["loc"], data, absent=code in _MAY_BE_ABSENT), context, catalogue)
        quotes = any(type(value) is not int for value in error.get("ctx", {}).values())
        if "." in code and not quotes and text(code, context, catalogue) is None:
            found["message"] = error["msg"]  # constant words and numbers, given to invalid()
        ours.setdefault(tuple(found.values()), found)
    return list(ours.values())


def pointer_to(loc: Sequence[int | str], data: object, *, absent: bool = False) -> str:
    """The JSON pointer (RFC 6901) to ``loc`` in ``data``; ``absent``: its last step names what is not there.

    Pydantic's steps that are no place in the data (the branch of a union, ``[key]``) are left out. A name that is not
    printable or longer than 64 characters ends the pointer at its parent, so that nothing else of the input is shown.
    """
    steps: list[int | str] = []
    node: Any = data
    for number, step in enumerate(loc, 1):
        if _holds(node, step):
            node = node[step]
        elif not (absent and number == len(loc)):
            continue
        steps.append(step)
    return written(steps)


def written(steps: Iterable[object]) -> str:
    """The JSON pointer of these steps, up to the first that may not be shown."""
    shown = takewhile(_showable, steps)
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in shown)


def _showable(step: object) -> bool:
    return isinstance(step, int) or (isinstance(step, str) and len(step) <= _SHOWN_NAME and step.isprintable())


def _holds(node: object, step: int | str) -> bool:
    if isinstance(node, Mapping):
        return step in node
    return isinstance(node, (list, tuple)) and isinstance(step, int) and step < len(node)
