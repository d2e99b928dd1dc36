"""The page of counters is made of one run of every benchmark: what it shows, how it goes on, and what it is held to."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import benchmarks.__main__ as command
from benchmarks import _counters, _page, _plots, _suite, _versions
from benchmarks._goals import Goal, goals, times_as_fast
from benchmarks._names import available
from benchmarks._stats import better

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "docs" / "reports"
MACHINE = {
    "system": "Linux 6",
    "processor": "a processor",
    "cores": "2",
    "memory": "24.0 GiB",
    "python": "CPython 3.11.7",
    "postrmagic-core": "1.0",
}


def part(figures: dict[str, float], **missing: str) -> dict[str, Any]:
    """One benchmark of the document."""
    return {"date": "2026-11-30", "seconds": 90.0, "load": "0.1", "figures": figures, "missing": missing}


DOCUMENT: dict[str, Any] = {
    "date": "2026-11-30",
    "quick": False,
    "machine": MACHINE,
    "servers": {"Redis": "7.0.15"},
    "packages": {"postrmagic-core": "1.0"},
    "parts": {
        "counters": part(
            {"lost_updates": 0, "lost_updates_peer.sqlalchemy": 3259, "poison_runs": 4, "cold_computations": 1},
            **{"recovery_s_peer.celery": "not run again within 150 s"},
        ),
        "cache": part({"memory_hit_time_ratio": 0.32, "redis_hit_time_ratio": 0.7, "tiered_hit_speedup": 30}),
        "validation": part({"validate_json_time_ratio": 3.06, "scale": 0.1}, somebody="not installed"),
    },
    "failed": {"jobs": "exit status 1: it broke (/tmp/a/jobs.log)"},
    "taken_over": {"containers": {"date": "2026-11-29", "figures": {"image_mb": 378}}},
}


def page() -> str:
    """The document's page, as one line for each row."""
    return _page.markdown(DOCUMENT, {"a plot": "counters-promises.svg"})


@pytest.mark.parametrize(
    "row",
    [
        r"\| updates that were acknowledged .* \| 0 \| SQLAlchemy 3,259 \| 0, met \|",
        r"\| runs of a job that kills its process.* \| 4 \|  \| 3, \*\*missed\*\* \|",
        r"\| seconds from a worker's kill .* \| not measured \| Celery, late acknowledgement: not run again .* \|  \|",
        r"\| `memory_hit_time_ratio` \| the faster of .* \| 0.32 \| at most 1.0 \| met \|",
        r"\| `redis_hit_time_ratio` \| redis-py and a codec \| 0.7 \| at most 0.6 \| \*\*missed\*\* \|",
        r"\| `validate_json_time_ratio` \| bare pydantic \| 3.06 \|  \| the peer is ahead \|",
        r"\| validation \| `validate_json_time_ratio` \| bare pydantic \| 3.06 \|",
        r"\| \[containers\]\(containers.md\) \| 2026-11-29 \| `image_mb` \| 378 \|",
        r"- jobs: \*\*failed\*\*, exit status 1: it broke",
        r"- validation, somebody: not installed",
        r"\| validation \| 1.5 \| 1 \| 0.1 \| scale 0.1 \|",
        r"Linux 6, 2 cores of a processor, 24.0 GiB, CPython 3.11.7, postrmagic-core 1.0; Redis 7.0.15.",
        r"!\[a plot\]\(counters-promises.svg\)",
    ],
)
def test_the_page_says_what_was_found(row: str) -> None:
    """Ours beside the peers', met or missed, who is ahead, what failed, was not measured, or is of another run."""
    assert [line for line in page().splitlines() if re.fullmatch(row, line)]


def test_a_quick_run_says_so() -> None:
    """Its page is not taken for the other."""
    assert "quick run" not in page()
    assert "quick run" in _page.markdown({**DOCUMENT, "quick": True}, {})


def test_the_pictures_stand_alone_on_light_and_dark() -> None:
    """Each is one SVG with both schemes; a ratio that a peer wins is drawn to the other side of the line."""
    made = _plots.pictures(DOCUMENT)
    assert set(made) == {"promises", "ratios"}
    for _, svg in made.values():
        assert "prefers-color-scheme:dark" in svg
        assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    root = ET.fromstring(made["ratios"][1])  # noqa: S314 - written by the line above
    sides = [bar.get("class") for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert sides == ["back", "ours", "ours", "peer"]


def test_the_page_here_is_that_of_the_document_beside_it(tmp_path: Path) -> None:
    """Nobody has mended a figure by hand, and no picture is of another run."""
    document = json.loads((REPORTS / "counters.json").read_text(encoding="utf-8"))
    (tmp_path / "counters-of-before.svg").touch()
    _counters.write(document, tmp_path)
    assert {made.name for made in tmp_path.iterdir()} == {made.name for made in REPORTS.glob("counters*")}
    for made in tmp_path.iterdir():
        assert (REPORTS / made.name).read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), (
            "write it anew: python -m benchmarks report --render"
        )


