"""`postrmagic logs`: what was logged on this machine, for people and programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from postrmagic_core.cli.logs import logs as command
from postrmagic_core.log.search import Collector, LogIndex
from postrmagic_core.log.spool import Spool
from postrmagic_core.testing import until

TRACE = "5a21601b84c0d6f6015dda369f752c4e"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the settings."""
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def spool(data: Path) -> Iterator[Spool]:
    """What the processes of that directory log into."""
    opened = Spool(data / "logs" / "spool")
    yield opened
    opened.close()


def put(spool: Spool, event: str, level: str = "info", ago: float = 0, **fields: Any) -> None:
    """A record, so many seconds ago."""
    ts = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spool.write([orjson.dumps({"ts": ts, "level": level, "logger": "shop", "event": event} | fields)])


def run(*arguments: str, status: int = 0) -> Result:
    """The command's end."""
    done = CliRunner().invoke(command, list(arguments))
    assert done.exit_code == status, done.output
    return done


def test_search_indexes_what_nobody_did_and_shows_the_newest_last(data: Path, spool: Spool) -> None:
    """A line for people, without control characters; a line of JSON for programs."""
    put(spool, "uploaded", media_id=7)
    put(spool, "failed \x1b[2J\u202e", "error", user_id=42)
    lines = run("search").stdout.splitlines()
    assert ["uploaded" in lines[0], "failed" in lines[1], len(lines)] == [True, True, 2]
    assert "\\u001b[2J\\u202e" in lines[1]
    assert lines[1].startswith(f"{datetime.now(UTC):%Y-}")
    found = run("search", "user:42", "level>=error", "--json").stdout.splitlines()
    assert [json.loads(line)["event"] for line in found] == ["failed \x1b[2J\u202e"]
    assert "\x1b" not in found[0]
    assert len(run("search", "--limit", "1").stdout.splitlines()) == 1
    assert "1 records" in run("search", "user:42", "--histogram").stdout


def test_all_shows_everything_the_newest_first(data: Path, spool: Spool) -> None:
    """More than one page of it."""
    for number in range(3):
        spool.write([b'{"event":"e%d"}' % (1000 * number + n) for n in range(1000)])
    found = run("search", "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["event"] for line in found] == [f"e{n}" for n in reversed(range(3000))]


def test_nothing_found_is_a_status(data: Path, spool: Spool) -> None:
    """As it is for other groups, on standard error."""
    put(spool, "uploaded")
    assert "nothing" in run("search", "zebra", status=1).stderr
    assert "nothing" in run("trace", TRACE, status=1).stderr


def test_where_nothing_was_collected_it_says_how(data: Path) -> None:
    """And makes nothing."""
    assert "POSTRMAGIC_LOG__SEARCH" in run("search", status=1).stderr
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("name", ["search", "tail", "histogram"])
def test_a_query_that_is_none_is_a_usage_error_with_its_place(data: Path, name: str) -> None:
    """Before anything is looked for."""
    told = run(name, "level>=loud", status=2).stderr
    assert "expected a level" in told
    assert told.splitlines()[-1].strip() == "^"


def test_another_directory_is_named(data: Path, spool: Spool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With --dir."""
    put(spool, "uploaded")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run("search", "--dir", str(elsewhere), status=1)
    assert "uploaded" in run("search", "--dir", str(data)).stdout


def test_while_another_process_collects_its_index_is_searched(data: Path, spool: Spool) -> None:
    """The lock is its own; nothing is indexed twice."""
    put(spool, "uploaded")
    with Collector(data / "logs" / "spool", data / "logs" / "index"):
        index = LogIndex(data / "logs" / "index")
        until(lambda: index.search("").records, timeout=30)
        assert len(run("search").stdout.splitlines()) == 1


def test_trace_tells_the_story_as_a_tree(data: Path, spool: Spool) -> None:
    """What a line is in stands before it, with when it began and how long it took."""
    access = "postrmagic_core.middleware.access"
    put(spool, "started\x07", ago=2, request_id="r1", trace_id=TRACE)
    put(spool, "request", ago=1, request_id="r1", logger=access, method="GET", path="/x", status=200, duration_ms=1500)
    put(spool, "thumbnail failed", "error", job_id="j1", request_id="r1", task="thumb", exception={"type": "KeyError"})
    shown = run("trace", "r1").stdout
    lines = shown.splitlines()
    assert "3 records" in lines[0]
    order = [
        next(n for n, line in enumerate(lines) if text in line)
        for text in ("GET /x 200 1.50s", "started", "job thumb", "failed")
    ]
    assert order == sorted(order)
    assert "KeyError" in shown
    assert "\x07" not in shown
    assert json.loads(run("trace", "r1", "--json").stdout)["records"] == 3


def test_stats_and_histogram_count(data: Path, spool: Spool) -> None:
    """By level and message, against the span before."""
    for number in range(4):
        put(spool, f"sent {number} mails", ago=3000)
    put(spool, "disk full", "error", ago=2)
    shown = run("stats", "--since", "30m").stdout
    assert "1 records" in shown
    assert "New since the span before" in shown
    told = json.loads(run("stats", "--since", "2h", "--json").stdout)
    assert (told["total"], told["levels"]) == (5, {"info": 4, "error": 1})
    assert [one["event"] for one in told["messages"]] == ["sent # mails", "disk full"]
    bars = json.loads(run("histogram", "level:error", "--buckets", "3", "--json").stdout)
    assert [one["levels"].get("error", 0) for one in bars] == [0, 0, 1]
    assert "█" in run("histogram", "since:2h").stdout
    assert "no record" in run("histogram", "zebra").stdout


def test_tail_follows_until_it_is_interrupted(data: Path, spool: Spool) -> None:
    """The last ones first, then what comes; Ctrl-C is no error."""
    put(spool, "first")
    put(spool, "second")
    # Where the tests run in the background Ctrl-C is ignored, and children inherit that.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from postrmagic_core.cli.logs import logs; logs()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "tail", "-n", "1", "--json", "event:*"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"POSTRMAGIC_STACK__DATA_DIR": str(data)},
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert json.loads(said.readline())["event"] == "second"
        put(spool, "third")
        assert json.loads(said.readline())["event"] == "third"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_another_user_indexes_nothing(data: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root would make, the application could not write any more."""
    put(spool, "seen")
    monkeypatch.setattr("os.geteuid", lambda: data.stat().st_uid + 1)
    run("search", status=1)
    assert not (data / "logs" / "index").exists()
