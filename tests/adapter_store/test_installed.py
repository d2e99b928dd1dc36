"""The store of files as a package of its own: built, installed, and found by its entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "adapter_store"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which its wheel was installed: nothing but the archive's content."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(EXAMPLE)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(folder / "site")
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"postrmagic_files"}
    assert "postrmagic_files/py.typed" in names
    return folder / "site"


def python(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python where the package is installed, and where it is not in the checkout's path."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "POSTRMAGIC_"))}
    env |= {"PYTHONPATH": str(site), "COLUMNS": "200", "TERM": "dumb"}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=site, env=env, capture_output=True, text=True, timeout=100, check=False)


def test_it_is_listed_among_the_adapters(site: Path) -> None:
    """Scheme, where it comes from, and that it can be used."""
    shown = python(site, "-m", "postrmagic_core.cli", "plugins").stdout
    [line] = [line for line in shown.splitlines() if "postrmagic_files:FileStore" in line]
    assert "files" in line
    assert "postrmagic-files" in line
    assert "usable" in line


def test_the_settings_url_is_enough(site: Path, tmp_path: Path) -> None:
    """A Stack whose cache and sessions are on files: no code names the adapter."""
    program = """
import asyncio
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings
from pathlib import Path

settings = embedded_settings(Path("stack").absolute())
settings = settings.model_copy(update={
    "cache": settings.cache.model_copy(update={"url": type(settings.cache.url)(%(url)r)}),
    "sessions": settings.sessions.model_copy(update={"url": type(settings.sessions.url)(%(url)r)}),
})
with Stack(settings, configure_logging=False) as stack:
    assert type(stack.cache.store).__name__ == "FileStore", stack.cache.store
    assert stack.cache.get_or_set("k", lambda: 1, fresh=60) == 1
    assert asyncio.run(stack.cache.aio.get("k")) == 1
    session = stack.sessions.load(None)
    session.data["seen"] = 1
    assert stack.sessions.load(stack.sessions.save(session)).data == {"seen": 1}
    print("well")
"""
    finished = python(site, "-c", program % {"url": f"files://{tmp_path}/kv"})
    assert finished.stdout == "well\n", finished.stderr
    assert len(list((tmp_path / "kv").iterdir())) > 2


def test_the_command_finds_its_contracts_kept(site: Path, tmp_path: Path) -> None:
    """As a store and under a cache: a part of both, the whole being run beside this."""
    finished = python(
        site,
        *("-m", "postrmagic_core.cli", "contract", f"files://{tmp_path}/kv", "--cache", "--json"),
        *("-k", "byte_exact or hostile or clear or atomic or invalidat or nobody_wrote"),
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    result = json.loads(finished.stdout)
    assert result["adapter"] == "postrmagic_files.store.FileStore"
    assert (result["broken"], result["not applicable"]) == (0, 1)
    assert result["held"] > 15
    assert [path.name for path in (tmp_path / "kv").iterdir()] == ["lock"]
