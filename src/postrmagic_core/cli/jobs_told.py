"""Jobs, counts and workers as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from .. import _codec
from ..errors import DecodeError
from ..jobs.interface import ENDED
from .words import plain, span

if TYPE_CHECKING:
    from ..jobs.interface import Counts, JobRecord, JobStatus, Progress
    from ..jobs.workers import WorkerInfo

_COLOURS = {
    "queued": "cyan",
    "retrying": "yellow",
    "running": "bold blue",
    "succeeded": "green",
    "cancelled": "dim",
    "failed": "red",
    "dead": "bold red",
}
_BAR = 8
# Columns of a terminal below which a table with everything in it would show nothing of anything.
_WIDE = 110


def listed(found: Sequence[JobStatus], now: datetime, width: int) -> Table:
    """One line a job. The queue is a column where there are several; in a narrow terminal only the id stays whole."""
    if width < _WIDE:
        return _narrow(found)
    several = len({status.queue for status in found}) > 1
    table = Table(
        Column("id", no_wrap=True),
        *(["queue"] if several else []),
        Column("task", overflow="fold"),
        *(Column(name, no_wrap=True) for name in ("state", "priority", "attempts", "age", "due", "progress")),
        Column("reason", overflow="fold"),
    )
    for status in found:
        queue = [plain(status.queue)] if several else []
        table.add_row(
            plain(status.id),
            *queue,
            plain(status.task),
            state(status),
            status.priority,
            f"{status.attempts} of {status.retries + 1}",
            span((now - status.created_at).total_seconds()),
            _due(status, now),
            bar(status.progress, note=False),
            plain(why(status)),
        )
    return table


def _narrow(found: Sequence[JobStatus]) -> Table:
    table = Table(Column("id", no_wrap=True), Column("task", overflow="fold"), Column("state", no_wrap=True), "tries")
    for status in found:
        table.add_row(plain(status.id), plain(status.task), state(status), f"{status.attempts}/{status.retries + 1}")
    return table


def at_work(found: Sequence[WorkerInfo], now: datetime) -> Table:
    """One line a worker."""
    table = Table("host", "process", "queues", "running", "memory", "up", "seen")
    for one in found:
        table.add_row(
            plain(one.host),
            str(one.pid),
            plain(", ".join(one.queues)),
            f"{one.running} of {one.threads}",
            f"{one.rss / 2**20:.0f} MiB",
            span((now - one.started_at).total_seconds()),
            f"{span((now - one.last_seen_at).total_seconds())} ago",
        )
    return table


def counted(found: Mapping[str, Counts]) -> Table:
    """One line a queue."""
    table = Table("queue", *(Column(name, justify="right") for name in ("due", "later", "running", "dead letters")))
    for name, of in sorted(found.items()):
        table.add_row(plain(name), *(f"{n:,}" for n in (of.queued, of.later, of.running)), dead(of))
    return table


def dead(of: Counts) -> Text:
    """How many are dead; they ask for somebody."""
    return Text(f"{of.dead:,}", style="bold red" if of.dead else "")


def state(status: JobStatus) -> Text:
    """The state in its colour."""
    return Text("running, to end" if status.cancelling else status.state, style=_COLOURS[status.state])


def why(status: JobStatus) -> str:
    """The reason with the error behind it."""
    parts = [status.reason or "", status.error or ""]
    return ": ".join(part for part in parts if part)


def bar(progress: Progress | None, *, note: bool = True) -> RenderableType:
    """How far a job has come: a bar where the end is known, and its word."""
    if progress is None:
        return ""
    word = progress.note if note else ""
    if not progress.total:
        return plain(f"{progress.done:g} {word}".strip())
    share = min(1.0, max(0.0, progress.done / progress.total))
    row = Table.grid(*(Column(no_wrap=True) for _ in range(3 if word else 2)), padding=(0, 1))
    row.add_row(ProgressBar(total=1.0, completed=share, width=_BAR), f"{share:.0%}", *([plain(word)] if word else []))
    return row


def _due(status: JobStatus, now: datetime) -> str:
    if status.due_at is None:
        return ""
    left = (status.due_at - now).total_seconds()
    return f"in {span(left)}" if left > 0 else "now"


def timings(status: JobStatus, now: datetime) -> dict[str, float]:
    """Seconds: ``waited`` before its present or last delivery, ``ran`` in it, ``age`` until now or its end."""
    told = {"age": (status.ended_at or now) - status.created_at}
    if status.started_at is not None:
        told["waited"] = status.started_at - status.created_at
        if status.state == "running" or status.state in ENDED:
            told["ran"] = (status.ended_at or now) - status.started_at
    return {name: round(max(0.0, value.total_seconds()), 6) for name, value in told.items()}


def described(status: JobStatus, content: Mapping[str, Any], now: datetime) -> Table:
    """One line each for what is known of a job; what does not apply is left out."""
    table = Table(show_header=False, box=None)
    shown: dict[str, RenderableType] = {"state": state(status), "progress": bar(status.progress)}
    for name, value in asdict(status).items():
        if value is not None and value is not False:
            table.add_row(Text(name.removesuffix("_at"), style="bold"), shown.get(name) or plain(value))
    for name, seconds in timings(status, now).items():
        table.add_row(Text(name, style="bold"), f"{seconds:.3f} s")
    for name, value in content.items():
        table.add_row(Text(name, style="bold"), plain(repr(value)))
    return table


def content(record: JobRecord) -> dict[str, Any]:
    """What is not shown by default."""
    return {
        "arguments": _decoded(record.payload),
        "result": None if record.result is None else _decoded(record.result),
        "context": _decoded(record.headers) if record.headers else {},
    }


def _decoded(data: bytes) -> Any:
    try:
        return _codec.decode(data)
    except DecodeError:
        return "(not in this package's encoding)"
