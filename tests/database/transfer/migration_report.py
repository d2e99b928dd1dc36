"""The report on a move of the reference application from SQLite to MariaDB. Behind ``make migration-report``."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from benchmarks._machine import describe
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.transfer.planfile.file import read_plan
from postrmagic_core.testing.servers import MariaDBServer
from tests.database.transfer import library
from tests.database.transfer.library import Command, Site

ROOT = Path(__file__).parents[3]
TARGET = ROOT / "docs" / "reports" / "migration.md"
MEDIA = 200_000
_STACK = "media_library.worker:stack"

T = TypeVar("T")


@dataclass
class Move:
    """What was done, how long it took, and what came of it. ``checks``: what was looked at afterwards, and its end."""

    media: int
    server: str = ""
    commands: list[Command] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    verified: dict[str, Any] = field(default_factory=dict)
    checks: list[tuple[str, bool]] = field(default_factory=list)
    smoke: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether everything arrived, and everything works as before."""
        told = [done for _, done in self.checks] + [done for *_, done in self.smoke]
        return bool(self.verified.get("equal")) and all(told) and len(self.smoke) > 1

    def timed(self, what: str, work: Callable[[], T]) -> T:
        """Do ``work``, and note how long it took."""
        began = time.monotonic()
        result = work()
        self.seconds[what] = time.monotonic() - began
        return result


