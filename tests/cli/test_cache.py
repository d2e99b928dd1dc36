"""`postrmagic cache`: warmers run from outside the application, and what its processes tell."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.figures import by_namespace, look, subject, total, usage
from postrmagic_core.cache.interface import CacheStats
from postrmagic_core.cli.cache import cache as command
from postrmagic_core.stack import Stack
from postrmagic_core.stores import open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import spawn
from postrmagic_core.testing.capture import embedded_settings
from tests import commands
from tests.cli.in_process import InProcess

ROOT = Path(__file__).parents[2]

APPLICATION = """
from postrmagic_core.stack import Stack

stack = Stack.from_env()
ran = []

@stack.cache.warmer("users")
def users(cache):
    cache.get_or_set("users", lambda: [1, 2], fresh=60)

@stack.cache.warmer("lists", after=["users"])
async def lists(cache):
    for user in await cache.aio.get("users"):
        await cache.aio.get_or_set(f"list:{user}", lambda: [], fresh=60)
"""
FAILING = """

@stack.cache.warmer("broken")
def broken(cache):
    raise ValueError("hunter2")

@stack.cache.warmer("needs [it]", after=["broken"])
def needs_it(cache):
    pass
"""


@pytest.fixture(autouse=True)
def room(short_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application's directory, and sockets of this test's own."""
    sockets = str(short_directory)
    monkeypatch.setattr(tempfile, "tempdir", sockets)
    monkeypatch.setenv("TMPDIR", sockets)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run the command on an application, whose text is the first argument."""
    monkeypatch.syspath_prepend(str(tmp_path))

    here = InProcess(command, "warmed_application:stack")

    def run(text: str, *arguments: str) -> Result:
        (tmp_path / "warmed_application.py").write_text(text)
        return here.run(*arguments)

    yield run
    here.forget()


def test_warm_runs_every_warmer_and_leaves_the_store_filled(run: Callable[..., Result]) -> None:
    """A second run finds everything there."""
    first, second = (json.loads(run(APPLICATION, "warm", "--json").stdout) for _ in range(2))
    assert [(one["name"], one["outcome"], one["computes"]) for one in first["warmers"]] == [
        ("users", "done", 1),
        ("lists", "done", 2),
    ]
    assert [one["computes"] for one in second["warmers"]] == [0, 0]
    told = json.loads(run(APPLICATION, "stats", "--json").stdout)
    assert told["namespaces"]["app"]["held"]["entries"] == 3
    assert told["processes"] == []


def test_names_and_the_time_limit_choose(run: Callable[..., Result]) -> None:
    """What a warmer needs runs too; what the time limit leaves is no failure."""
    shown = run(APPLICATION + FAILING, "warm", "lists")
    assert shown.exit_code == 0
    assert "2 of 2" in shown.stdout
    left = run(APPLICATION, "warm", "--time-limit", "0")
    assert left.exit_code == 0
    assert "the time limit was over" in left.stdout
    assert "0 of 2" in left.stdout


def test_a_warmer_that_fails_is_status_one(run: Callable[..., Result]) -> None:
    """The table says which, and which others had to wait for it; names are no markup."""
    shown = run(APPLICATION + FAILING, "warm")
    assert shown.exit_code == 1
    assert "2 of 4" in shown.stdout
    assert "ValueError" in shown.stdout
    assert "needs [it]" in shown.stdout
    assert "it needs broken" in shown.stdout


def test_warm_needs_no_worker_and_takes_nothing_from_one_that_runs(tmp_path: Path) -> None:
    """Also where the web process runs the worker by itself, which allows one such process."""
    (tmp_path / "warmed_application.py").write_text(APPLICATION)
    settings = embedded_settings(tmp_path / "var").replace(jobs={"worker": "embedded"})
    embedded = {"POSTRMAGIC_JOBS__WORKER": "embedded"}
    with Stack(settings, configure_logging=False):
        done = commands.run("cache", "warm", "--app", "warmed_application:stack", environment=embedded)
    assert (done.status, done.stderr) == (0, "")
    assert "2 of 2" in done.stdout


def test_an_unknown_warmer_is_one_sentence(tmp_path: Path) -> None:
    """Without a traceback."""
    (tmp_path / "warmed_application.py").write_text(APPLICATION)
    done = commands.run("cache", "warm", "nobody", "--app", "warmed_application:stack")
    assert done.status == 1
    assert "there is no warmer 'nobody': there are users, lists" in done.stderr
    assert "Traceback" not in done.stderr


def serve(directory: str) -> None:
    """A process that reads one entry four times and waits to be killed."""
    with Stack(embedded_settings(Path(directory)), configure_logging=False) as stack:
        for _ in range(4):
            stack.cache.get_or_set("k", lambda: 1, fresh=600)
        print("served", flush=True)  # noqa: T201 - tells the test
        signal.pause()


def test_stats_shows_every_running_process_and_their_sum(
    tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as they run; what is in the store outlives them."""
    monkeypatch.setenv("COLUMNS", "80")
    here = {"PYTHONPATH": str(ROOT)}
    with spawn(serve, str(tmp_path / "var"), env=here) as one:
        assert one.line() == "served"
        with spawn(serve, str(tmp_path / "var"), env=here) as other:
            assert other.line() == "served"
            told = json.loads(run(APPLICATION, "stats", "--json").stdout)
            shown = run(APPLICATION, "stats").stdout
            other.kill()
            other.wait()
        assert [process["pid"] for process in told["processes"]] == sorted([one.pid, other.pid])
        did = told["namespaces"]["app"]["did"]
        assert (did["hits"], did["misses"], did["computes"], did["hit_rate"]) == (7, 1, 1, 7 / 8)
        assert "87.5%" in shown
        assert "together" in shown
        assert max(map(len, shown.splitlines())) <= 80
        assert "…" not in shown.partition("together")[2].partition("└")[0], "no figure is cut off"
        assert [process["pid"] for process in json.loads(run(APPLICATION, "stats", "--json").stdout)["processes"]] == [
            one.pid
        ]
        one.kill()
        one.wait()
    shown = run(APPLICATION, "stats").stdout
    assert "no process of this user" in shown
    assert f"cache postrmagic {tmp_path / 'var'} sqlite:///" in shown, "who looks in vain sees where"
    assert "│ app " in shown


