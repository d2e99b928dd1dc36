"""``postrmagic jobs watch``: queues, running jobs and workers, as they change."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from ..errors import PostrMagicError
from ..jobs.interface import ENDED, LIVE, Counts, JobStatus, State
from . import jobs_told
from .application import App, AsJson, opened_jobs
from .words import plain, print_json, span

if TYPE_CHECKING:
    from ..jobs import JobQueue
    from ..jobs.workers import WorkerInfo

_WINDOW = 10.0
_SAMPLE = 500
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: counts and rates (jobs a second) by queue, what runs, and who works."""

    at: datetime
    counts: Mapping[str, Counts]
    enqueued: Mapping[str, float]
    ended: Mapping[str, float]
    running: Sequence[JobStatus]
    workers: Sequence[WorkerInfo]


def watch(
    app: App,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch queues, running jobs and workers; q or Ctrl-C ends it. With --json one look.

    The rates are jobs a second, enqueued and ended in the last ten seconds.
    """
    with opened_jobs(app) as opened:
        if as_json:
            print_json(_as_json(look(opened)))
        elif once:
            Console().print(shown(look(opened)))
        else:
            _live(opened, interval)


def _live(opened: JobQueue, interval: float) -> None:
    with Live(auto_refresh=False) as live, _keys() as pressed:
        try:
            while True:
                live.update(_frame(opened), refresh=True)
                if pressed(interval) in ("q", "Q"):
                    return
        except KeyboardInterrupt:
            return


def _frame(opened: JobQueue) -> RenderableType:
    try:
        return shown(look(opened))
    except PostrMagicError as error:
        return plain(f"{error.code}: {error}; looking again")


def look(opened: JobQueue) -> Seen:
    """What can be seen now."""
    now = datetime.now(UTC)
    return Seen(
        now,
        opened.counts(),
        _rates(opened, LIVE | ENDED, lambda status: status.created_at, now),
        _rates(opened, ENDED, lambda status: status.ended_at, now),
        opened.find({"running"}, limit=_SHOWN),
        opened.workers(),
    )


def _rates(
    opened: JobQueue, states: Collection[State], instant: Callable[[JobStatus], datetime | None], now: datetime
) -> dict[str, float]:
    """Jobs a second by queue, from the newest few hundred; where more happened, from the time that those took."""
    sample = opened.find(states, limit=_SAMPLE)
    ages = [(status.queue, (now - (instant(status) or now)).total_seconds()) for status in sample]
    recent = [(queue, age) for queue, age in ages if age <= _WINDOW]
    full = len(recent) == _SAMPLE
    seconds = max(0.001, *(age for _, age in recent)) if full else _WINDOW
    return {queue: number / seconds for queue, number in Counter(queue for queue, _ in recent).items()}


def shown(seen: Seen) -> Group:
    """A frame."""
    parts: list[RenderableType] = [_queues(seen)]
    if seen.running:
        parts.append(_running(seen))
    if seen.workers:
        parts.append(jobs_told.at_work(seen.workers, seen.at))
    else:
        parts.append(Text("no worker has told of itself within a minute", style="yellow"))
    return Group(*parts)


def _queues(seen: Seen) -> Table:
    names = ("due", "later", "running", "dead letters", "enqueued/s", "ended/s")
    table = Table("queue", *(Column(name, justify="right") for name in names))
    for name in sorted({*seen.counts, *seen.enqueued, *seen.ended}):
        of = seen.counts.get(name, Counts())
        rates = (f"{rate.get(name, 0.0):,.1f}" for rate in (seen.enqueued, seen.ended))
        table.add_row(plain(name), *(f"{n:,}" for n in (of.queued, of.later, of.running)), jobs_told.dead(of), *rates)
    return table


def _running(seen: Seen) -> Table:
    places = {one.id: f"{one.host}:{one.pid}" for one in seen.workers}
    table = Table(Column("running", no_wrap=True), "task", "attempt", "for", "progress", "worker")
    for status in seen.running:
        began = status.started_at or seen.at
        table.add_row(
            plain(status.id),
            plain(status.task),
            f"{status.attempts} of {status.retries + 1}",
            span((seen.at - began).total_seconds()),
            jobs_told.bar(status.progress),
            plain(places.get(status.worker or "", "(vanished)")),
        )
    more = sum(of.running for of in seen.counts.values()) - len(seen.running)
    if more > 0:
        table.add_row(f"and {more} more")
    return table


def _as_json(seen: Seen) -> dict[str, Any]:
    return {
        "at": seen.at,
        "queues": {
            name: {
                **asdict(seen.counts.get(name, Counts())),
                "enqueued_per_second": seen.enqueued.get(name, 0.0),
                "ended_per_second": seen.ended.get(name, 0.0),
            }
            for name in sorted({*seen.counts, *seen.enqueued, *seen.ended})
        },
        "running": seen.running,
        "workers": seen.workers,
    }


def _no_key(seconds: float) -> str:
    time.sleep(seconds)
    return ""


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Within the block: wait so many seconds for a key of the terminal, if there is one; the key, or nothing."""
    if not sys.stdin.isatty():
        yield _no_key
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([terminal], [], [], seconds)
        return os.read(terminal, 1).decode(errors="replace") if ready else ""

    try:
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
