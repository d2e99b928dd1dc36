"""The programs of the how-to "write-an-api" run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "write-an-api.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = {
    re.findall(r"\A# (\w+)\.py$", block, re.MULTILINE)[0]: block
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
}
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


def run(name: str, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The guide's files, copied as they stand, and ``program`` beside them."""
    for file, block in BLOCKS.items():
        (folder / f"{file}.py").write_text(block, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("POSTRMAGIC_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", [name for name in BLOCKS if name.endswith("_app")])
def test_a_program_of_the_guide_answers_what_it_says(name: str, tmp_path: Path) -> None:
    """What the guide shows of curl, of every framework."""
    client = ASGI if name in {"starlette_app", "fastapi_app"} else WSGI
    done = run(name, ASK.format(name=name, shown=SHOWN) + client, tmp_path)
    assert (done.stdout.strip(), done.returncode) == ("asked", 0), done.stderr
    assert '"level":"error"' not in done.stderr


def test_every_framework_has_its_program() -> None:
    """And curl is shown twice."""
    assert {name for name in BLOCKS if name.endswith("_app")} == {f"{one}_app" for one in FRAMEWORKS}
    assert len(SHOWN) == 2


FRAMEWORKS = ("starlette", "fastapi", "flask", "django")


def test_what_is_deprecated_says_what_the_guide_says(tmp_path: Path) -> None:
    """In the headers of its answers; two versions stand side by side."""
    program = """
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
    done = run("deprecated", program, tmp_path)
    assert done.returncode == 0, done.stderr
    since, ends, path = done.stdout.splitlines()
    assert f"`Deprecation: {since}`, `Sunset: {ends}`" in TEXT
    assert path == "/api/v2/notes"
