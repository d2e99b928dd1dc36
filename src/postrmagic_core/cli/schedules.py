"""``postrmagic schedules``: which there are and when they come; run one now, pause, resume or forget it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from .application import App, AsJson, opened_jobs
from .words import plain, print_json, span

if TYPE_CHECKING:
    from ..jobs import JobQueue
    from ..jobs.schedules.manage import ScheduleInfo

schedules = typer.Typer(help="Schedules: when they come, and what to do about it.", no_args_is_help=True)

# Columns of a terminal below which only what a person asks first has room.
_WIDE = 120


def zone(name: str) -> tzinfo:
    """The time zone that somebody typed; what is none is a usage error."""
    try:
        return ZoneInfo(name)
    except (OSError, LookupError, ValueError):
        raise typer.BadParameter(f"expected a time zone as Europe/Zurich or UTC, got {name!r}") from None


Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Schedules by name.")]


@schedules.command("list")
def show_all(
    app: App,
    show_in: Annotated[
        Any, typer.Option("--zone", parser=zone, metavar="ZONE", help="Show instants in this zone; default: yours.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the schedules that the application declares, and those that it declared once: when each comes next."""
    with opened_jobs(app) as opened:
        found = opened.schedules()
    console = Console()
    if as_json:
        print_json(found)
    elif found:
        console.print(_listed(found, datetime.now(UTC), show_in, wide=console.width >= _WIDE))
    else:
        console.print("no schedule is declared or known")


@schedules.command()
def run(app: App, name: Name, as_json: AsJson = False) -> None:
    """Enqueue a schedule's job now, paused or not; its ticks come as they would have."""
    with opened_jobs(app) as opened:
        job = opened.run_schedule(name)
    _say({"schedule": name, "job": job.id}, f"schedule {name} runs as job {job.id}", as_json=as_json)


@schedules.command()
def pause(app: App, names: Names, as_json: AsJson = False) -> None:
    """Fire nothing of these schedules until they are resumed, also after a restart."""
    _each(app, names, lambda opened, name: opened.pause_schedule(name), "paused", as_json=as_json)


@schedules.command()
def resume(app: App, names: Names, as_json: AsJson = False) -> None:
    """Go on with paused schedules, from their next tick on: those of the pause do not count as missed."""
    _each(app, names, lambda opened, name: opened.resume_schedule(name), "resumed", as_json=as_json)


@schedules.command()
def forget(app: App, names: Names, as_json: AsJson = False) -> None:
    """Be rid of schedules that the application does not declare any more; its jobs stay."""
    _each(app, names, lambda opened, name: opened.forget_schedule(name), "forgotten", as_json=as_json)


def _each(app: str, names: Sequence[str], change: Callable[[JobQueue, str], None], done: str, *, as_json: bool) -> None:
    """Change the schedules named, in order; the first that cannot be ends it."""
    with opened_jobs(app) as opened:
        for name in names:
            change(opened, name)
            if not as_json:
                _say({}, f"schedule {name} is {done}", as_json=False)
    if as_json:
        print_json({done: list(names)})


def _listed(found: Sequence[ScheduleInfo], now: datetime, show_in: tzinfo | None, *, wide: bool) -> Table:
    table = Table(Column("name", overflow="fold"), Column("comes", overflow="fold"), "next")
    for title in ("last", "last job") if wide else ():
        table.add_column(title, no_wrap=True)
    table.add_column("state")
    for one in found:
        comes = f"{one.spec} {one.timezone or ''}".strip()
        last = [plain(_instant(one.last_at, show_in)), plain(one.last_job or "")] if wide else []
        table.add_row(plain(one.name), plain(comes), plain(_next(one, now, show_in)), *last, _state(one))
    return table


def _next(one: ScheduleInfo, now: datetime, show_in: tzinfo | None) -> str:
    if one.next_at is None:
        return "" if one.paused else "once a scheduler has seen it"
    left = (one.next_at - now).total_seconds()
    return f"{_instant(one.next_at, show_in)} ({f'in {span(left)}' if left > 0 else 'now'})"


def _instant(instant: datetime | None, show_in: tzinfo | None) -> str:
    return "" if instant is None else instant.astimezone(show_in).isoformat(sep=" ", timespec="seconds")


def _state(one: ScheduleInfo) -> Text:
    told = ["paused"] if one.paused else []
    return Text(", ".join([*told, *([] if one.declared else ["not declared any more"])]), style="yellow")


def _say(figures: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    print_json(figures) if as_json else Console().print(plain(sentence), soft_wrap=True)