# Goals.


@pytest.mark.parametrize(
    ("goal", "good", "bad"),
    [("at most 1.5", 1.5, 1.6), ("at least 10", 10, 9.9), ("below 30", 29, 30), ("0", 0, 1), ("10", 10, 9)],
)
def test_a_goal_is_met_or_not(goal: str, good: float, bad: float) -> None:
    """By its words; without one nothing is promised."""
    assert (Goal(goal).met(good), Goal(goal).met(bad), Goal().met(good)) == (True, False, None)


@pytest.mark.parametrize("wrong", ["fast", "about 3", "at most", "1 to 2"])
def test_a_goal_can_be_judged(wrong: str) -> None:
    """Other words would be met by everything."""
    with pytest.raises(ValueError, match="expected a goal"):
        Goal(wrong)


def test_a_ratio_above_one_is_better_whichever_way_it_counts() -> None:
    """Times and sizes are turned round; what is no ratio has none."""
    assert times_as_fast("hit_time_ratio", 0.5) == times_as_fast("hit_rate_ratio", 2) == 2
    assert times_as_fast("rss_ratio.x", 0.25) == 4
    assert times_as_fast("hit_us", 0.5) is None


def rows() -> dict[str, list[tuple[str, str]]]:
    """Of each benchmark's tables in the reference, the first cell and the last one."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in (ROOT / "docs/reference/benchmarks.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.strip("# `")
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(section, []).append((cells[0], cells[-1].replace(",000", "000")))
    return found


def test_every_goal_is_in_the_reference() -> None:
    """In a row of its benchmark that names the figure, or the end of its name after a dot."""
    told = rows()
    for name, figures in goals().items():
        for figure, goal in figures.items():
            ends = {f"`{figure}`", f"`.{figure.partition('.')[2]}`", f"`{figure.partition('.')[0]}`"}
            ends.add(f"`_{figure.rpartition('_')[2]}`")
            assert [row for row in told[name] if goal.goal in row[1] and any(end in row[0] for end in ends)], (
                f"{name} {figure}: {goal.goal}"
            )


def test_every_goal_of_the_reference_is_judged() -> None:
    """Where a table promises something, the page says whether it is so."""
    judged = goals()
    for name, found in rows().items():
        for first, last in found:
            if (
                re.match(r"(at (most|least)|below|\d+(, \d+)*$)", last)
                and first.startswith("`")
                and name in available()
            ):
                named = re.findall(r"`(\w+)[.`\w]", first)
                assert [one for one in named if any(figure.startswith(one) for figure in judged[name])], (name, first)


def test_goals_are_of_benchmarks_that_there_are() -> None:
    """And of figures with plain names."""
    assert set(goals()) == set(available())
    assert all(better(figure) for figures in goals().values() for figure in figures)


def test_every_peer_of_the_promises_has_words() -> None:
    """What follows the dot is for programs."""
    document = json.loads((REPORTS / "counters.json").read_text(encoding="utf-8"))
    told = document["parts"]["counters"]
    named = {name.partition("_peer.")[2] for name in (*told["figures"], *told["missing"]) if "_peer." in name}
    assert named <= set(_page.PEERS)
    assert len(named) > 10


# The run.

WRITES = """
import json, sys
figures = {"figures": {"a_us": 1.5}, "missing": {}, "machine": {"load": "0.1"}}
print("measured")
open(sys.argv[1], "w").write(json.dumps(figures))
"""
BREAKS = "import sys; print('it broke', file=sys.stderr); sys.exit(3)"


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, list[str]]]:
    """Runs the command with three benchmarks, each a short program; the exit status, and what was begun."""
    begun: list[str] = []
    programs = {"one": WRITES, "two": WRITES, "three": WRITES}

    def program(name: str, result: Path, quick: bool) -> list[str]:
        begun.append(name)
        return [sys.executable, "-I", "-S", "-c", programs[name], str(result)]

    monkeypatch.setattr(_suite, "command", program)
    monkeypatch.setattr(_suite, "REPORTS", tmp_path / "reports")
    for place in (_counters, command):
        monkeypatch.setattr(place, "available", lambda: dict.fromkeys(programs, "Nothing."))
    monkeypatch.setattr(_versions, "servers", lambda: {"Redis": "7"})
    monkeypatch.setattr(_versions, "source", lambda: "a source")

    def run(*arguments: str, **changed: str) -> tuple[int, list[str]]:
        begun.clear()
        programs.update(changed)
        return command.main(["report", "--folder", str(tmp_path / "kept"), *arguments]), list(begun)

    return run


def written(tmp_path: Path) -> dict[str, Any]:
    """The document where a whole run writes it."""
    found: dict[str, Any] = json.loads((tmp_path / "reports/counters.json").read_text(encoding="utf-8"))
    return found


def test_every_benchmark_is_run_once(suite: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with a line, and the page is written; the next run measures all of them anew."""
    assert suite() == (0, ["one", "three", "two"])
    assert set(written(tmp_path)["parts"]) == {"one", "two", "three"}
    assert "[3/3] two: 0.0 minutes, 1 figures" in capsys.readouterr().out
    assert (tmp_path / "reports/counters.md").exists()
    assert suite()[1] == ["one", "three", "two"]


