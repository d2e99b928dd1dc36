"""Two ways to follow the tutorial: quickly, on what is installed here, or as a reader does, on a wheel."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.docs import tutorial_warm
from tests.docs.tutorial_page import Reader

ROOT = Path(__file__).parents[2]
_TUTORIALS = ROOT / "docs" / "tutorials"
LOCAL = [_TUTORIALS / "poster-library.md", *sorted(_TUTORIALS.glob("poster-library-[23]-*.md"))]
DEPLOYED = _TUTORIALS / "poster-library-4-deploy.md"
_KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "PIP_CACHE_DIR"}


def free_port() -> int:
    """One that nobody has on this machine now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(beside: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Of a person who has set nothing for this package, at a terminal that is wide enough for every table."""
    return {name: value for name, value in beside.items() if name in _KEPT} | {"COLUMNS": "100"}


def ports(**numbers: int) -> Callable[[str], str]:
    """The text of a block with other ports: ``ports(p8000=…)`` in the place of 8000, which may be taken here."""

    def changed(text: str) -> str:
        for name, number in numbers.items():
            text = re.sub(rf"\b{name[1:]}\b", str(number), text)
        return text

    return changed


@contextmanager
def quick(directory: Path) -> Iterator[Reader]:
    """Who finds every package of this interpreter in the venv, and whose commands need not import them."""
    home, warm = directory / "poster-library", directory / "warm"
    venv, project = home / ".venv", home / "posters"

    def make() -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))
        here = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n{project}\n"
        (packages / "here.pth").write_text(here, encoding="utf-8")
        for name in ("postrmagic", "pytest", "python"):
            tutorial_warm.written(name, venv / "bin", warm, project)

    instead: dict[str, Callable[[], str | None]] = {
        "python3 -m venv .venv": make,
        "pip install postrmagic-core": lambda: None,
        "pip install -e '.[test]'": lambda: None,
        "pytest -q": lambda: "echo; echo 9 passed in 1.0 s",  # a new project's own tests run where `init` is tested
    }
    command = [sys.executable, tutorial_warm.__file__, str(warm)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with Reader(directory, environment(), instead, ports(p8000=free_port())).reading() as reader:
            yield reader
        process.stdin.close()


def built(directory: Path) -> Path:
    """The wheel of this checkout."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = directory.glob("*.whl")
    return wheel


def from_wheel(wheel: Path) -> dict[str, Callable[[], str | None]]:
    """The one thing that is done otherwise: the package comes from the wheel, and all else from the index."""
    return {"pip install postrmagic-core": lambda: f"pip install {wheel}"}
