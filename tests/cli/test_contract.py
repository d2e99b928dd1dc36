"""``postrmagic contract URL``: an installed adapter is tried, its keys apart from everybody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.cache.names import CacheKeys
from postrmagic_core.stores import open_store
from tests import commands

ROOT = Path(__file__).parents[2]
Run = Callable[..., commands.Finished]

PLANTED = '''
from postrmagic_core.stores.adapters.memory import MemoryStore


class Forgetful(MemoryStore):
    """What is set is gone."""

    def set(self, items, ttl_ms):
        pass


class Chatty(MemoryStore):
    """Every key has a value."""

    def get(self, keys):
        return [b"here"] * len(keys)


class Pattern(MemoryStore):
    """Would delete everything, were it asked to."""

    def clear(self, prefix):
        with open("cleared", "ab") as file:
            file.write(prefix + b"\\\\n")
        return super().clear(prefix or b"{")
'''


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The finished command, where an adapter of three bad stores is installed."""
    (tmp_path / "planted.py").write_text(PLANTED)
    distribution = tmp_path / "planted-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    names = "\n".join(f"{name.lower()} = planted:{name}" for name in ("Forgetful", "Chatty", "Pattern"))
    (distribution / "entry_points.txt").write_text(f"[postrmagic_core.stores]\n{names}\n")

    return partial(commands.run, "contract", directory=tmp_path)


def told(finished: commands.Finished) -> dict[str, Any]:
    """What the command said as JSON; it says nothing else."""
    assert finished.stderr == ""
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def test_a_store_that_keeps_its_contract(run: Run) -> None:
    """Status 0, a row for each promise, and the sum under them."""
    finished = run("memory://", "-k", "not many_keys")
    assert (finished.status, finished.stderr) == (0, "")
    assert "what was set is read in the order asked" in finished.stdout
    assert "MemoryStore: 29 held, 0 broken, 1 not applicable" in finished.stdout


def test_a_store_that_breaks_it(run: Run) -> None:
    """Status 1; the rows say what is broken and what was seen."""
    finished = run("forgetful://", "--json", "-k", "order_asked or never_named or byte_exact or nothing_asked")
    result = told(finished)
    assert finished.status == 1
    assert result["adapter"] == "planted.Forgetful"
    assert (result["held"], result["broken"]) == (1, 2)
    broken = {row["promise"]: row for row in result["promises"] if row["state"] == "broken"}
    assert set(broken) == {"what was set is read in the order asked", "values are byte exact"}
    assert "assert [None, None, None, None] == [b'2'" in broken["what was set is read in the order asked"]["why"]
    assert broken["values are byte exact"]["cases"] == 6


def test_the_cache_on_it_by_either_face(run: Run) -> None:
    """``--cache`` adds the promises of a cache, ``--face`` leaves one face out."""
    sync, both = (
        told(run("memory://", "--cache", "--json", "-k", "types or async_face_answers", *options))["promises"]
        for options in (["--face", "sync"], [])
    )
    assert [(row["suite"], row["cases"]) for row in sync] == [("store", 1), ("cache", 1)]
    assert [(row["suite"], row["cases"]) for row in both] == [("store", 1), ("store", 1), ("cache", 2)]
    only = told(run("memory://", "--cache", "--json", "--face", "async", "-k", "types or async_face_answers"))
    assert [(row["suite"], row["promise"]) for row in only["promises"]] == [
        ("store", "the async face answers the same"),
        ("cache", "a value comes back with its types"),
    ]


def test_the_sessions_on_it(run: Run) -> None:
    """``--sessions`` adds what sessions promise."""
    result = told(run("memory://", "--sessions", "--json", "-k", "logout_is_final or one_device_is_ended"))
    assert {(row["suite"], row["promise"], row["state"], row["cases"]) for row in result["promises"]} == {
        ("sessions", "logout is final", "held", 2),
        ("sessions", "one device is ended alone", "held", 2),
    }


def test_what_others_keep_in_the_store_is_left_alone(run: Run, tmp_path: Path) -> None:
    """Names like those the contracts use, and of a cache under way; nothing of the trial remains."""
    cached = CacheKeys("app")
    others = [b"a", b"k", b"other", b"log", b"counter", b"b", b"*", b"k" * 255, cached.entry("k"), *cached.tags(["t"])]
    url = f"sqlite:///{tmp_path / 'kv.db'}"
    with closing(open_store(url)) as store:
        store.set(dict.fromkeys(others, b"theirs"), None)
        finished = run(url, "--cache", "--json", "--face", "sync")
        assert (finished.status, told(finished)["broken"]) == (0, 0)
        assert store.get(others) == [b"theirs"] * len(others)
        store.delete(others)
    import sqlite3

    with closing(sqlite3.connect(tmp_path / "kv.db")) as database:
        assert database.execute("SELECT k FROM pm_kv").fetchall() == []


def test_nothing_is_cleared_but_its_own_prefix(run: Run, tmp_path: Path) -> None:
    """A store that takes an empty prefix for everything is not asked; the promise is shown as not tried."""
    result = told(run("pattern://", "--json", "-k", "clear"))
    [untried] = [row for row in result["promises"] if row["state"] == "not applicable"]
    assert untried["promise"] == "clear refuses to delete everybodys keys"
    cleared = (tmp_path / "cleared").read_bytes().split(b"\\n")[:-1]
    assert cleared
    assert all(prefix.startswith(b"pmc-") for prefix in cleared)


def test_a_store_with_values_that_nobody_wrote_is_refused(run: Run) -> None:
    """Its prefix is not empty: one sentence, and nothing is tried."""
    finished = run("chatty://")
    assert (finished.status, finished.stdout) == (1, "")
    assert "not empty under the prefix pmc-" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere://x"], "no store adapter for the URL scheme 'nowhere'"),
        (["redis://user:hunter2@127.0.0.1:1/0"], "backend.unavailable"),
        (["memory://", "-k", "no_such_promise"], "no promise matches"),
        (["memory://", "-k", "a ("], "Wrong expression"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, arguments: list[str], said: str) -> None:
    """What is wrong, without a traceback and without a password."""
    finished = run(*arguments)
    assert (finished.status, finished.stdout) == (1, "")
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "hunter2" not in finished.stderr


def test_without_pytest_the_extra_is_named(tmp_path: Path) -> None:
    """It is no dependency of the package."""
    (tmp_path / "pytest.py").write_text("raise ModuleNotFoundError(\"No module named 'pytest'\", name='pytest')\n")
    command = [sys.executable, "-m", "postrmagic_core.cli", "contract", "memory://"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert finished.returncode == 1
    assert "pip install 'postrmagic-core[testing]'" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_settings_of_the_place_have_no_say(run: Run, tmp_path: Path) -> None:
    """A project's own pytest configuration and conftest are not loaded."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n")
    assert told(run("memory://", "--json", "-k", "nothing_asked"))["held"] == 1


def test_help_says_what_it_does(run: Run) -> None:
    """Every option, and the exit status."""
    shown = run("--help").stdout
    assert "exit status 0" in shown
    for option in ("--cache", "--sessions", "--face", "-k", "--timeout", "--json"):
        assert option in shown