def test_a_failing_part_is_named_and_the_rest_goes_on(
    suite: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1; once it is mended, only that part is measured."""
    assert suite(three=BREAKS) == (1, ["one", "three", "two"])
    assert "failed: three: exit status 3: it broke" in capsys.readouterr().out
    assert set(written(tmp_path)["parts"]) == {"one", "two"}
    assert "- three: **failed**, exit status 3: it broke" in (tmp_path / "reports/counters.md").read_text()
    assert suite(three=WRITES) == (0, ["three"])
    assert set(written(tmp_path)["parts"]) == {"one", "two", "three"}


def test_a_part_without_a_result_failed(suite: Any) -> None:
    """Also where it ended well, and where it does not end."""
    assert suite(two="pass")[0] == 1


def test_a_part_that_does_not_end_is_ended(suite: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With all that it started."""
    monkeypatch.setattr(_suite, "TIMEOUT", 0.5)
    assert suite("--only", "two", two="import time; time.sleep(600)")[0] == 1


def test_an_interrupted_run_goes_on(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured is kept."""
    run = _suite._run

    def interrupted(arguments: Any, log: Path, timeout: float, lock: int) -> int | None:
        if log.stem == "two":
            raise KeyboardInterrupt
        return run(arguments, log, timeout, lock)

    monkeypatch.setattr(_suite, "_run", interrupted)
    assert suite()[0] == 130
    monkeypatch.setattr(_suite, "_run", run)
    assert suite() == (0, ["two"])


@pytest.mark.parametrize("changed", ["source", "half a file"])
def test_what_is_not_true_any_more_is_measured_again(
    changed: str, suite: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of another source, or torn."""
    suite(two=BREAKS)
    if changed == "source":
        monkeypatch.setattr(_versions, "source", lambda: "another")
    else:
        (tmp_path / "kept/one.json").write_text('{"source"')
    assert "one" in suite(two=WRITES)[1]


def test_some_are_measured_anew_and_stay_out_of_the_page(suite: Any, tmp_path: Path) -> None:
    """--only, beside what is kept of the others; and --quick has a page of its own."""
    suite(two=BREAKS)
    (tmp_path / "reports/counters.json").unlink()
    assert suite("--only", "one") == (0, ["one"])
    assert not (tmp_path / "reports/counters.json").exists()
    kept = json.loads((tmp_path / "kept/page/counters.json").read_text())
    assert set(kept["parts"]) == {"one", "three"}
    assert suite("--quick", two=WRITES)[0] == 0
    assert not (tmp_path / "reports/counters.json").exists()


def test_one_run_at_a_time_has_a_folder(suite: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other is told, and measures nothing."""
    (tmp_path / "kept").mkdir()
    with (tmp_path / "kept/lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert suite() == (2, [])
    assert "another run has" in capsys.readouterr().err


def test_what_a_killed_run_left_behind_is_waited_for(
    suite: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its benchmark may still run, and would be heard in every figure."""
    (tmp_path / "kept").mkdir()
    with (tmp_path / "kept/lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        left = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=-1, pass_fds=[file.fileno()])
    assert suite() == (2, [])
    left.communicate(b"\n")
    assert suite()[0] == 0


def test_versions_are_of_what_is_installed() -> None:
    """Of the package and of what it requires."""
    assert {"postrmagic-core", "sqlalchemy", "redis"} <= set(_versions.packages())
