"""What is installed is what was meant: every resource is in the wheel, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "postrmagic_core"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_every_file_of_the_package_is_in_the_wheel(names: list[str]) -> None:
    """Python, Lua, SQL, Alembic revisions, templates and assets all arrive; py.typed says that types do."""
    sources = {
        f"postrmagic_core/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "postrmagic_core/py.typed" in sources
    assert sources - set(names) == set()


def test_nothing_else_is_in_the_wheel(names: list[str]) -> None:
    """No test, example, benchmark or scrap of the checkout is installed with the package."""
    folders = {name.split("/")[0].partition("-")[0] for name in names}
    assert folders == {"postrmagic_core"}
    own = [name for name in names if "/cli/templates/" not in name]  # the tests of a project that `init` writes
    assert [name for name in own if "__pycache__" in name or Path(name).name.startswith(("test_", "conftest"))] == []


def test_the_licence_and_the_command_are_in_the_wheel(names: list[str]) -> None:
    """The metadata carries the licence's text and the entry points."""
    metadata = {name.split("/", 1)[1] for name in names if ".dist-info/" in name}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= metadata
