"""The programs of the how-to "write-an-api" run as they stand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.integrations.test_guide import LOADED
from tests.programs import Ran, files, run

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "write-an-api.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = files(GUIDE)
SHOWN = re.findall(r"^\$ curl localhost:8000(\S+)(?: -H '(.*?): (.*)')?\n(.*)$", TEXT, re.MULTILINE)
ASGI = """
from starlette.testclient import TestClient as Client
with Client(app, base_url="http://localhost:8000") as client:
    ask(client)
"""
WSGI = """
from werkzeug.test import Client
ask(Client(app))
"""
ASK = """
import sys
from {name} import app

def ask(client):
    for path, name, value, told in {shown}:
        answer = client.get(path, headers={{name: value}} if name else {{}})
        assert answer.text == told, answer.text
        assert answer.headers["api-version"] == "1"
    for path in ("/api/v1/docs", "/api/v1/openapi.json", "/problems/note.not_found"):
        assert client.get(path).status_code == 200, path
    assert client.post("/api/v1/notes", json={{"title": "x"}}).status_code == 401
    print("asked")
"""


DEPRECATED = """
from datetime import date
from deprecated import OLD, OldNotes
from versions import VERSIONS
from notes import PROBLEMS, Notes
from postrmagic_core.api import Api, Specification
from postrmagic_core.api.versions import deprecation_headers

old = Specification([OldNotes], title="Old", version="1.0.0", problems=PROBLEMS)
Api(old, [OldNotes(Notes())])
print(deprecation_headers(OLD)["deprecation"])
print(deprecation_headers(OLD)["sunset"])
print(VERSIONS.ask("/api/notes", "2", date(2026, 7, 1)).path)
"""
PROGRAMS = {
    name: ASK.format(name=name, shown=SHOWN) + (ASGI if name in {"starlette_app", "fastapi_app"} else WSGI)
    for name in BLOCKS
    if name.endswith("_app")
} | {"deprecated": DEPRECATED}
FRAMEWORKS = ("starlette", "fastapi", "flask", "django")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> dict[str, Ran]:
    """Each program beside the guide's files, copied as they stand."""
    programs = []
    for name, program in PROGRAMS.items():
        folder = tmp_path_factory.mktemp(name)
        shutil.copytree(migrated, folder / "var")
        for file, block in BLOCKS.items():
            (folder / f"{file}.py").write_text(block, encoding="utf-8")
        programs.append((folder, program))
    return dict(zip(PROGRAMS, run(programs, LOADED), strict=True))


@pytest.mark.parametrize("name", [f"{one}_app" for one in FRAMEWORKS])
def test_a_program_of_the_guide_answers_what_it_says(name: str, ran: dict[str, Ran]) -> None:
    """What the guide shows of curl, of every framework."""
    assert ran[name].lines == ["asked"], ran[name].stderr
    assert '"level":"error"' not in ran[name].stderr


def test_every_framework_has_its_program() -> None:
    """And curl is shown twice."""
    assert {name for name in BLOCKS if name.endswith("_app")} == {f"{one}_app" for one in FRAMEWORKS}
    assert len(SHOWN) == 2


def test_what_is_deprecated_says_what_the_guide_says(ran: dict[str, Ran]) -> None:
    """In the headers of its answers; two versions stand side by side."""
    since, ends, path = ran["deprecated"].lines
    assert f"`Deprecation: {since}`, `Sunset: {ends}`" in TEXT
    assert path == "/api/v2/notes"
