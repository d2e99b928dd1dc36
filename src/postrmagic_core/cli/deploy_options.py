"""The options that several commands of ``postrmagic deploy`` share, as what they are made into."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..deployment import Engine, Terms

_Part = Callable[..., object]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def project_options(
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", help="A Compose file; repeat it. Without: as `docker compose` finds it."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="The project's name, if not the file's.")
    ] = None,
    profile: Annotated[list[str] | None, typer.Option(help="A profile that is in use; repeat it.")] = None,
    env_file: Annotated[list[Path] | None, typer.Option("--env-file", help="A file of variables; repeat it.")] = None,
) -> Engine:
    """The engine, and the project there."""
    named = [project] if project else []
    said = (("--file", file), ("--project-name", named), ("--profile", profile), ("--env-file", env_file))
    return Engine([word for option, values in said for value in values or () for word in (option, str(value))])


def terms_options(
    at_once: Annotated[int, typer.Option(min=1, help="How many replicas are replaced together.")] = 1,
    watch: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds to watch the first new replica, and all in the end.")
    ] = 10,
    max_error_rate: Annotated[
        float, typer.Option(min=0, max=1, help="The share of their answers that may be errors.")
    ] = 0.01,
    ready_timeout: Annotated[
        float, typer.Option(min=1, max=86_400, help="Seconds until a new replica must be ready.")
    ] = 120,
) -> Terms:
    """How careful it is to be."""
    try:
        return Terms(at_once, watch, max_error_rate, ready_timeout)
    except ValueError as error:  # nan is within any bounds
        raise typer.BadParameter(str(error)) from None


def taking(**parts: _Part) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with the options of each part in place of the parameter of that name, which gets what it makes."""

    def made(command: Callable[..., None]) -> Callable[..., None]:
        options = {name: inspect.signature(part, eval_str=True).parameters for name, part in parts.items()}
        own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name not in parts]
        shared = [one for each in options.values() for one in each.values()]

        @wraps(command)
        def run(**given: Any) -> None:
            ready = {name: parts[name](**{one: given.pop(one) for one in options[name]}) for name in parts}
            command(**given, **ready)

        hints = get_type_hints(command, include_extras=True)
        for part in parts.values():
            hints |= get_type_hints(part, include_extras=True)
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect reads first
        run.__annotations__ = {name: hints[name] for name in (one.name for one in parameters)}
        return run

    return made
