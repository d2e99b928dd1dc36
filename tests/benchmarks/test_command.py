"""The command prints tables and then one line of JSON; compare tells better from worse by its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import benchmarks.__main__ as command
from benchmarks import stack
from benchmarks._compare import changes
from benchmarks._harness import Bench, Case, Options
from benchmarks._names import available

Run = Callable[..., int]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with a benchmark of two instant cases, a missing peer and two figures."""

    def measure(bench: Bench) -> None:
        bench.scaled(100, 10)
        found = bench.pair(
            "<reads> & writes", [Case("ours", lambda: None), Case("theirs", lambda: sum(range(500)))], rounds=5
        )
        bench.missing["absent"] = "not measured: absent is not installed"
        bench.figure("read_us", found["ours"].median * 1e6)
        bench.figure("versus_theirs_ratio", found.rate_ratio("ours", "theirs"))

    module: Any = types.ModuleType("benchmarks.fake")
    module.TAKES, module.run = frozenset({"url", "threads"}), measure
    monkeypatch.setitem(sys.modules, "benchmarks.fake", module)
    monkeypatch.setattr(command, "available", lambda: {"fake": "Nothing at all."})
    return lambda *arguments: command.main(["run", "fake", *arguments])


def test_the_last_line_is_one_json_object(fake: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is printed above, a program reads the last line; people see the tables and who is missing."""
    assert fake() == 0
    output = capsys.readouterr().out
    found = json.loads(output.splitlines()[-1])
    assert found.keys() == {"read_us", "versus_theirs_ratio"}
    assert found["versus_theirs_ratio"] > 1
    for told in (
        "<reads> & writes",
        "theirs",
        "p99",
        "missing: absent (not measured: absent is not installed)",
        "cores",
    ):
        assert told in output


def test_quick_results_carry_their_scale(fake: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """So that nobody compares them with full ones."""
    fake("--quick")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["scale"] == 0.1


def test_the_whole_result_is_written(fake: Run, tmp_path: Path) -> None:
    """--json holds the figures, percentiles, machine, seed and missing peers; --plot a picture that stands alone."""
    fake("--json", str(tmp_path / "x.json"), "--plot", str(tmp_path / "x.svg"), "--seed", "7")
    document = json.loads((tmp_path / "x.json").read_text())
    assert document["seed"] == 7
    assert document["missing"].keys() == {"absent"}
    assert {"system", "processor", "cores", "memory", "python"} <= document["machine"].keys()
    assert {"calls", "median", "p50", "p95", "p99", "rate"} == document["comparisons"]["<reads> & writes"][
        "ours"
    ].keys()
    picture = ET.fromstring((tmp_path / "x.svg").read_text())  # noqa: S314 - written by the line above
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"<reads> & writes", "ours", "theirs"} <= set(texts)
    assert "http" not in (tmp_path / "x.svg").read_text().replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--duration", "1"), "fake does not use --duration"),
        (("--adapter", "json:X"), "fake does not use --adapter"),
        (("--threads", "0"), "must be positive"),
    ],
)
def test_an_option_is_used_or_refused(
    arguments: tuple[str, ...], message: str, fake: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never ignored; and no figure is printed."""
    assert fake(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Compares two results given as figures; returns the exit code and the output."""

    def ask(base: Mapping[str, object], head: Mapping[str, object], *arguments: str) -> tuple[int, str]:
        for name, figures in (("base", base), ("head", head)):
            (tmp_path / name).write_text(json.dumps(figures))
        code = command.main(["compare", str(tmp_path / "base"), str(tmp_path / "head"), *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return ask


@pytest.mark.parametrize(
    ("base", "head", "code"),
    [
        ({"a_us": 100}, {"a_us": 109}, 0),
        ({"a_us": 100}, {"a_us": 111}, 1),
        ({"a_us": 100}, {"a_us": 10}, 0),
        ({"a_rate": 100}, {"a_rate": 92}, 0),
        ({"a_rate": 100}, {"a_rate": 90}, 1),
        ({"a_rate": 100}, {"a_rate": 900}, 0),
        ({"a_us": 1, "b_us": 1}, {"a_us": 1}, 1),
        ({"a_us": 1}, {"a_us": 1, "b_us": 1}, 0),
        ({"a_us": 0}, {"a_us": 0}, 0),
    ],
)
def test_the_exit_code_says_worse(base: dict[str, float], head: dict[str, float], code: int, compare: Any) -> None:
    """By each figure's own direction, beyond the tolerance; a figure that is gone is worse."""
    assert compare(base, head)[0] == code


def test_the_tolerance_is_the_callers(compare: Any) -> None:
    """As a share."""
    assert compare({"a_us": 100}, {"a_us": 140}, "--tolerance", "0.5")[0] == 0
    assert compare({"a_us": 100}, {"a_us": 104}, "--tolerance", "0.02")[0] == 1


def test_verdicts_are_told() -> None:
    """Factors above one are worse, whichever way the figure counts."""
    found = changes({"a_us": 1, "b_rate": 4, "c_us": 1, "d_us": 1}, {"a_us": 2, "b_rate": 8, "c_us": 1, "e_us": 1}, 0.1)
    assert [(change.figure, change.factor, change.verdict) for change in found] == [
        ("a_us", 2.0, "worse"),
        ("b_rate", 0.5, "better"),
        ("c_us", 1.0, "same"),
        ("d_us", None, "gone"),
        ("e_us", None, "new"),
    ]


def test_a_count_that_changed_is_worse(compare: Any) -> None:
    """Nobody knows which way is better; it was not meant to change."""
    assert compare({"lost_updates": 0}, {"lost_updates": 0})[0] == 0
    assert compare({"lost_updates": 0}, {"lost_updates": 1})[0] == 1


def test_results_that_cannot_be_compared_are_refused(compare: Any, tmp_path: Path) -> None:
    """Different scales, files without a result, names that are no figure's."""
    assert compare({"a_us": 1, "scale": 0.1}, {"a_us": 1}) == (2, compare({"a_us": 1, "scale": 0.1}, {"a_us": 1})[1])
    assert "different scale" in compare({"a_us": 1, "scale": 0.1}, {"a_us": 1})[1]
    assert "no benchmark result" in compare({"a_us": "fast"}, {"a_us": 1})[1]
    assert "figure's name" in compare({"Fast!": 1}, {"Fast!": 1})[1]
    assert command.main(["compare", str(tmp_path / "none"), str(tmp_path / "none")]) == 2


def test_a_saved_output_and_a_document_compare(fake: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of what was printed, or the file of --json: the same figures."""
    document = tmp_path / "x.json"
    fake("--json", str(document))
    (tmp_path / "x.txt").write_text(capsys.readouterr().out)
    assert command.main(["compare", str(tmp_path / "x.txt"), str(document), "--tolerance", "0"]) == 0


def test_another_machine_is_pointed_out(compare: Any) -> None:
    """The numbers then say little."""
    code, output = compare(
        {"figures": {"a_us": 1}, "machine": {"cores": "2", "load": "1"}},
        {"figures": {"a_us": 1}, "machine": {"cores": "4", "load": "2"}},
    )
    assert code == 0
    assert "different machines or versions: cores" in output


def test_list_names_each_benchmark_first(capsys: pytest.CaptureFixture[str]) -> None:
    """One a line: a name that run takes, and what it measures."""
    assert command.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(available())
    assert all(len(line.split()) > 3 for line in lines)


def test_the_stack_benchmark_imports_every_component(monkeypatch: pytest.MonkeyPatch) -> None:
    """It measures the package and each of its rooms against an interpreter that imports nothing."""
    started: list[str] = []
    monkeypatch.setattr(stack, "start", started.append)
    bench = Bench(Options(quick=True))
    stack.imported(bench)
    assert "validation" in stack.components()
    assert bench.figures.keys() == {"import_ms", *(f"standalone_import_ms.{room}" for room in stack.components())}
    assert {"pass", "import postrmagic_core", "import postrmagic_core.validation"} <= set(started)


def test_an_import_that_fails_is_no_fast_import() -> None:
    """The benchmark ends with the error instead of a figure."""
    with pytest.raises(subprocess.CalledProcessError):
        stack.start("import sys; sys.exit(3)")


def whole(**parts: dict[str, float]) -> dict[str, object]:
    """A document of ``report``."""
    return {"parts": {name: {"figures": figures} for name, figures in parts.items()}, "machine": {}}


@pytest.mark.parametrize(
    ("base", "head", "code"),
    [
        ({"a_time_ratio": 1.0, "b_us": 1}, {"a_time_ratio": 1.09, "b_us": 900}, 0),
        ({"a_time_ratio": 1.0}, {"a_time_ratio": 1.11}, 1),
        ({"a_speedup": 10}, {"a_speedup": 8.9}, 1),
        ({"a_speedup.x": 10}, {}, 1),
        ({"b_rate": 10}, {}, 0),
        ({"lost": 0}, {"lost": 1}, 1),
        ({"lost_peer.somebody": 700}, {"lost_peer.somebody": 500}, 0),
        ({"lost_peer.somebody": 700}, {}, 0),
    ],
)
def test_ratios_and_counts_alone_carry_over(
    base: dict[str, float], head: dict[str, float], code: int, compare: Any
) -> None:
    """Between machines; what a peer does is its own matter."""
    assert compare(whole(cache=base), whole(cache=head), "--ratios")[0] == code


def test_every_benchmark_is_compared_with_itself(compare: Any) -> None:
    """A part that is gone fails, a new one does not; one benchmark's file is not held against all."""
    one, other = {"x_ratio": 1.0}, {"x_ratio": 9.0}
    assert compare(whole(a=one, b=other), whole(a=one, b=other), "--ratios")[0] == 0
    assert compare(whole(a=one, b=other), whole(a=one), "--ratios")[0] == 1
    assert compare(whole(a=one), whole(a=one, b=other), "--ratios")[0] == 0
    assert compare(whole(a=one, b=one), one)[0] == 2
    assert compare(whole(a=one, b=other), {"benchmark": "b", "figures": other})[0] == 0
    assert compare(whole(a=one, b=other), {"benchmark": "b", "figures": one})[0] == 1
    assert compare({"benchmark": "a", "figures": one}, {"benchmark": "b", "figures": one})[0] == 1
    assert compare(whole(a={"x_ratio": 1, "scale": 0.1}), whole(a=one))[0] == 2


@pytest.mark.parametrize(("second", "code"), [(1.0, 0), (1.5, 1)])
def test_what_is_worse_is_measured_once_more(
    second: float, code: int, compare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are shown, and only what is worse twice fails; nothing else is measured."""
    asked: list[str] = []

    def again(name: str, *_: object) -> dict[str, float]:
        asked.append(name)
        return {"x_time_ratio": second, "y_time_ratio": 9.0}

    monkeypatch.setattr(command, "_again", again)
    base = whole(a={"x_time_ratio": 1.0, "y_time_ratio": 1.0}, b={"x_time_ratio": 1.0})
    head = whole(a={"x_time_ratio": 1.25, "y_time_ratio": 1.0}, b={"x_time_ratio": 1.0})
    found, told = compare(base, head, "--ratios", "--again")
    assert (found, asked) == (code, ["a"])
    assert "1.25" in told
    assert f"{second:.3g}" in told


def test_a_saved_output_cannot_be_measured_again(compare: Any) -> None:
    """It does not say what was measured."""
    code, told = compare({"x_time_ratio": 1.0}, {"x_time_ratio": 2.0}, "--again")
    assert code == 2
    assert "say their benchmark" in told
