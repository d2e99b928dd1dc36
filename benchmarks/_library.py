"""The reference application's queries on a generated library, analysed: behind ``make query-report``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from sqlalchemy import and_, or_, text

from postrmagic_core.database.analysis import QueryStats
from postrmagic_core.database.analysis.analyze import analyze
from postrmagic_core.database.analysis.report import Analysed, Report
from postrmagic_core.database.analysis.rewrites import Rewrite
from postrmagic_core.database.analysis.verify import Tried
from postrmagic_core.database.analysis.wording import duration, size, times
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing.servers import MariaDBServer, MissingServer

from ._machine import describe

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "reports" / "queries.md"
MEDIA = 200_000
# The list's index; the report also shows the application without it.
_INDEX = "ix_media_user_id_created_us_id"
# Owns half of all media.
_USER = 1
_SEARCHES = ("", "tag:tag-0", "tag:tag-300", "jazz", "jazz tag:tag-30", "-jazz", "poster")
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Speedup:
    """Times as fast: the list through the index, and a page far back through the bound on its position."""

    index: float
    rewrite: float


@dataclass(frozen=True, slots=True)
class Study:
    """The analysis of one database: without the list's index, and as it is."""

    database: str
    without: Report
    whole: Report

    @property
    def index(self) -> Tried | None:
        """What was proposed for the media when their index was gone."""
        return next((one for one in self.without.proposals if one.candidate.table == "media"), None)

    @property
    def rewrite(self) -> Rewrite | None:
        """What was advised for pages far back."""
        return next((one for one in self.whole.rewrites if one.rule == "keyset"), None)


def analyze_speedup(media: int, url: str | None = None) -> Speedup:
    """What the analysis gains on the list of a library of ``media`` generated media, half of them one user's.

    ``url``: an empty database; default: a SQLite file that goes afterwards. Raises :class:`LookupError` when the
    analysis does not propose what it should.
    """
    found = study("", media, url)
    if found.index is None or found.rewrite is None or found.rewrite.measured is None:
        raise LookupError("the analysis proposed no index for the list, or no other way to ask for its later pages")
    before, after = found.rewrite.measured
    return Speedup(max(effect.speedup for effect in found.index.effects), before / after)


def study(name: str, media: int, url: str | None = None, told: Callable[[int], None] = lambda done: None) -> Study:
    """Generate, ask, analyse; then again without the list's index."""
    with library(media, url, told) as (app, used):
        whole = analyze(used, observed(app))
        with app.stack.database.write() as tx:
            on = "" if app.stack.database.dialect == "sqlite" else " ON media"
            if on:  # a server keeps an index for the foreign key, and wants another first
                tx.execute(text("CREATE INDEX ix_media_user_id ON media (user_id)"))
            tx.execute(text(f"DROP INDEX {_INDEX}{on}"))
        return Study(name, analyze(used, observed(app)), whole)


@contextmanager
def library(media: int, url: str | None, told: Callable[[int], None]) -> Iterator[tuple[Any, str]]:
    """The application, open on generated media, and its database's URL."""
    sys.path.insert(0, str(ROOT / "examples"))
    from media_library.application import assemble
    from media_library.generate import generate

    with tempfile.TemporaryDirectory() as folder:
        used = url or f"sqlite:///{folder}/app.db"
        # Its lines about slow statements would only repeat what is reported.
        app = assemble(Stack(Settings(stack={"data_dir": folder}, database={"url": used}, log={"level": "ERROR"})))
        with app.stack:
            app.prepare()
            generate(app.stack.database, media, told=told)
            yield app, used


def observed(app: Any) -> list[QueryStats]:
    """The log of lists, searches, tags and statistics, each asked a few times past the cache.

    A page far back is also asked for as the application did before its position got a bound.
    """
    from media_library.listings import MEDIA as LIST

    database, ask = app.stack.database, app.library
    position, cursor = _middle(app)
    queries = [*(LIST.Query.model_validate({"q": words}) for words in _SEARCHES), LIST.Query(after=cursor)]
    database.queries.reset()
    for _ in range(_ROUNDS):
        for query in queries:
            ask.page(_USER, ask.ask(_USER, query))
        ask.stats.compute(_USER)
        with database.read() as unit:
            unit.execute(_as_before(position)).all()
    return [query for query in database.queries.stats() if not query.sql.startswith("INSERT")]


