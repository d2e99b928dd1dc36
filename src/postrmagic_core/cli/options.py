"""Options that belong together, as one value: a command takes a dataclass, its user each field as an option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any, get_type_hints


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """``command``, whose parameters that are dataclasses come as their fields; typer makes an option of each."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    taken: list[Parameter] = []
    for name, one in signature(command).parameters.items():
        if name in groups:
            inner = get_type_hints(groups[name], include_extras=True)
            taken += [
                Parameter(each.name, Parameter.KEYWORD_ONLY, default=each.default, annotation=inner[each.name])
                for each in fields(groups[name])
            ]
        else:
            taken.append(one.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))

    @wraps(command)
    def called(**given: Any) -> None:
        made = {name: kind(**{one.name: given.pop(one.name) for one in fields(kind)}) for name, kind in groups.items()}
        command(**given, **made)

    called.__annotations__ = {one.name: one.annotation for one in taken}
    called.__signature__ = signature(command).replace(  # type: ignore[attr-defined]  # what inspect looks for first
        parameters=sorted(taken, key=lambda one: one.default is not Parameter.empty)
    )
    return called
