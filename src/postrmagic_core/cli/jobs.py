"""``postrmagic jobs``: what waits, runs and has failed, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from ..jobs.interface import DEAD, ENDED, LIVE, Selection
from . import jobs_told
from .application import App, AsJson, opened_jobs
from .jobs_watch import watch
from .words import duration, plain, print_json

if TYPE_CHECKING:
    from ..jobs import JobQueue
    from ..jobs.interface import JobStatus

jobs = typer.Typer(help="Jobs: what waits, runs and has failed, and what to do about it.", no_args_is_help=True)
jobs.command()(watch)


class State(StrEnum):
    """What a job is doing, or has come to."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Jobs by id.")]
SomeIds = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Jobs by id.")]
Queue = Annotated[str | None, typer.Option(help="Only jobs of this queue.")]
TaskName = Annotated[str | None, typer.Option("--task", help="Only jobs of this task.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@jobs.command("list")
def show_all(
    app: App,
    state: Annotated[list[State] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    queue: Queue = None,
    task: TaskName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first: in any state, or in some."""
    states: Any = [one.value for one in state] if state else LIVE | ENDED  # the names are those of interface.State
    with opened_jobs(app) as opened:
        found = opened.find(states, queue=queue, task=task, limit=limit)
    if as_json:
        print_json(found)
        return
    console = Console()
    if found:
        console.print(jobs_told.listed(found, _now(), console.width))
    else:
        console.print("no such job is known")
    if len(found) == limit:
        console.print(f"perhaps there are more: these are the newest {limit} (--limit)", style="dim", highlight=False)


@jobs.command()
def show(
    app: App,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job.")],
    arguments: Annotated[
        bool, typer.Option("--arguments", help="Arguments, result and context too; they may be confidential.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one job; exit status 1 if it is unknown."""
    with opened_jobs(app) as opened:
        record = opened.record(job_id)
    if record is None:
        raise _refused([_unknown(job_id)])
    status, content = record.status, jobs_told.content(record) if arguments else {}
    if as_json:
        timings = jobs_told.timings(status, _now())
        print_json(asdict(status) | {"timings": timings} | content)
    else:
        Console().print(jobs_told.described(status, content, _now()))


@jobs.command()
def counts(app: App, as_json: AsJson = False) -> None:
    """Count, by queue, what is due, waits for its time, runs and is dead."""
    with opened_jobs(app) as opened:
        found = opened.counts()
    if as_json:
        print_json(dict(sorted(found.items())))
    else:
        Console().print(jobs_told.counted(found) if found else "no job is due, later, running or dead")


@jobs.command()
def workers(app: App, as_json: AsJson = False) -> None:
    """List the workers that have told of themselves within the last minute; exit status 1 if there is none."""
    with opened_jobs(app) as opened:
        found = opened.workers()
    if as_json:
        print_json(found)
    elif found:
        Console().print(jobs_told.at_work(found, _now()))
    else:
        raise _refused(["no worker has told of itself within a minute: start one with `postrmagic worker`"])


@jobs.command()
def replay(
    app: App,
    ids: SomeIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    queue: Queue = None,
    task: TaskName = None,
    limit: Annotated[int, typer.Option(min=1, help="Without ids: how many at most, the newest first.")] = 1000,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let dead letters (and cancelled jobs, by id) wait again with all their tries; asks first, unless by id.

    Exit status 1 if a job named is unknown or did not end so, or if there was none.
    """
    chosen = everything or queue is not None or task is not None
    if bool(ids) == chosen:
        raise typer.BadParameter("say which: ids, or --all, --queue, --task")
    with opened_jobs(app) as opened:
        if ids:
            _each(opened, "replay", ids, as_json=as_json)
            return
        dead = opened.find(DEAD, queue=queue, task=task, limit=limit)
        if dead and not yes:
            typer.confirm(f"Replay {_number(len(dead))}?", abort=True, err=True)
        done = opened.adapter.alter("replay", Selection([status.id for status in dead])) if dead else ()
    _say({"replayed": list(done)}, f"{_number(len(done))} replayed", as_json=as_json)
    if len(dead) == limit and not as_json:
        Console().print(f"perhaps there are more: these were the newest {limit} (--limit)", highlight=False)
    if not done:
        raise typer.Exit(1)


@jobs.command()
def cancel(app: App, ids: Ids, as_json: AsJson = False) -> None:
    """Cancel jobs: one that waits ends at once, one that runs is asked to.

    Exit status 1 if one is unknown or has ended.
    """
    with opened_jobs(app) as opened:
        _each(opened, "cancel", ids, as_json=as_json)


@jobs.command()
def purge(
    app: App,
    older_than: Annotated[
        Any, typer.Option(parser=duration, metavar="DURATION", help="Ended longer ago than this: 12h, 7d.")
    ],
    dead: Annotated[bool, typer.Option("--dead", help="Dead and failed jobs too: they are then lost.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget jobs that succeeded or were cancelled; dead and failed ones only with --dead.

    Exit status 1 if there was none. Without the command a job that succeeded or was cancelled is forgotten after its
    task's time (`keep`), a day as a rule.
    """
    until = _now() - timedelta(seconds=older_than)
    what = "jobs that ended, DEAD AND FAILED TOO," if dead else "jobs that succeeded or were cancelled"
    if not yes:
        typer.confirm(f"Forget all {what} before {until:%Y-%m-%d %H:%M:%S} UTC?", abort=True, err=True)
    with opened_jobs(app) as opened:
        count = opened.purge(until, states=ENDED if dead else ENDED - DEAD)
    _say({"forgotten": count}, f"{_number(count)} forgotten", as_json=as_json)
    if not count:
        raise typer.Exit(1)


_DONE: dict[str, Callable[[JobStatus | None], str]] = {
    "replay": lambda before: "waits again",
    "cancel": lambda before: "is asked to end" if before is not None and before.state == "running" else "is cancelled",
}
_NOT = {
    "replay": "only what is dead, failed or cancelled is replayed",
    "cancel": "only what waits or runs is cancelled",
}


def _each(opened: JobQueue, change: Literal["replay", "cancel"], ids: Sequence[str], *, as_json: bool) -> None:
    """Change the jobs named, and tell of each; those that cannot be changed are left, and are exit status 1."""
    wanted = list(dict.fromkeys(ids))
    before = {record.status.id: record.status for record in opened.adapter.records(Selection(wanted))}
    done = set(opened.adapter.alter(change, Selection(wanted)))
    refused = {
        job_id: _unknown(job_id) if job_id not in before else f"job {job_id} is {before[job_id].state}: {_NOT[change]}"
        for job_id in wanted
        if job_id not in done
    }
    changed = [job_id for job_id in wanted if job_id in done]
    if as_json:
        print_json({"replayed" if change == "replay" else "cancelled": changed, "refused": refused})
    else:
        for job_id in changed:
            Console().print(plain(f"job {job_id} {_DONE[change](before.get(job_id))}"), soft_wrap=True)
    if refused:
        raise _refused([] if as_json else list(refused.values()))


def _unknown(job_id: str) -> str:
    return (
        f"job {job_id} is unknown: it was forgotten (after its task's `keep`, or by a purge), is still in the outbox "
        "(`postrmagic outbox list --topic jobs`), or never was"
    )


def _refused(sentences: Sequence[str]) -> typer.Exit:
    console = Console(stderr=True)
    for sentence in sentences:
        console.print(plain(sentence), style="red", soft_wrap=True)
    return typer.Exit(1)


def _number(count: int) -> str:
    return f"{count} job" if count == 1 else f"{count} jobs"


def _now() -> datetime:
    return datetime.now(UTC)


def _say(figures: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    print_json(figures) if as_json else Console().print(Text(sentence))
