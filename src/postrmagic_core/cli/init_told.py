"""What ``postrmagic init`` says when a project is there."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from .words import plain


def steps(name: str, target: Path) -> list[str]:
    """The commands to give next, from the folder in which this one was given."""
    here = Path.cwd()
    place = str(target.relative_to(here) if target.is_relative_to(here) else target)
    return [
        f"cd {shlex.quote(place)} && python -m pip install -e '.[test]'",
        f"postrmagic db upgrade --app {name}.worker:stack",
        f"postrmagic dev {name}.web:app --app {name}.worker:stack",
    ]


def show(name: str, target: Path, count: int) -> None:
    """Say where it is, and what to do next."""
    console = Console(highlight=False, soft_wrap=True)
    lines = [f"{target}: {count} files. What to do next:", *(f"  {step}" for step in steps(name, target))]
    lines.append("The project is then at http://127.0.0.1:8000; its README.md tells the rest.")
    for line in lines:
        # The project is there: a path that the terminal has no letters for is not to end this by an error.
        console.print(plain(line.encode(console.encoding, "backslashreplace").decode(console.encoding)))