def main() -> None:
    """Move the application and write the report; exit status 1 where something did not arrive or does not work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=int, default=MEDIA, help=f"generated before the move (default {MEDIA})")
    options = parser.parse_args()
    console = Console(stderr=True)
    with MariaDBServer() as server, tempfile.TemporaryDirectory(prefix="postrmagic-migration-") as name:
        moved = move(options.media, server.create_database(), Path(name), console.print)
    TARGET.write_text(report(moved), encoding="utf-8")
    console.print(f"{TARGET.relative_to(ROOT)}")
    sys.exit(0 if moved.clean else 1)


def move(media: int, url: str, directory: Path, told: Callable[[str], None] = lambda line: None) -> Move:
    """Furnish the library on SQLite, live in it, move it to the empty database at ``url``, and live on there."""
    done = Move(media)
    before, after = Site(directory), Site(directory, url)
    told(f"{media:,} media on SQLite …")
    done.timed(f"{media:,} media made, with 12 users", lambda: library.furnish(before, media))
    with before.served() as address:
        kept = done.timed("a user's life on SQLite", lambda: library.live(address))
    searches = library.searched(before)
    told("plan, run, verify …")
    _transfer(done, before, after)
    told("full text, and whether all is as it was …")
    words = done.timed("full text made anew", lambda: library.index_all(after))
    done.checks.append(
        (f"{words:,} media in the full text, each with the words from before", _same_terms(before, after))
    )
    found = library.searched(after)
    done.checks.append((f"{len(found)} lists and searches among {media:,} media", found == searches))
    with after.served() as address:
        done.checks += library.remembered(address, kept)
        done.smoke += done.timed("the smoke", lambda: list(library.smoked(address, directory)))
    return done


def _transfer(done: Move, before: Site, after: Site) -> None:
    """The commands of the how-to, in its order."""
    plan, verified = before.directory / "plan.toml", before.directory / "verified.json"

    def run(*arguments: str, expected: Sequence[int] = (0,)) -> None:
        done.commands.append(library.command(after, *arguments, expected=expected))

    run("db", "upgrade", "--app", _STACK)
    run("db", "transfer", "plan", str(before.source), after.url, "--out", str(plan), expected=(0, 3))
    done.accepted += [finding.text for finding in read_plan(plan).blocking]
    plan.write_text(plan.read_text(encoding="utf-8").replace("accept = false", "accept = true"), encoding="utf-8")
    run("db", "transfer", "run", str(plan))
    run("db", "transfer", "verify", str(plan), "--report", str(verified))
    run("db", "transfer", "finish", str(plan))
    run("db", "check", "--app", _STACK)
    done.verified = json.loads(verified.read_bytes())["report"]
    done.server = done.verified["server"]


def _same_terms(before: Site, after: Site) -> bool:
    with closing(sqlite3.connect(before.source)) as old, DatabaseManager(after.url) as new, new.read() as tx:
        here = old.execute("SELECT rowid, terms FROM media_search ORDER BY rowid")
        there = tx.connection.exec_driver_sql("SELECT media_id, terms FROM media_search ORDER BY media_id")
        return here.fetchall() == [tuple(row) for row in there]


def report(done: Move) -> str:
    """The page, in Markdown."""
    machine = describe()
    kind = f"{machine['system'].split()[0]}, {machine['cores']} cores, {machine['memory']}"
    parts = [
        "# Migration report",
        f"Made by `make migration-report MEDIA={done.media}` on a machine of this class: {kind}; "
        f"{machine['python']}, SQLite {sqlite3.sqlite_version}, MariaDB {done.server.split()[-1]}, "
        f"postrmagic-core {machine['postrmagic-core']}; load {machine['load']} at the end. Times do not carry over to "
        "other machines.",
        "The media library is filled on SQLite: with generated media, and by a user who logs in, sets up a second "
        "factor, issues an access token, and uploads and tags posters, of which a worker makes thumbnails. Then its "
        "processes are stopped, and it is moved to an empty database of a MariaDB server as "
        "[Move from SQLite to MySQL](../how-to/move-from-sqlite-to-mysql.md) says. There it is started again, and both "
        "the user from before and a new one, the smoke's, find everything in its place.",
        "## What came of it",
        _summary(done),
        "## The move",
        _table(("command", "exit status", "seconds", "peak of memory"), map(_command_row, done.commands)),
        _rates(done),
        "`media_search` is another thing on each side: the application makes its full text anew after `run`. "
        "The folder of files, the key and the Store with the sessions stay where they are.",
        *_accepted(done.accepted),
        "## Rows",
        "Each table's rows on both sides: how many, and the sum of all rows' hashes, computed by each side itself. "
        "Where the two are not the same, `verify` tells each value that differs.",
        _table(("table", "rows", "SQLite", "MariaDB", "equal"), _table_rows(done)),
        "Besides rows, `verify` looks at primary keys, foreign keys and next ids; `db check` at every table, column, "
        "index and key that the application declares.",
        "## As it was before",
        _table(("what", "as before"), ((what, _word(fine)) for what, fine in done.checks)),
        "## The smoke, on the moved database",
        _table(("step", "what happened", ""), ((step, told, _word(fine)) for step, told, fine in done.smoke)),
        "## Times",
        _table(("what", "seconds"), ((what, f"{seconds:.1f}") for what, seconds in done.seconds.items())),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(done: Move) -> str:
    tables = done.verified["tables"]
    rows = sum(table["source_rows"] for table in tables)
    wrong = sum(table["changed"] + table["missing"] + table["surplus"] for table in tables)
    failures = sum(len(table["failures"]) for table in tables)
    failed = [step for step, _, fine in done.smoke if not fine]
    smoke = f"failed at: {', '.join(failed)}" if failed else f"{len(done.smoke)} of {len(done.smoke)} steps succeeded"
    return _table(
        ("", ""),
        [
            ("rows moved", f"{rows:,} in {len(tables)} tables"),
            ("rows that differ, are missing or were not there before", f"{wrong:,}"),
            ("keys, indexes, constraints and next ids that are not there or not kept", f"{failures:,}"),
            (
                "what was looked at from outside",
                f"{sum(fine for _, fine in done.checks)} of {len(done.checks)} as before",
            ),
            ("smoke", smoke),
        ],
    )


def _command_row(command: Command) -> list[str]:
    line = " ".join(word.rpartition("/")[2] if word.startswith("/") else word for word in command.line.split())
    shown = "mysql://…" if "mysql://" in line else ""
    line = " ".join(shown if word.startswith("mysql://") else word for word in line.split())
    return [f"`{line}`", str(command.status), f"{command.seconds:.1f}", f"{command.peak:.0f} MiB"]


def _rates(done: Move) -> str:
    rows = sum(table["source_rows"] for table in done.verified["tables"])
    run, verify = (next(one for one in done.commands if f"transfer {name}" in one.line) for name in ("run", "verify"))
    both = run.seconds + verify.seconds
    return (
        f"That is {rows / run.seconds:,.0f} rows a second for `run`, and {rows / both:,.0f} for `run` and `verify` "
        "together, the start of each command included."
    )


def _accepted(findings: Iterable[str]) -> Iterator[str]:
    lines = [f"- {text}" for text in findings]
    if lines:
        yield "Accepted in the plan before it was run:"
        yield "\n".join(lines)


def _table_rows(done: Move) -> Iterator[Sequence[str]]:
    for table in done.verified["tables"]:
        hashes = [f"`{table[side][:16]}`" for side in ("source_hash", "target_hash")]
        yield f"`{table['name']}`", f"{table['source_rows']:,}", *hashes, _word(table["equal"])


def _word(fine: bool) -> str:
    return "yes" if fine else "**no**"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
