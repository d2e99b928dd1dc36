"""Backups on a terminal: how far the work is, what was taken, what a restore would replace, how a drill ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table

from ..errors import PostrMagicError
from . import progress
from .words import plain, span

if TYPE_CHECKING:
    from ..backups import Manifest, Report, RestorePlan, Taken
    from ..backups.drill import Drilled
    from ..backups.manager import BackupInfo

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_FAULTS, _TABLES = 50, 12


def bars() -> AbstractContextManager[Report]:
    """What long work reports to: a bar on standard error for each thing under way, with the time left."""
    return progress.bars(TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), TimeRemainingColumn())


def amount(size: float) -> str:
    """Bytes in the greatest unit that fits."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:,.0f} {_UNITS[unit]}" if unit == 0 else f"{size:,.1f} {_UNITS[unit]}"


def taken_as_json(taken: Taken, warnings: Sequence[str], removed: Sequence[str]) -> dict[str, Any]:
    """A backup that was taken, for programs."""
    manifest = taken.manifest
    return {
        "name": taken.name,
        "id": taken.id,
        "taken_at": taken.taken_at,
        "size": taken.size,
        "seconds": round(taken.seconds, 3),
        "tables": len(manifest.database.tables),
        "rows": sum(manifest.database.tables.values()),
        "files": _files(manifest),
        "bytes": manifest.size,
        "warnings": list(warnings),
        "removed": list(removed),
    }


def show_taken(console: Console, taken: Taken, warnings: Sequence[str], removed: Sequence[str]) -> None:
    """What was taken, what somebody should see to, and what went for it."""
    for warning in warnings:
        _say(console, f"warning: {warning}", "yellow")
    manifest = taken.manifest
    tables = manifest.database.tables
    _say(console, taken.name, "bold green")
    held = f"{len(tables):,} tables, {sum(tables.values()):,} rows, {_files(manifest):,} files"
    rate = f", {amount(manifest.size / taken.seconds)}/s" if taken.seconds else ""
    _say(console, f"{held}; {amount(manifest.size)} in {amount(taken.size)}, {taken.seconds:.1f} s{rate}")
    for name in removed:
        _say(console, f"removed: {name}")


def listed_as_json(one: BackupInfo, now: datetime) -> dict[str, Any]:
    """A backup in a list, for programs; its age in seconds."""
    age = round((now - one.taken_at).total_seconds(), 3)
    return {"name": one.name, "taken_at": one.taken_at, "age": age, "size": one.size}


def listed(found: Sequence[BackupInfo], now: datetime) -> Table:
    """The backups there are, the newest first."""
    table = Table(
        Column("name", no_wrap=True), "taken", Column("age", justify="right"), Column("size", justify="right")
    )
    for one in found:
        age = span((now - one.taken_at).total_seconds())
        table.add_row(plain(one.name), _minute(one.taken_at), age, amount(one.size))
    return table


def error_of(error: PostrMagicError | None) -> dict[str, str]:
    """The code and the words of an error, for programs; nothing where there is none."""
    return {} if error is None else {"code": error.code, "error": str(error)}


def show_verified(console: Console, found: Mapping[str, PostrMagicError | None]) -> None:
    """Which backups are whole, and what is wrong with the others."""
    for name, error in found.items():
        if error is None:
            _say(console, f"{name}: whole, every byte", "green")
        else:
            _say(console, f"{name}: {error.code}: {error}", "bold red")


def drilled_as_json(done: Drilled) -> dict[str, Any]:
    """A drill for programs."""
    names = ("backup", "seconds", "restore_seconds", "tables", "rows", "files", "bytes", "kept")
    found = {name: getattr(done, name) for name in names}
    return {"good": done.good, "taken_at": done.taken_at, "faults": list(done.faults)} | found


def show_drilled(console: Console, done: Drilled) -> None:
    """How a drill ended, and how long a recovery takes."""
    for fault in done.faults[:_FAULTS]:
        _say(console, f"fault: {fault}", "red")
    if len(done.faults) > _FAULTS:
        _say(console, f"and {len(done.faults) - _FAULTS:,} more faults", "red")
    if done.taken_at is not None:
        held = f"{done.tables:,} tables, {done.rows:,} rows, {done.files:,} files ({amount(done.bytes)})"
        _say(console, f"{done.backup}, of {_minute(done.taken_at)}: {held}")
    if done.good:
        took = f"in {done.seconds:.1f} s, of which restoring took {done.restore_seconds:.1f} s"
        _say(console, f"it restores: everything is as it was backed up; {took}", "bold green")
    else:
        _say(console, f"the drill failed: {len(done.faults):,} fault(s)", "bold red")
    if done.kept:
        _say(console, f"what was restored stays at {done.kept}")


