"""``postrmagic doctor``: what is wrong with the settings, the machine and the servers, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from .application import AsJson
from .words import print_json

App = Annotated[
    str | None,
    typer.Option(metavar="MODULE:STACK", help="The application's Stack: its own settings, migrations and tasks too."),
]
Only = Annotated[str, typer.Option(metavar="AREA,…", help="Only these areas, as `settings,database`; left out, all.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Advice, and what could not be looked at, count as problems do.")
]


def doctor(app: App = None, only: Only = "", strict: Strict = False, as_json: AsJson = False) -> None:
    """Look at settings, machine, servers and what waits in them: what is wrong, and what to do about it.

    Changes nothing, and ends in time whatever does not answer. Run it where the application runs, as its user and with
    its environment. Secrets are not shown.

    Exit status: 0 nothing is wrong; 1 there is a problem (with --strict: or advice, or something that could not be
    looked at); 2 the call is wrong.
    """
    from .diagnosis.examining import AREAS, examine
    from .doctor_told import as_program, counted, quiet, show

    areas = [area.strip() for area in only.split(",") if area.strip()]
    wrong = [area for area in areas if area not in AREAS]
    if wrong or (only and not areas):
        raise typer.BadParameter(f"{', '.join(wrong) or 'no area'}: expected some of {', '.join(AREAS)}")
    if app is not None and not all(app.partition(":")):
        raise typer.BadParameter(f"--app {app}: expected module:name, for example app:stack")
    errors = Console(stderr=True)
    with quiet(), errors.status("looking …"):
        found = examine(app, areas)
    if as_json:
        print_json(as_program(found))
    else:
        show(Console(), found)
    counts = counted(found)
    if counts["problem"] or (strict and counts["advice"] + counts["unknown"]):
        raise typer.Exit(1)
