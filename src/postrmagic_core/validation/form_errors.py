"""Which input of an HTML form each problem belongs to, where a field has several inputs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..errors import ValidationFailed


def errors_by_input(error: ValidationFailed, inputs: Collection[str]) -> dict[str, list[str]]:
    """The messages of ``error`` by the name of the input they belong to, in the order of ``inputs``.

    ``inputs`` are the names in the page. The pointer ``/rows/0/name`` belongs to ``rows[0].name`` where there is such
    an input, else to ``rows[0]``, else to ``rows``. What belongs to none of them (the whole form, a field that nobody
    asked for) comes last, under ``""``: show it in the summary.
    """
    found: dict[str, dict[str, None]] = {name: {} for name in inputs if name}
    rest: dict[str, None] = {}
    for problem in error.errors:
        names = (name for name in _names(problem["pointer"]) if name in found)
        name = next(names, None)
        (rest if name is None else found[name])[problem["message"]] = None
    return {name: list(messages) for name, messages in (*found.items(), ("", rest)) if messages}


def _names(pointer: str) -> Iterator[str]:
    """The names that an input for ``pointer`` may have, the narrowest first."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    first, inner = steps[:1], [f"[{step}]" if step.isascii() and step.isdecimal() else f".{step}" for step in steps[1:]]
    for end in range(len(steps), 0, -1):
        yield "".join(first + inner[: end - 1])
