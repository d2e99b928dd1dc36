"""A deployment on a terminal and in a log: each step with its time, how it ended, what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..deployment.interface import Outcome, Release, Replica, Said, Status
from ..deployment.lock import described
from .words import plain

_STYLES = {"failed": "bold red", "rollback": "yellow", "rolled-back": "yellow", "deployed": "bold green"}


@contextmanager
def steps(*, to_stderr: bool) -> Iterator[Callable[[Said], None]]:
    """What a deployment reports to: a line for each step, and in a terminal what it is at now below them."""
    console = Console(stderr=to_stderr)

    def tell(said: Said) -> None:
        console.print(line(said), soft_wrap=True, highlight=False)
        if status is not None:
            status.update(plain(said.text))

    status = console.status("…") if console.is_terminal else None
    if status is None:
        yield tell
    else:
        with status:
            yield tell


def line(said: Said) -> Text:
    """One step: the time of day, the seconds since the beginning, what happens."""
    now = f"{datetime.now(UTC):%H:%M:%S}Z"
    return Text.assemble(f"{now} {said.seconds:7.1f} s  ", plain(said.text), style=_STYLES.get(said.step, ""))


def show_log(log: str) -> None:
    """The last lines of the replica that failed, on standard error."""
    console = Console(stderr=True)
    for one in log.splitlines():
        console.print(Text("    | ") + plain(one), soft_wrap=True, highlight=False)


def show_outcome(outcome: Outcome) -> None:
    """How it ended, and what is not known."""
    console = Console()
    for doubt in outcome.doubts:
        console.print(plain(doubt), style="yellow", soft_wrap=True, highlight=False)
    if outcome.asked:
        told = f"new replicas were asked {outcome.asked:,} times while they were watched, and failed {outcome.failed:,}"
        console.print(told, soft_wrap=True, highlight=False)


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """The same for programs."""
    return {**asdict(outcome), "seconds": round(outcome.seconds, 3)}


def show_status(status: Status) -> None:
    """A table of replicas, then who deploys and what is unfinished."""
    console = Console()
    if status.replicas:
        table = Table(Column("replica", no_wrap=True), "release", "image", "state", "proxy", "before it")
        for one in status.replicas:
            table.add_row(*map(plain, _cells(one, status)))
        console.print(table)
    else:
        console.print(plain(f"{status.project}: nothing runs that is deployed"))
    if status.proxy_problem:
        console.print(plain(status.proxy_problem), style="yellow", soft_wrap=True, highlight=False)
    if status.note is not None:
        told = f"{status.note.target.version} was begun and is not ended: run `postrmagic deploy up` or `rollback`"
        console.print(plain(told), style="bold yellow", soft_wrap=True, highlight=False)
    if status.lock is not None:
        console.print(plain(described(status.lock)), style="yellow", soft_wrap=True, highlight=False)


def _cells(one: Replica, status: Status) -> tuple[str, ...]:
    said = [status.proxy[address] for address in one.addresses if address in status.proxy]
    state = f"{one.state}, {one.health}" if one.health else one.state
    before = "" if one.previous is None else one.previous.version
    return one.name, one.release.version, one.release.image, state, ", ".join(said), before


def status_as_json(status: Status) -> dict[str, Any]:
    """The same for programs."""
    lock = status.lock and {key: value for key, value in status.lock.items() if key in {"user", "host", "pid", "began"}}
    return {
        "project": status.project,
        "replicas": [
            {
                "name": one.name,
                "service": one.service,
                **_released("", one.release),
                **_released("previous_", one.previous),
                "state": one.state,
                "health": one.health or None,
                "serving": one.serving,
                "proxy": [status.proxy[address] for address in one.addresses if address in status.proxy],
            }
            for one in status.replicas
        ],
        "proxy_problem": status.proxy_problem or None,
        "lock": lock,
        "unfinished": None if status.note is None else asdict(status.note),
    }


def _released(prefix: str, release: Release | None) -> dict[str, str | None]:
    found = (None, None) if release is None else (release.version, release.image)
    return dict(zip((f"{prefix}release", f"{prefix}image"), found, strict=True))
