"""`postrmagic schedules`: what it shows, what it changes, and that the guide shows what it says."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from postrmagic_core.cli.schedules import schedules as command
from postrmagic_core.errors import UsageError
from postrmagic_core.jobs import JobQueue, every, task
from postrmagic_core.jobs.tables import schedules
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.cli.in_process import InProcess

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-jobs-on-a-schedule.md"
SHOP = """
import sys

from postrmagic_core.jobs import cron, every, task
from postrmagic_core.stack import Stack

stack = Stack.from_env()


@task(name="expire")
def expire(ctx, days: int): ...


@task(name="refresh")
def refresh(ctx): ...


nightly = cron("30 3 * * *", expire.call(30), timezone="Europe/Zurich", name="expire-uploads")
often = every(60, refresh.call())
stack.include(sys.modules[__name__])
"""
JOB = "01a2206c-fb83-70b8-bc0d-31c03d3055c2"
LAST = 1_795_833_000_000_000  # 2026-11-28 03:30 in Zurich


SHOP_HERE = InProcess(command, "shop:stack")
run, told = SHOP_HERE.run, SHOP_HERE.json


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobQueue]:
    """The shop's queue, which also knows a schedule that the shop does not declare any more."""
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "180")
    monkeypatch.chdir(tmp_path)
    with Stack(embedded_settings(tmp_path / "var"), configure_logging=False) as stack:
        stack.include("shop")
        stack.jobs.include(every(900, task(name="poll")(lambda ctx: None).call(), name="poll-mailbox"))
        stack.jobs.scheduler().run_once()
        with stack.database.write() as tx:
            fired = {"last_us": LAST, "last_job": JOB}
            tx.execute(update(schedules).where(schedules.c.name == "expire-uploads").values(fired))
        yield stack.jobs
    SHOP_HERE.forget()


@pytest.mark.usefixtures("queue")
def test_list_shows_every_schedule() -> None:
    """When it comes, by the clocks asked for; what became of it last; and what is not declared any more."""
    shown = run("list", "--zone", "Asia/Kathmandu").stdout
    for text in ("expire-uploads", "30 3 * * * Europe/Zurich", "every 60 s", "2026-11-28 08:15:00+05:45", JOB, "(in "):
        assert text in shown
    assert [line.count("not declared any more") for line in shown.splitlines() if "poll" in line] == [1]
    expire, poll, refresh = told("list")
    assert (expire["name"], expire["task"], expire["timezone"]) == ("expire-uploads", "expire", "Europe/Zurich")
    assert (expire["last_at"], expire["last_job"], expire["paused"]) == ("2026-11-28T02:30:00+00:00", JOB, False)
    assert (poll["declared"], refresh["declared"], refresh["spec"]) == (False, True, "every 60 s")


@pytest.mark.usefixtures("queue")
def test_list_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and when they come next."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("list").stdout
    assert max(map(len, shown.splitlines())) <= 80
    for text in ("expire-uploads", "poll-mailbox", "every 60 s"):
        assert text in shown


def test_what_no_scheduler_has_seen_says_so(queue: JobQueue) -> None:
    """It is declared, and that is all."""
    with queue.database.write() as tx:
        tx.execute(schedules.delete())
    assert "once a scheduler has seen it" in run("list").stdout
    assert [one["next_at"] for one in told("list")] == [None, None]


def test_a_schedule_is_run_paused_resumed_and_forgotten(queue: JobQueue) -> None:
    """Each as it says."""
    job = told("run", "refresh")["job"]
    status = queue.status(job)
    assert status is not None
    assert status.task == "refresh"
    assert told("pause", "refresh", "expire-uploads") == {"paused": ["refresh", "expire-uploads"]}
    assert [one["paused"] for one in told("list")] == [True, False, True]
    assert run("list").stdout.count("paused") == 2
    assert told("resume", "refresh") == {"resumed": ["refresh"]}
    assert told("forget", "poll-mailbox") == {"forgotten": ["poll-mailbox"]}
    assert [(one["name"], one["paused"]) for one in told("list")] == [("expire-uploads", True), ("refresh", False)]
    assert run("pause", "refresh").stdout == "schedule refresh is paused\n"
    assert re.fullmatch(r"schedule refresh runs as job [0-9a-f-]{36}\n", run("run", "refresh").stdout)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("what", ["run", "pause", "resume", "forget"])
def test_an_unknown_schedule_is_refused(what: str) -> None:
    """The command line makes it one sentence and exit status 1."""
    done = run(what, "weekly")
    assert isinstance(done.exception, UsageError)
    assert "there is no schedule weekly here; declared are: expire-uploads, refresh" in str(done.exception)


@pytest.mark.usefixtures("queue")
def test_a_zone_there_is_not_is_a_usage_error() -> None:
    """Exit status 2, as for any option."""
    done = run("list", "--zone", "Mars/Olympus")
    assert (done.exit_code, "expected a time zone" in done.output) == (2, True)


def test_an_application_without_schedules_says_so(queue: JobQueue) -> None:
    """A sentence, or an empty list."""
    with queue.database.write() as tx:
        tx.execute(schedules.delete())
    Path("shop.py").write_text("from postrmagic_core.stack import Stack\nstack = Stack.from_env()\n")
    assert run("list").stdout == "no schedule is declared or known\n"
    assert told("list") == []


def normal(text: str) -> str:
    """Without what differs from one moment to the next: instants to come, ages, ids, widths."""
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+]\d\d:\d\d \(.*?\)", "an instant", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "an id", text)
    return "\n".join(re.sub(r" +", " ", re.sub(r"━+", "━", re.sub(r"─+", "─", line))) for line in text.splitlines())


@pytest.mark.usefixtures("queue")
def test_the_guide_shows_what_the_commands_say() -> None:
    """In its order; what changes by the moment aside."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    assert len(parts) >= 4
    for line, _, answer in (part.partition("\n") for part in parts):
        sys.modules.pop("shop", None)
        done = CliRunner().invoke(command, shlex.split(line.removeprefix("postrmagic schedules ")))
        assert (line, normal(done.output)) == (line, normal(answer))
