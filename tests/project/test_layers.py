"""Who may import whom: the contracts of pyproject.toml hold, and each goes red on a planted import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts on the `postrmagic_core` that lies in `folder`."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            # The folder's package comes before the installed one.
            "import sys; sys.path.insert(0, '.')\nfrom importlinter.cli import lint_imports_command as run; run()",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--no-cache",
            "--no-logo",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def house(folder: Path, **modules: str) -> Path:
    """A house of empty rooms, with `modules` (dots as double underscores) written into it."""
    package = folder / "postrmagic_core"
    rooms = ["database", "stores", "cache", "limits", "testing"]
    files = {f"{room}/{name}": "" for room in rooms for name in ("__init__.py", "manager.py", "policy.py")}
    files |= {"__init__.py": "", "errors.py": ""}
    files |= {f"{name.replace('__', '/')}.py": text for name, text in modules.items()}
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return folder


def test_the_package_keeps_its_layers(tmp_path: Path) -> None:
    """The package as it is keeps every contract."""
    shutil.copytree(ROOT / "src" / "postrmagic_core", tmp_path / "postrmagic_core")
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout


def test_an_honest_house_passes(tmp_path: Path) -> None:
    """Imports from above, of a lower room and of the foundations, are what layers are for."""
    done = lint(
        house(
            tmp_path,
            cache__manager="from postrmagic_core import errors\nfrom postrmagic_core.stores import manager\n",
            cache__policy="import math\nfrom postrmagic_core.errors import __doc__\n",
            testing__manager="import redis\nfrom postrmagic_core.cache import manager\n",
        )
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("modules", "contract"),
    [
        ({"stores__manager": "from postrmagic_core.cache import manager"}, "A room imports only the rooms below it"),
        ({"cache__manager": "from postrmagic_core.limits import manager"}, "A room imports only the rooms below it"),
        ({"errors": "import postrmagic_core.database.manager"}, "A room imports only the rooms below it"),
        ({"parlour": ""}, "A room imports only the rooms below it"),
        ({"cache__manager": "import postrmagic_core.testing.manager"}, "The package never imports its own test kit"),
        ({"cache__policy": "import redis"}, "A policy decides"),
        ({"cache__policy": "def f():\n    from time import monotonic"}, "A policy decides"),
    ],
    ids=["upward", "sibling", "foundation", "unknown-room", "testing", "driver", "clock"],
)
def test_a_planted_import_is_found(tmp_path: Path, modules: dict[str, str], contract: str) -> None:
    """Exactly the contract that forbids the import is broken."""
    done = lint(house(tmp_path, **modules))
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert done.returncode == 1
    assert [line.startswith(contract) for line in broken] == [True], done.stdout + done.stderr
