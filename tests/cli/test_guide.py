"""What the guide to jobs shows is what its commands say, one after the other."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from postrmagic_core import _codec
from postrmagic_core.cli.jobs import jobs as command
from postrmagic_core.cli.worker import worker
from postrmagic_core.jobs import JobQueue
from postrmagic_core.jobs.interface import Beat, NewJob, Outcome, Progress, Settlement, Want
from postrmagic_core.jobs.progress import written
from postrmagic_core.jobs.workers import Registration
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings

GUIDES = Path(__file__).parents[2] / "docs" / "how-to"
PAGE = GUIDES / "look-after-jobs.md"
WIDTH = "140"
WORKER = "01a2206d-0b8e-7fc1-8d4b-5a3e0c9f7d21"
IDS = {
    "succeeded": "01a2206c-fb83-70b8-bc0d-31c03d3055c2",
    "failed": "01a2206c-fba5-7483-aa22-93ef9fe3594e",
    "poison": "01a2206c-fbb4-7a1c-b100-68440f36bfe5",
    "running": "01a2206c-fbc3-7b60-8a69-33d8b81ea58e",
    "queued": "01a2206c-fbc4-7856-902a-81d675cd7777",
    "later": "01a2206c-fbdd-795c-b24d-fac9b5ddb1bf",
}


def furnish(queue: JobQueue) -> None:
    """The jobs of a print shop at some moment."""
    adapter = queue.adapter

    def put(name: str, task: str, **options: object) -> None:
        given = {"queue": "default", "task": task, "retries": 5, "payload": _codec.encode({"poster": 7})}
        adapter.put([NewJob(IDS[name], **{**given, **options})])  # type: ignore[arg-type]  # each fits

    def settle(queue: str, outcome: Outcome) -> None:
        (claim,) = adapter.turn([], Want(WORKER, [queue], 1)).claims
        adapter.turn([Settlement(claim, outcome)], None)

    put("succeeded", "render")
    settle("default", Outcome("succeeded"))
    put("failed", "receipt", queue="mail", retries=0, payload=_codec.encode({"order": 42}))
    settle("mail", Outcome("failed", reason="failed", error="smtp.refused", fingerprint="9c1f03ab"))
    put("poison", "render", retries=0)
    settle("default", Outcome("dead", reason="poison"))
    put("running", "render")
    (claim,) = adapter.turn([], Want(WORKER, ["default"], 1)).claims
    adapter.renew([Beat(claim, written(Progress(3, 8, "pages")))])
    put("queued", "render", priority="high")
    put("later", "reminder", queue="mail", due_us=time.time_ns() // 1000 + 3_600_000_000)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shop's directory, with its worker at work."""
    (tmp_path / "shop.py").write_text("from postrmagic_core.stack import Stack\nstack = Stack.from_env()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.chdir(tmp_path)
    with Stack(embedded_settings(tmp_path / "var"), configure_logging=False) as stack:
        furnish(stack.jobs)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("socket.gethostname", lambda: "press-1")
            row = Registration(
                stack.database, WORKER, queues=["default", "mail"], threads=4, port=None, running=lambda: 1
            )
            row.open()
        row.beat()
        yield
        row.close()
    sys.modules.pop("shop", None)


def run(line: str) -> str:
    """What a command line of the guide says."""
    sys.modules.pop("shop", None)
    done = CliRunner().invoke(command, shlex.split(line.removeprefix("postrmagic jobs ")))
    return done.output


def examples() -> list[tuple[str, str]]:
    """The guide's command lines, each with what the guide says that it answers."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(line, answer) for line, _, answer in (part.partition("\n") for part in parts)]


def normal(text: str) -> str:
    """Without what differs from one moment and process to the next: ages, rates, memory, instants, widths."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "an instant", text)
    text = re.sub(r"\b\d+ MiB", "MiB", re.sub(r"\b\d+[smhd]\b", "a while", text))
    text = re.sub(r"\d+\.\d+", "0.0", re.sub(r"(press-1\W+)\d+", r"\1pid", text))
    text = re.sub(r" +", " ", re.sub(r"[━─]+", "━", text))
    return "\n".join(line.strip() for line in text.splitlines())


@pytest.mark.usefixtures("shop")
def test_the_guide_shows_what_the_commands_say() -> None:
    """In its order; what changes by the moment aside."""
    assert len(examples()) >= 8
    for line, answer in examples():
        assert (line, normal(run(line))) == (line, normal(answer))


def test_the_guide_to_workers_names_every_option() -> None:
    """And none that there is not."""
    application = typer.Typer(add_completion=False)
    application.command()(worker)
    there = {
        option for parameter in get_command(application).params for option in parameter.opts if option.startswith("--")
    }
    page = (GUIDES / "run-workers.md").read_text(encoding="utf-8")
    table = set(re.findall(r"--[a-z-]+", "".join(re.findall(r"^\| `--.*$", page, re.MULTILINE))))
    assert table | {"--app"} == there
    commands = re.findall(r"postrmagic worker (.*)$", page, re.MULTILINE)
    assert {option for line in commands for option in re.findall(r"--[a-z-]+", line)} <= there
