"""How far long work is, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn

from .words import plain


@contextmanager
def bars(*columns: ProgressColumn) -> Iterator[Callable[[str, int, int | None], None]]:
    """What long work reports to: a bar for each thing under way, with these columns behind it; off a terminal, none."""
    console = Console(stderr=True)
    front = (TextColumn("{task.description}", markup=False), BarColumn())
    with Progress(*front, *columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        steps: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in steps:
                steps[what] = progress.add_task(plain(what).plain, total=total)
            progress.update(steps[what], completed=done, total=total, visible=total is None or done < total)

        yield report
