"""The programs of the guide run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "add-the-pipeline-to-an-application.md"
BLOCKS = {
    re.findall(r"\A# (\w+)\.py$", block, re.MULTILINE)[0]: block
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
}
# The program is imported as a server would; then it is asked once.
ASGI = """
from starlette.testclient import TestClient
import {name}
with TestClient({name}.app, base_url="https://testserver") as client:
    answer = client.get("/")
    print(answer.status_code, answer.headers["x-request-id"] in answer.text)
"""
WSGI = """
from werkzeug.test import Client
import {name}
with Client({name}.{attribute}).get("/", base_url="https://testserver") as answer:
    print(answer.status_code, answer.headers["x-request-id"] in answer.text)
"""


@pytest.mark.parametrize("name", [name for name in BLOCKS if name != "edge"])
def test_a_program_of_the_guide_runs(name: str, tmp_path: Path) -> None:
    """Copied into files, the module and the application answer."""
    for file, block in BLOCKS.items():
        (tmp_path / f"{file}.py").write_text(block, encoding="utf-8")
    attribute = "application" if name == "django_app" else "app"
    ask = (ASGI if name in {"fastapi_app", "asgi_app"} else WSGI).format(name=name, attribute=attribute)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ask],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("POSTRMAGIC_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.strip(), done.returncode) == ("200 True", 0), done.stderr
    assert '"level":"error"' not in done.stderr


def test_every_framework_has_its_program() -> None:
    """One for each module of the room."""
    assert set(BLOCKS) == {"edge", "fastapi_app", "flask_app", "django_app", "asgi_app", "wsgi_app"}
