"""The options that several commands of ``postrmagic deploy`` share, and what they are made into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..deployment import Engine, Terms

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Project:
    """Which project."""

    file: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", help="A Compose file; repeat it. Without: as `docker compose` finds it."),
    ] = None
    project: Annotated[str | None, typer.Option("--project", "-p", help="The project's name, if not the file's.")] = (
        None
    )
    profile: Annotated[list[str] | None, typer.Option(help="A profile that is in use; repeat it.")] = None
    env_file: Annotated[list[Path] | None, typer.Option("--env-file", help="A file of variables; repeat it.")] = None

    def engine(self) -> Engine:
        """The engine, and the project there."""
        named = [self.project] if self.project else []
        said = (
            ("--file", self.file),
            ("--project-name", named),
            ("--profile", self.profile),
            ("--env-file", self.env_file),
        )
        return Engine([word for option, values in said for value in values or () for word in (option, str(value))])


@dataclass(frozen=True)
class Care:
    """How careful it is to be."""

    at_once: Annotated[int, typer.Option(min=1, help="How many replicas are replaced together.")] = 1
    watch: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds to watch the first new replica, and all in the end.")
    ] = 10
    max_error_rate: Annotated[
        float, typer.Option(min=0, max=1, help="The share of their answers that may be errors.")
    ] = 0.01
    ready_timeout: Annotated[
        float, typer.Option(min=1, max=86_400, help="Seconds until a new replica must be ready.")
    ] = 120

    def terms(self) -> Terms:
        """The same as a deployment takes it."""
        try:
            return Terms(self.at_once, self.watch, self.max_error_rate, self.ready_timeout)
        except ValueError as error:  # nan is within any bounds
            raise typer.BadParameter(str(error)) from None
