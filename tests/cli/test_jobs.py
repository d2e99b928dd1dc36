"""`postrmagic jobs`: what it shows of jobs in every state, and what it changes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core import _codec
from postrmagic_core._ids import uuid7
from postrmagic_core.cli.jobs import jobs as command
from postrmagic_core.errors import SchemaMismatch
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.jobs.interface import Beat, Claim, NewJob, Outcome, Progress, Selection, Settlement, Want
from postrmagic_core.jobs.progress import written
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.cli.conftest import until
from tests.cli.in_process import InProcess

APPLICATION = """
from postrmagic_core.stack import Stack

stack = Stack.from_env()
"""
NAMES = ("queued", "later", "running", "succeeded", "failed", "poison", "cancelled")


@task(name="render")
def render(ctx: Any, poster: int) -> None:
    """A task like any other."""


class House(InProcess):
    """The command in a directory with one job in each state; ``ids`` by what became of it."""

    def __init__(self, directory: Path, ids: dict[str, str]) -> None:
        super().__init__(command, "house_application:stack")
        self.directory = directory
        self.ids = ids

    def states(self) -> dict[str, str]:
        """The state of each job that is known."""
        found = {status["id"]: status["state"] for status in self.json("list")}
        return {name: found[job_id] for name, job_id in self.ids.items() if job_id in found}


def furnish(queue: JobQueue, ids: dict[str, str]) -> None:
    """Put and settle one job for each name."""
    adapter = queue.adapter

    def put(name: str, **options: Any) -> None:
        given: dict[str, Any] = {"queue": "default", "task": "render", "retries": 2, "payload": render.call(7).payload}
        given |= options
        adapter.put([NewJob(ids[name], **given)])

    def claimed() -> Claim:
        (claim,) = adapter.turn([], Want(str(uuid7()), ["default"], 1)).claims
        return claim

    def settle(outcome: Outcome) -> None:
        assert adapter.turn([Settlement(claimed(), outcome)], None).owned == [True]

    put("succeeded", headers=_codec.encode({"request_id": "r-1"}))
    settle(Outcome("succeeded", result=_codec.encode("hunter2")))
    put("failed")
    settle(Outcome("failed", reason="failed", error="shop.[red]NoPaper", fingerprint="f00d"))
    put("poison", queue="default", task="press")
    settle(Outcome("dead", reason="poison"))
    put("cancelled")
    adapter.alter("cancel", Selection([ids["cancelled"]]))
    put("running")
    adapter.renew([Beat(claimed(), written(Progress(3, 4, "pages")))])
    put("queued", priority="high")
    put("later", queue="mail", task="send", due_us=4_000_000_000_000_000)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A data directory to copy, and the ids of its jobs."""
    directory = tmp_path_factory.mktemp("furnished")
    ids = {name: str(uuid7()) for name in NAMES}
    with Stack(embedded_settings(directory / "var"), configure_logging=False) as stack:
        furnish(stack.jobs, ids)
    return directory / "var", ids