def test_a_store_that_is_away_or_cannot_tell_costs_its_column_only(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes' figures are worth seeing even so."""
    monkeypatch.setenv("POSTRMAGIC_CACHE__URL", "redis://127.0.0.1:1/0")
    shown = run(APPLICATION, "stats")
    assert shown.exit_code == 0
    assert "backend.unavailable" in shown.stdout


def test_a_store_in_memory_is_not_counted_from_outside(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process's own would be shown in the place of theirs."""
    monkeypatch.setenv("POSTRMAGIC_CACHE__URL", "memory://")
    told = json.loads(run(APPLICATION, "stats", "--json").stdout)
    assert told["namespaces"]["app"]["held"] == "each process has its own"


# What the command is made of


def test_namespaces_that_share_metrics_are_told_apart() -> None:
    """A process may have several caches."""
    with Stack(embedded_settings(Path("var")), configure_logging=False) as stack:
        with CacheManager(store := MemoryStore(), namespace="other", metrics=stack.metrics) as other:
            other.get_or_set("k", lambda: b"x" * 100, fresh=60)
            found = usage(store, "other")
            assert found is not None
            assert found.entries == 1
            assert found.bytes > 100
        [told] = look(stack.cache_subject)
        assert told.pid == os.getpid()
        assert told.namespaces == by_namespace(stack.metrics)
        assert (told.namespaces["other"].computes, told.namespaces["app"].computes) == (1, 0)
    assert look(stack.cache_subject) == []


def test_sums_and_rates() -> None:
    """A namespace nobody reads has none."""
    counts = {"computes": 1, "alone": 0, "errors": 0, "unreadable": 0, "bytes": 9, "compute_seconds": 0.5}
    one = CacheStats(hits=2, stale=1, misses=1, seconds_saved=1.5, **counts)  # type: ignore[arg-type]  # each is right
    both = total([one, one])
    assert (both.hits, both.misses, both.hit_rate, both.bytes, both.seconds_saved) == (4, 2, 0.75, 18, 3.0)
    assert total([]).hit_rate == 0.0


def test_a_store_that_cannot_count_says_so() -> None:
    """Nothing is invented."""

    class Bare:
        """A store with nothing to ask."""

    bare: Any = Bare()
    assert usage(bare, "app") is None


def test_credentials_are_no_part_of_a_name(tmp_path: Path) -> None:
    """Two users of one store are one application; two stores, places or services are two."""
    plain = subject("app", "/var", "redis://cache:6379/0")
    assert subject("app", "/var", "redis://me:hunter2@cache:6379/0") == plain
    others = {
        subject("other", "/var", "redis://cache:6379/0"),
        subject("app", "/srv", "redis://cache:6379/0"),
        subject("app", "/var", "redis://cache:6379/1"),
    }
    assert len({plain, *others}) == 4
    store = open_store("memory://")
    assert usage(store, "app") is not None
    store.close()
