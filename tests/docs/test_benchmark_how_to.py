"""The page about benchmarks of one's own: its table is true, and its commands measure what they say."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest

from postrmagic_core.testing.servers import RedisServer
from tests.docs.consoles import Console
from tests.docs.playing import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "benchmark-your-own-server.md"
BENCHMARKS = ROOT / "benchmarks"
ADAPTER = ROOT / "examples" / "adapter_store" / "src"


def takes() -> dict[str, frozenset[str]]:
    """What each benchmark says that it uses, read without importing it."""
    found = {}
    for file in sorted([*BENCHMARKS.glob("[!_]*.py"), *BENCHMARKS.glob("[!_]*/__init__.py")]):
        name = file.parent.name if file.stem == "__init__" else file.stem
        said = re.search(r"^TAKES[^=]*= frozenset\((.*?)\)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert said is not None, name
        found[name] = frozenset(ast.literal_eval(said[1]) if said[1] else ())
    return found


def test_the_table_says_what_each_benchmark_takes() -> None:
    """Those that take something are in it, with all that they take."""
    rows = re.findall(r"^\| (`.+?`) \| (`--.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {
        name: frozenset(re.findall(r"`--(\w+)`", options))
        for names, options in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert told == {name: options for name, options in takes().items() if options}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the benchmarks use of one, and the page's benchmark beside them."""
    folder = tmp_path / "checkout"
    shutil.copytree(BENCHMARKS, folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "examples").symlink_to(ROOT / "examples")
    (block,) = blocks(PAGE, "python")
    first, _, text = block.text.partition("\n")
    assert first == "# benchmarks/my_store.py"
    (folder / "benchmarks" / "my_store.py").write_text(text, encoding="utf-8")
    return folder


def commands() -> list[str]:
    """The page's commands, in their order."""
    return [line[2:] for block in blocks(PAGE, "console") for line in block.text.splitlines()]


def test_an_adapter_is_measured(checkout: Path, tmp_path: Path) -> None:
    """Given the class of a store that is not installed, its figures stand beside ours."""
    command = next(line for line in commands() if "--adapter" in line)
    console = Console(checkout, PYTHONPATH=str(ADAPTER))
    done = console.type(command.replace("/tmp/bench-kv", str(tmp_path / "kv")))
    assert done.status == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert {
        "get_us",
        "get_20_time_ratio",
        "cache_hit_us",
        "limit_us",
        "session_us",
        "loaded_get_rate",
    } <= figures.keys()
    assert list(json.loads((checkout / "files.json").read_text())["figures"]) == list(figures)


def test_without_a_store_it_says_what_is_missing(checkout: Path) -> None:
    """A command without the URL ends with 2 and one sentence."""
    done = Console(checkout).type("python -m benchmarks run my_store --quick")
    assert (done.status, done.stderr) == (
        2,
        "benchmarks: say which store: --url, and --adapter module:Class unless it is installed\n",
    )


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
@pytest.mark.timeout(1_800)
def test_every_command_of_the_page_measures(
    checkout: Path, tmp_path: Path, mariadb_url: str, redis_server: RedisServer
) -> None:
    """In their order, on servers of this run; only whether one of two equal things was slower is left open."""
    instead = {
        "/tmp/bench-kv": str(tmp_path / "kv"),
        "mysql://user:password@localhost/scratch": mariadb_url,
        "redis://localhost:6379/0": redis_server.create_database(),
        "redis://localhost:6379/1": redis_server.create_database(),
    }
    console = Console(checkout, PYTHONPATH=str(ADAPTER))
    for shown in commands():
        command = re.sub("|".join(instead), lambda found: instead[found[0]], shown)
        done = console.bash(command, timeout=600)
        assert done.status == 0 or (" compare " in command and done.status == 1), (command, done)