@pytest.fixture
def house(furnished: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house of this test's own."""
    shutil.copytree(furnished[0], tmp_path / "var")
    (tmp_path / "house_application.py").write_text(APPLICATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    here = House(tmp_path, furnished[1])
    yield here
    here.forget()


def test_list_shows_every_job_the_newest_first(house: House) -> None:
    """With what a person asks first; names that an application chose are no markup."""
    shown = house.run("list").stdout
    for text in (*house.ids.values(), "shop.[red]NoPaper", "75%", "high"):
        assert text in shown
    assert "1 of 3" in shown
    assert "queue" in shown.splitlines()[1]
    found = house.json("list")
    assert [status["id"] for status in found] == sorted(house.ids.values(), reverse=True)
    assert found[0].keys() >= {"state", "priority", "attempts", "due_at", "progress", "reason"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--state", "queued"], {"queued", "later"}),
        (["--state", "failed", "--state", "dead"], {"failed", "poison"}),
        (["--queue", "mail"], {"later"}),
        (["--task", "press"], {"poison"}),
        (["--state", "running", "--queue", "mail"], set()),
    ],
)
def test_list_shows_what_was_asked_for(house: House, options: Sequence[str], names: set[str]) -> None:
    """States, a queue, a task."""
    assert {status["id"] for status in house.json("list", *options)} == {house.ids[name] for name in names}
    shown = house.run("list", *options).stdout
    assert ("no such job is known" in shown) == (not names)


def test_list_fits_a_narrow_terminal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids can be copied, tasks and states read; `show` tells the rest."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = house.run("list").stdout
    assert all(len(line) <= 80 for line in shown.splitlines())
    for text in (*house.ids.values(), "render", "succeeded", "1/3"):
        assert text in shown


def test_list_says_when_there_may_be_more(house: House) -> None:
    """Nobody takes a page for the whole."""
    assert "perhaps there are more" in house.run("list", "--limit", "2").stdout
    assert len(house.json("list", "--limit", "2")) == 2


def test_show_tells_everything_but_what_may_be_confidential(house: House) -> None:
    """Arguments, result and context only when asked for."""
    job_id = house.ids["succeeded"]
    shown, full = house.run("show", job_id).stdout, house.run("show", job_id, "--arguments").stdout
    assert "succeeded" in shown
    assert "waited" in shown
    assert "hunter2" not in shown
    assert "poster" not in shown
    for text in ("hunter2", "{'poster': 7}", "r-1"):
        assert text in full
    told = house.json("show", job_id, "--arguments")
    assert (told["arguments"], told["result"], told["context"]) == ({"poster": 7}, "hunter2", {"request_id": "r-1"})
    assert told["timings"].keys() == {"age", "waited", "ran"}
    assert "arguments" not in house.json("show", job_id)


def test_an_unknown_job_is_told_clearly(house: House) -> None:
    """With what may have become of it, and exit status 1."""
    done = house.run("show", "nobody")
    assert done.exit_code == 1
    assert "job nobody is unknown" in done.stderr
    assert "outbox list" in done.stderr


def test_counts_are_by_queue(house: House) -> None:
    """Dead are those that failed, too; and for how long the oldest has waited."""
    counts = house.json("counts")
    assert counts["default"].pop("oldest") > 0
    assert counts == {
        "default": {"queued": 1, "later": 0, "running": 1, "dead": 2},
        "mail": {"queued": 0, "later": 1, "running": 0, "dead": 0, "oldest": 0},
    }
    shown = house.run("counts").stdout
    assert "dead letters" in shown
    assert "mail" in shown


def test_counts_of_nothing_are_told_in_words(house: House) -> None:
    """Not as a table without a line."""
    shutil.rmtree("var")
    with Stack(embedded_settings(Path("var")), configure_logging=False):
        pass  # it made the tables
    assert house.run("counts").stdout == "no job is due, later, running or dead\n"
    assert house.json("counts") == {}


def test_workers_are_listed_while_they_live(house: House) -> None:
    """Nobody at work is exit status 1, with the remedy."""
    done = house.run("workers")
    assert done.exit_code == 1
    assert "postrmagic worker" in done.stderr
    with Stack(embedded_settings(Path("var")), configure_logging=False) as stack:
        stack.jobs.include(render)
        with stack.jobs.worker(threads=3, queues=["default"]):
            (one,) = house.json("workers")
            shown = house.run("workers").stdout
    assert (one["pid"], one["threads"], one["queues"]) == (os.getpid(), 3, ["default"])
    assert "of 3" in shown


def test_replay_by_id_changes_what_it_can_and_tells_of_the_rest(house: House) -> None:
    """Dead and cancelled jobs; others are named with their state, and are exit status 1."""
    ids = house.ids
    assert house.run("replay", ids["failed"], ids["cancelled"]).exit_code == 0
    assert house.states() | {"failed": "queued", "cancelled": "queued"} == house.states()
    done = house.run("replay", ids["poison"], ids["running"], "nobody")
    assert done.exit_code == 1
    assert f"job {ids['poison']} waits again" in done.stdout
    assert f"job {ids['running']} is running: only what is dead" in done.stderr
    assert "job nobody is unknown" in done.stderr
    assert house.states()["poison"] == "queued"


def test_replay_of_many_asks_first(house: House) -> None:
    """No is no; --yes does not ask; nothing to replay is exit status 1."""
    refused = house.run("replay", "--all", answer="n\n")
    assert refused.exit_code == 1
    assert "Replay 2 jobs?" in refused.stderr
    assert house.states()["failed"] == "failed"
    assert house.json("replay", "--task", "press", "--yes") == {"replayed": [house.ids["poison"]]}
    assert "1 job replayed" in house.run("replay", "--queue", "default", answer="y\n").stdout
    nothing = house.run("replay", "--all")
    assert nothing.exit_code == 1
    assert "0 jobs replayed" in nothing.stdout
    assert (house.states()["failed"], house.states()["cancelled"]) == ("queued", "cancelled")


def test_replay_of_many_is_bounded(house: House) -> None:
    """And says so."""
    assert "perhaps there are more" in house.run("replay", "--all", "--limit", "1", "--yes").stdout
    assert sorted(house.states()[name] for name in ("failed", "poison")) in (["dead", "queued"], ["failed", "queued"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "x", "--all"],
        ["cancel"],
        ["list", "--state", "lost"],
        ["purge", "--older-than", "tomorrow"],
    ],
    ids=" ".join,
)
def test_what_is_not_clear_is_a_usage_error(house: House, arguments: list[str]) -> None:
    """Exit status 2, before anything is done."""
    before = house.states()
    assert house.run(*arguments).exit_code == 2
    assert house.states() == before


