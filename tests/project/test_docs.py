"""What the documentation points at exists, and what it shows runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.named import OWN, made
from postrmagic_core.middleware.rate_limit import by_user
from postrmagic_core.security import Role, Roles
from postrmagic_core.security.oauth import Scope, Scopes
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from tests.project import public_api

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]


def slug(heading: str) -> str:
    """A heading's anchor as hosts of Markdown make it: lower case, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def broken(page: Path) -> list[str]:
    """The links of a page, to files and to headings, that lead nowhere."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = []
    for target in re.findall(r"(?<!`)\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        headings = (
            re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor and file.is_file()
            else []
        )
        if not file.exists() or (anchor and anchor not in map(slug, headings)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every link inside the project leads to a file that exists, and to a heading that stands in it."""
    assert broken(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """A missing file and a missing heading are named; links that hold, code and addresses are left alone."""
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# The `Other` page, told\n")
    page.write_text(
        "[a](other.md) [b](other.md#the-other-page-told) [c](absent.md) [d](other.md#absent) [e](#absent)\n"
        "[f](https://example.org/absent) [g](mailto:a@example.org)\n```md\n[h](absent.md)\n```\n"
    )
    assert broken(page) == ["absent.md", "other.md#absent", "#absent"]


def test_every_folder_of_the_documentation_has_its_page() -> None:
    """Tutorials, how-to, reference and explanation each open with a page of their own."""
    assert [
        name
        for name in ("tutorials", "how-to", "reference", "explanation")
        if not list((ROOT / "docs" / name).glob("index.md"))
    ] == []


def test_the_page_of_the_kit_has_a_line_for_all_that_it_brings() -> None:
    """Each fixture, each option of pytest, each variable of the environment that a user sets."""
    page = (ROOT / "docs" / "how-to" / "test-with-the-kit.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\S+)(?: FILE)?` \|", page, re.MULTILINE))
    brought = {words[1] for words in map(str.split, public_api.fixtures()) if len(words) == 2}
    servers = ROOT / "src" / "postrmagic_core" / "testing" / "servers" / "require.py"
    variables = set(re.findall(r'"(POSTRMAGIC_TEST_\w+)"', servers.read_text(encoding="utf-8")))
    assert len(brought) > 15
    assert len(variables) > 4
    assert brought | variables <= told


def test_the_first_example_runs(tmp_path: Path) -> None:
    """The README's lines, copied into a file by somebody new, run on the embedded default and print what they say."""
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.DOTALL)
    (tmp_path / "app.py").write_text(block)
    env = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "app.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "poster 1 is up",
        "['spring.png']",
        "poster 2 is up",
        "['spring.png', 'autumn.png']",
    ]
    assert '"level":"error"' not in done.stderr


def prove(guide: str, directory: Path, *options: str, seconds: float = 100) -> None:
    """Run the tests of a guide, with its files as they stand there."""
    page = (ROOT / "docs" / "how-to" / guide).read_text(encoding="utf-8")
    names = []
    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        (name,) = re.findall(r"\A# (\w+)\.py$", block, re.MULTILINE)
        (directory / f"{name}.py").write_text(block)
        names.append(name)
    shown = [f"import {name}\n" for name in names if not name.startswith("test_")]
    (directory / "conftest.py").write_text("".join(shown))  # all of it can be used
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert [line for line in skipped if "does not apply" not in line] == []


@pytest.mark.mysql
def test_the_database_adapter_of_the_guide_keeps_its_contract(tmp_path: Path) -> None:
    """Its files, copied as they stand, are an adapter that pytest finds proved."""
    quick = "as_a_whole or leaves_nothing or between_managers or protocol or keeps_its_password or (p2 and refused)"
    prove("write-a-database-adapter.md", tmp_path, "-k", quick)


# Each shows a template, line by line (tests/adapters/test_guides.py), whose contract is part of every run.
@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "guide",
    [
        *("write-a-store.md", "write-a-broker.md", "write-a-channel.md", "write-a-middleware.md", "write-a-rule.md"),
        *("write-a-log-sink.md", "write-an-alert-channel.md", "write-a-vault.md"),
    ],
)
def test_the_adapter_of_the_guide_keeps_its_contracts(guide: str, tmp_path: Path) -> None:
    """Its files, copied as they stand, are an adapter that pytest finds proved."""
    prove(guide, tmp_path, seconds=500)


def test_the_order_that_is_drawn_fits_and_leaves_none_out(tmp_path: Path) -> None:
    """A pipeline of all core middleware, in the order of the drawing, is one that they admit."""
    page = (ROOT / "docs" / "explanation" / "middleware.md").read_text(encoding="utf-8")
    (drawing,) = re.findall(r"^## The order\n.*?^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names = re.findall(rf"\b(?:{'|'.join(OWN)})\b", drawing)
    options: dict[str, dict[str, Any]] = {
        "csp_reports": {"path": "/csp-reports"},
        "cors": {"origins": ["https://app.example.org"]},
        "rate_limit": {"limits": "10/minute"},
        "concurrency_limit": {"slots": 10},
        "authentication": {"authenticate": lambda _: None},
    }
    settings = Settings(stack={"data_dir": tmp_path}, oauth={"issuer": "https://app.example.org"})
    stack = Stack(settings, configure_logging=False)
    stack.security.use_roles(Roles([Role("reader", allow=["media:read"])]))
    stack.security.use_scopes(Scopes([Scope("media.read", ["media:read"], "See your posters")]))
    layers = []
    for name in names:
        layers.append(made(name, options.get(name, {}), stack))
        if name == "rate_limit":
            options[name] = {"limits": "10/minute", "by": by_user(), "name": "by_user"}
    assert set(names) == OWN.keys()
    assert len(Pipeline(layers).names) == len(names)