def _middle(app: Any) -> tuple[tuple[int, int], str]:
    """The position of the medium in the middle of the user's list, and the cursor of the page behind it."""
    from media_library.listings import MEDIA as LIST
    from media_library.tables import media

    asked = app.library.ask(_USER, LIST.Query(limit=1))
    with app.stack.database.read() as unit:
        count = unit.scalar(text("SELECT COUNT(*) FROM media WHERE user_id = :user"), {"user": _USER})
        page = asked.page(unit.execute(asked.select(media.c.user_id == _USER).offset(count // 2)).all())
    (row,) = page.rows
    return (row["created_us"], row["id"]), page.next


def _as_before(position: tuple[int, int]) -> Any:
    from media_library.listings import MEDIA as LIST
    from media_library.listings import SHOWN
    from media_library.tables import media

    created_us, media_id = position
    older = or_(media.c.created_us < created_us, and_(media.c.created_us == created_us, media.c.id < media_id))
    return (
        SHOWN.where(media.c.user_id == _USER, older)
        .order_by(media.c.created_us.desc(), media.c.id.desc())
        .limit(LIST.Query().limit + 1)
    )


def written(studies: list[Study], media: int, absent: str) -> str:
    """The report as Markdown."""
    machine = describe()
    kind = f"{machine['system'].split()[0]}, {machine['cores']} cores, {machine['memory']}, Python {machine['python']}"
    parts = [
        "# Query report",
        f"Made by `make query-report` on {media:,} generated media (a fixed seed; half of them one user's), on a "
        f"machine of this class: {kind}. Times are medians on a scratch copy, warm; ratios carry over, times do not.",
        _summary(studies),
        *(_chapter(one) for one in studies),
    ]
    return "\n\n".join([*parts, absent] if absent else parts) + "\n"


def _summary(studies: list[Study]) -> str:
    lines = [
        "## What was slow, and what was done",
        "The list is the query a library answers most. Two things make it fast, and the report shows each by itself:",
        f"1. The index `{_INDEX}`, which `tables.py` declares. Without it every page reads and sorts all media of the "
        "user.",
        "2. The position of a page. The application asked `created_us < ? OR created_us = ? AND id < ?`: correct, and "
        "no index can go straight there, so a page far back read all pages before it. Since this report it also says "
        "`created_us <= ?`, which follows from the rest.",
        "| | list through the index | page in the middle, with the bound |\n|---|---|---|",
    ]
    rows = []
    for one in studies:
        index = (
            "not proposed, see below"
            if one.index is None
            else _gain(max(effect.speedup for effect in one.index.effects))
        )
        measured = None if one.rewrite is None else one.rewrite.measured
        rewrite = "no gain" if measured is None else _gain(measured[0] / measured[1])
        rows.append(f"| {one.database} | {index} | {rewrite} |")
    return "\n\n".join(lines) + "\n" + "\n".join(rows)


def _gain(ratio: float) -> str:
    return f"{times(ratio)} as fast"


def _chapter(one: Study) -> str:
    parts = [f"## {one.database}", "### Without the list's index"]
    if one.index is None:
        parts += ["No index on `media` was proposed. Tried:", *_refused(one.without)]
    else:
        parts += _proposed(one.index, {each.query.fingerprint: each.query.sql for each in one.without.statements})
    if one.rewrite is not None and one.rewrite.measured is not None:
        before, after = one.rewrite.measured
        parts += [
            "### A page in the middle, with its index",
            f"As it was asked: {duration(before)}. With the bound: {duration(after)}.",
            f"```text\n{one.rewrite.instead}\n```",
        ]
    parts += ["### Every statement, as it is", _table(one.whole.statements)]
    added = [f"`` {each.ddl} ``" for each in one.whole.proposals]
    parts.append(f"Indexes that would help further: {', '.join(added)}." if added else "No further index helped.")
    if one.whole.remarks:
        parts.append("\n".join(f"- {remark}" for remark in one.whole.remarks))
    return "\n\n".join(parts)


def _refused(report: Report) -> list[str]:
    """What was tried on the media, and the statement that spoke against it."""
    lines = []
    for tried in (each for each in report.rejected if each.candidate.table == "media"):
        for effect in tried.harmed or tried.effects:
            before, after = effect.before, effect.after
            lines.append(
                f"- `` {tried.ddl} ``: {effect.fingerprint} took {duration(before.frequent)} before and "
                f"{duration(after.frequent)} after, where few rows match {duration(before.rare)} and "
                f"{duration(after.rare)}; after: {'; '.join(after.rare_plan.lines)}"
            )
    return ["\n".join(lines) or "nothing"]


def _proposed(tried: Tried, texts: dict[str, str]) -> list[str]:
    parts = [f"Proposed: `` {tried.ddl} `` (built in {duration(tried.seconds)}, {size(tried.size)})."]
    for effect in (each for each in tried.effects if each.helps):
        parts += [
            f"{_gain(effect.speedup)} (where many rows match {duration(effect.before.frequent)} before, "
            f"{duration(effect.after.frequent)} after; where few do {duration(effect.before.rare)} and "
            f"{duration(effect.after.rare)}):",
            f"```text\n{texts[effect.fingerprint]}\n\nbefore: {'; '.join(effect.before.plan.lines)}\n"
            f"after:  {'; '.join(effect.after.plan.lines)}\n```",
        ]
    return parts


def _table(statements: tuple[Analysed, ...]) -> str:
    rows = ["| statement | plan | many rows match | few match |", "|---|---|---|---|"]
    for one in statements:
        if one.before is not None:
            sql = one.query.sql.replace("|", "\\|")
            shown = sql if len(sql) < 330 else f"{sql[:60]} … {sql[sql.find(' FROM ') + 1 :][:250]} …"
            verdict = one.verdict
            rows.append(f"| `{shown}` | {verdict} | {duration(one.before.frequent)} | {duration(one.before.rare)} |")
    return "\n".join(rows)


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=int, default=MEDIA, help="how many to generate")
    parser.add_argument("--to", type=Path, default=TARGET, help="where to write")
    given = parser.parse_args()
    studies, absent = [], ""
    with Progress() as bar, ExitStack() as opened:
        urls: dict[str, str | None] = {"SQLite": None}
        try:
            server = opened.enter_context(MariaDBServer(url=os.environ.get("POSTRMAGIC_TEST_MARIADB_URL")))
            urls["MariaDB"] = server.create_database()
        except MissingServer:
            absent = "MariaDB was not there."
        for name, url in urls.items():
            step = bar.add_task(name, total=given.media)
            studies.append(study(name, given.media, url, partial(_tell, bar, step)))
    given.to.parent.mkdir(parents=True, exist_ok=True)
    given.to.write_text(written(studies, given.media, absent), encoding="utf-8")


def _tell(bar: Progress, step: TaskID, done: int) -> None:
    bar.update(step, completed=done)


if __name__ == "__main__":
    main()