def test_cancel_ends_what_waits_and_asks_what_runs(house: House) -> None:
    """Each is told; what has ended is left, and is exit status 1."""
    ids = house.ids
    done = house.run("cancel", ids["queued"], ids["running"], ids["queued"])
    assert done.exit_code == 0
    assert f"job {ids['queued']} is cancelled" in done.stdout
    assert f"job {ids['running']} is asked to end" in done.stdout
    assert "running, to end" in house.run("list").stdout
    late = house.run("cancel", ids["succeeded"], "--json")
    assert late.exit_code == 1
    assert json.loads(late.stdout)["refused"].keys() == {ids["succeeded"]}


def test_purge_forgets_what_went_well_and_what_is_dead_when_told(house: House) -> None:
    """It asks; what is younger stays."""
    assert house.run("purge", "--older-than", "7d", "--yes").exit_code == 1
    assert house.run("purge", "--older-than", "0s", answer="n\n").exit_code == 1
    assert len(house.states()) == len(NAMES)
    assert house.json("purge", "--older-than", "0s", "--yes") == {"forgotten": 2}
    assert house.states().keys() == {"queued", "later", "running", "failed", "poison"}
    assert "DEAD AND FAILED" in house.run("purge", "--older-than", "0s", "--dead", answer="y\n").stderr
    assert house.states().keys() == {"queued", "later", "running"}


def test_watch_shows_one_frame(house: House) -> None:
    """Queues with their rates, what runs with its progress, and who works."""
    shown = house.run("watch", "--once").stdout
    for text in ("ended/s", house.ids["running"], "75%", "pages", "(vanished)", "no worker"):
        assert text in shown
    told = house.json("watch")
    assert told["queues"]["default"]["dead"] == 2
    assert [status["id"] for status in told["running"]] == [house.ids["running"]]


def test_the_rates_count_what_was_just_enqueued_and_ended(house: House) -> None:
    """A second's share of the last ten."""
    with Stack(embedded_settings(Path("var")), configure_logging=False) as stack:
        stack.jobs.enqueue_many([render.call(1)] * 600)
        told = house.json("watch")["queues"]["default"]
    assert told["enqueued_per_second"] > 50
    assert told["ended_per_second"] < told["enqueued_per_second"]


def test_watch_ends_with_q(house: House) -> None:
    """On a terminal, which is left as it was found."""
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "postrmagic_core.cli", "jobs", "watch", "--app", "house_application:stack"]
    environment = os.environ | {"PYTHONPATH": str(house.directory), "TERM": "xterm"}
    with subprocess.Popen(arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as watching:
        os.close(theirs)
        seen = b""
        while b"ended/s" not in seen:
            seen += os.read(ours, 65536)
        os.write(ours, b"q")
        until(lambda: watching.poll() is not None)
        assert watching.returncode == 0
    os.close(ours)


@pytest.mark.redis
def test_it_is_the_same_on_redis(house: House, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs in every state are found, counted and changed there."""
    url = f"{redis_url}?durability=none"
    monkeypatch.setenv("POSTRMAGIC_JOBS__URL", url)
    settings = embedded_settings(Path("var")).replace(jobs={"url": url})
    with Stack(settings, configure_logging=False) as stack:
        furnish(stack.jobs, house.ids)
    counts = house.json("counts")["default"]
    assert counts.pop("oldest") > 0
    assert counts == {"queued": 1, "later": 0, "running": 1, "dead": 2}
    assert [status["id"] for status in house.json("list")] == sorted(house.ids.values(), reverse=True)
    assert "75%" in house.run("watch", "--once").stdout
    assert "{'poster': 7}" in house.run("show", house.ids["failed"], "--arguments").stdout
    assert house.json("replay", "--all", "--yes")["replayed"] == [house.ids["poison"], house.ids["failed"]]
    assert house.run("cancel", house.ids["later"], house.ids["running"]).exit_code == 0
    assert house.json("purge", "--older-than", "0s", "--yes") == {"forgotten": 3}


def test_a_database_without_the_tables_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, house: House
) -> None:
    """Instead of the driver's words."""
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path / "bare")
    error = house.run("counts").exception
    assert isinstance(error, SchemaMismatch)
    assert "postrmagic db upgrade" in str(error)
