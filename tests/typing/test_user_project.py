"""A project of users is typed through and through, by both checkers, against the package as it is installed."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from postrmagic_core.testing.capture import embedded_settings
from tests.typing.posters.application import Posters, make_stack, metadata
from tests.typing.posters.tasks import make_thumbnail
from tests.typing.posters.web import read

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WRONG = (HERE / "wrong.py").read_text(encoding="utf-8")
# On each line where an error is excused: its number, and mypy's codes.
EXCUSED = {
    number: set(found[1].split(", "))
    for number, line in enumerate(WRONG.splitlines(), start=1)
    if (found := re.search(r"# type: ignore\[([^]]+)\]  # \w", line))
}


def test_nothing_of_the_project_is_excused() -> None:
    """What is right needs no excuse, and both checkers look at all of it with each merge, by scripts/lint.sh."""
    for path in (HERE / "posters").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"type: ignore|pyright: ignore|\bcast\(|\bAny\b", text) == [], path
        assert path.stem == "__init__" or text.startswith("# pyright: strict\n"), path
    assert WRONG.count("type: ignore") == len(EXCUSED) > 10
    assert WRONG.startswith("# pyright: strict, reportUnnecessaryTypeIgnoreComment=true\n")
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert "tests/typing" in tools["pyright"]["include"]
    assert tools["mypy"]["strict"]


def test_the_project_does_what_its_types_say(tmp_path: Path) -> None:
    """An upload by either face is there in the next answer; what comes in is a model or its problems."""
    with make_stack(embedded_settings(tmp_path)) as stack:
        stack.database.upgrade()
        with stack.database.write() as tx:
            metadata.create_all(tx.connection)
        posters = Posters(stack)
        assert (posters.upload("Gala"), posters.titles()) == (1, ["Gala"])
        assert asyncio.run(posters.upload_async("Fair")) == 2
        assert (posters.titles(), asyncio.run(posters.titles_async())) == (["Gala", "Fair"], ["Gala", "Fair"])
        assert len(stack.jobs.find({"queued"}, task=make_thumbnail.name)) == 2
    poster = read(b'{"title": "Gala", "tags": ["Music"]}')
    assert not isinstance(poster, dict)
    assert (poster.title, poster.copies) == ("Gala", 1)
    assert isinstance(problems := read(b'{"title": "", "size": 3}'), dict)
    assert set(problems) == {"title", "size"}


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_passes_against_the_wheel_and_what_is_wrong_does_not(tmp_path: Path) -> None:
    """In an environment that has the wheel, far from the checkout, with no plugin and no setting of ours."""
    python = installed(tmp_path)
    home = tmp_path / "home"
    shutil.copytree(HERE / "posters", home / "tests" / "typing" / "posters")
    assert told(python, home, "posters") == {"mypy": {}, "pyright": {}}
    stripped = re.sub(r"  # type: ignore.*", "", WRONG)
    (home / "tests" / "typing" / "wrong.py").write_text(stripped, encoding="utf-8")
    found = told(python, home, "wrong.py")
    assert found["mypy"] == EXCUSED
    assert found["pyright"].keys() == EXCUSED.keys()


def installed(folder: Path) -> str:
    """The interpreter of an environment with the wheel, built now, and whatever else is installed here behind it."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=120)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return str(folder / "venv" / "bin" / "python")


def told(python: str, home: Path, name: str) -> dict[str, dict[int, set[str]]]:
    """What each checker finds wrong, by line: its codes."""
    place = f"tests/typing/{name}"
    mypy = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--config-file=", "--output=json"]
    pyright = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", python]
    mypy += ["--python-executable", python]
    first, second = (
        subprocess.run([*command, place], cwd=home, capture_output=True, text=True, check=False, timeout=600)
        for command in (mypy, pyright)
    )
    found: dict[str, dict[int, set[str]]] = {"mypy": {}, "pyright": {}}
    for line in first.stdout.splitlines():
        if line.startswith("{") and (one := json.loads(line))["severity"] == "error":
            found["mypy"].setdefault(one["line"], set()).add(one["code"])
    report = json.loads(second.stdout)
    assert report["summary"]["filesAnalyzed"] > 0, second.stdout
    for one in report["generalDiagnostics"]:
        if one["severity"] == "error":
            found["pyright"].setdefault(one["range"]["start"]["line"] + 1, set()).add(one.get("rule", ""))
    assert found["mypy"] or first.returncode == 0, first.stdout + first.stderr
    return found