def show_plan(console: Console, plan: RestorePlan, now: datetime) -> None:
    """What a restore would put where, what of it is there now, and what of that would be lost."""
    manifest = plan.manifest
    by = f"{manifest.service} {manifest.release}".strip()
    age = span((now - manifest.taken_at).total_seconds())
    _say(console, f"{plan.name}, of {_minute(manifest.taken_at)} ({age} ago), by {by}", "bold")
    for note in manifest.notes:
        _say(console, f"note: {note}", "yellow")
    if plan.database_url is not None:
        _database(console, plan)
    for each in plan.directories:
        counts = f"{each.new:,} new, {each.differing:,} replaced, {each.same:,} the same already"
        style = "red" if each.differing else ""
        _say(console, f"files of {each.name} to {each.path}: {counts}, {amount(each.size)} to write", style)
        if each.left:
            _say(console, f"  {each.left:,} file(s) there that the backup does not have stay")


def _database(console: Console, plan: RestorePlan) -> None:
    facts, standing = plan.manifest.database, plan.standing
    rows = sum(facts.tables.values())
    where = shown(plan.database_url)
    _say(console, f"{facts.kind} database to {where}: {len(facts.tables):,} tables, {rows:,} rows")
    if standing is None:
        return
    if standing.begun is not None:
        again = standing.begun == plan.manifest.id
        goes = "goes on" if again else "was of another backup, and begins anew with this one"
        _say(console, f"  a restore was begun there: it {goes}", "yellow")
    if not standing.tables and not standing.unreadable:
        _say(console, "  there is nothing that would be replaced")
        return
    held = f"{len(standing.tables):,} tables with {sum(standing.tables.values()):,} rows"
    if standing.unreadable:
        held = "it cannot be read as a database"
    _say(console, f"  replaces everything that is there: {held}; what was written since the backup is lost", "bold red")
    if facts.kind == "sqlite":
        _say(console, f"  the file that is there stays beside the new one, as {Path(where).name}.replaced-…")
    else:
        _say(console, "  nothing of it is kept: if it is worth anything, back it up first", "bold red")
    _changed(console, standing.tables, facts.tables)
    if standing.users:
        _say(console, f"  {standing.users:,} others use it now: stop the application and its workers", "bold red")


def _changed(console: Console, there: Mapping[str, int], backed_up: Mapping[str, int]) -> None:
    """The tables whose rows are not as many; the application's own first, for what they lose somebody misses."""
    changed = {name: rows for name, rows in there.items() if rows != backed_up.get(name)}
    table = Table("table", Column("there now", justify="right"), Column("in the backup", justify="right"))

    def weight(name: str) -> tuple[bool, int]:
        return name.startswith("pm_"), -abs(changed[name] - backed_up.get(name, 0))

    for name in sorted(changed, key=weight)[:_TABLES]:
        backed = f"{backed_up[name]:,}" if name in backed_up else "none"
        table.add_row(plain(name), f"{changed[name]:,}", backed)
    if changed:
        console.print(table)
    if len(changed) > _TABLES:
        _say(console, f"  and {len(changed) - _TABLES:,} more tables whose rows are not as many")


def show_restored(console: Console, plan: RestorePlan, seconds: float) -> None:
    """That it is done, and how long it took."""
    written = sum(each.new + each.differing for each in plan.directories)
    rows = sum(plan.manifest.database.tables.values()) if plan.database_url is not None else 0
    _say(console, f"restored: {rows:,} rows, {written:,} files, in {seconds:.1f} s", "bold green")


def show_next(console: Console, uncleared: PostrMagicError | None) -> None:
    """What to do now that the application's own database is another."""
    if uncleared is None:
        _say(console, "the cache is cleared")
    else:
        told = f"warning: the cache was not cleared ({uncleared.code}: {uncleared}); it holds what is no longer so. "
        _say(console, f"{told}Clear its store, or give POSTRMAGIC_CACHE__NAMESPACE another name", "yellow")
    for line in _NEXT:
        _say(console, line)


_NEXT = (
    "what to do now:",
    "- run `postrmagic db upgrade`, if the code is newer than the backup",
    "- jobs and outbox rows that waited at that moment run again once workers start: look at them first with "
    "`postrmagic jobs list` and `postrmagic outbox list`",
    "- sessions are not in a backup: users who are newer than it are still logged in; clear the sessions' store if "
    "that must not be",
    "- start the application, and take a backup: `postrmagic db backup`",
)


def shown(url: str | None) -> str:
    """Where a database is, without its password."""
    if url is None or url.startswith("sqlite"):
        return (url or "").removeprefix("sqlite:///")
    from .._sql.mysql_server import MysqlServer

    return MysqlServer.from_url(url).url(secret=False)


def place(vault: Path | None) -> str:
    """Where backups are kept, as an error may say it."""
    return "the vault of POSTRMAGIC_BACKUPS__URL" if vault is None else str(vault)


def show_pruned(console: Console, removed: Sequence[str], *, dry_run: bool) -> None:
    """What went, or would go."""
    for name in removed:
        _say(console, f"{'would remove' if dry_run else 'removed'}: {name}")
    if not removed:
        _say(console, "nothing to remove: all that is there is kept")


def _files(manifest: Manifest) -> int:
    return len(manifest.entries) - len(manifest.of_database())


def _minute(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def _say(console: Console, line: str, style: str = "") -> None:
    console.print(plain(line), style=style, soft_wrap=True)
